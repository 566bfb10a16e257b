"""A cluster beside the manifests: what they refer to may be there already."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import structlog

from webhook.cluster.interface import Catalog, Presence, ServicePort, Workload
from webhook.cluster.live import LiveCluster
from webhook.cluster.live_catalog import CORE, CUSTOM, LiveCatalog
from webhook.kube.api import ConfigurationError
from webhook.kube.objects import Namespace

T = TypeVar("T")

# Seconds for the cluster to tell all that it has, and for kinds to show up that it need not have.
WAIT = 15.0
GRACE = 2.0
_POLL = 0.05


class ClusterView(NamedTuple):
    """What a cluster knows. `over` makes of the catalog of what was given the one with the cluster under it."""

    over: Callable[[Catalog], Catalog]
    namespace: Callable[[str], Namespace | None]


class ClusterUnreachable(Exception):
    """The cluster of the kubeconfig cannot be asked."""


class Overlay:
    """The `Catalog` of what is given over that of what there is: what is given will be there."""

    def __init__(self, given: Catalog, there: Catalog) -> None:
        self._given = given
        self._there = there

    def look(self, group: str, kind: str, namespace: str, name: str) -> Presence:
        """Whether this object exists, or will."""
        if self._given.look(group, kind, namespace, name) is Presence.PRESENT:
            return Presence.PRESENT
        return self._there.look(group, kind, namespace, name)

    def names(self, group: str, kind: str, namespace: str) -> Collection[str]:
        """The names that are known of this kind in a Namespace."""
        return {*self._given.names(group, kind, namespace), *self._there.names(group, kind, namespace)}

    def servers(self, namespace: str) -> Mapping[str, Mapping[str, Any]] | None:
        """The Servers of a Namespace, those given in the place of those of the same name."""
        there = self._there.servers(namespace)
        return None if there is None else {**there, **(self._given.servers(namespace) or {})}

    def ports(self, namespace: str, service: str) -> Sequence[ServicePort] | None:
        """The ports of a Service, those given in the place of those that there are."""
        given = self._given.ports(namespace, service)
        return self._there.ports(namespace, service) if given is None else given

    def rate_limits(self, namespace: str, server: str) -> Collection[str] | None:
        """The names of the HTTPLocalRateLimitPolicies for a Server."""
        given, there = self._given.rate_limits(namespace, server), self._there.rate_limits(namespace, server)
        return None if given is None and there is None else {*(given or ()), *(there or ())}

    def workloads(self, namespace: str) -> Sequence[Workload] | None:
        """Unknown: the cluster runs more than what is given."""
        return None


def with_cluster(kubeconfig: str, work: Callable[[ClusterView], T], say: Callable[[str], None]) -> T:
    """Do some work with the cluster's objects at hand. Raises `ClusterUnreachable`.

    What the cluster does not tell in time counts as unknown, and `say` is told.
    """
    # Standard output is for the findings.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return asyncio.run(_with_cluster(kubeconfig, work, say))


async def _with_cluster(kubeconfig: str, work: Callable[[ClusterView], T], say: Callable[[str], None]) -> T:
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
            say(f"the cluster does not tell its {', '.join(missing)}: references to these are not checked")
        return work(ClusterView(lambda given: Overlay(given, catalog), cluster.known_namespace))
    finally:
        await catalog.stop()
        await cluster.stop()


async def _wait(cluster: LiveCluster, catalog: LiveCatalog) -> list[str]:
    """Wait until the cluster has told what it has; the kinds that it has and does not tell come out."""
    wanted = len(CORE) + sum(len(kinds) for kinds in CUSTOM.values())
    began = time.monotonic()
    while (waited := time.monotonic() - began) < WAIT:
        states = catalog.states()
        if cluster.synced and all(state.fresh for state in states) and (len(states) == wanted or waited > GRACE):
            return []
        await asyncio.sleep(_POLL)
    return [state.resource for state in catalog.states() if not state.fresh]
