"""How much each webhook is asked, and how fast it answers, over the last minutes.

Requests cost nothing for it: the counters that they increase anyway are copied every few seconds, and a window is the
difference of two copies.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

# Seconds between two copies, and the windows in seconds, with their names.
INTERVAL: Final = 5.0
WINDOWS: Final = (("1m", 60), ("5m", 300), ("15m", 900))


@dataclass(frozen=True, slots=True)
class Counts:
    """The counters of one webhook since the start. `buckets` are its answers by how long they took: up to each of the
    bounds, and beyond the last."""

    buckets: tuple[int, ...]
    refused: int
    errors: int

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return sum(self.buckets)

    def since(self, earlier: Counts | None) -> Counts:
        """What came after an earlier copy, None for the start."""
        if earlier is None:
            return self
        buckets = tuple(now - then for now, then in zip(self.buckets, earlier.buckets, strict=True))
        return Counts(buckets, self.refused - earlier.refused, self.errors - earlier.errors)


class WebhookTraffic(NamedTuple):
    """The traffic of one webhook within one window.

    `rate` is in requests a second; `p50` and `p99` are in seconds, None where nothing was answered. A quantile beyond
    the last bound is that bound. `seconds` is how much of the window the replica has run.
    """

    seconds: float
    rate: float
    p50: float | None
    p99: float | None
    answered: int
    refused: int
    errors: int


class Traffic:
    """Copies of the counters over the longest window, made by `run`."""

    def __init__(
        self, read: Callable[[], Mapping[str, Counts]], bounds: Sequence[float], clock: Callable[[], float]
    ) -> None:
        """`read` returns the counters of each webhook, `bounds` are those of their buckets in seconds, and `clock`
        returns monotonic seconds."""
        self._read = read
        self._bounds = bounds
        self._clock = clock
        self._samples: deque[tuple[float, Mapping[str, Counts]]] = deque()
        self.sample()

    async def run(self) -> None:
        """Copy the counters every `INTERVAL` seconds, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            self.sample()

    def sample(self) -> None:
        """Copy the counters, and forget the copies that no window needs any more."""
        now = self._clock()
        self._samples.append((now, dict(self._read())))
        longest = max(seconds for _, seconds in WINDOWS)
        # One copy from before the longest window stays: that window begins with it.
        while len(self._samples) > 1 and self._samples[1][0] <= now - longest:
            self._samples.popleft()

    def windows(self) -> Mapping[str, Mapping[str, WebhookTraffic]]:
        """The traffic by webhook and name of the window."""
        now, current = self._clock(), self._read()
        starts = {name: self._start(now - seconds) for name, seconds in WINDOWS}
        return {
            webhook: {
                name: self._window(counts, earlier.get(webhook), now - began)
                for name, (began, earlier) in starts.items()
            }
            for webhook, counts in current.items()
        }

    def _start(self, at: float) -> tuple[float, Mapping[str, Counts]]:
        """The last copy that was made by then, else the first one."""
        return self._samples[max(0, bisect_right(self._samples, at, key=itemgetter(0)) - 1)]

    def _window(self, counts: Counts, earlier: Counts | None, length: float) -> WebhookTraffic:
        seconds = max(length, 0.001)
        within = counts.since(earlier)
        return WebhookTraffic(
            seconds=seconds,
            rate=within.answered / seconds,
            p50=quantile(0.5, within.buckets, self._bounds),
            p99=quantile(0.99, within.buckets, self._bounds),
            answered=within.answered,
            refused=within.refused,
            errors=within.errors,
        )


def quantile(share: float, buckets: Sequence[int], bounds: Sequence[float]) -> float | None:
    """The value below which that share of the observations lies, taken to be spread evenly within a bucket; None for no
    observations.

    As Prometheus' `histogram_quantile`: beyond the last bound it is that bound.
    """
    total = sum(buckets)
    if total <= 0:
        return None
    wanted, below, lower = share * total, 0, 0.0
    for count, upper in zip(buckets, bounds, strict=False):
        if count and below + count >= wanted:
            return lower + (upper - lower) * (wanted - below) / count
        below, lower = below + count, upper
    return bounds[-1]
