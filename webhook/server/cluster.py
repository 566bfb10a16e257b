"""Connects the server to the cluster: to an API server, or to manifests in its place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from webhook.cluster.interface import Catalog, Cluster, Events, NothingKnown
from webhook.kube.objects import Namespace, namespace_of
from webhook.server import admin
from webhook.server.metrics import Metrics
from webhook.server.options import Options, StartError
from webhook.webhooks.jaeger_injector import JAEGER_INJECTOR
from webhook.webhooks.proxy_injector import ProxyInjector
from webhook.webhooks.tap_injector import TAP_INJECTOR
from webhook.webhooks.validators import VALIDATORS

if TYPE_CHECKING:
    from webhook.cluster.live import LiveCluster
    from webhook.kube.api import ApiServer


@dataclass(slots=True)
class ClusterAccess:
    """What the webhooks read of the cluster, and where they record Events. `namespaces` returns those that are known;
    `api` is None if manifests replace it."""

    cluster: Cluster
    events: Events | None
    cache: Callable[[], admin.Cache]
    catalog: Catalog
    namespaces: Callable[[], Mapping[str, Namespace]]
    api: ApiServer | None = None


@asynccontextmanager
async def cluster_access(options: Options, metrics: Metrics) -> AsyncIterator[ClusterAccess]:
    """The cluster of the manifests, or of the API server, whose watches run within the block. Raises `StartError`."""
    if options.manifests:
        yield _offline(options.manifests)
        return
    # Imported here, because the client takes a while to import and is not needed with manifests.
    from webhook.cluster.live import LiveCluster
    from webhook.cluster.live_catalog import LiveCatalog
    from webhook.kube.api import ConfigurationError
    from webhook.kube.events import EventRecorder
    from webhook.server.cluster_metrics import ClusterMetrics

    try:
        cluster = await (
            LiveCluster.from_kubeconfig(options.kubeconfig) if options.kubeconfig else LiveCluster.in_cluster()
        )
    except ConfigurationError as error:
        raise StartError(str(error)) from error
    events = EventRecorder(cluster.api) if options.events else None
    catalog = LiveCatalog(cluster.api, cluster.watch) if validates(options) else None
    metrics.registry.register(ClusterMetrics(cluster, events, catalog))
    await cluster.start()
    try:
        if events is not None:
            await events.start()
        if catalog is not None:
            await catalog.start()
        yield ClusterAccess(
            cluster,
            events,
            _cache_of(options, cluster),
            catalog or NothingKnown(),
            lambda: cluster.watch.namespaces,
            cluster.api,
        )
    finally:
        if catalog is not None:
            await catalog.stop()
        if events is not None:
            await events.stop()
        await cluster.stop()


def _cache_of(options: Options, cluster: LiveCluster) -> Callable[[], admin.Cache]:
    """The state of the cache for `/ready`. Validators are ready without it, and give fewer warnings then."""
    if options.webhook in VALIDATORS:
        return lambda: admin.Cache(synced=True, namespaces=cluster.namespaces)
    return lambda: admin.Cache(cluster.synced, cluster.age, cluster.namespaces, cluster.owners, cluster.problem)


def _offline(paths: Sequence[Path]) -> ClusterAccess:
    from webhook.cluster.catalog import OfflineCatalog
    from webhook.cluster.offline import OfflineCluster, flatten
    from webhook.manifest.load import load

    objects, problems = load(paths)
    if problems:
        raise StartError("\n".join(problem.text for problem in problems))
    bodies = [body for body in flatten(objects) if body.get("kind") == "Namespace"]
    namespaces = {namespace.name: namespace for namespace in map(namespace_of, bodies) if namespace is not None}
    cache = admin.Cache(synced=True, namespaces=len(bodies), source="manifests")
    return ClusterAccess(OfflineCluster(objects), None, lambda: cache, OfflineCatalog(objects), lambda: namespaces)


def validates(options: Options) -> bool:
    """Whether the server runs validators. A server of one injector alone does not watch objects for them."""
    return options.webhook not in (ProxyInjector.name, TAP_INJECTOR, JAEGER_INJECTOR)
