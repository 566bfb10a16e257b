"""Makes pages beside the answers to reviews: in slices, and seldom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from itertools import islice
from typing import Final

# Seconds for which a page is shown to all who ask for the same.
KEPT: Final = 1.0
# Pages that are kept.
_PAGES: Final = 8
# Pieces that are made before reviews get their turn: together they take some tenths of a millisecond.
_SLICE: Final = 200


async def in_slices(pieces: Iterable[str]) -> bytes:
    """The pieces, joined. Between two slices of them the event loop has its turn."""
    slices, left = [], iter(pieces)
    while some := list(islice(left, _SLICE)):
        slices.append("".join(some).encode())
        await asyncio.sleep(0)
    return b"".join(slices)


class MadePages:
    """The pages that were made within the last second, whoever asked for them; each is made once at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._clock = clock
        self._pages: dict[Hashable, tuple[float, bytes]] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def get(self, what: Hashable, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The page that shows `what`: one that was just made, or a new one by `make`, whose error is raised."""
        lock = self._locks.setdefault(what, asyncio.Lock())
        try:
            async with lock:
                at, page = self._pages.get(what, (0.0, b""))
                if not page or self._clock() - at >= KEPT:
                    page = await make()
                    self._keep(what, page)
                return page
        finally:
            if not lock.locked():
                self._locks.pop(what, None)

    def _keep(self, what: Hashable, page: bytes) -> None:
        self._pages.pop(what, None)
        self._pages[what] = self._clock(), page
        while len(self._pages) > _PAGES:
            del self._pages[next(iter(self._pages))]
