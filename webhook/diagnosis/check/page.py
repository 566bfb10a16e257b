"""A page of a list of objects, as the API server sends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import orjson

from webhook.kube.fields import mappings, text
from webhook.kube.interface import JSON


class Page:
    """A page of a list, whose objects are decoded one after the other: as text they take a fraction of the memory."""

    __slots__ = ("_items", "following")

    def __init__(self, items: Sequence[msgspec.Raw], following: str) -> None:
        self._items = items
        self.following = following

    def objects(self) -> Iterator[JSON]:
        """What is an object among the items."""
        for item in self._items:
            body = orjson.loads(memoryview(item))
            if isinstance(body, dict):
                yield body


class _Metadata(msgspec.Struct):
    continue_: Any = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _Metadata | None = None
    items: list[msgspec.Raw] | None = None


_LIST: Final = msgspec.json.Decoder(_List)


def page_of(body: bytes) -> Page:
    """The page that a response holds. Raises `ValueError` for what is not a JSON object."""
    try:
        result = _LIST.decode(body)
        following = result.metadata.continue_ if result.metadata is not None else ""
        return Page(result.items or (), following if isinstance(following, str) else "")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # Of some other shape, or not JSON at all.
        whole = orjson.loads(body)
        if not isinstance(whole, dict):
            raise ValueError("it is not an object") from None
        return Page(
            [msgspec.Raw(orjson.dumps(element)) for element in mappings(whole, "items")],
            text(whole, "metadata", "continue"),
        )
