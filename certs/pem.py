"""PEM as Go's `encoding/pem` reads it, by which the API server and Linkerd read every bundle, chain and key.

A block begins and ends at a line of its own. What cannot be read as one is passed over, and so is text between blocks;
a beginning without an end takes no block after it along.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"\n-----END "
_DASHES: Final = b"-----"
_TYPE: Final = re.compile(r"[^-]*")
_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its type (`CERTIFICATE`), whether it has headers, what it holds, and the text that it is.

    `content` is None for what looks like a block and cannot be read.
    """

    type: str
    headers: bool
    content: bytes | None
    text: bytes


def blocks(data: bytes) -> Iterator[Block | bytes]:
    """All of the data in its order: blocks, those that cannot be read among them, and the text around them."""
    at = 0
    while found := _next(data, at):
        start, end, block = found
        yield from _passed_over(data[at:start])
        yield block
        at = end
    yield from _passed_over(data[at:])


def _passed_over(data: bytes) -> Iterator[Block | bytes]:
    """What lies between the blocks that can be read: others, and text."""
    starts = [found.start() for found in re.finditer(rb"^-----BEGIN ", data, re.MULTILINE)]
    if text := data[: starts[0] if starts else None].strip():
        yield text
    for start, end in zip(starts, [*starts, len(data)][1:], strict=True):
        broken = data[start:end]
        kind = _TYPE.match(broken[len(_BEGIN) :].partition(b"\n")[0].decode("utf-8", "replace"))
        closed = broken.find(_END)
        closing = broken.find(b"\n", closed + 1) if closed >= 0 else -1
        yield Block(kind[0] if kind else "", False, None, broken[: closing if closing >= 0 else None])
        if closing >= 0 and (text := broken[closing:].strip()):
            yield text


def _next(data: bytes, at: int) -> tuple[int, int, Block] | None:
    """The next block that can be read: where it starts, where what follows starts, and the block."""
    while (end := data.find(_END, at)) >= 0:
        trailer = end + len(_END)
        # The last beginning before the first end: those before it have no end.
        start = data.rfind(_BEGIN, at, end)
        if start >= 0 and (start == at or data[start - 1 : start] == b"\n"):
            name, cursor = _line(data, start + len(_BEGIN))
            if name.endswith(_DASHES):
                body = _skip_headers(data, cursor)
                if body is None or body > trailer:
                    # Nothing but headers up to the data's end, or past this end: Go gives up.
                    return None
                if block := _block(data, (start, cursor, body, end), name):
                    return start, _line(data, end + 1)[1], block
        at = trailer
    return None


def _block(data: bytes, places: tuple[int, int, int, int], name: bytes) -> Block | None:
    """The block between these places (of its start, its headers, its body and its end), None where it is not one."""
    start, headers, body, end = places
    trailer = end + len(_END)
    closing = trailer + len(name)
    encoded = re.sub(rb"[ \t\r\n]", b"", data[body:end])
    if (body > headers and end < body) or not data.startswith(name, trailer) or _line(data, closing)[0]:
        return None
    if not _BASE64.fullmatch(encoded):
        return None
    kind = name.removesuffix(_DASHES).decode("utf-8", "replace")
    return Block(kind, body > headers, base64.b64decode(encoded), data[start:closing] + b"\n")


def _skip_headers(data: bytes, at: int) -> int | None:
    """Where the content starts after lines with a colon, None where the data ends before."""
    while at < len(data):
        line, following = _line(data, at)
        if b":" not in line:
            return at
        at = following
    return None


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """The line from there on without its end and the blanks before that, and where the next one starts."""
    end = data.find(b"\n", at)
    if end < 0:
        return data[at:].rstrip(b" \t"), len(data)
    line = data[at:end]
    return line.removesuffix(b"\r").rstrip(b" \t"), end + 1
