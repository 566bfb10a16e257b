"""YAML nodes -> objects, in one quick pass, and back from a field to where it stands.

libyaml composes the nodes, which carry their places; the rest of what PyYAML does is done here for the case that nearly
all of a manifest is: mappings and sequences of plain text. Objects come out as they do from `load.Loader`, but that
every key is a string, as in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import yaml

from webhook.manifest.load import Broken, Loader

Path = tuple[str | int, ...]

TEXT = "tag:yaml.org,2002:str"
MAPPING = "tag:yaml.org,2002:map"
SEQUENCE = "tag:yaml.org,2002:seq"
MERGE = "tag:yaml.org,2002:merge"

# Deeper than any schema, and well within what the checks and orjson walk by recursion.
DEEPEST = 200
# What a document may come to with each alias written out.
MOST_VALUES = 200_000

_ANCHOR = re.compile(r"(?:^|[\s\[{,:?-])&[^\s]", re.MULTILINE)
# What a plain scalar that is no text starts with; "" is null.
_FIRST = frozenset(Loader.yaml_implicit_resolvers)
_REMEMBERED = 4096
# How many characters a text has that is worth remembering.
_SHORT = 32

_VALUES: dict[str, Callable[[yaml.SafeLoader, yaml.Node], Any]] = {
    f"tag:yaml.org,2002:{name}": getattr(yaml.SafeLoader, f"construct_yaml_{name}")
    for name in ("null", "bool", "int", "float")
}
_constructor: Any = yaml.constructor.SafeConstructor()
_resolver: Any = Loader("")


@lru_cache(_REMEMBERED)
def _resolve(kind: type[yaml.Node], value: Any, implicit: Any) -> str:
    """The tag of a node that has none, the very object where it is one of the three most frequent. Manifests say the
    same few things again and again, and a memory is asked without a call of Python's."""
    if kind is not yaml.ScalarNode:
        return MAPPING if kind is yaml.MappingNode else SEQUENCE
    if not implicit[0] or value[:1] not in _FIRST:
        return TEXT
    tag: str = _resolver.resolve(yaml.ScalarNode, value, (True, False))
    return TEXT if tag == TEXT else tag


class Composer(Loader):
    """Composes as `load.Loader` does. `anchored`: whether anything may be there twice."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.anchored = "&" in stream and _ANCHOR.search(stream) is not None

    resolve: Any = staticmethod(_resolve)

    # These follow tags by path, of which there are none: anything that takes the arguments will do, best without a
    # frame of its own.
    descend_resolver: Any = staticmethod({}.get)
    ascend_resolver: Any = staticmethod(tuple)


class Build:
    """Makes a document's object of its nodes. `doubled`: whether some mapping has a key twice.

    Raises `Broken` and `yaml.MarkedYAMLError`, with lines and marks that count from the document's own text.
    """

    __slots__ = ("doubled",)

    def __init__(self) -> None:
        self.doubled = False

    def value(self, node: yaml.Node, depth: int = 0) -> Any:
        """The object of any node."""
        tag = node.tag
        if isinstance(node, yaml.MappingNode):
            if tag == MAPPING:
                return self._mapping(node, depth)
        elif isinstance(node, yaml.SequenceNode):
            if tag == SEQUENCE:
                return self._sequence(node, depth)
        elif tag == TEXT:
            return node.value
        elif tag in _VALUES:
            return _scalar(node)
        raise Broken(_line(node), f"the tag {tag} means nothing in a manifest: leave it out")

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        if depth >= DEEPEST:
            raise _too_deep(node)
        out: dict[str, Any] = {}
        deeper = depth + 1
        for key_node, value_node in node.value:
            if key_node.tag is TEXT:
                key = key_node.value
            elif key_node.tag == MERGE:
                return self._merged(node, depth)
            else:
                key = key_of(key_node)
            tag = value_node.tag
            if tag is TEXT:
                out[key] = value_node.value
            elif tag is MAPPING:
                out[key] = self._mapping(value_node, deeper)
            elif tag is SEQUENCE:
                out[key] = self._sequence(value_node, deeper)
            else:
                out[key] = self.value(value_node, deeper)
        if len(out) != len(node.value):
            self.doubled = True
        return out

    def _sequence(self, node: yaml.SequenceNode, depth: int) -> list[Any]:
        if depth >= DEEPEST:
            raise _too_deep(node)
        deeper = depth + 1
        return [item.value if item.tag is TEXT else self.value(item, deeper) for item in node.value]

    def _merged(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        """A mapping with `<<`: what is merged first, its own entries over that."""
        out: dict[str, Any] = {}
        for merged in reversed(list(_merges(node))):
            out.update(self.value(merged, depth + 1))
        own = [(key, value) for key, value in node.value if key.tag != MERGE]
        entries = {key_of(key): self.value(value, depth + 1) for key, value in own}
        if len(entries) != len(own):
            self.doubled = True
        out.update(entries)
        return out


class _Scalars(dict[tuple[str, str], Any]):
    def __missing__(self, key: tuple[str, str]) -> Any:
        tag, text = key
        value = _VALUES[tag](_constructor, yaml.ScalarNode(tag, text))
        if len(text) <= _SHORT and len(self) < _REMEMBERED:
            self[key] = value
        return value


_scalars = _Scalars()


def _scalar(node: yaml.Node) -> Any:
    try:
        return _scalars[node.tag, node.value]
    except (ValueError, LookupError):
        name = node.tag.rpartition(":")[2]
        raise Broken(_line(node), f'"{node.value[:40]}" cannot be read as {name}: correct or quote it') from None


def key_of(node: yaml.Node) -> str:
    """A mapping's key as JSON has it: a string. Raises `Broken` where there is none in JSON."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag == TEXT or node.tag == MERGE:
            return str(node.value)
        value = _scalar(node) if node.tag in _VALUES else None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return str(node.value)
    raise Broken(_line(node), "a key that is no string: quote it, or give the entry a name")


def _merges(node: yaml.MappingNode) -> Iterator[yaml.Node]:
    """What `<<` merges into a mapping, what counts most first."""
    for key, value in reversed(node.value):
        if key.tag == MERGE:
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            if not all(isinstance(source, yaml.MappingNode) for source in sources):
                raise Broken(_line(value), "<< merges a mapping or a list of mappings, and this is neither")
            yield from sources


def _too_deep(node: yaml.Node) -> Broken:
    return Broken(_line(node), f"nested more than {DEEPEST} levels deep: no manifest is")


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark is not None else 1


def measure(root: yaml.Node) -> None:
    """Make sure that a document with aliases stays small and finite when each is written out. Raises `Broken`."""
    sizes: dict[int, int] = {}
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        children = list(_children(node))
        if done:
            sizes[id(node)] = size = 1 + sum(sizes[id(child)] for child in children)
            if size > MOST_VALUES:
                raise Broken(_line(node), f"its aliases come to more than {MOST_VALUES} values: write fewer of them")
        elif id(node) not in sizes:
            sizes[id(node)] = 0
            stack.append((node, True))
            stack += [(child, False) for child in children]
        elif sizes[id(node)] == 0:
            raise Broken(_line(node), "this contains itself, by its own alias: write it out")


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def find(root: yaml.Node, path: Path) -> yaml.Node:
    """The node whose start is the place of a field: its key in a mapping, the item in a sequence.

    Where the field does not exist, that of the nearest one above it that does.
    """
    place = node = root
    for part in path:
        if isinstance(node, yaml.MappingNode):
            entry = _entry(node, str(part))
            if entry is None:
                break
            place, node = entry
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and 0 <= part < len(node.value):
            place = node = node.value[part]
        else:
            break
    return place


def _entry(node: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The entry that counts for a key: the last, and only then what is merged."""
    for key, value in reversed(node.value):
        if key.tag != MERGE and key_of(key) == name:
            return key, value
    for merged in _merges(node):
        if isinstance(merged, yaml.MappingNode) and (entry := _entry(merged, name)) is not None:
            return entry
    return None


def doubles(root: yaml.Node) -> list[Path]:
    """The paths of keys that a mapping has more than once, in the order of the text; an alias adds none."""
    found: list[Path] = []
    seen: set[int] = set()
    stack: list[tuple[yaml.Node, Path]] = [(root, ())]
    while stack:
        node, path = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            entries: dict[str, yaml.Node] = {}
            for key, value in node.value:
                if key.tag != MERGE:
                    name = key_of(key)
                    if name in entries:
                        found.append((*path, name))
                    entries[name] = value
            stack += [(value, (*path, name)) for name, value in reversed(entries.items())]
        elif isinstance(node, yaml.SequenceNode):
            stack += [(item, (*path, index)) for index, item in reversed(list(enumerate(node.value)))]
    return list(dict.fromkeys(found))
