"""`repair --yes` on workloads that real controllers roll: what ran without a proxy has one afterwards, or it says why
not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.installation import NAME
from tests.e2e.objects import INJECT
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster, Done
from tests.kubernetes.installation import Installation, command

JSON = dict[str, Any]

# No registry has it: nothing can be pulled here.
NOWHERE = "registry.example.org/shop:never-pushed"
# The annotation that a restart writes into a Pod template.
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def made(within: str, name: str, kind: str = "Deployment", **spec: Any) -> JSON:
    """A workload of one Pod, or of one on each node, which is ready once its server answers. `spec` has more fields."""
    body = workloads.deployment(within, replicas=1)
    body["kind"], body["metadata"]["name"] = kind, name
    body["spec"] |= {"selector": {"matchLabels": {"app": name}}, **spec}
    body["spec"]["template"]["metadata"]["labels"] = {"app": name}
    if kind == "DaemonSet":
        del body["spec"]["replicas"]
    return body


def running_unmeshed(cluster: Cluster, bodies: Iterable[JSON], *, waits: bool = True) -> None:
    """Workloads whose Pods run, and whose Namespace asks for proxies only then."""
    bodies = list(bodies)
    within = bodies[0]["metadata"]["namespace"]
    cluster.apply(*bodies).ok()
    for body in bodies if waits else ():
        wait_ready(cluster, within, body["metadata"]["name"])
    cluster.kubectl("annotate", "--overwrite", "namespace", within, f"{INJECT}=enabled").ok()


def wait_ready(cluster: Cluster, within: str, name: str) -> None:
    """Wait until the Pods of a workload are ready."""
    wait = "-n", within, "wait", "pod", "-l", f"app={name}", "--for=condition=Ready", "--timeout=60s"
    until(f"Pods of {name}", lambda: cluster.kubectl(*wait).code == 0, within=60, interval=0.5)


def repair(cluster: Cluster, within: str, *flags: str) -> tuple[Done, JSON]:
    """The command as it ended, and what it prints as JSON."""
    done = command(cluster, "repair", "-n", within, "-o", "json", *flags)
    report: JSON = json.loads(done.out)
    return done, report


def results(report: JSON) -> dict[str, str]:
    """What became of each workload, by its name."""
    return {workload["object"].rpartition("/")[2]: workload["result"] for workload in report["workloads"]}


def uids(cluster: Cluster, within: str) -> set[str]:
    """Those of the Namespace's Pods."""
    return {pod["metadata"]["uid"] for pod in workloads.running(cluster, within)}


@pytest.fixture
def within(cluster: Cluster) -> Iterator[str]:
    """A Namespace that asks for no proxies yet."""
    name = workloads.namespace(cluster, "mended", inject="disabled")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false").ok()


@pytest.mark.usefixtures("installation")
class TestRepair:
    def test_rolls_twenty_workloads_and_leaves_every_pod_meshed(self, cluster: Cluster, within: str) -> None:
        kinds = ["Deployment"] * 16 + ["StatefulSet"] * 2 + ["DaemonSet"] * 2
        bodies = [made(within, f"w-{number:02d}", kind) for number, kind in enumerate(kinds)]
        running_unmeshed(cluster, bodies)
        workloads.assert_bare(workloads.running(cluster, within))

        done, planned = repair(cluster, within)
        assert done.code == 1
        assert set(results(planned).values()) == {"todo"}
        workloads.assert_bare(workloads.running(cluster, within))

        done, report = repair(cluster, within, "--yes", "--timeout=90s")
        assert results(report) == {body["metadata"]["name"]: "done" for body in bodies}
        assert report["others"] == []
        assert done.code == 0
        pods = workloads.running(cluster, within)
        assert len(pods) == len(bodies)
        workloads.assert_meshed(pods)

        done, again = repair(cluster, within, "--yes")
        assert (done.code, again) == (0, {"workloads": [], "others": []})

    @pytest.mark.parametrize("fault", ["image", "probe"])
    def test_stops_at_the_first_workload_that_does_not_come_up(self, cluster: Cluster, within: str, fault: str) -> None:
        bodies = [made(within, name) for name in ("a-fine", "b-stuck", "c-behind")]
        (container,) = bodies[1]["spec"]["template"]["spec"]["containers"]
        if fault == "image":
            container["image"] = NOWHERE
        else:
            container["readinessProbe"]["httpGet"]["port"] = 8081
        running_unmeshed(cluster, bodies, waits=False)
        wait_ready(cluster, within, "c-behind")

        done, report = repair(cluster, within, "--yes", "--timeout=15s")
        assert done.code == 1
        assert results(report) == {"a-fine": "done", "b-stuck": "failed", "c-behind": "skipped"}
        told = {workload["object"].rpartition("/")[2]: workload["message"] for workload in report["workloads"]}
        assert "did not come up within 15 s" in told["b-stuck"]
        if fault == "image":
            assert "ImagePull" in told["b-stuck"] or "ErrImagePull" in told["b-stuck"]
        assert f"Deployment {within}/b-stuck failed" in told["c-behind"]
        behind = cluster.get("deployment/c-behind", "-n", within)
        assert RESTARTED not in behind["spec"]["template"]["metadata"].get("annotations", {})
        pods = {pod["metadata"]["labels"]["app"]: pod for pod in workloads.running(cluster, within)}
        workloads.assert_meshed([pods["a-fine"]])
        workloads.assert_bare([pods["c-behind"]])

    def test_tells_what_no_restart_mends_and_does_not_touch_it(self, cluster: Cluster, within: str) -> None:
        bodies = [
            made(within, "paused"),
            made(within, "by-hand", "StatefulSet", updateStrategy={"type": "OnDelete"}),
            made(within, "each-node", "DaemonSet", updateStrategy={"type": "OnDelete"}),
        ]
        workloads.create(cluster, workloads.pod(within, "bare")).ok()
        running_unmeshed(cluster, bodies)
        cluster.kubectl("-n", within, "rollout", "pause", "deployment/paused").ok()
        before = uids(cluster, within)

        done, report = repair(cluster, within, "--yes")
        assert done.code == 1
        assert report["workloads"] == []
        advice = {other["object"]: other["advice"] for other in report["others"]}
        assert "rollout resume" in advice[f"Deployment {within}/paused"]
        assert "OnDelete" in advice[f"StatefulSet {within}/by-hand"]
        assert "OnDelete" in advice[f"DaemonSet {within}/each-node"]
        assert "replace --force" in advice[f"Pod {within}/bare"]
        assert uids(cluster, within) == before

    def test_a_rollout_that_ends_well_without_a_proxy_has_failed(
        self, cluster: Cluster, api: ApiServer, installation: Installation, within: str
    ) -> None:
        running_unmeshed(cluster, [made(within, "a-left-out"), made(within, "b-behind")])
        body = installation.configuration("MutatingWebhookConfiguration", NAME)
        condition = {
            "name": "not-that-one",
            "expression": "!has(object.metadata.labels) || !('app' in object.metadata.labels) "
            "|| object.metadata.labels['app'] != 'a-left-out'",
        }
        conditions = [{**webhook, "matchConditions": [condition]} for webhook in body["webhooks"]]
        api.patch(body, {"webhooks": conditions})
        try:
            done, report = repair(cluster, within, "--yes")
        finally:
            api.patch(body, {"webhooks": body["webhooks"]})
        assert done.code == 1
        assert results(report) == {"a-left-out": "failed", "b-behind": "skipped"}
        (failed, _) = report["workloads"]
        assert "it came up, and its Pod has no proxy: no injector answered when it was created" in failed["message"]
        workloads.assert_bare(workloads.running(cluster, within))
