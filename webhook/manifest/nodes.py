"""Finds the YAML node of a field of a manifest."""

from __future__ import annotations

import yaml

from webhook.yaml.objects import is_merge, key_of, merged

Path = tuple[str | int, ...]


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
