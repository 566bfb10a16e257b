"""Cuts the text of a List into its items, so that each can be composed by itself.

The nodes of a text take some sixty times its memory, and `kubectl get` writes everything into one List. A text is cut
only where it is certain that the pieces mean the same as the whole: each has to be one item when it is read alone,
which the halves of a quoted text or of a flow collection are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import orjson
import yaml

from webhook.review import JSON
from webhook.yaml import edit
from webhook.yaml.objects import Broken, Build, Loader


class Uncut(Exception):
    """The text has to be read as a whole."""


class Item(NamedTuple):
    """Where an item stands in the text; `line` is the number of lines before it."""

    start: int
    end: int
    line: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A List in pieces: `around` is its value without the items, `spans` where each item stands in the text, to be
    iterated once. In block style the text of an item begins with the indentation of its dash, which is `column` wide;
    in JSON there is no dash, and `column` is None."""

    around: JSON
    spans: Iterator[tuple[int, int]]
    column: int | None


def may_be_list(text: bytes) -> bool:
    """Whether the first bytes of a document look as those of a List, of which much more may follow."""
    return _EARLY.search(text, 0, _HEAD) is not None


_HEAD: Final = 4096
_EARLY: Final = re.compile(rb'^items:[ \t]*\r?$|"items"[ \t]*:', re.MULTILINE)


def cut(text: str) -> Cut | None:
    """The items of a text that is one List; None for any other text."""
    try:
        return _of_json(text) if text.lstrip()[:1] == "{" else _of_yaml(text)
    except (Broken, yaml.YAMLError, msgspec.MsgspecError, orjson.JSONDecodeError, RecursionError, Uncut):
        return None


_ITEMS: Final = re.compile(r"^items:[ \t]*(?:#[^\n]*)?\r?\n", re.MULTILINE)
# Characters around the items, which are composed at once; in a List there are few.
_MOST_AROUND: Final = 1 << 20
_FIRST: Final = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*( *)-[ \t\r\n]")


def _of_yaml(text: str) -> Cut | None:
    key = _ITEMS.search(text)
    first = _FIRST.match(text, key.end()) if key else None
    if key is None or first is None:
        return None
    start, indent = first.start(1), len(first[1])
    end = _end(text, start, indent)
    if key.end() + len(text) - end > _MOST_AROUND:
        return None
    around = _around(text[: key.end()], text[end:], key.start())
    return None if around is None else Cut(around, _block_spans(text, start, end, indent), indent)


def _block_spans(text: str, start: int, end: int, indent: int) -> Iterator[tuple[int, int]]:
    for dash in re.compile(rf"^ {{{indent}}}-(?=[ \t\r\n])", re.MULTILINE).finditer(text, start + indent + 1, end):
        yield start, dash.start()
        start = dash.start()
    yield start, end


def _end(text: str, start: int, indent: int) -> int:
    """The start of the first line that belongs to no item: it is less indented than their dashes, or as much and has
    none."""
    behind = rf"^ {{0,{indent - 1}}}[^\s#]" if indent else r"^(?!-[ \t\r\n])[^\s#]"
    match = re.compile(behind, re.MULTILINE).search(text, start)
    return match.start() if match else len(text)


def _around(head: str, tail: str, key: int) -> JSON | None:
    """The List without its items, whose key begins there in `head`; None where that is not a List."""
    loader = Loader(head + tail)
    try:
        node = loader.get_node() if loader.check_node() else None
        if not isinstance(node, yaml.MappingNode) or loader.check_node():
            return None
        build = Build(loader)
        value = build.document(node)
        keys = {one.start_mark.index: entry for one, entry in node.value}
        has_items = key in keys and keys[key].start_mark.index == keys[key].end_mark.index
        return value if has_items and not build.doubled and _is_list(value) else None
    finally:
        loader.dispose()


def _is_list(value: JSON) -> bool:
    kind = value.get("kind")
    return isinstance(kind, str) and kind.endswith("List")


class _List(msgspec.Struct):
    """A List in JSON; the text of an item is not read."""

    items: list[msgspec.Raw] | None = None


_LIST: Final = msgspec.json.Decoder(_List)
_OPENING: Final = re.compile(r'"items"\s*:\s*\[\s*')
_BETWEEN: Final = re.compile(r"\s*,\s*")


def _of_json(text: str) -> Cut | None:
    raw = _LIST.decode(text).items
    opening = _OPENING.search(text)
    if not raw or opening is None:
        return None
    end = max(end for _, end in _json_spans(text, raw, opening.end()))
    around = orjson.loads(text[: opening.end()] + text[end:])
    if around.get("items") != [] or not _is_list(around):
        return None
    return Cut(around, _json_spans(text, raw, opening.end()), None)


def _json_spans(text: str, raw: list[msgspec.Raw], start: int) -> Iterator[tuple[int, int]]:
    """Where these items stand, of which the first begins at `start`. Raises `Uncut` if it does not."""
    for number, one in enumerate(raw):
        item = bytes(one).decode()
        if number and (between := _BETWEEN.match(text, start)):
            start = between.end()
        if not text.startswith(item, start):
            raise Uncut
        end = start + len(item)
        yield start, end
        start = end


@dataclass(frozen=True, slots=True)
class Entry:
    """An item that was read from its own text: `node` is its node, and `value` its value.

    `root` is the node of the text, which has the item in a list where it has a dash in this column.
    """

    text: str
    root: yaml.Node
    column: int | None
    node: yaml.Node
    value: Any
    doubled: bool
    anchored: bool

    def edits(self, new: Any) -> list[edit.Edit]:
        """What to change in its text so that it has this value. Raises `Uncut`."""
        old: Any = self.value
        if self.column is not None:
            old, new = [old], [new]
        edits = edit.spliced(self.text, self.root, old, new, anchored=self.anchored, offset=self.column or 0)
        if edits is None:
            raise Uncut
        return edits


def entries(text: str, pieces: Cut, largest: int) -> Iterator[tuple[Item, Entry]]:
    """Each item, read when it is asked for. Raises `Uncut` at one that is not exactly an item, and at one of more than
    `largest` characters."""
    line = at = 0
    for start, end in pieces.spans:
        if end - start > largest:
            raise Uncut
        line += text.count("\n", at, start)
        at = start
        yield Item(start, end, line), _entry(text[start:end], pieces.column)


def _entry(text: str, column: int | None) -> Entry:
    loader = Loader(text)
    try:
        root = loader.get_node() if loader.check_node() else None
        if root is None or loader.check_node():
            raise Uncut
        node = root if column is None else _only(root)
        build = Build(loader)
        value = orjson.loads(text) if column is None else build.document(node)
        return Entry(text, root, column, node, value, build.doubled, loader.anchored)
    except (Broken, yaml.YAMLError, orjson.JSONDecodeError, RecursionError):
        raise Uncut from None
    finally:
        loader.dispose()


def _only(root: yaml.Node) -> yaml.Node:
    if not isinstance(root, yaml.SequenceNode) or len(root.value) != 1:
        raise Uncut
    item: yaml.Node = root.value[0]
    return item
