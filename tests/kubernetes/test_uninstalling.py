"""Away again and back, as docs tell it; and an API server that does not reach the server."""

from __future__ import annotations

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.installation import NAME, NAMESPACE
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installation import Installation, command, left
from webhook.install.adoption import LINKERD_CONFIGURATIONS

pytestmark = pytest.mark.usefixtures("clean")


def settle(installation: Installation) -> None:
    """Install, and wait until it is in force."""
    installation.apply().ok()
    installation.roll_out()
    installation.wait_in_force()


class TestUninstalling:
    def test_by_kubectl_lets_pods_come_back_bare_and_another_install_meshes_them_again(
        self, cluster: Cluster, api: ApiServer
    ) -> None:
        settle(Installation(cluster, api, ("--failure-policy=Fail", "--guard=deny")))
        within = workloads.namespace(cluster, "back")
        workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within)))
        printed = command(cluster, "uninstall", "--force").ok()
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=printed).ok()
        assert left(api) == []
        workloads.assert_bare(workloads.restart(cluster, within))
        settle(Installation(cluster, api, ("--failure-policy=Fail", "--guard=deny")))
        workloads.assert_meshed(workloads.restart(cluster, within))

    def test_gives_linkerds_configurations_back_as_they_were(self, cluster: Cluster, api: ApiServer) -> None:
        installation = Installation(cluster, api, ("--adopt",))
        before = [
            installation.configuration(*linkerd_configuration)["webhooks"]
            for linkerd_configuration in LINKERD_CONFIGURATIONS
        ]
        settle(installation)
        assert [
            installation.configuration(*linkerd_configuration)["webhooks"]
            for linkerd_configuration in LINKERD_CONFIGURATIONS
        ] != before
        within = workloads.namespace(cluster, "adopted")
        workloads.assert_meshed(workloads.roll_out(cluster, workloads.deployment(within, 1)))
        refused = command(cluster, "uninstall", "--force")
        assert (refused.code, refused.out) == (1, "")
        command(cluster, "uninstall", "--delete", "--force").ok()
        assert [
            installation.configuration(*linkerd_configuration)["webhooks"]
            for linkerd_configuration in LINKERD_CONFIGURATIONS
        ] == before
        assert left(api) == []


class TestWithoutAWayToTheServer:
    def test_nothing_comes_into_force_and_pods_go_on_until_there_is_one(self, cluster: Cluster, api: ApiServer) -> None:
        installation = Installation(cluster, api, ("--failure-policy=Fail", "--guard=deny"))
        astray = {"spec": {"ports": [{"name": "https", "port": 443, "targetPort": 1}]}}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NAMESPACE}}
        installation.apply().ok()
        api.patch(service, astray)
        within = workloads.namespace(cluster, "unreached")
        until("the leader's word", lambda: "self-test" in installation.log(), within=60, interval=1)
        assert not installation.in_force()
        workloads.assert_bare(workloads.roll_out(cluster, workloads.deployment(within, 1)))
        installation.apply().ok()
        installation.roll_out()
        installation.wait_in_force()
        workloads.assert_meshed(workloads.restart(cluster, within))
