"""How work on the status page leaves the event loop to others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from webhook.statuspage.turns import Turns

# Seconds that an item takes, and items: so few that beside others they are done before somebody has waited for long.
ITEM = 0.0002
ITEMS = 40


class Items:
    """Work for slices: so many items, which take `item` seconds each.

    `seconds` is how long they took, and `worked` is without the time that the machine took from them meanwhile."""

    def __init__(self, count: int = ITEMS, item: float = ITEM) -> None:
        self.seconds = self.worked = 0.0
        self._count = count
        self._item = item

    def __iter__(self) -> Iterator[int]:
        for number in range(self._count):
            began = time.perf_counter()
            while time.perf_counter() - began < self._item:
                pass
            took = time.perf_counter() - began
            self.seconds += took
            self.worked += min(took, 1.5 * self._item)
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
    assert await Turns().all_of(items) == list(range(ITEMS))
    stop.set()
    assert await beside > 12 * items.worked


async def test_the_share_of_two_is_as_small_as_that_of_one() -> None:
    first, second, turns, stop = Items(ITEMS // 2), Items(ITEMS // 2), Turns(), asyncio.Event()
    beside = asyncio.create_task(others(stop))
    await asyncio.gather(turns.all_of(first), turns.all_of(second))
    stop.set()
    assert await beside > 12 * (first.worked + second.worked)


async def test_work_that_comes_in_small_portions_gives_way_as_well() -> None:
    turns, stop, worked = Turns(), asyncio.Event(), 0.0
    beside = asyncio.create_task(others(stop))
    for _ in range(ITEMS):
        items = Items(1, ITEM / 4)
        await turns.all_of(items)
        worked += items.worked
    stop.set()
    assert await beside > 12 * worked


async def test_who_has_waited_for_long_need_not_wait_as_long_for_the_rest() -> None:
    items, stop, began = Items(ITEMS * 8), asyncio.Event(), time.perf_counter()
    beside = asyncio.create_task(others(stop))
    await Turns().all_of(items)
    took = time.perf_counter() - began
    stop.set()
    # As small a share as before would make it twenty-five times as long; still, others work for most of the time.
    assert 2 * items.seconds < await beside < took < 18 * items.seconds


async def test_a_slice_that_took_long_is_not_made_up_for_many_times_over() -> None:
    """A process that was stopped for seconds would else leave its readers without a page for minutes."""
    items, stop, began = Items(4, 0.1), asyncio.Event(), time.perf_counter()
    beside = asyncio.create_task(others(stop))
    await Turns().all_of(items)
    took = time.perf_counter() - began
    stop.set()
    assert 0.1 < await beside < took < 4 * items.seconds


async def test_slices_follow_each_other_while_nobody_else_works() -> None:
    items, began = Items(), time.perf_counter()
    assert await Turns().all_of(items) == list(range(ITEMS))
    # Else it would be twenty-five times as long.
    assert time.perf_counter() - began < 8 * items.seconds


async def test_two_who_work_in_slices_do_not_hold_up_each_other() -> None:
    first, second, turns, began = Items(), Items(), Turns(), time.perf_counter()
    await asyncio.gather(turns.all_of(first), turns.all_of(second))
    assert time.perf_counter() - began < 8 * (first.seconds + second.seconds)
