"""What `/metrics` says about a live cluster."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

from webhook.cluster.live import Stats
from webhook.cluster.live_catalog import KindState
from webhook.kube.errors import ApiError
from webhook.kube.watch import REASONS, Resource, _ended
from webhook.server.cluster_metrics import ClusterMetrics
from webhook.server.metrics import Metrics


def test_the_cache_the_reads_the_watch_and_the_events_are_told() -> None:
    """By the colleagues' own names for what happened."""
    stats = Stats(namespace_hits=5, owner_misses=2)
    stats.reads["namespace", "not_found"] += 1
    stats.watch_restarts["gone"] += 3
    cluster = SimpleNamespace(stats=stats, synced=True, age=1.5, namespaces=7, owners=4)
    events = SimpleNamespace(stats=Counter(sent=9, dropped=1), queued=6)
    metrics = Metrics()
    metrics.registry.register(ClusterMetrics(cast(Any, cluster), cast(Any, events)))
    text = metrics.render().decode()
    for line in (
        "linkerd_webhook_cache_synced 1.0",
        "linkerd_webhook_cache_age_seconds 1.5",
        "linkerd_webhook_cache_namespaces 7.0",
        "linkerd_webhook_cache_owners 4.0",
        'linkerd_webhook_cache_lookups_total{kind="namespace",result="hit"} 5.0',
        'linkerd_webhook_cache_lookups_total{kind="owner",result="miss"} 2.0',
        'linkerd_webhook_direct_reads_total{kind="namespace",outcome="not_found"} 1.0',
        'linkerd_webhook_watch_restarts_total{reason="gone"} 3.0',
        'linkerd_webhook_events_total{result="sent"} 9.0',
        'linkerd_webhook_events_total{result="dropped"} 1.0',
        "linkerd_webhook_event_queue_length 6.0",
    ):
        assert f"\n{line}\n" in text, line


def test_what_did_not_happen_yet_is_told_with_0() -> None:
    """An alert on the growth of what is not there never fires the first time."""
    cluster = SimpleNamespace(stats=Stats(), synced=False, age=0.0, namespaces=0, owners=0)
    state = KindState("servers.policy.linkerd.io", 0, False, {})
    catalog = SimpleNamespace(states=lambda: [state])
    metrics = Metrics()
    metrics.registry.register(ClusterMetrics(cast(Any, cluster), None, cast(Any, catalog)))
    text = metrics.render().decode()
    for line in (
        'linkerd_webhook_direct_reads_total{kind="replicaset",outcome="forbidden"} 0.0',
        'linkerd_webhook_watch_restarts_total{reason="dropped"} 0.0',
        'linkerd_webhook_catalog_watch_restarts_total{reason="forbidden",resource="servers.policy.linkerd.io"} 0.0',
    ):
        assert f"\n{line}\n" in text, line


async def test_every_reason_that_a_watch_ends_for_is_told_from_the_start() -> None:
    """Whatever the API server says, its reason is one of those."""
    subject = Resource("/x", "Xs", "xs")
    errors = [ApiError(status, "?") for status in (0, 403, 404, 410, 500)]
    assert {_ended(error, subject).reason for error in errors} <= set(REASONS)


def test_without_events_none_are_told() -> None:
    """`--no-events`."""
    cluster = SimpleNamespace(stats=Stats(), synced=False, age=0.0, namespaces=0, owners=0)
    metrics = Metrics()
    metrics.registry.register(ClusterMetrics(cast(Any, cluster), None))
    assert "linkerd_webhook_event" not in metrics.render().decode()


def test_what_is_known_of_what_policies_refer_to_is_told_by_resource() -> None:
    """As a role's rules call it."""
    cluster = SimpleNamespace(stats=Stats(), synced=True, age=0.0, namespaces=0, owners=0)
    state = KindState("servers.policy.linkerd.io", 12, True, {"gone": 2})
    catalog = SimpleNamespace(states=lambda: [state])
    metrics = Metrics()
    metrics.registry.register(ClusterMetrics(cast(Any, cluster), None, cast(Any, catalog)))
    text = metrics.render().decode()
    for line in (
        'linkerd_webhook_catalog_objects{resource="servers.policy.linkerd.io"} 12.0',
        'linkerd_webhook_catalog_fresh{resource="servers.policy.linkerd.io"} 1.0',
        'linkerd_webhook_catalog_watch_restarts_total{reason="gone",resource="servers.policy.linkerd.io"} 2.0',
    ):
        assert f"\n{line}\n" in text, text
