"""Under `Fail`, while Pods are created: whatever happens to the server refuses none, and leaves none bare."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.load import Steady
from tests.e2e.objects import Room
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installation import DEPLOYMENT, Installation, command, installed

# Pods a second. They are stored, and no node takes them.
RATE = 20


@pytest.fixture(scope="module")
def installation(cluster: Cluster, api: ApiServer) -> Iterator[Installation]:
    """Two replicas that every Pod depends on."""
    with installed(cluster, api, ("--failure-policy=Fail", "--guard=deny")) as result:
        yield result


@pytest.fixture
def load(installation: Installation) -> Iterator[Steady]:
    """Pods, one after the other."""
    cluster = installation.cluster
    within = workloads.namespace(cluster, "load")
    until("a meshed Pod", lambda: workloads.would_be_meshed(cluster, within), within=20)
    with Steady(Room(installation.api, within), RATE, clients=4, spec={"schedulerName": "nobody"}) as steady:
        steady.run(2)
        yield steady
    workloads.forget(cluster)


def assert_nothing_lost(load: Steady, fewest: int) -> None:
    """Every Pod came out meshed, and there were many."""
    load.run(2)
    assert load.problems == []
    assert load.created >= fewest


class TestStayingUp:
    def test_a_rolling_restart_refuses_no_pod_and_leaves_none_bare(
        self, installation: Installation, load: Steady
    ) -> None:
        before = {body["metadata"]["name"] for body in installation.replicas()}
        installation.kubectl("rollout", "restart", DEPLOYMENT).ok()
        installation.roll_out()
        until("all old Pods' end", lambda: not before & self._names(installation), within=90, interval=1)
        assert_nothing_lost(load, 10 * RATE)

    def test_a_new_leaf_refuses_no_pod_and_leaves_none_bare(self, installation: Installation, load: Steady) -> None:
        assert "done" in command(installation.cluster, "certs", "rotate", "--leaf").ok()
        assert_nothing_lost(load, 3 * RATE)
        command(installation.cluster, "certs", "inspect").ok()

    def test_a_new_ca_refuses_no_pod_and_leaves_none_bare(self, installation: Installation, load: Steady) -> None:
        before = installation.configuration("MutatingWebhookConfiguration")["webhooks"][0]["clientConfig"]["caBundle"]
        assert "done" in command(installation.cluster, "certs", "rotate", "--ca").ok()
        assert_nothing_lost(load, 10 * RATE)
        after = installation.configuration("MutatingWebhookConfiguration")["webhooks"][0]["clientConfig"]["caBundle"]
        assert after != before
        command(installation.cluster, "certs", "inspect").ok()

    def test_a_restart_of_the_nodes_kubelet_refuses_no_pod_and_restarts_no_replica(
        self, installation: Installation, load: Steady
    ) -> None:
        before = self._names(installation)
        installation.cluster.restart_kubelet()
        within = workloads.namespace(installation.cluster, "after-kubelet")
        workloads.assert_meshed(workloads.roll_out(installation.cluster, workloads.deployment(within, 1)))
        assert_nothing_lost(load, 3 * RATE)
        pods = installation.replicas()
        assert {body["metadata"]["name"] for body in pods} == before
        assert [pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods] == [0, 0]
        installation.roll_out()

    def _names(self, installation: Installation) -> set[str]:
        selector = "app.kubernetes.io/name=linkerd-webhook"
        return {body["metadata"]["name"] for body in installation.cluster.get("pods", "-A", "-l", selector)}
