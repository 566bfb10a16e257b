"""Work on the status page is done in slices, between which the answers to reviews have their turn.

It is done in the event loop: in a thread it would take the interpreter for 5 ms at a time, and reviews would wait as
long at each of their steps. A slice takes less than the answer to a review, and while the loop has other work, a small
share of its time goes into slices: the page may take longer for it, but no review does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

# Seconds of work before others have their turn.
_SLICE: Final = 0.0001
# Others may work so many times as long as a slice took, before the next one: a twentieth of the time is for the page.
_OTHERS: Final = 19
# Seconds between two looks at whether others work.
_LOOK: Final = 0.001
# Seconds: a turn of the loop that is shorter had no other work.
_IDLE: Final = 0.00005


async def slices(items: Iterable[T]) -> AsyncIterator[list[T]]:
    """The items, some at a time: as many as are made within `_SLICE` seconds, or one that takes longer. After each
    slice the others in the event loop have their turn."""
    some: list[T] = []
    began = time.perf_counter()
    for item in items:
        some.append(item)
        if time.perf_counter() - began >= _SLICE:
            yield some
            some = []
            await _give_way(time.perf_counter() - began)
            began = time.perf_counter()
    if some:
        yield some


async def _give_way(took: float) -> None:
    """Let others work, until they have nothing to do, or for `_OTHERS` times as many seconds as a slice took."""
    began = turn = time.perf_counter()
    while True:
        await asyncio.sleep(0)
        now = time.perf_counter()
        if now - turn < _IDLE or now - began >= _OTHERS * took:
            return
        await asyncio.sleep(_LOOK)
        turn = time.perf_counter()


async def in_turns(items: Iterable[T]) -> list[T]:
    """The items, as a list, made in slices."""
    return [item async for some in slices(items) for item in some]
