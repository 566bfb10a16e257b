"""Work on the status page is done in slices, between which the answers to reviews have their turn.

It is done in the event loop: in a thread it would take the interpreter for 5 ms at a time, and reviews would wait as
long at each of their steps. Slices are short beside a turn of a busy loop, which takes some milliseconds: the page may
take longer for it, but no review does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

# Seconds of work before others have their turn.
_SLICE: Final = 0.0001


async def slices(items: Iterable[T]) -> AsyncIterator[list[T]]:
    """The items, some at a time: as many as are made within `_SLICE` seconds, or one that takes longer. After each
    slice the event loop has its turn."""
    some: list[T] = []
    until = time.perf_counter() + _SLICE
    for item in items:
        some.append(item)
        if time.perf_counter() >= until:
            yield some
            some = []
            await asyncio.sleep(0)
            until = time.perf_counter() + _SLICE
    if some:
        yield some


async def in_turns(items: Iterable[T]) -> list[T]:
    """The items, as a list, made in slices."""
    return [item async for some in slices(items) for item in some]
