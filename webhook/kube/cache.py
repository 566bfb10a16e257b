"""A cache with a time to live, and a guard that lets concurrent callers share one request to the API server."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """A cache of at most `limit` values, each kept for `ttl` seconds after `put`.

    A full cache drops the least recently used value. `clock` returns seconds.
    """

    def __init__(self, limit: int, ttl: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._ttl = ttl
        self._clock = clock
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value of a key, or None if it was never put, has expired or was dropped."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._clock() >= entry[0]:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: K, value: V) -> None:
        """Store a value for `ttl` seconds from now."""
        self._entries[key] = (self._clock() + self._ttl, value)
        self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def discard(self, key: K) -> None:
        """Remove a value if the cache holds it."""
        self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)


class SingleFlight(Generic[K, V]):
    """At most one running call per key: callers that arrive while it runs get its result, or its exception."""

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def fly(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """Run `call`, or join the one that runs for this key, and return its result.

        Cancelling a caller does not cancel the call, as other callers may wait for it.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(_run(call))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    async def cancel(self) -> None:
        """Cancel all running calls and wait until they have ended."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _land(self, key: K, done: asyncio.Task[Any]) -> None:
        self._flights.pop(key, None)
        if not done.cancelled():
            # Retrieve the exception: asyncio logs one that nobody retrieved, as when every caller was cancelled.
            done.exception()


async def _run(call: Callable[[], Awaitable[V]]) -> V:
    return await call()
