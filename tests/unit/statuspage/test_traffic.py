"""Rates and latencies over the last minutes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kube.fixtures import Clock
from webhook.statuspage.traffic import Counts, Traffic, quantile

BOUNDS = (0.001, 0.01, 0.1)


class Site:
    """Counters that a test increases, and time that it lets pass."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counts: dict[str, Counts] = {"proxy-injector": Counts((0, 0, 0, 0), 0, 0)}
        self.traffic = Traffic(lambda: self.counts, BOUNDS, self.clock)

    def answer(self, buckets: tuple[int, ...], refused: int = 0, errors: int = 0) -> None:
        """Requests are answered."""
        now = self.counts["proxy-injector"]
        added = tuple(a + b for a, b in zip(now.buckets, buckets, strict=True))
        self.counts["proxy-injector"] = Counts(added, now.refused + refused, now.errors + errors)

    def wait(self, seconds: int) -> None:
        """Seconds pass, and a copy is made every five."""
        for _ in range(seconds // 5):
            self.clock.now += 5
            self.traffic.sample()


def test_a_window_counts_what_came_within_it() -> None:
    site = Site()
    site.answer((600, 0, 0, 0), refused=6, errors=2)
    site.wait(120)
    site.answer((0, 60, 0, 0))
    site.wait(30)
    windows = site.traffic.windows()["proxy-injector"]
    assert (windows["1m"].answered, windows["1m"].rate) == (60, 1.0)
    assert windows["1m"].refused == windows["1m"].errors == 0
    assert (windows["5m"].answered, windows["5m"].refused, windows["5m"].errors) == (660, 6, 2)


def test_a_replica_that_just_started_counts_from_its_start() -> None:
    """Ten requests in five seconds are two a second, not a third of one."""
    site = Site()
    site.answer((10, 0, 0, 0))
    site.clock.now += 5
    window = site.traffic.windows()["proxy-injector"]["15m"]
    assert (window.seconds, window.rate) == (5, 2.0)


def test_nothing_answered_has_no_latency() -> None:
    window = Site().traffic.windows()["proxy-injector"]["1m"]
    assert (window.p50, window.p99, window.rate) == (None, None, 0)


def test_a_webhook_that_came_later_counts_from_nothing() -> None:
    site = Site()
    site.wait(30)
    site.counts["sp-validator"] = Counts((3, 0, 0, 0), 1, 0)
    site.clock.now += 30
    window = site.traffic.windows()["sp-validator"]["1m"]
    assert (window.answered, window.refused) == (3, 1)


def test_copies_older_than_the_longest_window_are_forgotten() -> None:
    site = Site()
    site.wait(3600)
    assert len(site.traffic._samples) <= 900 // 5 + 2


@pytest.mark.parametrize(
    ("share", "buckets", "value"),
    [
        (0.5, (10, 0, 0, 0), 0.0005),
        (0.5, (10, 10, 0, 0), 0.001),
        (0.99, (99, 1, 0, 0), 0.001),
        (0.5, (0, 0, 0, 10), 0.1),
        (0.99, (0, 0, 0, 0), None),
    ],
)
def test_a_quantile_is_as_prometheus_has_it(share: float, buckets: tuple[int, ...], value: float | None) -> None:
    assert quantile(share, buckets, BOUNDS) == (None if value is None else pytest.approx(value))


@given(st.tuples(*[st.integers(0, 1000)] * 4), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_larger_share_has_no_smaller_quantile(buckets: tuple[int, ...], one: float, other: float) -> None:
    low, high = (quantile(share, buckets, BOUNDS) for share in sorted((one, other)))
    assert (low is None) == (high is None)
    assert low is None or high is None or 0 <= low <= high <= BOUNDS[-1]
