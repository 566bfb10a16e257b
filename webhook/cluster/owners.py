"""Which workload a Pod belongs to, by the reference's rules.

Exactly one ownerReference counts, else the Pod stands for itself. A ReplicaSet climbs only to a Deployment,
StatefulSet, DaemonSet or Job that is its single owner; a Job climbs to any single owner. Kinds are compared by name,
whatever the group. The rules stand in Linkerd's `controller/k8s/metadata_api.go` (`GetOwnerKindAndName`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from webhook.cluster.interface import Cluster, ClusterError
from webhook.kube.objects import ObjectReference

# Kinds that may be owned themselves, beside ReplicaSets and Jobs, with the `apiVersion` under which they are looked up.
ABOVE: Final = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "CronJob": "batch/v1",
    "ReplicationController": "v1",
}
# How many owners one above the other are looked up at most: a ReplicaSet, its Deployment, and two more.
DEEPEST: Final = 4

REPLICASET_OWNERS = frozenset({"deployment", "statefulset", "daemonset", "job"})


def references(metadata: Any, namespace: str) -> tuple[ObjectReference, ...]:
    """The ownerReferences of an object's metadata; what is not well-formed reads as empty, never as an error."""
    owners = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
    if not isinstance(owners, list):
        return ()

    def text(reference: dict[str, Any], key: str) -> str:
        value = reference.get(key)
        return value if isinstance(value, str) else ""

    return tuple(
        ObjectReference(text(r, "apiVersion"), text(r, "kind"), namespace, text(r, "name"), text(r, "uid"))
        for r in owners
        if isinstance(r, dict)
    )


def climbs(owner: ObjectReference) -> bool:
    """Whether the owner's own owner may be the workload, as for ReplicaSets and Jobs."""
    return owner.kind in ("ReplicaSet", "Job")


def is_looked_up(reference: ObjectReference) -> bool:
    """Whether the owners of this object are looked up: the kinds that Linkerd's proxy injector may read."""
    return climbs(reference) or ABOVE.get(reference.kind) == reference.api_version


def climb(owner: ObjectReference, above: tuple[ObjectReference, ...]) -> ObjectReference:
    """The workload, given the owner and the owner's ownerReferences."""
    if len(above) != 1:
        return owner
    if owner.kind == "ReplicaSet" and above[0].kind.lower() not in REPLICASET_OWNERS:
        return owner
    return above[0]


def known_workload(cluster: Cluster, direct: Sequence[ObjectReference]) -> tuple[ObjectReference | None, bool]:
    """The workload of a Pod with these owners, as far as it is in memory, and whether that is final. If it is not,
    `find_workload` reads the rest.

    The workload is None for a Pod that has no owner, or several.
    """
    if len(direct) != 1:
        return None, True
    owner = direct[0]
    if not climbs(owner):
        return owner, True
    above = cluster.known_owners(owner)
    if above is None:
        return owner, False
    return climb(owner, above), True


async def find_workload(cluster: Cluster, owner: ObjectReference) -> tuple[ObjectReference, str]:
    """The workload that owns a ReplicaSet or Job, and why it could not be read ("" if it could).

    If it cannot be read, the ReplicaSet or Job itself counts as the workload: the Pod is injected all the same.
    """
    try:
        return climb(owner, await cluster.find_owners(owner)), ""
    except ClusterError as error:
        return owner, error.message


async def find_root(cluster: Cluster, direct: Sequence[ObjectReference]) -> ObjectReference | None:
    """The last owner above a Pod with these owners, of any kind; None for a Pod that is its own root.

    That release of Linkerd which asks for it (`GetRootOwnerKindAndName`, edge-25.10.2) climbs while there is a single
    owner, and takes an owner that it cannot read for the last one.
    """
    root: ObjectReference | None = None
    above = direct
    for _ in range(DEEPEST):
        if len(above) != 1 or not above[0].kind:
            break
        root = above[0]
        known = cluster.known_owners(root)
        if known is None:
            try:
                known = await cluster.find_owners(root)
            except ClusterError:
                break
        above = known
    return root
