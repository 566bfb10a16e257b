"""The cache that forgets."""

from __future__ import annotations

from tests.unit.cluster.conftest import Clock
from webhook.cluster.cache import Expiring


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
