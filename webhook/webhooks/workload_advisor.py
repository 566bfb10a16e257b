"""The webhook that only speaks: whoever applies a workload or a Namespace is told what its Pods will meet.

Warnings about a Pod go to the controller that creates it, which drops them. This webhook says the same when the
workload is applied, to the one who applies it, by the code of `validate`. It allows whatever comes, and waits for
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from webhook import advice
from webhook.advice import about
from webhook.cluster.interface import Cluster
from webhook.findings.finding import Finding, Path
from webhook.injector.advice.objects import Advisor
from webhook.injector.inject import Injector
from webhook.review import AdmissionRequest, Answer, ReviewError
from webhook.webhooks.registry import WORKLOAD_ADVISOR, Current

# Kinds that others create from a template: what there is to say was said when that was applied.
_CREATED: Final = frozenset({"ReplicaSet", "Job"})
# What the keys have in them by which an object's own annotations and labels count.
_COUNTING: Final = ("linkerd", "pod-security.kubernetes.io/")


class WorkloadAdvisor:
    """Workloads and Namespaces, on CREATE and UPDATE."""

    name = WORKLOAD_ADVISOR
    path = f"/{WORKLOAD_ADVISOR}"

    def __init__(self, injector: Current[Injector], cluster: Cluster) -> None:
        self._injector = injector
        self._cluster = cluster

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Allow the object, with what there is to say about it; from memory alone."""
        try:
            findings, reason = self._findings(request)
        except ReviewError:
            findings, reason = [], "bad_object"
        return Answer(
            decision="allowed",
            reason=reason or ",".join(dict.fromkeys(finding.rule.id for finding in findings)),
            warnings=[finding.warning for finding in findings],
            audit={"decision": "allowed"},
        )

    def _findings(self, request: AdmissionRequest) -> tuple[list[Finding], str]:
        """What there is to say, or why the object is not looked at."""
        group, kind = request.kind.group, request.kind.kind
        body = request.object
        if not isinstance(body, dict):
            return [], "no_object"
        pod_template = advice.template(group, kind, body)
        if pod_template is None or not (pod_template.path or pod_template.kind == "namespace"):
            return [], "unsupported_kind"
        template = pod_template.path
        if _metadata(body).get("deletionTimestamp"):
            return [], "being_deleted"
        if kind in _CREATED and _is_controlled(body):
            return [], "controlled"
        if request.operation == "UPDATE" and not is_changed(body, request.old_object, template):
            return [], "unchanged"
        namespace = self._cluster.known_namespace(request.namespace) if template else None
        if not advice.is_concerned(body, template, namespace):
            return [], ""
        return about(Advisor(self._injector.value), pod_template.kind, body, template, namespace), ""


def is_changed(body: Mapping[str, Any], before: Any, template: Path) -> bool:
    """Whether an object differs from what it was before in anything that there may be something to say about.

    That is its own annotations and labels as far as they count, and whatever its Pods are made from; `template` leads
    to their template, and is empty for a Namespace.
    """
    if not isinstance(before, dict):
        return True
    if any(_entries(body, group) != _entries(before, group) for group in ("annotations", "labels")):
        return True
    # A CronJob's Pods are made by way of a Job, which has annotations of its own.
    return bool(template) and _at(body, template[:2]) != _at(before, template[:2])


def _is_controlled(body: Mapping[str, Any]) -> bool:
    owners = _metadata(body).get("ownerReferences")
    return isinstance(owners, list) and any(
        isinstance(owner, dict) and owner.get("controller") is True for owner in owners
    )


def _entries(body: Mapping[str, Any], group: str) -> Any:
    entries = _metadata(body).get(group) or {}
    if not isinstance(entries, dict):
        return entries
    return {key: value for key, value in entries.items() if any(part in key for part in _COUNTING)}


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = body.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _at(body: Any, path: Path) -> Any:
    for part in path:
        body = body.get(part) if isinstance(body, dict) else None
    return body
