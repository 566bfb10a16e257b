"""What makes Pods: each workload of a cluster, as far as it decides about their injection. Pure.

Of each workload only a small record is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from webhook.injector.removal import is_meshed
from webhook.injector.settings import PREFIXES, TRACE_ATTRIBUTE
from webhook.kube.fields import mapping, mappings, number, text, texts
from webhook.kube.interface import JSON

# The kinds that are listed: kind, and its list's path on the API server.
LISTED: Final[Mapping[str, str]] = {
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Job": "/apis/batch/v1/jobs",
    "CronJob": "/apis/batch/v1/cronjobs",
}

_OURS: Final = ("linkerd.io/", *PREFIXES, TRACE_ATTRIBUTE)
_NOTHING: Final[Mapping[str, str]] = {}


class Owner(NamedTuple):
    """What a Pod belongs to, by kind and name; a Pod that nothing owns belongs to itself (kind `Pod`)."""

    kind: str
    namespace: str
    name: str

    @property
    def object(self) -> str:
        """`Kind NAMESPACE/NAME`."""
        return f"{self.kind} {self.namespace}/{self.name}"


class Remedy(StrEnum):
    """What makes a workload's Pods anew."""

    RESTART = "restart"
    """`kubectl rollout restart`."""
    PAUSED = "paused"
    """The Deployment is paused, so nothing restarts before it is resumed."""
    ON_DELETE = "on_delete"
    """Its strategy is OnDelete: each Pod has to be deleted."""
    PARTITION = "partition"
    """The StatefulSet has a partition: a restart reaches only the Pods from that number on."""
    DELETE = "delete"
    """A ReplicaSet or ReplicationController makes a Pod anew once it is deleted."""
    BARE = "bare"
    """Nothing makes it anew."""
    JOB = "job"
    """The Job runs once."""
    CRON_JOB = "cron_job"
    """The next run is made anew."""
    MANUAL = "manual"
    """Its Pod template has the proxy itself, by `linkerd inject --manual`: a restart changes nothing."""
    FOREIGN = "foreign"
    """Something else controls it: a kind that is not Kubernetes' own."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload. `annotations` and `template_annotations` are Linkerd's only, those of the object itself and those
    of its Pod template; `labels` are the object's own that are Linkerd's, and `template_labels` are all.

    `above` is the CronJob of a Job, None for none.
    """

    owner: Owner
    annotations: Mapping[str, str]
    labels: Mapping[str, str]
    template_annotations: Mapping[str, str]
    template_labels: Mapping[str, str]
    remedy: Remedy
    host_network: bool = False
    above: Owner | None = None

    @property
    def object(self) -> str:
        """`Kind NAMESPACE/NAME`."""
        return self.owner.object


def workload_of(kind: str, body: JSON) -> Workload | None:
    """The record of a workload as the API server returns it, None for a finished Job. `kind` is one of `LISTED`."""
    metadata, spec = mapping(body, "metadata"), mapping(body, "spec")
    if kind == "Job" and _is_finished(body):
        return None
    template = mapping(spec, *(("jobTemplate", "spec", "template") if kind == "CronJob" else ("template",)))
    namespace = text(metadata, "namespace")
    return Workload(
        Owner(kind, sys.intern(namespace), text(metadata, "name")),
        linkerds(texts(metadata, "annotations")),
        linkerds(texts(metadata, "labels")),
        linkerds(texts(template, "metadata", "annotations")),
        texts(template, "metadata", "labels") or _NOTHING,
        Remedy.MANUAL if is_meshed(template) else _remedy(kind, spec),
        mapping(template, "spec").get("hostNetwork") is True,
        _cron_job(body, namespace) if kind == "Job" else None,
    )


def linkerds(entries: Mapping[str, str]) -> Mapping[str, str]:
    """Those of an object's annotations or labels that the injector may read."""
    return {sys.intern(key): value for key, value in entries.items() if key.startswith(_OURS)} or _NOTHING


def _is_finished(body: JSON) -> bool:
    return any(
        text(condition, "type") in ("Complete", "Failed") and text(condition, "status") == "True"
        for condition in mappings(body, "status", "conditions")
    )


def _cron_job(body: JSON, namespace: str) -> Owner | None:
    for reference in mappings(body, "metadata", "ownerReferences"):
        if text(reference, "kind") == "CronJob":
            return Owner("CronJob", namespace, text(reference, "name"))
    return None


def _remedy(kind: str, spec: JSON) -> Remedy:
    if kind in ("ReplicaSet", "ReplicationController"):
        return Remedy.DELETE
    if kind == "Job":
        return Remedy.JOB
    if kind == "CronJob":
        return Remedy.CRON_JOB
    if kind == "Deployment":
        return Remedy.PAUSED if spec.get("paused") is True else Remedy.RESTART
    strategy = mapping(spec, "updateStrategy")
    if text(strategy, "type") == "OnDelete":
        return Remedy.ON_DELETE
    return Remedy.PARTITION if number(strategy, "rollingUpdate", "partition") > 0 else Remedy.RESTART


class Workloads:
    """All workloads of a cluster, or those of one Namespace."""

    def __init__(self) -> None:
        self._by_owner: dict[Owner, Workload] = {}

    def add(self, kind: str, body: JSON) -> None:
        """Note one, as the API server returns it."""
        workload = workload_of(kind, body)
        if workload is not None:
            self._by_owner[workload.owner] = workload

    def __iter__(self) -> Iterator[Workload]:
        return iter(self._by_owner.values())

    def __len__(self) -> int:
        return len(self._by_owner)

    def get(self, owner: Owner) -> Workload | None:
        """The workload that an owner is, None where it is not known."""
        return self._by_owner.get(owner)

    def owner(self, pod: JSON) -> Owner:
        """What a Pod belongs to: its controller, a ReplicaSet's Deployment, a Job's CronJob, or the Pod itself.

        A ReplicaSet is taken for a Deployment's by its name, which ends in the hash of the template, so that no
        ReplicaSet has to be read.
        """
        metadata = mapping(pod, "metadata")
        namespace = text(metadata, "namespace")
        reference = controller(pod)
        if reference is None:
            return Owner("Pod", namespace, text(metadata, "name"))
        kind, name = _kind(reference), text(reference, "name")
        if kind == "ReplicaSet":
            hash_ = text(metadata, "labels", "pod-template-hash")
            above = name.removesuffix(f"-{hash_}") if hash_ else name.rpartition("-")[0]
            deployment = Owner("Deployment", namespace, above)
            return deployment if deployment in self._by_owner else Owner(kind, namespace, name)
        if kind == "Job":
            job = self._by_owner.get(Owner(kind, namespace, name))
            return job.above if job is not None and job.above is not None else Owner(kind, namespace, name)
        return Owner(kind, namespace, name)

    def template_of(self, pod: JSON) -> Workload | None:
        """The workload whose template a Pod was made from, None where it is not known."""
        owner = self.owner(pod)
        if owner.kind == "CronJob":
            job = self._by_owner.get(Owner("Job", owner.namespace, text(controller(pod), "name")))
            return job or self._by_owner.get(owner)
        return self._by_owner.get(owner)


def controller(pod: JSON) -> JSON | None:
    """The ownerReference of what controls a Pod, None for none."""
    references = list(mappings(pod, "metadata", "ownerReferences"))
    for reference in references:
        if reference.get("controller") is True:
            return reference
    return references[0] if len(references) == 1 else None


def _kind(reference: JSON) -> str:
    """A reference's kind; that of another group which has the name of one of Kubernetes' own comes with its group."""
    kind, group = text(reference, "kind"), text(reference, "apiVersion").rpartition("/")[0]
    return kind if kind not in _BY_KIND or group in ("", "apps", "batch") else f"{kind}.{group}"


_BY_KIND: Final[Mapping[str, Remedy]] = {
    "Pod": Remedy.BARE,
    "ReplicaSet": Remedy.DELETE,
    "ReplicationController": Remedy.DELETE,
    "Job": Remedy.JOB,
    "CronJob": Remedy.CRON_JOB,
    "Deployment": Remedy.RESTART,
    "StatefulSet": Remedy.RESTART,
    "DaemonSet": Remedy.RESTART,
}


def remedy_of(owner: Owner, workload: Workload | None) -> Remedy:
    """What makes the Pods of an owner anew. `workload` is its record, None where there is none."""
    return workload.remedy if workload is not None else _BY_KIND.get(owner.kind, Remedy.FOREIGN)
