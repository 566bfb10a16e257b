"""Makes objects of YAML text, by the rules of `sigs.k8s.io/yaml`, which kubectl, Helm and Linkerd use.

libyaml composes the nodes, which hold their positions. The objects are constructed here and not by PyYAML: faster for
mappings and sequences of plain text, and by the rules of `sigs.k8s.io/yaml`: keys are strings as in JSON, the last of
two equal keys takes effect, `<<` merges at its position, tags on collections are ignored.
https://pkg.go.dev/sigs.k8s.io/yaml
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import yaml

from webhook.yaml import scalars
from webhook.yaml.scalars import FIRST, FLOAT, MERGE, TEXT

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: the same, slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

MAPPING: Final = "tag:yaml.org,2002:map"
SEQUENCE: Final = "tag:yaml.org,2002:seq"

# Deeper than any schema of Kubernetes, and well below the depth of recursion that the checks and orjson can handle.
DEEPEST: Final = 200
# The most values that a document may have with all of its aliases expanded.
MOST_VALUES: Final = 200_000

_ANCHOR = re.compile(r"(?:^|[\s\[{,:?-])&[^\s]", re.MULTILINE)
_TAG = re.compile(r"(?:^|[\s\[{,:?-])![^\s]", re.MULTILINE)
_REMEMBERED = 4096
# The longest text, in characters, that is remembered.
_SHORT = 32


class Broken(Exception):
    """A document cannot be read: the message says why, `line` is the line of its text (from 1), and `column` the column
    in it (from 1), 0 where none is known."""

    def __init__(self, line: int, message: str, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.column = column


@lru_cache(_REMEMBERED)
def _resolve(kind: type[yaml.Node], value: Any, implicit: Any) -> str:
    """The tag of a node without a tag. For the three most frequent tags, the result is the constant itself, so that it
    can be compared by identity. Results are cached, as manifests repeat the same few values, and a hit of this cache
    costs no Python call."""
    if kind is not yaml.ScalarNode:
        return MAPPING if kind is yaml.MappingNode else SEQUENCE
    if not implicit[0] or value[:1] not in FIRST:
        return TEXT
    return scalars.plain(value)[0]


def has_tags(text: str) -> bool:
    """Whether a text may have tags."""
    return "!" in text and _TAG.search(text) is not None


class Loader(_SafeLoader):
    """Composes nodes. `anchored`: whether the text may have anchors, so that nodes may occur more than once. `tagged`:
    whether it may have tags."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.tagged = has_tags(stream)
        self.anchored = "&" in stream and _ANCHOR.search(stream) is not None

    resolve: Any = staticmethod(_resolve)

    # PyYAML calls these to resolve tags by path, which is not used: any callable without a Python frame will do.
    descend_resolver: Any = staticmethod({}.get)
    ascend_resolver: Any = staticmethod(tuple)


def read(text: str) -> Any:
    """The first document of a text, None for an empty text. Further documents are ignored, as by Go's `Unmarshal`.

    Floats stay floats, as in Go before it converts them for a string field. Raises `Broken`.
    """
    try:
        loader = Loader(text)
        try:
            if not loader.check_node():
                return None
            node = loader.get_node()
            assert node is not None  # noqa: S101 - check_node said so
            return Build(loader, floats=True).document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError) as error:
        raise broken(error, text) from None


def broken(error: Exception, text: str, line: int = 1) -> Broken:
    """A `Broken` for an error of PyYAML about this text, at `line` if the error names no line."""
    # Imported here, as most texts are right.
    from webhook.yaml import wording

    if isinstance(error, yaml.reader.ReaderError):
        mistake: wording.Mistake | None = wording.unprintable(text, error.character, error.position)
    elif isinstance(error, yaml.MarkedYAMLError):
        mistake = wording.explain(error, text)
    elif isinstance(error, RecursionError):
        return Broken(line, "its lists and mappings are nested too deeply: write fewer levels")
    else:
        mistake = None
    if mistake is None:
        return Broken(line, str(error) or type(error).__name__)
    if mistake.at >= (end := len(text.rstrip())):
        # An unexpected end is reported at the last line, not at the one after it.
        return Broken(wording.place(text, end)[0], mistake.message)
    line, column = wording.place(text, mistake.at)
    return Broken(line, mistake.message, column)


class Build:
    """Makes the object of a document from its nodes. `doubled`: whether a mapping has a key more than once.

    Raises `Broken`, whose line counts from the start of the loader's text.
    """

    __slots__ = ("_anchored", "_scalars", "doubled")

    def __init__(self, loader: Loader, *, floats: bool = False) -> None:
        """`loader` composed the nodes. `floats`: keep 8080.0 a float; otherwise it becomes 8080, as in JSON."""
        self.doubled = False
        self._anchored = loader.anchored
        self._scalars = _GO if floats else _JSON

    def document(self, root: yaml.Node) -> Any:
        """The object of a document. Raises `Broken`, also if it is infinite or too large with its aliases expanded."""
        if self._anchored:
            measure(root)
        return self.value(root)

    def value(self, node: yaml.Node, depth: int = 0) -> Any:
        """The object of any node."""
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, depth)
        try:
            return self._scalars[node.tag, node.value]
        except (ValueError, OverflowError):
            raise _unreadable(node) from None

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        if depth >= DEEPEST:
            raise _too_deep(node)
        out: dict[str, Any] = {}
        deeper = depth + 1
        for key_node, value_node in node.value:
            if key_node.tag is TEXT:
                key = key_node.value
            elif is_merge(key_node):
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
        """The object of a mapping with `<<`: entries and merged entries in their order, later ones override earlier."""
        out: dict[str, Any] = {}
        own: set[str] = set()
        for key_node, value_node in node.value:
            if is_merge(key_node):
                for source in reversed(merged(value_node)):
                    out.update(self.value(source, depth + 1))
                continue
            key = key_of(key_node)
            self.doubled = self.doubled or key in own
            own.add(key)
            out[key] = self.value(value_node, depth + 1)
        return out


class _Scalars(dict[tuple[str, str], Any]):
    """The values of scalars by tag and text. Raises `ValueError` if the text cannot be read by its tag."""

    def __init__(self, *, floats: bool) -> None:
        super().__init__()
        self._floats = floats

    def __missing__(self, key: tuple[str, str]) -> Any:
        tag, text = key
        value = scalars.tagged(tag, text)
        if tag == FLOAT:
            if value - value != 0:
                raise ValueError(text)
            value = value if self._floats else scalars.in_json(value)
        if len(text) <= _SHORT and len(self) < _REMEMBERED:
            self[key] = value
        return value


_GO = _Scalars(floats=True)
_JSON = _Scalars(floats=False)


def is_merge(key: yaml.Node) -> bool:
    """Whether a mapping's key is `<<` without quotes."""
    return key.tag == MERGE and key.value == "<<"


def merged(value: yaml.Node) -> list[yaml.MappingNode]:
    """The mappings that `<<` with this value merges, the one that takes precedence first. Raises `Broken`."""
    sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
    if not all(isinstance(source, yaml.MappingNode) for source in sources):
        raise _broken_at(value, "<< merges a mapping or a list of mappings, and this is neither: write one of them")
    return list(sources)


def key_of(node: yaml.Node) -> str:
    """A mapping's key as a string, as in JSON. Raises `Broken` if JSON has no such key."""
    if isinstance(node, yaml.ScalarNode):
        try:
            value = scalars.tagged(node.tag, node.value)
        except ValueError:
            raise _unreadable(node) from None
        key = scalars.key(value)
        if key is not None:
            return key
    raise _broken_at(node, "this key is not a string: quote it, or write a name")


def _unreadable(node: yaml.Node) -> Broken:
    name = node.tag.rpartition(":")[2]
    value = node.value[:40]
    if node.tag == FLOAT and scalars.plain(node.value)[0] == FLOAT:
        return _broken_at(node, f"{value} cannot be sent to Kubernetes, as JSON does not have this number: quote it")
    return _broken_at(node, f'"{value}" cannot be read as {name}: correct it, or leave the tag out')


def _too_deep(node: yaml.Node) -> Broken:
    return _broken_at(node, f"nested more than {DEEPEST} levels deep: write fewer levels")


def _broken_at(node: yaml.Node, message: str) -> Broken:
    mark = node.start_mark
    return Broken(1, message) if mark is None else Broken(mark.line + 1, message, mark.column + 1)


def measure(root: yaml.Node) -> None:
    """Check that a document is finite and has at most `MOST_VALUES` values with its aliases expanded.

    Raises `Broken`.
    """
    sizes: dict[int, int] = {}
    stack = [(root, False)]
    while stack:
        node, done = stack.pop()
        children = list(_children(node))
        if done:
            sizes[id(node)] = size = 1 + sum(sizes[id(child)] for child in children)
            if size > MOST_VALUES:
                raise _broken_at(node, f"its aliases expand to more than {MOST_VALUES} values: write fewer of them")
        elif id(node) not in sizes:
            sizes[id(node)] = 0
            stack.append((node, True))
            stack += [(child, False) for child in children]
        elif sizes[id(node)] == 0:
            raise _broken_at(node, "this contains itself by its own alias: write the value in place of the alias")


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
