"""A container is brought into the form in which an API server stores it."""

from __future__ import annotations

import pytest

from webhook.diagnosis.dataplane.stored import quantity, stored, with_resources
from webhook.review import JSON

WRITTEN: JSON = {
    "name": "linkerd-proxy",
    "image": "cr.l5d.io/linkerd/proxy:edge-26.8.3",
    "imagePullPolicy": None,
    "env": [{"name": "A", "value": ""}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "ports": [{"containerPort": 4143, "name": "linkerd-proxy"}],
    "livenessProbe": {"httpGet": {"path": "/live", "port": 4191}, "initialDelaySeconds": 0},
    "lifecycle": {"postStart": {"exec": {"command": ["await"]}}},
    "resources": {"limits": {"cpu": "1500m", "memory": "0.5Gi"}},
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": None},
    "volumeMounts": [{"mountPath": "/var/run", "name": "run", "readOnly": False}],
    "args": [],
}
# As a real API server returned it.
RETURNED: JSON = {
    "name": "linkerd-proxy",
    "image": "cr.l5d.io/linkerd/proxy:edge-26.8.3",
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "env": [
        {"name": "A"},
        {"name": "B", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
    ],
    "ports": [{"containerPort": 4143, "name": "linkerd-proxy", "protocol": "TCP"}],
    "livenessProbe": {
        "failureThreshold": 3,
        "httpGet": {"path": "/live", "port": 4191, "scheme": "HTTP"},
        "periodSeconds": 10,
        "successThreshold": 1,
        "timeoutSeconds": 1,
    },
    "lifecycle": {"postStart": {"exec": {"command": ["await"]}}},
    "resources": {
        "limits": {"cpu": "1500m", "memory": "512Mi"},
        "requests": {"cpu": "1500m", "memory": "512Mi"},
    },
    "securityContext": {"allowPrivilegeEscalation": False},
    "volumeMounts": [{"mountPath": "/var/run", "name": "run"}],
}


def test_what_is_written_and_what_is_returned_come_out_alike() -> None:
    assert stored(WRITTEN) == stored(RETURNED)
    assert {**stored(RETURNED), "resources": None} == {**RETURNED, "resources": None}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("proxy", "Always"),
        ("host:5000/proxy", "Always"),
        ("proxy:latest", "Always"),
        ("proxy:1", "IfNotPresent"),
        ("proxy@sha256:0", "IfNotPresent"),
    ],
)
def test_the_default_pull_policy_comes_from_the_tag(image: str, policy: str) -> None:
    assert stored({"image": image})["imagePullPolicy"] == policy


@pytest.mark.parametrize(("one", "other"), [("1", "1000m"), ("0.5Gi", "512Mi"), ("1e3", "1k")])
def test_equal_quantities_are_one(one: str, other: str) -> None:
    assert quantity(one) == quantity(other)


def test_what_is_no_quantity_stays_as_it_is() -> None:
    assert quantity("much") == "much"


def test_a_limit_range_fills_in_what_is_not_written() -> None:
    item = {"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}}
    ranges = [{"spec": {"limits": [item, {"type": "Pod", "default": {"cpu": "9"}}]}}]
    container = with_resources({"limits": {"memory": "64Mi"}}, ranges)
    assert container == {
        "limits": {"cpu": "1", "memory": quantity("64Mi")},
        "requests": {"cpu": quantity("100m"), "memory": quantity("64Mi")},
    }
