"""Makes pages beside the answers to reviews: in slices, and seldom."""

from __future__ import annotations

import asyncio
import re
import time
import zlib
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from typing import Final

from webhook.statuspage.turns import Turns

# Seconds for which a page is shown to all who ask for the same, at least and at most.
KEPT: Final = 1.0
LONGEST: Final = 5.0
# Within these it is shown so many times as long as making it took: on a busy server that takes longer, and is done
# less often.
_SHOWN: Final = 10
# Pages that are kept.
_PAGES: Final = 8
# Tables repeat themselves: the fastest level makes a twentieth of a page, and a higher one saves little more.
_LEVEL: Final = 1
# Characters of a text that are compressed at once.
_PIECE: Final = 1 << 13
# zlib's number for gzip's format, and for its largest window.
_GZIP: Final = 31
# The weight of an encoding that is not accepted.
_NEVER: Final = re.compile(r"q\s*=\s*0(\.0*)?", re.IGNORECASE)


async def packed(pieces: Iterable[str], turns: Turns) -> bytes:
    """The pieces, joined and compressed by gzip. They are made in slices."""
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    parts = [packer.compress("".join(some).encode()) async for some in turns.slices(pieces)]
    return b"".join([*parts, packer.flush()])


def pieces_of(text: str) -> Iterator[str]:
    """A long text, in pieces for `packed`."""
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def unpacked(page: bytes) -> bytes:
    """What `packed` has packed, for a reader who cannot do it."""
    return zlib.decompress(page, wbits=_GZIP)


def takes_gzip(accepted: Iterable[str]) -> bool:
    """Whether a reader who sends these `Accept-Encoding` headers can unpack gzip.

    https://www.rfc-editor.org/rfc/rfc9110#name-accept-encoding
    """
    for one in ",".join(accepted).split(","):
        name, _, weight = one.partition(";")
        if name.strip().lower() == "gzip":
            return _NEVER.fullmatch(weight.strip()) is None
    return False


class MadePages:
    """The pages that were made within the last seconds, whoever asked for them; each is made once at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._clock = clock
        # Each with the time until which it is shown.
        self._pages: dict[Hashable, tuple[float, bytes]] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def get(self, what: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The page that shows `what`: one that was just made, or a new one by `make`, whose error is raised."""
        if page := self._kept(what):
            return page
        lock = self._locks.setdefault(what, asyncio.Lock())
        try:
            async with lock:
                page = self._kept(what)
                if not page:
                    began = self._clock()
                    page = await make()
                    self._keep(what, page, self._clock() - began)
                return page
        finally:
            if not lock.locked():
                self._locks.pop(what, None)

    def _kept(self, what: Hashable) -> bytes:
        until, page = self._pages.get(what, (0.0, b""))
        return page if self._clock() < until else b""

    def _keep(self, what: Hashable, page: bytes, took: float) -> None:
        self._pages.pop(what, None)
        self._pages[what] = self._clock() + min(max(took * _SHOWN, KEPT), LONGEST), page
        while len(self._pages) > _PAGES:
            del self._pages[next(iter(self._pages))]
