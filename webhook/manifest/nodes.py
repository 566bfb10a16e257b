"""Finds the YAML node of a field of a manifest."""

from __future__ import annotations

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


def _written(tag: str) -> str:
    if tag.startswith(_YAML):
        return f"!!{tag.removeprefix(_YAML)}"
    return tag if tag.startswith("!") else f"!<{tag}>"
