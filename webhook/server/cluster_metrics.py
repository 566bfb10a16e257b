"""Metrics about the cluster: the age of the cache, lookups, direct reads, watches and Events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webhook.kube.watch import REASONS
from webhook.server.metrics import counter

if TYPE_CHECKING:
    # Imported for type checks only: the client that they use takes a while to import.
    from webhook.cluster.live import LiveCluster
    from webhook.cluster.live_catalog import LiveCatalog
    from webhook.kube.events import EventRecorder


# The kinds that are read within a request, and the outcomes of such a read.
KINDS: Final = ("namespace", "replicaset", "job")
OUTCOMES: Final = ("found", "not_found", "forbidden", "timed_out", "unavailable")


class ClusterMetrics(Collector):
    """Collects the samples of a live cluster, its event recorder and its catalog on each scrape."""

    def __init__(self, cluster: LiveCluster, events: EventRecorder | None, catalog: LiveCatalog | None = None) -> None:
        self._cluster = cluster
        self._events = events
        self._catalog = catalog

    def collect(self) -> Iterator[Metric]:
        """The samples. May be called from another thread, as it works on copies."""
        cluster, stats = self._cluster, self._cluster.stats
        for name, text, value in (
            ("synced", "1 once all Namespaces were listed.", float(cluster.synced)),
            ("age_seconds", "Seconds since the watch last heard of the API server.", cluster.age),
            ("namespaces", "Namespaces known.", float(cluster.namespaces)),
            ("owners", "Owners cached.", float(cluster.owners)),
        ):
            yield GaugeMetricFamily(f"linkerd_webhook_cache_{name}", text, value)
        lookups = {
            ("namespace", "hit"): stats.namespace_hits,
            ("namespace", "miss"): stats.namespace_misses,
            ("owner", "hit"): stats.owner_hits,
            ("owner", "miss"): stats.owner_misses,
        }
        yield counter("linkerd_webhook_cache_lookups", "Look-ups in memory.", ("kind", "result"), lookups)
        yield counter(
            "linkerd_webhook_direct_reads",
            "Objects read from the API server inside a request.",
            ("kind", "outcome"),
            dict.fromkeys(((kind, outcome) for kind in KINDS for outcome in OUTCOMES), 0) | dict(stats.reads),
        )
        restarts = {(reason,): count for reason, count in _restarts(stats.watch_restarts).items()}
        yield counter("linkerd_webhook_watch_restarts", "Watches begun anew, by why.", ("reason",), restarts)
        if self._events is not None:
            yield from _events(self._events)
        if self._catalog is not None:
            yield from _catalog(self._catalog)


def _restarts(counted: Mapping[str, int]) -> dict[str, int]:
    """The count of each reason, 0 included: a series that does not exist cannot be alerted on."""
    return dict.fromkeys(REASONS, 0) | dict(counted)


def _events(events: EventRecorder) -> Iterator[Metric]:
    results = CounterMetricFamily("linkerd_webhook_events", "Events, by what became of them.", labels=("result",))
    for result, count in dict(events.stats).items():
        results.add_metric((result,), count)
    yield results
    yield GaugeMetricFamily("linkerd_webhook_event_queue_length", "Events that wait to be sent.", events.queued)


def _catalog(catalog: LiveCatalog) -> Iterator[Metric]:
    objects = GaugeMetricFamily("linkerd_webhook_catalog_objects", "Objects known by name.", labels=("resource",))
    fresh = GaugeMetricFamily(
        "linkerd_webhook_catalog_fresh", "1 while references to these are checked.", labels=("resource",)
    )
    restarts: dict[tuple[str, ...], int] = {}
    for state in catalog.states():
        objects.add_metric((state.resource,), state.objects)
        fresh.add_metric((state.resource,), float(state.fresh))
        restarts |= {(state.resource, reason): count for reason, count in _restarts(state.restarts).items()}
    yield objects
    yield fresh
    yield counter(
        "linkerd_webhook_catalog_watch_restarts",
        "Watches of the catalog begun anew, by why.",
        ("resource", "reason"),
        restarts,
    )
