"""How work on the status page leaves the event loop to others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from webhook.statuspage.turns import in_turns

# Seconds that an item takes, and items: half a second of work, or less.
ITEM = 0.0002
ITEMS = 250


class Items:
    """Work for slices; `seconds` is how much was done."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __iter__(self) -> Iterator[int]:
        for number in range(ITEMS):
            began = time.perf_counter()
            while time.perf_counter() - began < ITEM:
                pass
            self.seconds += time.perf_counter() - began
            yield number


async def others(stop: asyncio.Event) -> float:
    """Work all the time, half a millisecond at each turn, and return the seconds of it."""
    worked = 0.0
    while not stop.is_set():
        began = time.perf_counter()
        while time.perf_counter() - began < 0.0005:
            pass
        worked += time.perf_counter() - began
        await asyncio.sleep(0)
    return worked


async def test_a_small_share_of_the_time_goes_into_slices_while_others_work() -> None:
    items, stop = Items(), asyncio.Event()
    beside = asyncio.create_task(others(stop))
    assert await in_turns(items) == list(range(ITEMS))
    stop.set()
    assert await beside > 10 * items.seconds


async def test_slices_follow_each_other_while_nobody_else_works() -> None:
    items, began = Items(), time.perf_counter()
    assert await in_turns(items) == list(range(ITEMS))
    # Else it would be twenty times as long.
    assert time.perf_counter() - began < 8 * items.seconds


async def test_two_who_work_in_slices_do_not_hold_up_each_other() -> None:
    first, second, began = Items(), Items(), time.perf_counter()
    await asyncio.gather(in_turns(first), in_turns(second))
    assert time.perf_counter() - began < 8 * (first.seconds + second.seconds)
