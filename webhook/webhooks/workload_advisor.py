"""The webhook that only warns: about the annotations of workloads and Namespaces, when they are applied.

Warnings about a Pod go to the controller that creates it, which drops them. This webhook returns the same warnings to
the user who applies the workload, by the same checks as `validate`. It allows every object, and never waits.
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
from webhook.webhooks.interface import Current

WORKLOAD_ADVISOR: Final = "workload-advisor"

# Kinds that controllers create from a template, about which the warnings were returned when that was applied.
_CREATED: Final = frozenset({"ReplicaSet", "Job"})
# The annotations and labels that the checks read contain one of these in their key.
_COUNTING: Final = ("linkerd", "pod-security.kubernetes.io/")


class WorkloadAdvisor:
    """Warns about workloads and Namespaces on CREATE and UPDATE."""

    name = WORKLOAD_ADVISOR
    path = f"/{WORKLOAD_ADVISOR}"

    def __init__(self, injector: Current[Injector], cluster: Cluster) -> None:
        self._injector = injector
        self._cluster = cluster

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Allow the object, with warnings. Reads nothing but memory."""
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
        """The findings, and why the object was not checked ("" if it was)."""
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
    """Whether an object differs from `before` in a part that the checks read.

    These parts are its own annotations and labels of Linkerd's, and its Pod template. `template` is the path of the Pod
    template, () for a Namespace.
    """
    if not isinstance(before, dict):
        return True
    if any(_entries(body, group) != _entries(before, group) for group in ("annotations", "labels")):
        return True
    # The first two keys, as the Job that a CronJob creates has annotations of its own beside the Pod template.
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
