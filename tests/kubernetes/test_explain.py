"""`explain` of Pods that a real API server has created: why they run without a proxy, and whether its advice helps."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.installation import NAMESPACE
from tests.e2e.objects import INJECT
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installation import Installation, command
from webhook.mesh.spared import ADMISSION

JSON = dict[str, Any]

# Pods of the Deployment.
REPLICAS = 2
CONFIG = "configmap/linkerd-config"


def explain(cluster: Cluster, within: str, target: str = "deploy/app", *flags: str) -> tuple[int, JSON]:
    """The exit code, and what the command prints as JSON."""
    done = command(cluster, "explain", target, "-n", within, "-o", "json", *flags)
    assert done.out, done.err
    report: JSON = json.loads(done.out)
    return done.code, report


def follow(cluster: Cluster, within: str, report: JSON) -> None:
    """Paste the commands of the advice that are kubectl's, and wait for the Deployment."""
    for advice in report["advice"]:
        program, *arguments = shlex.split(advice["command"])
        if program == "kubectl":
            cluster.kubectl(*arguments).ok()
    cluster.kubectl("-n", within, "rollout", "status", "deploy/app", "--timeout=120s").ok()
    until("the old Pods' end", lambda: len(cluster.get("pods", "-n", within)) == REPLICAS, within=60, interval=0.5)


@pytest.fixture
def within(cluster: Cluster) -> Iterator[str]:
    """A Namespace that asks to be meshed."""
    name = workloads.namespace(cluster, "explained")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false").ok()


@pytest.mark.usefixtures("clean", "linkerds_gone")
def test_a_pod_of_a_cluster_without_an_injector_is_told_of_as_such(cluster: Cluster, within: str) -> None:
    workloads.assert_bare(workloads.roll_out(cluster, workloads.deployment(within)))
    code, report = explain(cluster, within)
    assert (code, report["meshed"], report["would"]) == (1, False, False)
    assert report["reason"] == "webhook_missing"
    assert report["webhooks"] == []
    assert report["advice"][0]["command"] == "linkerd-webhook check"


@pytest.mark.usefixtures("installation")
class TestExplain:
    def test_a_meshed_workload_and_its_pods_are_as_asked(self, cluster: Cluster, within: str) -> None:
        pods = workloads.roll_out(cluster, workloads.deployment(within))
        workloads.assert_meshed(pods)
        code, report = explain(cluster, within)
        assert (code, report["meshed"], report["would"], report["reason"]) == (0, True, True, "")
        assert report["drift"] == report["advice"] == []
        assert report["inject"] == {"value": "enabled", "source": "namespace", "object": f"Namespace {within}"}
        # The other one is the self-test's.
        assert [webhook["calls"] for webhook in report["webhooks"] if webhook["ours"]] == [True, False]
        names = {pod["metadata"]["name"] for pod in pods}
        assert {pod["name"]: pod["meshed"] for pod in report["pods"]} == dict.fromkeys(names, True)
        for name in names:
            assert explain(cluster, within, f"pod/{name}")[0] == 0
        text = command(cluster, "explain", "deploy/app", "-n", within)
        assert (text.code, text.out.splitlines()[0]) == (0, f"Deployment {within}/app is meshed, as it should be")

    def test_pods_that_are_older_than_the_annotation_are_told_of_and_the_advice_meshes_them(
        self, cluster: Cluster
    ) -> None:
        within = workloads.namespace(cluster, "older", inject="disabled")
        workloads.assert_bare(workloads.roll_out(cluster, workloads.deployment(within)))
        code, report = explain(cluster, within)
        assert (code, report["reason"], report["asked"]) == (0, "injection_enable_annotation_absent", False)
        cluster.kubectl("annotate", "--overwrite", "namespace", within, f"{INJECT}=enabled").ok()
        code, report = explain(cluster, within)
        assert (code, report["meshed"], report["would"]) == (1, False, True)
        assert report["reason"] == "created_before_annotation"
        (advice,) = report["advice"]
        assert advice["command"] == f"kubectl -n {within} rollout restart deployment/app"
        follow(cluster, within, report)
        assert explain(cluster, within)[0] == 0
        workloads.assert_meshed(workloads.running(cluster, within))

    def test_a_namespace_that_a_selector_shuts_out_is_told_of_and_the_advice_lets_the_injector_in(
        self, cluster: Cluster
    ) -> None:
        within = workloads.namespace(cluster, "shut", {ADMISSION: "disabled"})
        workloads.assert_bare(workloads.roll_out(cluster, workloads.deployment(within)))
        code, report = explain(cluster, within)
        assert (code, report["meshed"], report["would"]) == (1, False, False)
        assert report["reason"] == "shut_out_by_selector"
        ours = next(webhook for webhook in report["webhooks"] if webhook["ours"])
        assert ours["calls"] is False
        assert ADMISSION in ours["why"]
        follow(cluster, within, report)
        assert explain(cluster, within)[0] == 0

    def test_what_does_not_exist_is_told(self, cluster: Cluster, within: str) -> None:
        done = command(cluster, "explain", "deploy/app", "-n", within, "-o", "json")
        assert (done.code, done.out) == (2, "")
        assert f"Deployment {within}/app does not exist" in done.err

    def test_a_setting_of_the_mesh_that_was_changed_since_is_drift(
        self, cluster: Cluster, installation: Installation, within: str
    ) -> None:
        workloads.roll_out(cluster, workloads.deployment(within))
        written = cluster.get(CONFIG, "-n", NAMESPACE)["data"]["values"]
        values = yaml.safe_load(written)
        values["proxy"]["logLevel"] = "linkerd=debug"
        set_values(cluster, yaml.safe_dump(values))
        try:
            code, report = explain(cluster, within)
            assert (code, report["meshed"], report["reason"]) == (1, True, "")
            (drift,) = report["drift"]
            assert "LINKERD2_PROXY_LOG" in drift["path"]
            assert not drift["now"].startswith("linkerd=debug")
            assert drift["would"].startswith("linkerd=debug")
            until("the new setting", lambda: in_force(cluster, within), within=90, interval=1)
            follow(cluster, within, report)
            assert explain(cluster, within)[0] == 0
        finally:
            set_values(cluster, written)


def set_values(cluster: Cluster, values: str) -> None:
    """Write Linkerd's values."""
    patch = json.dumps({"data": {"values": values}})
    cluster.kubectl("-n", NAMESPACE, "patch", CONFIG, "--type=merge", "-p", patch).ok()


def in_force(cluster: Cluster, within: str) -> bool:
    """Whether what a Pod is injected with now has the setting: every replica has read it."""
    texts = [workloads.create(cluster, workloads.pod(within), "--dry-run=server", "-o", "json").out for _ in range(4)]
    return all("linkerd=debug" in text for text in texts)
