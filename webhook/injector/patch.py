"""RFC 6902 operations: as objects, and as pieces of a patch's text, which are made of text that is there already.

Only `add`, only our own: nothing of the user's is rewritten. A list or map that is absent, null or empty is added
whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson

from webhook.injector.encoded import encode
from webhook.review import JSON

# What stands for a piece of text that is written later.
P = TypeVar("P")


def add(path: str, value: Any) -> JSON:
    """One operation."""
    return {"op": "add", "path": path, "value": value}


def escape(key: str) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def add_entries(path: str, present: Any, entries: Mapping[str, str]) -> list[JSON]:
    """Add entries to a map of texts: one operation each, or one for all where there is no map yet."""
    if not entries:
        return []
    if not present:
        return [add(path, dict(entries))]
    return [add(f"{path}/{escape(key)}", value) for key, value in entries.items()]


def begin(operations: Sequence[bytes]) -> bytes:
    """The beginning of a patch's text, in Base64 and in quotes: its first operations, of which there must be one."""
    return b'"' + encode(b"[" + b",".join(operations))


# The end of a patch's text, in Base64 and in quotes.
END: Final = encode(b"]") + b'"'


def add_text(path: str, value: bytes) -> bytes:
    """One operation as text, with a value that is JSON text."""
    return _head(path) + value + b"}"


def add_entries_text(path: str, present: Any, entries: Mapping[str, str]) -> list[bytes]:
    """The operations of `add_entries` as text. For keys that come again and again: they are remembered."""
    dumps = orjson.dumps
    if not present:
        return [add_text(path, dumps(entries))] if entries else []
    return [_entry_head(path, key) + dumps(value) + b"}" for key, value in entries.items()]


def more_entries_text(path: str, entries: Mapping[str, str]) -> bytes:
    """The operations that add entries to a map that is there, as text behind other operations."""
    return b"".join([b"," + operation for operation in add_entries_text(path, True, entries)])


def append_items(path: str, present: Any, items: Sequence[Sequence[P]]) -> list[P | bytes]:
    """Put items behind those of a list. Each item comes in pieces in Base64, and what is returned are such pieces, to
    follow `begin`."""
    if not items:
        return []
    pieces: list[P | bytes] = []
    if not present:
        pieces.append(_before(path, b"["))
        for item in items:
            pieces += (*item, _COMMA)
        pieces[-1] = _AFTER_LIST
        return pieces
    for item in items:
        pieces += (_before(f"{path}/-"), *item, _AFTER)
    return pieces


def prepend_items(path: str, present: Any, items: Sequence[Sequence[P]]) -> list[P | bytes]:
    """Put items in their order before those of a list. The items and what is returned are as for `append_items`."""
    if not present:
        return append_items(path, present, items)
    pieces: list[P | bytes] = []
    for index, item in enumerate(items):
        pieces += (_before(f"{path}/{index}"), *item, _AFTER)
    return pieces


def _before(path: str, opening: bytes = b"") -> bytes:
    return encode(b"," + _head(path) + opening)


_COMMA: Final = encode(b",")
_AFTER: Final = encode(b"}")
_AFTER_LIST: Final = encode(b"]}")


@lru_cache(maxsize=256)
def _head(path: str) -> bytes:
    return b'{"op":"add","path":' + orjson.dumps(path) + b',"value":'


@lru_cache(maxsize=512)
def _entry_head(path: str, key: str) -> bytes:
    return _head(f"{path}/{escape(key)}")


@lru_cache(maxsize=1024)
def _parts(pointer: str) -> tuple[str, ...]:
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def applied(pod: JSON, patch: Any) -> JSON:
    """The Pod with the injector's patch, which only adds (RFC 6902). It shares with the Pod and with the values of the
    patch what the patch does not change; neither is changed.

    jsonpatch copies each of these values first, which costs more than the injection.
    """
    out = dict(pod)
    copies: dict[int, Any] = {id(out): out}
    for operation in patch:
        *parents, last = _parts(operation["path"])
        node: Any = out
        for part in parents:
            key = int(part) if isinstance(node, list) else part
            below = node[key]
            if id(below) not in copies:
                below = node[key] = below.copy()
                copies[id(below)] = below
            node = below
        value = operation["value"]
        if not isinstance(node, list):
            node[last] = value
        elif last == "-":
            node.append(value)
        else:
            node.insert(int(last), value)
    return out
