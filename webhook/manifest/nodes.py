"""Finds the YAML node of a field of a manifest."""

from __future__ import annotations

from collections.abc import Iterator
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
                if not is_merge(key):
                    name = key_of(key)
                    if name in entries:
                        repeated.append((*path, name))
                    entries[name] = value
            stack += [(value, (*path, name)) for name, value in reversed(entries.items())]
        elif isinstance(node, yaml.SequenceNode):
            stack += [(item, (*path, index)) for index, item in reversed(list(enumerate(node.value)))]
    return list(dict.fromkeys(repeated))


def foreign_tags(root: yaml.Node) -> list[tuple[Path, str]]:
    """The paths of values with a tag that YAML does not define, each with the tag as it is written, in the order of the
    text; aliases are not followed."""
    tagged: list[tuple[Path, str]] = []
    seen: set[int] = set()
    stack: list[tuple[yaml.Node, Path]] = [(root, ())]
    while stack:
        node, path = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.tag not in _DEFINED:
            tagged.append((path, _written(node.tag)))
        if isinstance(node, yaml.MappingNode):
            stack += [(value, path if is_merge(key) else (*path, key_of(key))) for key, value in reversed(node.value)]
        elif isinstance(node, yaml.SequenceNode):
            stack += [(item, (*path, index)) for index, item in reversed(list(enumerate(node.value)))]
    return tagged


# What looks like a space or like nothing: no-break and other wide spaces, characters of no width, byte order marks.
_UNSEEN: Final = frozenset("\u00a0\u1680\u202f\u205f\u2060\u3000\ufeff") | {chr(code) for code in range(0x2000, 0x200E)}


def unseen(root: yaml.Node) -> list[tuple[Path, str]]:
    """The paths of keys, and of values without quotes, that begin or end with a character that cannot be seen, with
    that character; aliases are not followed."""
    return [
        (path, next(character for character in (node.value[0], node.value[-1]) if character in _UNSEEN))
        for path, node in _scalars(root)
        if node.value and (node.value[0] in _UNSEEN or node.value[-1] in _UNSEEN)
    ]


def _scalars(root: yaml.Node) -> Iterator[tuple[Path, yaml.ScalarNode]]:
    """The keys, and the values without quotes, in the order of the text."""
    seen: set[int] = set()
    stack: list[tuple[yaml.Node, Path, bool]] = [(root, (), False)]
    while stack:
        node, path, is_key = stack.pop()
        if isinstance(node, yaml.ScalarNode):
            if not node.style or is_key:
                yield path, node
            continue
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in reversed(node.value):
                below = path if is_merge(key) else (*path, key_of(key))
                stack += [(value, below, False), (key, below, True)]
        else:
            stack += [(item, (*path, index), False) for index, item in reversed(list(enumerate(node.value)))]


def _written(tag: str) -> str:
    if tag.startswith(_YAML):
        return f"!!{tag.removeprefix(_YAML)}"
    return tag if tag.startswith("!") else f"!<{tag}>"
