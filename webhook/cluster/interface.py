"""What a webhook may ask about the cluster, whoever answers: the API server (`live`) or files (`offline`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Namespace's metadata, as much of it as decides anything."""

    name: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An object that owns others: what an ownerReference says, and in which Namespace."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


class ClusterError(Exception):
    """The cluster could not tell.

    `reason` is `not_found`, `forbidden`, `timed_out` or `unavailable`; the message says of what, and what to do.
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
        """The ownerReferences of the referenced ReplicaSet or Job, if they are known already."""

    async def find_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...]:
        """The ownerReferences of the referenced ReplicaSet or Job, by one bounded read. Raises `ClusterError`."""


class Events(Protocol):
    """Where Events about owners go. Never blocks, never fails."""

    def record(self, about: ObjectReference, reason: str, message: str) -> None:
        """Queue a Normal Event of this reason (`Injected`, `InjectionSkipped`) about an object."""
