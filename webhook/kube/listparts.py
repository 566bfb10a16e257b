"""A page of a list, decoded some objects at a time: decoding all at once would hold up everything else. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

# About how many bytes are decoded at once.
PART: Final = 1 << 14
_ITEMS: Final = b'"items":['
_END: Final = b"]}"
# How an object begins: each of a list begins alike.
_FIRST_KEY: Final = re.compile(rb'\{"\w+":')


def decoded_in_parts(body: bytes, decode: Callable[[bytes], T], size: int = PART) -> Iterator[T]:
    """The list in a response, as several with some of its objects each; the last one has all that follows the objects.

    A part has about `size` bytes. `decode` decodes a list, and raises `ValueError` if the text is not one. The API
    server writes JSON without spaces. A text that is written otherwise is decoded at once, as is the rest of one that
    cannot be cut. Where every part can be decoded, they are the whole: in JSON, objects with commas between them can be
    cut in no other way.
    """
    begin = body.find(_ITEMS)
    at = begin + len(_ITEMS)
    first = _FIRST_KEY.match(body, at) if begin >= 0 else None
    if first is None:
        yield decode(body)
        return
    head, between = body[:at], b"}," + first[0]
    while (cut := body.find(between, at + size)) >= 0:
        try:
            part = decode(head + body[at : cut + 1] + _END)
        except ValueError:
            # What looked like the beginning of an object is within one.
            break
        yield part
        at = cut + 2
    yield decode(head + body[at:])
