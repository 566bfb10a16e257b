"""Reads PEM as Go's `encoding/pem` does, with which the API server and Linkerd read bundles, chains and keys.

The first and the last line of a block hold nothing else. Text between blocks is ignored, and so is a block that cannot
be read. A first line without a last line does not make the blocks after it unreadable.
https://pkg.go.dev/encoding/pem#Decode
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
    """A PEM block. `type` is its label, such as `CERTIFICATE`, and `headers` is whether it has headers.

    `content` is the decoded content, None if the block cannot be read. `text` is the block as it is in the file.
    """

    type: str
    headers: bool
    content: bytes | None
    text: bytes


def blocks(data: bytes) -> Iterator[Block | bytes]:
    """The whole data in its order: blocks, also those that cannot be read, and as bytes the text between them."""
    at = 0
    while position := _next(data, at):
        start, end, block = position
        yield from _ignored(data[at:start])
        yield block
        at = end
    yield from _ignored(data[at:])


def _ignored(data: bytes) -> Iterator[Block | bytes]:
    """The text, and the blocks that cannot be read, in data without a block that can be read."""
    starts = [match.start() for match in re.finditer(rb"^-----BEGIN ", data, re.MULTILINE)]
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
    """The next block that can be read: its start, the start of what follows it, and the block."""
    while (end := data.find(_END, at)) >= 0:
        trailer = end + len(_END)
        # The last BEGIN line before the first END line: BEGIN lines before it have no END line.
        start = data.rfind(_BEGIN, at, end)
        if start >= 0 and (start == at or data[start - 1 : start] == b"\n"):
            name, cursor = _line(data, start + len(_BEGIN))
            if name.endswith(_DASHES):
                body = _skip_headers(data, cursor)
                if body is None or body > trailer:
                    # Headers reach up to the end of the data, or beyond the END line: Go gives up.
                    return None
                if block := _block(data, (start, cursor, body, end), name):
                    return start, _line(data, end + 1)[1], block
        at = trailer
    return None


def _block(data: bytes, places: tuple[int, int, int, int], name: bytes) -> Block | None:
    """The block at `places` (offsets of its start, headers, body and END line), None if it cannot be read."""
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
    """The offset of the first line without a colon, None if there is none."""
    while at < len(data):
        line, following = _line(data, at)
        if b":" not in line:
            return at
        at = following
    return None


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """The rest of the line from offset `at`, without line end and trailing blanks, and the offset of the next line."""
    end = data.find(b"\n", at)
    if end < 0:
        return data[at:].rstrip(b" \t"), len(data)
    line = data[at:end]
    return line.removesuffix(b"\r").rstrip(b" \t"), end + 1
