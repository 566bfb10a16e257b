"""The cluster of an API server: Namespaces by a watch, owners by single reads when they are needed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from webhook.cluster.interface import ClusterError
from webhook.cluster.names import check_namespace, check_owner
from webhook.cluster.owners import is_looked_up, references
from webhook.kube.api import ApiServer
from webhook.kube.cache import Expiring, SingleFlight
from webhook.kube.errors import WEBHOOK, ApiError, Forbidden, NotFound
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace, ObjectReference, namespace_of
from webhook.kube.watch import NamespaceWatch

# Seconds that a direct read may take, including the wait for a slot.
WAIT = 0.5
# Concurrent direct reads. A burst of new owners must not use up the sockets.
SLOTS = 64

OWNERS = 10_000
OWNER_AGE = 600.0
# Namespaces that were read directly, until the watch delivers them. Seconds; short, as changes are not seen.
FOUND = 1_000
FOUND_AGE = 10.0
# Objects that do not exist, so that a flood of Pods causes at most one read per second.
ABSENT = 1_000
ABSENT_AGE = 1.0

_RESOURCES = {
    "ReplicaSet": "apis/apps/v1/namespaces/{}/replicasets/{}",
    "Job": "apis/batch/v1/namespaces/{}/jobs/{}",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments/{}",
    "StatefulSet": "apis/apps/v1/namespaces/{}/statefulsets/{}",
    "DaemonSet": "apis/apps/v1/namespaces/{}/daemonsets/{}",
    "CronJob": "apis/batch/v1/namespaces/{}/cronjobs/{}",
    "ReplicationController": "api/v1/namespaces/{}/replicationcontrollers/{}",
}
_GRANTS = {
    "Namespace": "namespaces",
    "ReplicaSet": "replicasets.apps",
    "Job": "jobs.batch",
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
    "CronJob": "cronjobs.batch",
    "ReplicationController": "replicationcontrollers",
}

Key = tuple[str, str, str, str]


@dataclass(slots=True)
class Stats:
    """Counters, ever growing. `reads`: direct reads by (kind, outcome): `found` or a `ClusterError`'s reason."""

    reads: Counter[tuple[str, str]] = field(default_factory=Counter)
    watch_restarts: Counter[str] = field(default_factory=Counter)
    namespace_hits: int = 0
    namespace_misses: int = 0
    owner_hits: int = 0
    owner_misses: int = 0


class LiveCluster:
    """A `Cluster` of an API server. It is up to date between `start` and `stop`.

    `stats` are counters. `api` is the client, which an `EventRecorder` may share; `stop` closes it.
    """

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        self.api = api
        self._watch = NamespaceWatch(api, clock)
        self.stats = Stats(watch_restarts=self._watch.restarts)
        self._found: Expiring[str, Namespace] = Expiring(FOUND, FOUND_AGE, clock)
        self._owners: Expiring[Key, tuple[ObjectReference, ...]] = Expiring(OWNERS, OWNER_AGE, clock)
        self._absent: Expiring[Key, tuple[str, str]] = Expiring(ABSENT, ABSENT_AGE, clock)
        self._namespace_flights: SingleFlight[str, Namespace] = SingleFlight()
        self._owner_flights: SingleFlight[Key, tuple[ObjectReference, ...]] = SingleFlight()
        self._slots = asyncio.Semaphore(SLOTS)
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def from_kubeconfig(cls, path: str | Path) -> LiveCluster:
        """The cluster of a kubeconfig's current context. Raises `ConfigurationError`."""
        return cls(await ApiServer.from_kubeconfig(path))

    @classmethod
    async def in_cluster(cls) -> LiveCluster:
        """The cluster this runs in. Raises `ConfigurationError`."""
        return cls(ApiServer.in_cluster())

    async def start(self) -> None:
        """Begin to watch; does not wait until `synced`."""
        if self._task is None:
            self._task = asyncio.create_task(self._watch.run(), name="watch of Namespaces")

    async def stop(self) -> None:
        """End the watch and all reads, and close the connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._namespace_flights.cancel()
        await self._owner_flights.cancel()
        await self.api.close()

    @property
    def watch(self) -> NamespaceWatch:
        """The watch of Namespaces, for a catalog to share."""
        return self._watch

    @property
    def synced(self) -> bool:
        """Whether all Namespaces were listed once."""
        return self._watch.synced.is_set()

    async def wait_synced(self) -> None:
        """Wait until `synced`, however long that takes."""
        await self._watch.synced.wait()

    @property
    def age(self) -> float:
        """Seconds since the watch last received data. A silent watch gets a bookmark about once a minute."""
        return self._watch.age

    @property
    def problem(self) -> str:
        """Why the watch does not work, for users; "" if it does."""
        return self._watch.problem

    @property
    def namespaces(self) -> int:
        """How many Namespaces the watch knows."""
        return len(self._watch.namespaces)

    @property
    def owners(self) -> int:
        """How many owners are cached."""
        return len(self._owners)

    def known_namespace(self, name: str) -> Namespace | None:
        """The Namespace, if it is known already."""
        namespace = self._watch.namespaces.get(name) or self._found.get(name)
        if namespace is None:
            self.stats.namespace_misses += 1
        else:
            self.stats.namespace_hits += 1
        return namespace

    async def find_namespace(self, name: str) -> Namespace:
        """The Namespace, by one bounded read. Raises `ClusterError`."""
        namespace = self._watch.namespaces.get(name) or self._found.get(name)
        if namespace is not None:
            return namespace
        check_namespace(name)
        return await self._namespace_flights.fly(name, lambda: self._read_namespace(name))

    async def _read_namespace(self, name: str) -> Namespace:
        body = await self._read(("Namespace", "", name, ""), f"api/v1/namespaces/{quote(name, safe='')}")
        namespace = namespace_of(body)
        if namespace is None:
            raise ClusterError(
                "unavailable", f'Namespace "{name}": the API server answered without metadata; try again'
            )
        self._found.put(name, namespace)
        return namespace

    def known_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...] | None:
        """The ownerReferences of the object, if they are known already; none for a kind that is not looked up."""
        if not is_looked_up(reference):
            return ()
        owners = self._owners.get(_key(reference))
        if owners is None:
            self.stats.owner_misses += 1
        else:
            self.stats.owner_hits += 1
        return owners

    async def find_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...]:
        """The ownerReferences of the object, by one bounded read. Raises `ClusterError`."""
        if not is_looked_up(reference):
            return ()
        key = _key(reference)
        owners = self._owners.get(key)
        if owners is not None:
            return owners
        check_namespace(reference.namespace)
        check_owner(reference.kind, reference.name)
        return await self._owner_flights.fly(key, lambda: self._read_owners(key))

    async def _read_owners(self, key: Key) -> tuple[ObjectReference, ...]:
        kind, namespace, name, _ = key
        body = await self._read(key, _RESOURCES[kind].format(quote(namespace, safe=""), quote(name, safe="")))
        owners = references(body.get("metadata"), namespace)
        self._owners.put(key, owners)
        return owners

    async def _read(self, key: Key, path: str) -> JSON:
        """One direct read of an object's metadata, counted. Raises `ClusterError`."""
        absent = self._absent.get(key)
        if absent is not None:
            raise ClusterError(*absent)
        outcome = "unavailable"
        try:
            async with asyncio.timeout(WAIT), self._slots:
                body = await self.api.get(f"/{path}")
            outcome = "found"
            return body
        except (TimeoutError, ApiError) as error:
            problem = _problem(key, error, self.api.host)
            outcome = problem.reason
            if outcome in ("not_found", "forbidden"):
                self._absent.put(key, (problem.reason, problem.message))
            raise problem from error
        finally:
            self.stats.reads[key[0].lower(), outcome] += 1


def _key(reference: ObjectReference) -> Key:
    return reference.kind, reference.namespace, reference.name, reference.uid


def _problem(key: Key, error: TimeoutError | ApiError, host: str) -> ClusterError:
    """The error for a failed direct read: it names the object and the cause, and says what to do."""
    kind, namespace, name, _ = key
    subject = f'{kind} "{namespace}/{name}"' if namespace else f'{kind} "{name}"'
    if isinstance(error, TimeoutError):
        return ClusterError(
            "timed_out",
            f"{subject} was not read within {WAIT * 1000:.0f} ms: the API server is slow or out of reach, try again",
        )
    if isinstance(error, NotFound):
        return ClusterError("not_found", f"{subject} does not exist: create it, or try again if it is new")
    if isinstance(error, Forbidden):
        return ClusterError(
            "forbidden",
            f"this webhook may not read {subject}: grant get on {_GRANTS[kind]} to {error.user or WEBHOOK}",
        )
    return ClusterError(
        "unavailable",
        f"{subject} could not be read ({error.message}): check that the webhook can reach the API server at {host}",
    )
