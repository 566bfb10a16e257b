"""RFC 6902 operations: as objects, and as JSON text made of text that is there already.

Only `add`, only our own: nothing of the user's is rewritten. A list or map that is absent, null or empty is added
whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from webhook.review import JSON


def add(path: str, value: Any) -> JSON:
    """One operation."""
    return {"op": "add", "path": path, "value": value}


def add_text(path: str, value: bytes) -> bytes:
    """One operation as text, with a value that is JSON text."""
    return _head(path) + value + b"}"


@lru_cache(maxsize=256)
def _head(path: str) -> bytes:
    return b'{"op":"add","path":' + orjson.dumps(path) + b',"value":'


@lru_cache(maxsize=512)
def _entry_head(path: str, key: str) -> bytes:
    return b'{"op":"add","path":' + orjson.dumps(f"{path}/{escape(key)}") + b',"value":'


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


def add_entries_text(path: str, present: Any, entries: Mapping[str, str]) -> list[bytes]:
    """The operations of `add_entries` as text. For keys that come again and again: they are remembered."""
    if not present:
        return [add_text(path, orjson.dumps(entries))] if entries else []
    dumps = orjson.dumps
    return [_entry_head(path, key) + dumps(value) + b"}" for key, value in entries.items()]


def append_items(path: str, present: Any, items: Sequence[bytes]) -> list[bytes]:
    """Put items, each JSON text, behind those of a list."""
    if not items:
        return []
    if not present:
        return [add_text(path, b"[" + b",".join(items) + b"]")]
    return [add_text(f"{path}/-", item) for item in items]


def prepend_items(path: str, present: Any, items: Sequence[bytes]) -> list[bytes]:
    """Put items, each JSON text, in their order before those of a list."""
    if not present:
        return append_items(path, present, items)
    return [add_text(f"{path}/{index}", item) for index, item in enumerate(items)]
