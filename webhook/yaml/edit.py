"""Edits the text of a YAML document until it has another value: a line that nothing changes stays as it is.

What is added to a mapping or a list stands on lines of its own, indented as its neighbours, and what is removed goes
with its lines. Where that is not possible (a value that aliases share, merged keys, a list within a list's line), the
smallest value around is written anew. Whatever is edited in another way than by whole lines is read again, and where
it does not have the wanted value, the document is written anew as a whole.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any, NamedTuple

import orjson
import yaml

from webhook.yaml import emit
from webhook.yaml.objects import Broken, Build, Loader, is_merge, key_of
from webhook.yaml.scalars import TEXT

_COLON = re.compile(r"[ \t]*:")
_ALIAS = re.compile(r"\s*\*[^\s,\[\]{}]+")
_BLANK = re.compile(r"[ \t]*(#[^\n]*)?\r?(\n|$)")


class Edit(NamedTuple):
    """The characters from `start` to `end` (not included) of a text become `text`."""

    start: int
    end: int
    text: str

    def moved(self, by: int) -> Edit:
        """The same in a text in which this many characters are before this one's text."""
        return Edit(self.start + by, self.end + by, self.text)


class _CannotSplice(Exception):
    """A change cannot be made within a value: what is around it is written anew."""


def edits(text: str, root: yaml.Node, old: Any, new: Any, *, anchored: bool = True) -> list[Edit]:
    """What to change in a text so that one of its documents has the value `new`, in the order of the text.

    `root` is the document's node, with marks in this text, and `old` the value that it has. `new` holds what JSON can.
    `anchored`: whether the text may have anchors (`Loader.anchored`).
    """
    document = _Document(text, root, anchored=anchored)
    changes = document.changes(old, new)
    return [document.anew(new)] if changes is None else changes


def spliced(text: str, root: yaml.Node, old: Any, new: Any, *, anchored: bool, offset: int) -> list[Edit] | None:
    """As `edits`, for a text that is a part of another one, and None where it cannot be done within that part.

    `offset` is how much further than their keys the lists are indented in the text around.
    """
    return _Document(text, root, anchored=anchored, offset=offset).changes(old, new)


def apply(text: str, changes: list[Edit]) -> str:
    """The text after these changes, which are in its order and do not overlap."""
    parts = []
    position = 0
    for change in changes:
        parts += [text[position : change.start], change.text]
        position = change.end
    return "".join([*parts, text[position:]])


class _Document:
    """A document and the text that it stands in."""

    def __init__(self, text: str, root: yaml.Node, *, anchored: bool, offset: int | None = None) -> None:
        self._text = text
        self._root = root
        self._given_offset = offset
        self._end = _content_end(text, root)
        self._newline = _line_break(text, root.start_mark.index)
        self._shared = _shared(root) if anchored else frozenset()
        # Behind `? key`, the colon stands on a line of its own.
        self._has_long_keys = "?" in text
        # Whether it is certain that the changes give the wanted value, as they add or remove whole lines only.
        self._certain = not anchored

    def changes(self, old: Any, new: Any) -> list[Edit] | None:
        """What to change, in the order of the text; None where no changes within the document give the value."""
        if old is new or old == new:
            return []
        try:
            changes = sorted(self.value(self._root, old, new))
            if self._certain or self._gives(changes, new):
                return changes
        except (_CannotSplice, yaml.YAMLError, RecursionError, Broken):
            pass
        return None

    @cached_property
    def _own_offset(self) -> int:
        return _offset(self._root) if self._given_offset is None else self._given_offset

    def _offset(self, value: Any) -> int:
        """How much further than their keys the lists are indented that are added with a value."""
        return self._own_offset if _has_list(value) else 0

    def _gives(self, changes: list[Edit], new: Any) -> bool:
        """Whether the document has this value after the changes."""
        start, end = self._root.start_mark.index, _line_after(self._text, self._end)
        start = _line_start(self._text, start)
        inside = [Edit(one.start - start, one.end - start, one.text) for one in changes]
        loader = Loader(apply(self._text[start:end], inside))
        try:
            loader.check_node()
            node = loader.get_node()
            return node is not None and not loader.check_node() and _same(Build(loader).document(node), new)
        finally:
            loader.dispose()

    def anew(self, new: Any) -> Edit:
        """The whole document, written anew."""
        start = self._root.start_mark.index
        line_break = self._newline if _at_line_start(self._text, self._end) else ""
        return Edit(start, self._end, self._newline.join(_lines(new, 0, self._offset(new))) + line_break)

    def value(self, node: yaml.Node, old: Any, new: Any) -> list[Edit]:
        """The changes within a value. Raises `_CannotSplice`."""
        if id(node) in self._shared:
            raise _CannotSplice
        if isinstance(node, yaml.MappingNode) and isinstance(new, dict) and new and not node.flow_style:
            return self._mapping(node, old, new)
        if isinstance(node, yaml.SequenceNode) and isinstance(new, list) and new and not node.flow_style:
            return self._sequence(node, old, new)
        self._certain = False
        if isinstance(node, yaml.MappingNode) and isinstance(new, dict) and node.flow_style:
            return self._flow_mapping(node, old, new)
        if isinstance(node, yaml.SequenceNode) and isinstance(new, list) and node.flow_style:
            return self._flow_sequence(node, old, new)
        if node is self._root or _is_block(node) or (isinstance(new, dict | list) and new):
            raise _CannotSplice
        # A value that was left out has no blank before it.
        blank = " " if node.start_mark.index == node.end_mark.index else ""
        return [Edit(node.start_mark.index, node.end_mark.index, blank + emit.scalar(new))]

    def _mapping(self, node: yaml.MappingNode, old: Any, new: dict[str, Any]) -> list[Edit]:
        pairs = _own(node)
        if self._has_long_keys:
            self._certain = self._certain and all(self._has_colon(key) for key, _ in pairs.values())
        changes: list[Edit] = []
        for name, (key, value) in pairs.items():
            if name not in new:
                changes.append(self._without(node, key, value))
            elif new[name] is not old[name] and not _same(old[name], new[name]):
                changes += self._entry(key, value, old[name], new[name])
        added = {name: value for name, value in new.items() if name not in pairs and not _has(old, name, value)}
        if len(old) != len(pairs) and any(name not in new for name in old if name not in pairs):
            raise _CannotSplice
        if added:
            indent = node.value[0][0].start_mark.column
            changes.append(
                self._insert(_content_end(self._text, node), emit.entries(added, indent, self._offset(added)))
            )
        return changes

    def _has_colon(self, key: yaml.Node) -> bool:
        end = key.end_mark.index
        return self._text[end : end + 1] == ":" or _COLON.match(self._text, end) is not None

    def _entry(self, key: yaml.Node, value: yaml.Node, old: Any, new: Any) -> list[Edit]:
        """The changes of the value of a key: within it, or all of it."""
        try:
            if not _is_alias(key, value):
                return self.value(value, old, new)
        except _CannotSplice:
            if id(value) in self._shared:
                # The others that share it still need it.
                raise
        return self._rewritten(key, value, new)

    def _rewritten(self, key: yaml.Node, value: yaml.Node, new: Any) -> list[Edit]:
        colon = _COLON.match(self._text, key.end_mark.index)
        if colon is None:
            raise _CannotSplice
        end = _value_end(self._text, key, value)
        if not isinstance(new, dict | list) or not new:
            line_break = self._newline if _at_line_start(self._text, end) else ""
            return [Edit(colon.end(), end, f" {emit.scalar(new)}{line_break}")]
        indent = key.start_mark.column
        lines = (
            emit.entries(new, indent + 2, self._offset(new))
            if isinstance(new, dict)
            else emit.items(new, indent + self._offset(new), self._offset(new))
        )
        if (not _is_block(value) or _is_alias(key, value)) and not _at_line_start(self._text, end):
            # What stands behind it on its line, a comment, stays there.
            return [Edit(colon.end(), end, ""), self._insert(end, lines)]
        line_break = self._newline if _at_line_start(self._text, end) else ""
        return [Edit(colon.end(), end, self._newline + self._newline.join(lines) + line_break)]

    def _without(self, node: yaml.MappingNode, key: yaml.Node, value: yaml.Node) -> Edit:
        """An entry and its lines away."""
        start = _line_start(self._text, key.start_mark.index)
        if self._text[start : key.start_mark.index].strip() or len(node.value) == 1:
            # It stands on the line of a list's dash.
            raise _CannotSplice
        return Edit(start, _line_after(self._text, _value_end(self._text, key, value)), "")

    def _flow_mapping(self, node: yaml.MappingNode, old: Any, new: dict[str, Any]) -> list[Edit]:
        pairs = _own(node)
        if len(pairs) != len(old):
            # Keys that it merges cannot be told from its own.
            raise _CannotSplice
        changes: list[Edit] = []
        ends = [(key.start_mark.index, _value_end(self._text, key, value)) for key, value in pairs.values()]
        kept = [name in new for name in pairs]
        changes += self._flow_without(node, ends, kept)
        for name, (key, value) in pairs.items():
            if name in new and not _same(old[name], new[name]):
                if _is_alias(key, value):
                    raise _CannotSplice
                changes += self._flow_value(value, old[name], new[name])
        added = [f"{emit.flow(name)}: {emit.flow(value)}" for name, value in new.items() if name not in old]
        return changes + self._flow_more(node, added, ends, any(kept))

    def _flow_sequence(self, node: yaml.SequenceNode, old: Any, new: list[Any]) -> list[Edit]:
        if any(id(item) in self._shared for item in node.value):
            raise _CannotSplice
        changes: list[Edit] = []
        ends = [(item.start_mark.index, item.end_mark.index) for item in node.value]
        kept = [True] * len(ends)
        added: list[str] = []
        for step in _aligned(old, new):
            for number, other in step.pairs:
                if not _same(old[number], new[other]):
                    changes += self._flow_value(node.value[number], old[number], new[other])
            if step.first == step.last:
                kept[step.begin : step.end] = [False] * (step.end - step.begin)
            elif step.begin == step.end:
                texts = [emit.flow(item) for item in new[step.first : step.last]]
                if step.begin == len(ends):
                    added = texts
                    continue
                between = self._between(node, node.value[-1])
                at = ends[step.begin][0]
                changes.append(Edit(at, at, "".join(f"{text},{between}" for text in texts)))
        return [*changes, *self._flow_without(node, ends, kept), *self._flow_more(node, added, ends, any(kept))]

    def _flow_without(self, node: yaml.Node, ends: list[tuple[int, int]], kept: list[bool]) -> list[Edit]:
        """Items of a flow collection away, each with a comma; `ends` are where each begins and ends."""
        if not any(kept):
            return [Edit(ends[0][0], ends[-1][1], "")] if ends else []
        first = kept.index(True)
        changes = [Edit(ends[0][0], ends[first][0], "")] if first else []
        away = [number for number in range(first + 1, len(ends)) if not kept[number]]
        return changes + [Edit(ends[number - 1][1], ends[number][1], "") for number in away]

    def _flow_more(self, node: yaml.Node, texts: list[str], ends: list[tuple[int, int]], follow: bool) -> list[Edit]:
        """Items behind those of a flow collection; `follow`: whether one is before them."""
        if not texts:
            return []
        if not ends:
            at = node.end_mark.index - 1
            return [Edit(at, at, ", ".join(texts))]
        last = node.value[-1][0] if isinstance(node, yaml.MappingNode) else node.value[-1]
        comma = f",{self._between(node, last)}"
        text = comma.join(texts)
        return [Edit(ends[-1][1], ends[-1][1], comma + text if follow else text)]

    def _flow_value(self, node: yaml.Node, old: Any, new: Any) -> list[Edit]:
        if id(node) in self._shared:
            raise _CannotSplice
        if isinstance(node, yaml.MappingNode) and isinstance(new, dict):
            return self._flow_mapping(node, old, new)
        if isinstance(node, yaml.SequenceNode) and isinstance(new, list):
            return self._flow_sequence(node, old, new)
        blank = " " if node.start_mark.index == node.end_mark.index else ""
        return [Edit(node.start_mark.index, node.end_mark.index, blank + emit.flow(new))]

    def _between(self, node: yaml.Node, last: yaml.Node) -> str:
        """What stands between two items of a flow collection: a blank, or a line break and an indentation."""
        if last.start_mark.line == node.start_mark.line:
            return " "
        start = _line_start(self._text, last.start_mark.index)
        before = self._text[start : last.start_mark.index]
        return self._newline + before if not before.strip() else " "

    def _sequence(self, node: yaml.SequenceNode, old: Any, new: list[Any]) -> list[Edit]:
        indent = self._column(node)
        changes: list[Edit] = []
        for step in _aligned(old, new):
            for number, other in step.pairs:
                if not _same(old[number], new[other]):
                    changes += self._item(node.value[number], old[number], new[other], indent)
            if step.first == step.last:
                changes += [self._without_item(item, indent) for item in node.value[step.begin : step.end]]
            elif step.begin == step.end:
                lines = emit.items(new[step.first : step.last], indent, self._offset(new))
                if step.begin < len(node.value):
                    at = self._above(self._dash(node.value[step.begin], indent), indent)
                    changes.append(Edit(at, at, "".join(line + self._newline for line in lines)))
                else:
                    changes.append(self._insert(_content_end(self._text, node.value[-1]), lines))
        return changes

    def _item(self, node: yaml.Node, old: Any, new: Any, indent: int) -> list[Edit]:
        """The changes of an item: within it, or all of it."""
        if id(node) in self._shared:
            raise _CannotSplice
        try:
            return self.value(node, old, new)
        except _CannotSplice:
            start, end = self._dash(node, indent), _content_end(self._text, node)
            line_break = self._newline if _at_line_start(self._text, end) else ""
            return [Edit(start, end, self._newline.join(emit.items([new], indent, self._offset(new))) + line_break)]

    def _without_item(self, node: yaml.Node, indent: int) -> Edit:
        end = _line_after(self._text, _content_end(self._text, node))
        return Edit(self._dash(node, indent), end, "")

    def _column(self, node: yaml.SequenceNode) -> int:
        """The column of the dashes of a list."""
        start = node.start_mark.index
        if self._text[start : start + 1] == "-":
            return int(node.start_mark.column)
        # It begins with an anchor or a tag.
        line = self._text[_line_start(self._text, node.value[0].start_mark.index) :]
        return len(line) - len(line.lstrip(" "))

    def _dash(self, item: yaml.Node, indent: int) -> int:
        """The start of the line of an item's dash, which stands in this column. Raises `_CannotSplice` if there is
        something else on that line before it."""
        if id(item) in self._shared:
            raise _CannotSplice
        start = _line_start(self._text, item.start_mark.index)
        while self._text[start : start + indent + 1] != " " * indent + "-":
            if start == 0 or self._text[start : item.start_mark.index].split("#")[0].strip():
                raise _CannotSplice
            start = _line_start(self._text, start - 1)
        return start

    def _above(self, start: int, indent: int) -> int:
        """Above the comment that stands above a line: it belongs to that line."""
        comment = re.compile(rf" {{{indent}}}#")
        while start > 0:
            before = _line_start(self._text, start - 1)
            if not comment.match(self._text, before):
                break
            start = before
        return start

    def _insert(self, end: int, lines: list[str]) -> Edit:
        """Lines behind the line on which something ends."""
        text = self._newline.join(lines)
        at = _line_after(self._text, end)
        if at and self._text[at - 1] != "\n":
            # A text behind `|` at the end of a file may change by the line break.
            self._certain = False
            return Edit(at, at, self._newline + text)
        return Edit(at, at, text + self._newline)


def _lines(value: Any, indent: int, offset: int) -> list[str]:
    if isinstance(value, dict) and value:
        return emit.entries(value, indent, offset)
    if isinstance(value, list) and value:
        return emit.items(value, indent, offset)
    return [emit.scalar(value)]


def _own(node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """The entries of a mapping by key, without those that it merges. Raises `_CannotSplice` for a key that stands there
    twice."""
    pairs = {}
    merges = 0
    for pair in node.value:
        key = pair[0]
        if key.tag is TEXT:
            pairs[key.value] = pair
        elif is_merge(key):
            merges += 1
        else:
            pairs[key_of(key)] = pair
    if len(pairs) + merges != len(node.value):
        raise _CannotSplice
    return pairs


def _is_block(node: yaml.Node) -> bool:
    """Whether a value stands on lines of its own: a block mapping or list, or a text behind `|` or `>`."""
    return node.style in ("|", ">") if isinstance(node, yaml.ScalarNode) else not getattr(node, "flow_style", True)


def _has(old: Any, name: str, value: Any) -> bool:
    return isinstance(old, dict) and name in old and _same(old[name], value)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON: 1 and true are not."""
    return one is other or (one == other and (isinstance(one, str) or _sorted(one) == _sorted(other)))


def _sorted(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


class _Step(NamedTuple):
    """How items `begin` to `end` of a list and `first` to `last` of its new value belong together: they are the same
    ones, perhaps changed (as many on both sides), or there are such on one side only."""

    begin: int
    end: int
    first: int
    last: int

    @property
    def pairs(self) -> Iterator[tuple[int, int]]:
        """The items that belong together."""
        both = self.begin < self.end and self.first < self.last
        return zip(range(self.begin, self.end), range(self.first, self.last), strict=both)


def _aligned(old: list[Any], new: list[Any]) -> Iterator[_Step]:
    """Which items of two lists belong together: those of the same name, the same ones, or those between such."""
    if [*map(_name, old)] == [*map(_name, new)]:
        yield _Step(0, len(old), 0, len(new))
        return
    matcher = SequenceMatcher(None, [*map(_identity, old)], [*map(_identity, new)], autojunk=False)
    for kind, begin, end, first, last in matcher.get_opcodes():
        if kind != "replace":
            yield _Step(begin, end, first, last)
            continue
        both = min(end - begin, last - first)
        yield _Step(begin, begin + both, first, first + both)
        if end - begin != last - first:
            yield _Step(begin + both, end, first + both, last)


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _identity(item: Any) -> tuple[bool, str | bytes]:
    name = _name(item)
    return (True, name) if name is not None else (False, orjson.dumps(item))


def _is_alias(key: yaml.Node, value: yaml.Node) -> bool:
    """Whether a value stands elsewhere: before its key."""
    return bool(value.start_mark.index < key.start_mark.index)


def _value_end(text: str, key: yaml.Node, value: yaml.Node) -> int:
    """Where the value of a key ends. Raises `_CannotSplice` if that cannot be seen."""
    if not _is_alias(key, value):
        return _content_end(text, value)
    colon = _COLON.match(text, key.end_mark.index)
    alias = _ALIAS.match(text, colon.end()) if colon else None
    if alias is None:
        raise _CannotSplice
    return alias.end()


def _content_end(text: str, node: yaml.Node) -> int:
    """Where a value's own text ends. The node of a block ends only where the next begins, behind comments."""
    while node.value and getattr(node, "flow_style", True) is False:
        if isinstance(node, yaml.MappingNode):
            key, value = node.value[-1]
            if _is_alias(key, value):
                return _value_end(text, key, value)
            node = value
        else:
            last = node.value[-1]
            if last.start_mark.index < node.start_mark.index:
                raise _CannotSplice
            node = last
    return int(node.end_mark.index)


def _at_line_start(text: str, position: int) -> bool:
    return position == 0 or text[position - 1] == "\n"


def _line_start(text: str, position: int) -> int:
    return text.rfind("\n", 0, position) + 1


def _line_break(text: str, position: int) -> str:
    """The line break that lines have behind a position, or else before it."""
    at = text.find("\n", position)
    at = at if at >= 0 else text.rfind("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def _line_after(text: str, position: int) -> int:
    """The start of the line behind the one on which something ends; the text's end where there is none."""
    if _at_line_start(text, position) and position:
        return position
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def _shared(root: yaml.Node) -> frozenset[int]:
    """The nodes that stand in a document more than once, by aliases, and all within them."""
    counts: Counter[int] = Counter()
    stack = [root]
    while stack:
        node = stack.pop()
        counts[id(node)] += 1
        if counts[id(node)] > 1 and not isinstance(node.value, list):
            continue
        if counts[id(node)] > 2:
            continue
        if isinstance(node, yaml.MappingNode):
            stack += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            stack += node.value
    return frozenset(number for number, count in counts.items() if count > 1)


def _has_list(value: Any) -> bool:
    if isinstance(value, dict):
        return any(isinstance(entry, dict | list) and _has_list(entry) for entry in value.values())
    return isinstance(value, list)


def _offset(root: yaml.Node) -> int:
    """How much further than their keys the lists of a document are indented: as its first one is."""
    stack = [root] if isinstance(root, yaml.CollectionNode) else []
    while stack:
        node = stack.pop()
        if not isinstance(node, yaml.MappingNode):
            stack += [item for item in reversed(node.value) if isinstance(item, yaml.CollectionNode)]
            continue
        for key, value in node.value:
            if isinstance(value, yaml.SequenceNode) and not value.flow_style and value.value:
                return max(0, min(8, int(value.start_mark.column) - int(key.start_mark.column)))
        stack += [value for _, value in reversed(node.value) if isinstance(value, yaml.CollectionNode)]
    return 0
