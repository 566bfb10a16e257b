"""What webhooks read of the cluster; implemented for the API server (`live`) and for manifests (`offline`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from webhook.cluster.selection import Selection
from webhook.kube.objects import Namespace, ObjectReference


class ClusterError(Exception):
    """An object of the cluster could not be read.

    `reason` is `not_found`, `forbidden`, `timed_out` or `unavailable`; the message names the object and what to do.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Cluster(Protocol):
    """Namespaces and owners. `known_*` answers from memory at once, or None; `find_*` may wait, at most 500 ms."""

    def known_namespace(self, name: str) -> Namespace | None:
        """The Namespace, if it is known already."""

    async def find_namespace(self, name: str) -> Namespace:
        """The Namespace, by one bounded read. Raises `ClusterError`."""

    def known_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...] | None:
        """The ownerReferences of the object, if they are known already; none for a kind that is not looked up
        (`owners.is_looked_up`)."""

    async def find_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...]:
        """The ownerReferences of the object, by one bounded read. Raises `ClusterError`."""


class Events(Protocol):
    """Records Events about workloads. Never blocks, never raises."""

    def record(self, about: ObjectReference, reason: str, message: str, type: str = "Normal") -> None:
        """Queue an Event of this reason (`Injected`, `InjectionSkipped`) and type (`Normal`, `Warning`) about an
        object."""


class Presence(Enum):
    """Whether an object exists, as far as is known."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class CatalogPort(NamedTuple):
    """A port of a Service: its number, its name ("" for none), and the number or name of the Pods' port behind it."""

    port: int
    name: str
    target: int | str


class Workload(NamedTuple):
    """The Pods of one template, or an ExternalWorkload: the labels that a Server selects, and the ports."""

    kind: str
    name: str
    labels: Mapping[str, str]
    ports: Mapping[int, str]
    """The ports that its containers declare: numbers, and their names ("" for none)."""
    mentioned: frozenset[int]
    """Further numbers in its template that may be ports: in probes, arguments, variables, annotations."""

    @property
    def is_external(self) -> bool:
        """Whether it is an ExternalWorkload, which other selectors are for."""
        return self.kind == "ExternalWorkload"


class Catalog(Protocol):
    """The objects that other objects refer to, looked up in memory. Checks report nothing about what is unknown.

    Group and kind are written as the API server writes them; the core group is "".
    """

    def look(self, group: str, kind: str, namespace: str, name: str) -> Presence:
        """Whether this object exists. A cluster-scoped object's namespace is ""."""

    def names(self, group: str, kind: str, namespace: str) -> Collection[str]:
        """The known names of this kind in a Namespace, so that a message can suggest one."""

    def servers(self, namespace: str) -> Mapping[str, Selection] | None:
        """What the Servers of a Namespace select, by name; None where that is not known.

        A spec holds at least `podSelector`, `externalWorkloadSelector` and `port`.
        """

    def ports(self, namespace: str, service: str) -> Sequence[CatalogPort] | None:
        """The ports of a Service; None where the Service, or what it has, is not known."""

    def rate_limits(self, namespace: str, server: str) -> Collection[str] | None:
        """The names of the HTTPLocalRateLimitPolicies for a Server, None where that is not known."""

    def workloads(self, namespace: str) -> Sequence[Workload] | None:
        """All workloads of a namespace; None where they are not known, or perhaps not all of them."""


class NothingKnown:
    """A `Catalog` in which every object is unknown."""

    def look(self, group: str, kind: str, namespace: str, name: str) -> Presence:
        """Always unknown."""
        return Presence.UNKNOWN

    def names(self, group: str, kind: str, namespace: str) -> Collection[str]:
        """Always none."""
        return ()

    def servers(self, namespace: str) -> Mapping[str, Selection] | None:
        """Always unknown."""
        return None

    def ports(self, namespace: str, service: str) -> Sequence[CatalogPort] | None:
        """Always unknown."""
        return None

    def rate_limits(self, namespace: str, server: str) -> Collection[str] | None:
        """Always unknown."""
        return None

    def workloads(self, namespace: str) -> Sequence[Workload] | None:
        """Always unknown."""
        return None
