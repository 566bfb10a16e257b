"""What kubectl prints where a workload or a Namespace is applied, and what `kubectl describe` shows of it later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.objects import INJECT, unique
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installation import Installation, installed
from webhook.install.configurations import ADVISOR

JSON = dict[str, Any]

ANNOTATIONS = {"config.linkerd.io/skip-oubound-ports": "5000", "config.linkerd.io/proxy-memory-limit": "250MB"}


@pytest.fixture(scope="module", params=["", "--adopt"], ids=["default", "adopt"])
def advised(cluster: Cluster, api: ApiServer, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """An installation whose advice is heard."""
    with installed(cluster, api, [request.param] if request.param else []) as installation:
        until("the advisor's caBundles", lambda: _is_trusted(installation), within=60)
        until("a word of the advisor's", lambda: _namespace(cluster, "--dry-run=server", inject="maybe"), within=30)
        yield installation


@pytest.fixture
def within(advised: Installation) -> str:
    """A Namespace that asks to be meshed."""
    return workloads.namespace(advised.cluster, "advised")


def _is_trusted(installation: Installation) -> bool:
    result = installation.configuration("ValidatingWebhookConfiguration", ADVISOR)["webhooks"]
    return all(finding["clientConfig"].get("caBundle") for finding in result)


def _namespace(cluster: Cluster, *more: str, inject: str = "", labels: dict[str, str] | None = None) -> list[str]:
    """What is said of a new Namespace."""
    annotations = {INJECT: inject} if inject else {}
    metadata = {"name": unique("told"), "annotations": annotations, "labels": {workloads.LABEL: "", **(labels or {})}}
    done = cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, more=more)
    done.ok()
    return done.warnings


def deployment(within: str, **annotations: str) -> JSON:
    """A Deployment with these annotations in its Pod template."""
    body = workloads.deployment(within, replicas=1)
    body["spec"]["template"]["metadata"]["annotations"] = annotations
    return body


def events(cluster: Cluster, within: str, reason: str) -> list[JSON]:
    """The Events of a reason about what the test applied."""
    result = cluster.get("events", "-n", within, f"--field-selector=reason={reason}")
    return [finding for finding in result if finding["involvedObject"]["kind"] in ("Deployment", "DaemonSet")]


def test_annotations_without_effect_are_told_to_whoever_applies_a_deployment_and_in_its_events(
    advised: Installation, within: str
) -> None:
    cluster = advised.cluster
    done = cluster.apply(deployment(within, **ANNOTATIONS))
    assert "deployment.apps/app created" in done.ok()
    typo, value = done.warnings
    assert "did you mean config.linkerd.io/skip-outbound-ports" in typo
    assert '"250MB"' in value
    (event,) = until("the Event", lambda: events(cluster, within, "InjectionWarning"), within=30)
    assert (event["type"], event["involvedObject"]["kind"]) == ("Warning", "Deployment")
    for warning in done.warnings:
        assert warning.removeprefix("Warning: ") in event["message"]


def test_nothing_is_said_where_nothing_that_counts_is_changed(advised: Installation, within: str) -> None:
    cluster = advised.cluster
    body = deployment(within, **ANNOTATIONS)
    assert len(cluster.apply(body).warnings) == 2
    in_it = "-n", within
    assert cluster.kubectl(*in_it, "scale", "deploy/app", "--replicas=0").warnings == []
    assert cluster.kubectl(*in_it, "label", "deploy/app", "team=a").warnings == []
    assert cluster.apply(body).warnings == []
    body["spec"]["replicas"] = 2
    assert cluster.apply(body).warnings == []
    assert len(cluster.kubectl(*in_it, "rollout", "restart", "deploy/app").warnings) == 2


def test_a_workload_that_its_namespace_asks_for_is_told_why_it_will_not_be_injected(
    advised: Installation, within: str
) -> None:
    cluster = advised.cluster
    body = {**workloads.deployment(within), "kind": "DaemonSet"}
    del body["spec"]["replicas"]
    body["spec"]["template"]["spec"]["hostNetwork"] = True
    done = cluster.apply(body)
    done.ok()
    assert [warning for warning in done.warnings if "hostNetwork: true" in warning and "(inject-skipped)" in warning]
    (event,) = until("the Event", lambda: events(cluster, within, "InjectionSkipped"), within=30)
    assert (event["type"], event["involvedObject"]["kind"]) == ("Warning", "DaemonSet")
    assert event["message"].endswith("(host_network_enabled)")


def test_what_is_right_is_applied_in_silence(advised: Installation, within: str) -> None:
    assert advised.cluster.apply(workloads.deployment(within)).warnings == []
    assert _namespace(advised.cluster, inject="enabled") == []


def test_a_namespace_is_told_of_a_label_in_place_of_the_annotation(advised: Installation) -> None:
    (warning,) = _namespace(advised.cluster, labels={INJECT: "enabled"})
    assert "move it to metadata.annotations" in warning


def test_kubectl_neither_fails_nor_waits_while_no_replica_is_there(advised: Installation, within: str) -> None:
    advised.scale(0)
    try:
        began = time.monotonic()
        done = advised.cluster.apply(deployment(within, **ANNOTATIONS))
        assert "created" in done.ok()
        assert done.warnings == []
        assert time.monotonic() - began < 10
    finally:
        advised.scale(2)
