"""The paths of Pod templates, by group and kind.

The table has the kinds of Kubernetes and of projects that replace them. An object of another kind counts as having a
Pod template if one is at a path that such projects use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.findings.finding import Path


class Template(NamedTuple):
    """The path of a Pod template, and the kind of Kubernetes (in lower case) whose Pods its Pods are treated like."""

    path: Path
    kind: str


_SPEC: Final[Path] = ("spec", "template")
_JOBS: Final[Path] = ("spec", "jobTemplate", "spec", "template")
_TARGET: Final[Path] = ("spec", "jobTargetRef", "template")

_BUILT_IN: Final[Mapping[tuple[str, str], Template]] = {
    ("", "ReplicationController"): Template(_SPEC, "replicationcontroller"),
    ("apps", "Deployment"): Template(_SPEC, "deployment"),
    ("apps", "StatefulSet"): Template(_SPEC, "statefulset"),
    ("apps", "DaemonSet"): Template(_SPEC, "daemonset"),
    ("apps", "ReplicaSet"): Template(_SPEC, "replicaset"),
    ("batch", "Job"): Template(_SPEC, "job"),
    ("batch", "CronJob"): Template(_JOBS, "cronjob"),
}
# Objects of these kinds may have no template: a Rollout may refer to a Deployment instead.
_OTHERS: Final[Mapping[tuple[str, str], tuple[Template, ...]]] = {
    ("", "PodTemplate"): (Template(("template",), "deployment"),),
    ("apps.openshift.io", "DeploymentConfig"): (Template(_SPEC, "deployment"),),
    ("argoproj.io", "Rollout"): (Template(_SPEC, "deployment"),),
    ("serving.knative.dev", "Service"): (Template(_SPEC, "deployment"),),
    ("serving.knative.dev", "Configuration"): (Template(_SPEC, "deployment"),),
    ("keda.sh", "ScaledJob"): (Template(_TARGET, "job"),),
    ("apps.kruise.io", "CloneSet"): (Template(_SPEC, "deployment"),),
    ("apps.kruise.io", "StatefulSet"): (Template(_SPEC, "statefulset"),),
    ("apps.kruise.io", "DaemonSet"): (Template(_SPEC, "daemonset"),),
    ("apps.kruise.io", "BroadcastJob"): (Template(_SPEC, "job"),),
    ("apps.kruise.io", "AdvancedCronJob"): (
        Template(("spec", "template", "jobTemplate", "spec", "template"), "cronjob"),
        Template(("spec", "template", "broadcastJobTemplate", "spec", "template"), "cronjob"),
    ),
}
_LIKELY: Final = (Template(_SPEC, "deployment"), Template(_JOBS, "cronjob"), Template(_TARGET, "job"))


def find(group: str, kind: str, body: Mapping[str, Any]) -> Template | None:
    """The Pod template of an object of this kind, None where it has none.

    Kubernetes' own kinds have one whether it is there or not: leaving it out is a mistake.
    """
    built_in = _BUILT_IN.get((group, kind))
    if built_in is not None:
        return built_in
    known = _OTHERS.get((group, kind))
    if known is not None:
        return next((template for template in known if isinstance(at(body, template.path), dict)), None)
    return next((template for template in _LIKELY if _is_template(at(body, template.path))), None)


def at(body: Any, path: Path) -> Any:
    """What an object has at a path of keys; None where there is nothing."""
    for part in path:
        body = body.get(part) if isinstance(body, dict) else None
    return body


def _is_template(value: Any) -> bool:
    """Whether something at a likely place is a Pod template: metadata, and a spec with a list of containers."""
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return False
    containers = at(value, ("spec", "containers"))
    return (
        isinstance(containers, list)
        and bool(containers)
        and all(isinstance(container, dict) for container in containers)
    )
