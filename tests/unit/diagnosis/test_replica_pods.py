"""Which Pods run this program, which of them are ready, and on which port they show their page."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.diagnosis.replica_pods import ReplicaPods
from webhook.kube.interface import JSON

OURS = "registry.example.org/linkerd-webhook:0.1.0"


def pod(
    name: str = "a",
    image: str = OURS,
    container: str = "linkerd-webhook",
    labelled: bool = True,
    ready: bool = True,
    **status: Any,
) -> JSON:
    """A Pod of ours, unless it is said otherwise."""
    ports = [{"name": "https", "containerPort": 8443}, {"name": "admin", "containerPort": 9990}]
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "linkerd-webhook"} if labelled else {}},
        "spec": {"containers": [{"name": container, "image": image, "ports": ports}]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}], **status},
    }


def test_ready_pods_come_in_the_order_of_their_names_with_their_admin_port() -> None:
    seen = ReplicaPods.of([pod("b"), pod("a")])
    assert [(endpoint.pod, endpoint.port) for endpoint in seen.ready] == [("a", 9990), ("b", 9990)]


def test_an_image_of_another_name_is_known_by_the_label() -> None:
    assert ReplicaPods.of([pod(image="mesh/admission:1")]).ready


@pytest.mark.parametrize(
    "other",
    [
        pod(image="cr.l5d.io/linkerd/controller:edge-26.8.3", container="proxy-injector", labelled=False),
        {"metadata": {"name": "a"}},
        {},
    ],
)
def test_pods_of_others_are_passed_over(other: JSON) -> None:
    assert ReplicaPods.of([other]) == ReplicaPods()


def test_a_pod_of_linkerd_s_own_deployment_with_our_image_counts_where_there_is_none_of_ours() -> None:
    linkerds = pod("linkerd-proxy-injector", container="proxy-injector", labelled=False)
    linkerds["spec"]["containers"][0]["ports"] = [{"name": "injector-admin", "containerPort": 9995}]
    assert [endpoint.port for endpoint in ReplicaPods.of([linkerds]).ready] == [9995]
    assert [endpoint.pod for endpoint in ReplicaPods.of([linkerds, pod()]).ready] == ["a"]


def test_a_container_that_names_no_port_has_the_usual_one() -> None:
    body = pod()
    del body["spec"]["containers"][0]["ports"]
    assert ReplicaPods.of([body]).ready[0].port == 9995


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (pod(ready=False), "a: not ready"),
        (
            pod() | {"metadata": pod()["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
            "a: it is being deleted",
        ),
        (
            pod(
                ready=False,
                containerStatuses=[{"name": "linkerd-webhook", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
            ),
            "a: container linkerd-webhook: ImagePullBackOff",
        ),
        (
            pod(conditions=[{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes are available"}]),
            "a: 0/1 nodes are available",
        ),
    ],
)
def test_one_that_is_not_ready_is_named_with_the_reason(body: JSON, why: str) -> None:
    assert ReplicaPods.of([body]) == ReplicaPods(others=(why,))
