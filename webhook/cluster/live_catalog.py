"""A `Catalog` of the objects in a cluster, kept up to date by watches."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from webhook.cluster.catalog import (
    GATEWAY,
    POLICY,
    RATE_LIMIT,
    SERVER,
    SERVICE,
    GroupKind,
    Objects,
    limits_of,
    names,
    rate_limits,
    servers,
    services,
)
from webhook.cluster.interface import CatalogPort, Presence, Workload
from webhook.cluster.selection import Selection
from webhook.kube import discovery
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.watch import NamespaceWatch, Resource, Watch

# Only the kinds that other objects refer to: each one costs a connection and a watch.
CORE = {("", "Service"): "/api/v1/services", ("", "ServiceAccount"): "/api/v1/serviceaccounts"}
CUSTOM = {
    POLICY: (
        "Server",
        "HTTPRoute",
        "MeshTLSAuthentication",
        "NetworkAuthentication",
        "EgressNetwork",
        "HTTPLocalRateLimitPolicy",
    ),
    GATEWAY: ("HTTPRoute", "GRPCRoute"),
}

# Objects per page of a list. No request waits for these lists, and a large page would enlarge the process for good.
PAGE = 200
# Seconds for which the known objects still count after a watch has ended.
STALE = 60.0
# The range of the random pause, in seconds, between two searches for missing CRDs.
LOOK = (45.0, 75.0)
# The shortest pause in seconds: the next search is earlier if a missing kind is referred to, or was just removed.
SOON = 5.0

Services = Watch[Objects[tuple[CatalogPort, ...] | None]]
Watched = Watch[Objects[None]] | Watch[Objects[Selection]] | Watch[Objects[str]] | Services

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KindState:
    """What is known of one kind. `resource` is its plural and group; `fresh` is whether lookups of it are answered."""

    resource: str
    objects: int
    fresh: bool
    restarts: Mapping[str, int]


class LiveCatalog:
    """A `Catalog` of the objects of an API server, up to date between `start` and `stop`. Lookups never wait.

    Lookups of a kind are answered once it was listed, while its watch is open or ended less than `STALE` seconds ago.
    """

    def __init__(self, api: ApiServer, namespaces: NamespaceWatch, clock: Callable[[], float] = time.monotonic) -> None:
        """The caller runs `namespaces`, and closes `api` after `stop`."""
        self._api = api
        self._namespaces = namespaces
        self._clock = clock
        self._watches: dict[GroupKind, Watched] = {}
        # The watches that keep more than names.
        self._servers: Watch[Objects[Selection]] | None = None
        self._services: Services | None = None
        self._rate_limits: Watch[Objects[str]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._restarts: dict[GroupKind, Counter[str]] = {}
        self._asked = asyncio.Event()
        self._problem = ""

    async def start(self) -> None:
        """Begin to watch; does not wait for anything."""
        if not self._tasks:
            self._spawn(self._find(), "discovery for the catalog")

    async def stop(self) -> None:
        """End all watches."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watches.clear()

    def look(self, group: str, kind: str, namespace: str, name: str) -> Presence:
        """Whether this object exists."""
        if kind == "Namespace" and not group:
            return self._namespace_presence(name)
        watch = self._fresh((group, kind))
        if watch is None:
            return Presence.UNKNOWN
        return Presence.PRESENT if name in watch.store.within(namespace) else Presence.ABSENT

    def _namespace_presence(self, name: str) -> Presence:
        if not _answers(self._namespaces):
            return Presence.UNKNOWN
        return Presence.PRESENT if name in self._namespaces.namespaces else Presence.ABSENT

    def names(self, group: str, kind: str, namespace: str) -> Collection[str]:
        """The names of this kind in a Namespace, as far as they are known."""
        if kind == "Namespace" and not group:
            return self._namespaces.namespaces
        watch = self._watches.get((group, kind))
        return watch.store.within(namespace) if watch is not None else ()

    def servers(self, namespace: str) -> Mapping[str, Selection] | None:
        """The Servers of a Namespace by name: what they select, and their port. None where they are not known."""
        if self._fresh(SERVER) is None or self._servers is None:
            return None
        return self._servers.store.within(namespace)

    def ports(self, namespace: str, service: str) -> Sequence[CatalogPort] | None:
        """The ports of a Service, None if they are not known."""
        if self._fresh(SERVICE) is None or self._services is None:
            return None
        return self._services.store.within(namespace).get(service)

    def rate_limits(self, namespace: str, server: str) -> Collection[str] | None:
        """The names of the HTTPLocalRateLimitPolicies for a Server, None where they are not known."""
        if self._fresh(RATE_LIMIT) is None or self._rate_limits is None:
            return None
        return limits_of(self._rate_limits.store.within(namespace), server)

    def workloads(self, namespace: str) -> Sequence[Workload] | None:
        """Never known: watching all Pods would cost more than all else together."""
        return None

    def _fresh(self, kind: GroupKind) -> Watched | None:
        watch = self._watches.get(kind)
        if watch is None:
            # An object refers to this kind, so its CRD may have been installed.
            self._asked.set()
            return None
        return watch if _answers(watch) else None

    def states(self) -> list[KindState]:
        """The state of each kind that was ever watched, for metrics. May be called from another thread."""
        states = []
        for kind, restarts in list(self._restarts.items()):
            watch = self._watches.get(kind)
            objects = watch.store.count if watch is not None else 0
            fresh = watch is not None and _answers(watch)
            states.append(KindState(_resource(kind), objects, fresh, dict(restarts)))
        return states

    async def _find(self) -> None:
        """Search for the kinds that are not watched, and watch them, until cancelled."""
        while True:
            self._asked.clear()
            for kind, path in CORE.items():
                if kind not in self._watches:
                    self._open(kind, path)
            missing = False
            for group, kinds in CUSTOM.items():
                wanted = [kind for kind in kinds if (group, kind) not in self._watches]
                if wanted:
                    await self._find_in(group, wanted)
                    missing = missing or any((group, kind) not in self._watches for kind in wanted)
            await asyncio.sleep(SOON)
            try:
                async with asyncio.timeout(random.uniform(*LOOK) if missing else None):  # noqa: S311
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def _find_in(self, group: str, kinds: list[str]) -> None:
        """Watch those kinds that the API server serves."""
        problem = ""
        try:
            for kind, path in (await discovery.collections(self._api, group, kinds)).items():
                self._open((group, kind), path)
        except TimeoutError:
            problem = "the API server did not answer in time"
        except ApiError as error:
            problem = error.message
        except Exception as error:
            # An unexpected response must not end the search for good.
            problem = str(error) or type(error).__name__
        if problem and problem != self._problem:
            log.warning("cannot discover the kinds of an API group", group=group, message=problem)
        self._problem = problem

    def _open(self, kind: GroupKind, path: str) -> None:
        resource = _resource(kind)
        watch: Watched
        # Selectors, ports and targets are not metadata.
        whole = Resource(path, resource, resource, PLAIN, PLAIN, PAGE)
        if kind == SERVER:
            watch = self._servers = Watch(self._api, whole, servers, self._clock, optional=True)
        elif kind == SERVICE:
            watch = self._services = Watch(self._api, whole, services, self._clock, optional=True)
        elif kind == RATE_LIMIT:
            watch = self._rate_limits = Watch(self._api, whole, rate_limits, self._clock, optional=True)
        else:
            watch = Watch(self._api, Resource(path, resource, resource, page=PAGE), names, self._clock, optional=True)
        watch.restarts = self._restarts.setdefault(kind, Counter())
        self._watches[kind] = watch
        self._spawn(self._run(kind, watch), f"watch of {resource}")

    async def _run(self, kind: GroupKind, watch: Watched) -> None:
        try:
            await watch.run()
            log.info(f"the API server no longer serves {watch.resource.name}")
        finally:
            self._watches.pop(kind, None)
            self._asked.set()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _answers(watch: Watch[Any]) -> bool:
    return watch.synced.is_set() and watch.broken() < STALE


def _resource(kind: GroupKind) -> str:
    """The resource of a kind, as Roles and kubectl name it: `servers.policy.linkerd.io`. All plurals are regular."""
    group, name = kind
    plural = f"{name.lower().removesuffix('y')}ies" if name.endswith("y") else f"{name.lower()}s"
    return f"{plural}.{group}" if group else plural
