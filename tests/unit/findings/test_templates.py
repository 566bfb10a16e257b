"""Where objects have their Pod template."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.findings.templates import Template, find
from webhook.injector.subject import TEMPLATES

POD: dict[str, Any] = {"metadata": {}, "spec": {"containers": [{"name": "a"}]}}


def at(path: str, value: Any) -> dict[str, Any]:
    """An object with this value at a path."""
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)


def path(group: str, kind: str, body: dict[str, Any]) -> str | None:
    """The path of the template that is found."""
    schema = find(group, kind, body)
    return None if schema is None else ".".join(map(str, schema.path))


@pytest.mark.parametrize(
    ("group", "kind", "expected"),
    [
        ("apps", "Deployment", "spec.template"),
        ("apps", "StatefulSet", "spec.template"),
        ("apps", "DaemonSet", "spec.template"),
        ("apps", "ReplicaSet", "spec.template"),
        ("", "ReplicationController", "spec.template"),
        ("batch", "Job", "spec.template"),
        ("batch", "CronJob", "spec.jobTemplate.spec.template"),
    ],
)
def test_kubernetes_own_kinds_have_one_even_if_it_is_missing(group: str, kind: str, expected: str) -> None:
    assert path(group, kind, {}) == expected
    assert "/" + expected.replace(".", "/") == TEMPLATES[kind.lower()]
    assert find(group, kind, {}) == Template(tuple(expected.split(".")), kind.lower())


@pytest.mark.parametrize(
    ("group", "kind", "expected", "like"),
    [
        ("argoproj.io", "Rollout", "spec.template", "deployment"),
        ("serving.knative.dev", "Service", "spec.template", "deployment"),
        ("serving.knative.dev", "Configuration", "spec.template", "deployment"),
        ("keda.sh", "ScaledJob", "spec.jobTargetRef.template", "job"),
        ("apps.kruise.io", "CloneSet", "spec.template", "deployment"),
        ("apps.kruise.io", "StatefulSet", "spec.template", "statefulset"),
        ("apps.kruise.io", "DaemonSet", "spec.template", "daemonset"),
        ("apps.kruise.io", "BroadcastJob", "spec.template", "job"),
        ("apps.kruise.io", "AdvancedCronJob", "spec.template.jobTemplate.spec.template", "cronjob"),
        ("apps.kruise.io", "AdvancedCronJob", "spec.template.broadcastJobTemplate.spec.template", "cronjob"),
        ("apps.openshift.io", "DeploymentConfig", "spec.template", "deployment"),
        ("", "PodTemplate", "template", "deployment"),
    ],
)
def test_kinds_that_stand_in_for_them_have_one_where_it_is_written(
    group: str, kind: str, expected: str, like: str
) -> None:
    # Not even metadata need be there.
    body = at(expected, {"spec": {"containers": [{"image": "x"}]}})
    assert find(group, kind, body) == Template(tuple(expected.split(".")), like)
    assert find(group, kind, {"spec": {"workloadRef": {"kind": "Deployment", "name": "a"}}}) is None


@pytest.mark.parametrize("place", ["spec.template", "spec.jobTemplate.spec.template", "spec.jobTargetRef.template"])
def test_any_object_that_looks_as_if_it_had_one_has_one(place: str) -> None:
    assert path("example.org", "Thing", at(place, POD)) == place


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"spec": None},
        {"spec": []},
        at("spec.template", None),
        at("spec.template", {"spec": POD["spec"]}),
        at("spec.template", {"metadata": {}}),
        at("spec.template", {"metadata": {}, "spec": {"containers": []}}),
        at("spec.template", {"metadata": {}, "spec": {"containers": ["a"]}}),
        at("spec.template", {"metadata": {}, "spec": {"containers": {"a": {}}}}),
        at("spec.other", POD),
        # As cert-manager's and Cluster API's templates are.
        at("spec.template", {"metadata": {"annotations": {}}, "spec": {"secretName": "x"}}),
    ],
)
def test_others_have_none(body: dict[str, Any]) -> None:
    assert find("example.org", "Thing", body) is None


def test_the_group_tells_kinds_of_one_name_apart() -> None:
    assert find("", "Service", {}) is None
    assert find("example.org", "Deployment", {}) is None
