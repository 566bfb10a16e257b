"""Work on the status page is done in slices, between which the answers to reviews have their turn.

It is done in the event loop: in a thread it would take the interpreter for 5 ms at a time, and reviews would wait as
long at each of their steps. A slice takes about as long as the answer to a review, and while the loop has other work, a
small share of its time goes into slices: the page takes longer for it, and reviews hardly do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

# Seconds of work before others have their turn.
_SLICE: Final = 0.0002
# Others may work so many times as long as a slice took, before the next one: a 25th of the time is for the page.
_OTHERS: Final = 24
# Seconds that others have at most: a slice may take long, as an item cannot be cut or the process is stopped meanwhile,
# and the page would then wait for twenty-four times as long.
_OTHERS_LONGEST: Final = 0.05
# Seconds: a turn of the loop that is shorter had no other work.
_IDLE: Final = 0.00005
# Seconds after which somebody has waited long enough: from then on there is a slice in each turn of the loop.
_PATIENCE: Final = 0.5


class Turns:
    """Shares the event loop between all work on the page, which counts as one, and all else."""

    def __init__(self) -> None:
        # Seconds of work for which others have not had their turn yet.
        self._owed = 0.0
        self._giving_way = asyncio.Lock()

    async def slices(self, items: Iterable[T]) -> AsyncIterator[list[T]]:
        """The items, some at a time: as many as are made in a slice, or one that takes longer. After each slice the
        others in the event loop have their turn. What takes less than a slice is counted with what comes next.

        Do not await anything else between two slices: that would be counted as work.
        """
        some: list[T] = []
        first = began = time.perf_counter()
        for item in items:
            some.append(item)
            if self._owed + time.perf_counter() - began >= _SLICE:
                yield some
                some = []
                # With what the caller has made of them.
                self._owed += time.perf_counter() - began
                await self._give_way(hurried=began - first >= _PATIENCE)
                began = time.perf_counter()
        if some:
            yield some
        self._owed += time.perf_counter() - began

    async def all_of(self, items: Iterable[T]) -> list[T]:
        """The items, as a list, made in slices."""
        return [item async for some in self.slices(items) for item in some]

    async def _give_way(self, hurried: bool) -> None:
        """Let others work: for one turn of the loop if they have little to do, or if somebody has waited for long, else
        `_OTHERS` times as long as they had to wait, and no longer than `_OTHERS_LONGEST`."""
        if hurried:
            self._owed = 0.0
            await asyncio.sleep(0)
            return
        # Who come here at the same time do so one after the other: else each would take as much as one alone.
        async with self._giving_way:
            owed, self._owed = self._owed, 0.0
            began = time.perf_counter()
            await asyncio.sleep(0)
            turn = time.perf_counter() - began
            if turn >= _IDLE:
                await asyncio.sleep(min(_OTHERS * owed, _OTHERS_LONGEST) - turn)
