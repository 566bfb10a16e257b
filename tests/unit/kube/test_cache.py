"""The cache that forgets, and the calls that are shared."""

from __future__ import annotations

import asyncio

import pytest

from tests.kube.fixtures import Clock
from webhook.kube.cache import Expiring, SingleFlight


class TestExpiring:
    def test_drops_the_least_recently_used_first(self, clock: Clock) -> None:
        cache: Expiring[str, int] = Expiring(2, 60, clock)
        cache.put("a", 1)
        cache.put("b", 2)
        cache.get("a")
        cache.put("c", 3)
        assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)

    def test_counts_the_time_from_the_last_put(self, clock: Clock) -> None:
        cache: Expiring[str, int] = Expiring(2, 60, clock)
        cache.put("a", 1)
        clock.now += 59
        cache.put("a", 2)
        clock.now += 59
        assert cache.get("a") == 2
        clock.now += 1
        assert cache.get("a") is None
        assert len(cache) == 0

    def test_holds_as_many_as_its_bound_and_no_more(self, clock: Clock) -> None:
        cache: Expiring[int, int] = Expiring(3, 60, clock)
        for number in range(5):
            cache.put(number, number)
            assert len(cache) == min(number + 1, 3)

    def test_holds_a_value_to_the_end_of_its_time_and_not_at_it(self, clock: Clock) -> None:
        cache: Expiring[str, int] = Expiring(2, 60, clock)
        cache.put("a", 1)
        clock.now += 59.999
        assert cache.get("a") == 1
        clock.now += 0.001
        assert cache.get("a") is None

    def test_counts_a_value_that_is_put_again_as_used(self, clock: Clock) -> None:
        cache: Expiring[str, int] = Expiring(2, 60, clock)
        for key in ("a", "b", "a", "c"):
            cache.put(key, 1)
        assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 1)

    def test_forgets_one_that_is_discarded_and_no_other(self, clock: Clock) -> None:
        cache: Expiring[str, int] = Expiring(2, 60, clock)
        cache.put("a", 1)
        cache.put("b", 2)
        cache.discard("a")
        cache.discard("never there")
        assert (cache.get("a"), cache.get("b")) == (None, 2)


class TestSingleFlight:
    async def test_of_a_key_is_one_at_a_time_whose_answer_all_get(self) -> None:
        flights: SingleFlight[str, int] = SingleFlight()
        calls: list[str] = []

        async def call(name: str) -> int:
            calls.append(name)
            await asyncio.sleep(0)
            return len(calls)

        result = await asyncio.gather(*[flights.fly(name, lambda name=name: call(name)) for name in "aab"])  # type: ignore[misc]
        assert (calls, result) == (["a", "b"], [2, 2, 2])
        assert await flights.fly("a", lambda: call("a")) == 3, "one that has landed is flown again"

    async def test_that_fails_fails_for_all_and_is_tried_again(self) -> None:
        flights: SingleFlight[str, int] = SingleFlight()

        async def fail() -> int:
            await asyncio.sleep(0)
            raise ValueError("no")

        async def succeed() -> int:
            return 1

        outcomes = await asyncio.gather(*[flights.fly("a", fail) for _ in range(2)], return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == ["no", "no"]
        assert await flights.fly("a", succeed) == 1

    async def test_goes_on_for_the_others_where_a_caller_is_cancelled(self) -> None:
        flights: SingleFlight[str, int] = SingleFlight()

        landing = asyncio.Event()

        async def slow() -> int:
            await landing.wait()
            return 7

        one, other = (asyncio.create_task(flights.fly("a", slow)) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        landing.set()
        assert await other == 7

    async def test_is_ended_with_all_others(self) -> None:
        flights: SingleFlight[str, int] = SingleFlight()

        async def endless() -> int:
            await asyncio.Event().wait()
            return 0

        waiting = [asyncio.create_task(flights.fly(key, endless)) for key in "ab"]
        await asyncio.sleep(0)
        await flights.cancel()
        for wait in waiting:
            with pytest.raises(asyncio.CancelledError):
                await wait
