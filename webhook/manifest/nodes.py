"""Finds the YAML node of a field of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import yaml

from webhook.yaml import scalars
from webhook.yaml.objects import MAPPING, SEQUENCE, is_merge, key_of, merged

Path = tuple[str | int, ...]

_YAML: Final = "tag:yaml.org,2002:"
# The tags that YAML defines, and "!", which says no more than that a value is text.
_DEFINED: Final = frozenset(
    {
        *(MAPPING, SEQUENCE, scalars.TEXT, scalars.MERGE, scalars.NULL, scalars.BOOL, scalars.INT, scalars.FLOAT),
        *(scalars.BINARY, f"{_YAML}timestamp", f"{_YAML}set", f"{_YAML}omap", f"{_YAML}pairs", f"{_YAML}value", "!"),
    }
)


def find(root: yaml.Node, path: Path) -> yaml.Node:
    """The node at whose start a field is: its key in a mapping, the item in a sequence.

    If the field does not exist, it is the node of its nearest parent that does.
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
    """The entry of a key that takes effect: the last one, merged or not."""
    for key, value in reversed(node.value):
        if not is_merge(key):
            if key_of(key) == name:
                return key, value
            continue
        for source in merged(value):
            if (entry := _entry(source, name)) is not None:
                return entry
    return None


def doubles(root: yaml.Node) -> list[Path]:
    """The paths of keys that a mapping has more than once, in the order of the text; aliases are not followed."""
    repeated: list[Path] = []
    for path, node, _ in _walk(root, _effective):
        names = set()
        for name in _names(node):
            if name in names:
                repeated.append((*path, name))
            names.add(name)
    return list(dict.fromkeys(repeated))


def _names(node: yaml.Node) -> list[str]:
    """The keys of a mapping, without those that it merges; none of anything else."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return [key_of(key) for key, _ in pairs if not is_merge(key)]


def foreign_tags(root: yaml.Node) -> list[tuple[Path, str]]:
    """The paths of values with a tag that YAML does not define, each with the tag as it is written, in the order of the
    text; aliases are not followed."""
    tagged: dict[int, tuple[Path, str]] = {}
    for path, node, is_key in _walk(root, _all):
        if not is_key and node.tag not in _DEFINED:
            tagged.setdefault(id(node), (path, _written(node.tag)))
    return list(tagged.values())


# What looks like a space or like nothing: no-break and other wide spaces, characters of no width, byte order marks.
_UNSEEN: Final = frozenset("\u00a0\u1680\u202f\u205f\u2060\u3000\ufeff") | {chr(code) for code in range(0x2000, 0x200E)}


def unseen(root: yaml.Node) -> list[tuple[Path, str]]:
    """The paths of keys, and of values without quotes, that begin or end with a character that cannot be seen, with
    that character; aliases are not followed."""
    return [
        (path, next(character for character in (node.value[0], node.value[-1]) if character in _UNSEEN))
        for path, node, is_key in _walk(root, _all)
        if isinstance(node, yaml.ScalarNode)
        and (is_key or not node.style)
        and node.value
        and (node.value[0] in _UNSEEN or node.value[-1] in _UNSEEN)
    ]


# A node with its path, and whether it is a key.
_Place = tuple[Path, yaml.Node, bool]


def _walk(root: yaml.Node, entries: Callable[[yaml.MappingNode, Path], list[_Place]]) -> Iterator[_Place]:
    """The nodes of a document in the order of the text, a mapping or a list that aliases share only once. `entries`
    returns those of a mapping."""
    seen: set[int] = set()
    stack: list[_Place] = [((), root, False)]
    while stack:
        path, node, is_key = stack.pop()
        if isinstance(node, yaml.CollectionNode):
            if id(node) in seen:
                continue
            seen.add(id(node))
        yield path, node, is_key
        if isinstance(node, yaml.MappingNode):
            stack += reversed(entries(node, path))
        elif isinstance(node, yaml.SequenceNode):
            stack += reversed([((*path, index), item, False) for index, item in enumerate(node.value)])


def _all(node: yaml.MappingNode, path: Path) -> list[_Place]:
    """Each key and value."""
    places: list[_Place] = []
    for key, value in node.value:
        below = path if is_merge(key) else (*path, key_of(key))
        places += [(below, key, True), (below, value, False)]
    return places


def _effective(node: yaml.MappingNode, path: Path) -> list[_Place]:
    """The value of each key that takes effect, without what is merged."""
    values = {key_of(key): value for key, value in node.value if not is_merge(key)}
    return [((*path, name), value, False) for name, value in values.items()]


def _written(tag: str) -> str:
    if tag.startswith(_YAML):
        return f"!!{tag.removeprefix(_YAML)}"
    return tag if tag.startswith("!") else f"!<{tag}>"
