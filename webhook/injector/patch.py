"""Parts and metadata to RFC 6902 operations.

Only `add`, only our own: nothing of the user's is rewritten. A list or map that is absent, null or empty is added
whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhook.review import JSON


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


def append_items(path: str, present: Any, items: Sequence[JSON]) -> list[JSON]:
    """Put items behind those of a list."""
    if not items:
        return []
    if not present:
        return [add(path, list(items))]
    return [add(f"{path}/-", item) for item in items]


def prepend_items(path: str, present: Any, items: Sequence[JSON]) -> list[JSON]:
    """Put items, in their order, before those of a list."""
    if not present:
        return append_items(path, present, items)
    return [add(f"{path}/{index}", item) for index, item in enumerate(items)]
