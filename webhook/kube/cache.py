"""Two small things that keep the API server from being asked twice: a cache that forgets, and one flight a key."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """At most `limit` values, each for `ttl` seconds after it was put; the least recently used goes first."""

    def __init__(self, limit: int, ttl: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._ttl = ttl
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, or None where there is none any more."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() >= entry[0]:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: K, value: V) -> None:
        """Keep a value, from now."""
        self._entries[key] = (self._clock() + self._ttl, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def discard(self, key: K) -> None:
        """Forget a value, if it is there."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)


class SingleFlight(Generic[K, V]):
    """One call in flight a key: whoever asks meanwhile gets the same answer, or the same exception."""

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def fly(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """The call's result. A caller that is cancelled leaves the call to the others."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(_run(call))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    async def cancel(self) -> None:
        """End all calls that are in flight."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _land(self, key: K, done: asyncio.Task[Any]) -> None:
        self._flights.pop(key, None)
        if not done.cancelled():
            # Seen, so that asyncio does not complain where every caller has gone.
            done.exception()


async def _run(call: Callable[[], Awaitable[V]]) -> V:
    return await call()
