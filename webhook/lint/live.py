"""Looks up what manifests refer to in a cluster as well, for `validate --kubeconfig`."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, TypeVar

import structlog

from webhook.cluster.interface import Catalog, CatalogPort, Presence, Workload
from webhook.cluster.live import LiveCluster
from webhook.cluster.live_catalog import CORE, CUSTOM, LiveCatalog
from webhook.cluster.selection import Selection
from webhook.kube.api import ConfigurationError
from webhook.kube.objects import Namespace

T = TypeVar("T")

# Seconds until all objects have to be listed, and until a kind that has not appeared counts as not installed.
WAIT = 15.0
GRACE = 2.0
_POLL = 0.05


class ClusterView(NamedTuple):
    """The objects of a cluster. `over` adds them to the catalog of the manifests; `namespace` gives a Namespace by
    name, None where the cluster does not have it."""

    over: Callable[[Catalog], Catalog]
    namespace: Callable[[str], Namespace | None]


class ClusterUnreachable(Exception):
    """The kubeconfig cannot be used, or its cluster does not answer."""


class Overlay:
    """A `Catalog` of the manifests (`given`) and of the cluster (`there`), as if the manifests were already applied."""

    def __init__(self, given: Catalog, there: Catalog) -> None:
        self._given = given
        self._there = there

    def look(self, group: str, kind: str, namespace: str, name: str) -> Presence:
        """Whether this object exists in the cluster or in the manifests."""
        if self._given.look(group, kind, namespace, name) is Presence.PRESENT:
            return Presence.PRESENT
        return self._there.look(group, kind, namespace, name)

    def names(self, group: str, kind: str, namespace: str) -> Collection[str]:
        """The names of the known objects of this kind in a Namespace."""
        return {*self._given.names(group, kind, namespace), *self._there.names(group, kind, namespace)}

    def servers(self, namespace: str) -> Mapping[str, Selection] | None:
        """The Servers of a Namespace by name; one in the manifests replaces that of the cluster."""
        there = self._there.servers(namespace)
        return None if there is None else {**there, **(self._given.servers(namespace) or {})}

    def ports(self, namespace: str, service: str) -> Sequence[CatalogPort] | None:
        """The ports of a Service, from the manifests or else from the cluster."""
        given = self._given.ports(namespace, service)
        return self._there.ports(namespace, service) if given is None else given

    def rate_limits(self, namespace: str, server: str) -> Collection[str] | None:
        """The names of the HTTPLocalRateLimitPolicies for a Server."""
        given, there = self._given.rate_limits(namespace, server), self._there.rate_limits(namespace, server)
        return None if given is None and there is None else {*(given or ()), *(there or ())}

    def workloads(self, namespace: str) -> Sequence[Workload] | None:
        """None, as the catalog of a cluster does not list workloads, and the manifests need not have all of them."""
        return None


def with_cluster(kubeconfig: str, work: Callable[[ClusterView], T], warn: Callable[[str], None]) -> T:
    """Call `work` with the objects of the kubeconfig's cluster, and return its result.

    Kinds that the cluster does not list within `WAIT` seconds count as unknown; `warn` is called with a line about
    them. Raises `ClusterUnreachable`.
    """
    # Standard output is for the findings.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return asyncio.run(_with_cluster(kubeconfig, work, warn))


async def _with_cluster(kubeconfig: str, work: Callable[[ClusterView], T], warn: Callable[[str], None]) -> T:
    try:
        cluster = await LiveCluster.from_kubeconfig(kubeconfig)
    except ConfigurationError as error:
        raise ClusterUnreachable(str(error)) from None
    catalog = LiveCatalog(cluster.api, cluster.watch)
    await cluster.start()
    await catalog.start()
    try:
        missing = await _wait(cluster, catalog)
        if not cluster.synced:
            raise ClusterUnreachable(
                f"the cluster of {kubeconfig} does not answer: {cluster.problem or 'no word from it'}"
            )
        if missing:
            warn(f"the cluster does not list its {', '.join(missing)}: references to these are not checked")
        return work(ClusterView(lambda given: Overlay(given, catalog), cluster.known_namespace))
    finally:
        await catalog.stop()
        await cluster.stop()


async def _wait(cluster: LiveCluster, catalog: LiveCatalog) -> list[str]:
    """Wait until the cluster has listed its objects. Returns the resources that it did not list in time."""
    wanted = len(CORE) + sum(len(kinds) for kinds in CUSTOM.values())
    began = time.monotonic()
    while (waited := time.monotonic() - began) < WAIT:
        states = catalog.states()
        if cluster.synced and all(state.fresh for state in states) and (len(states) == wanted or waited > GRACE):
            return []
        await asyncio.sleep(_POLL)
    return [state.resource for state in catalog.states() if not state.fresh]
