"""The cluster that a set of manifests describes, without an API server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from webhook.cluster.interface import ClusterError
from webhook.cluster.names import check_namespace, check_owner
from webhook.cluster.owners import ABOVE, is_looked_up, references
from webhook.kube.objects import Namespace, ObjectReference, namespace_of

_BY_KIND = frozenset(("ReplicaSet", "Job"))


def _is_owner(kind: str, api_version: object) -> bool:
    """Whether owners of such an object are looked up; of a ReplicaSet or Job whatever its group."""
    return kind in _BY_KIND or (kind in ABOVE and ABOVE[kind] == api_version)


class OfflineCluster:
    """A `Cluster` of parsed objects. The last of several objects with one kind and name counts. It never waits.

    A ReplicaSet or Job without a `metadata.namespace` is in `default`, as `kubectl apply` would have it.
    """

    def __init__(self, objects: Iterable[dict[str, Any]]) -> None:
        self._namespaces: dict[str, Namespace] = {}
        self._owners: dict[tuple[str, str, str], tuple[ObjectReference, ...]] = {}
        for body in flatten(objects):
            self._add(body)

    def _add(self, body: dict[str, Any]) -> None:
        kind, metadata = body.get("kind"), body.get("metadata")
        if kind == "Namespace":
            namespace = namespace_of(body)
            if namespace is not None:
                self._namespaces[namespace.name] = namespace
        elif isinstance(metadata, dict) and isinstance(kind, str) and _is_owner(kind, body.get("apiVersion")):
            name, within = metadata.get("name"), metadata.get("namespace") or "default"
            if isinstance(name, str) and isinstance(within, str):
                self._owners[kind, within, name] = references(metadata, within)

    def known_namespace(self, name: str) -> Namespace | None:
        """The Namespace, if it is among the manifests."""
        return self._namespaces.get(name)

    async def find_namespace(self, name: str) -> Namespace:
        """The Namespace. Raises `ClusterError` (`not_found`)."""
        namespace = self._namespaces.get(name)
        if namespace is not None:
            return namespace
        check_namespace(name)
        raise ClusterError(
            "not_found", f"namespace {name} is not among the given manifests: add its manifest with --manifests"
        )

    def known_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...] | None:
        """The ownerReferences of the object, if it is there; none for a kind that is not looked up."""
        if not is_looked_up(reference):
            return ()
        return self._owners.get((reference.kind, reference.namespace, reference.name))

    async def find_owners(self, reference: ObjectReference) -> tuple[ObjectReference, ...]:
        """The ownerReferences of the object. Raises `ClusterError` (`not_found`)."""
        owners = self.known_owners(reference)
        if owners is not None:
            return owners
        check_namespace(reference.namespace)
        check_owner(reference.kind, reference.name)
        raise ClusterError(
            "not_found",
            f"{reference.kind} {reference.namespace}/{reference.name} is not among the given manifests: "
            "add its manifest with --manifests",
        )


def flatten(objects: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The objects, with the items of a `List` (or `NamespaceList` and the like) in the List's place."""
    for body in objects:
        if not isinstance(body, dict):
            continue
        kind, items = body.get("kind"), body.get("items")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            # A typed list's items may leave out their kind.
            known = kind.removesuffix("List")
            yield from flatten({"kind": known, **item} if known and isinstance(item, dict) else item for item in items)
        else:
            yield body
