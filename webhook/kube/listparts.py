"""A page of a list, decoded some objects at a time, as it comes: all at once would hold up everything else. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# About how many bytes are decoded at once.
PART: Final = 1 << 14
_ITEMS: Final = b'"items":['
_END: Final = b"]}"
# How an object begins: each of a list begins alike.
_FIRST_KEY: Final = re.compile(rb'\{"\w+":')
# Within so many bytes a list that can be cut has its first object.
_LONGEST_HEAD: Final = 1 << 16


class ListParts(Generic[T]):
    """Makes of the list in a response several, with some of its objects each; the last one, which `end` returns, has
    all that follows the objects.

    `feed` it the response piece by piece. The API server writes JSON without spaces. A text that is written otherwise
    is decoded at once, at its end, as is the rest of one that cannot be cut. Where every part can be decoded, they are
    the whole: in JSON, objects with commas between them can be cut in no other way.
    """

    def __init__(self, decode: Callable[[bytes], T], size: int = PART) -> None:
        """`decode` decodes a list, and raises `ValueError` if the text is not one. A part has about `size` bytes."""
        self._decode = decode
        self._size = size
        # What comes before the objects; between two objects, where it is known; and what is not decoded yet.
        self._head = b""
        self._between = b""
        self._rest = b""
        self._uncut: list[bytes] | None = None

    def feed(self, piece: bytes) -> Iterator[T]:
        """The parts that are complete with this piece. Take all of them before the next piece."""
        if self._uncut is not None:
            self._uncut.append(piece)
            return
        self._rest += piece
        if not self._between and not self._begins():
            return
        at = 0
        while (cut := self._rest.find(self._between, at + self._size)) >= 0:
            try:
                part = self._decode(self._head + self._rest[at : cut + 1] + _END)
            except ValueError:
                # What looked like the beginning of an object is within one.
                self._uncut = []
                break
            yield part
            at = cut + 2
        self._rest = self._rest[at:]

    def end(self) -> T:
        """The last part. Raises `ValueError` if the text is not a list."""
        return self._decode(b"".join((self._head, self._rest, *(self._uncut or ()))))

    def _begins(self) -> bool:
        """Whether the first object is there, and can be told from others."""
        begin = self._rest.find(_ITEMS)
        at = begin + len(_ITEMS)
        first = _FIRST_KEY.match(self._rest, at) if begin >= 0 else None
        if first is None:
            if len(self._rest) > _LONGEST_HEAD:
                self._uncut = []
            return False
        self._head, self._rest, self._between = self._rest[:at], self._rest[at:], b"}," + first[0]
        return True
