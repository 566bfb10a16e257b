"""The guard in its three modes, before any server runs and with the server gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster, Done
from tests.kubernetes.installation import Installation, installed, remove

# Seconds until an API server has heard of a policy.
HEARD = 20


@pytest.fixture
def within(cluster: Cluster) -> str:
    """A Namespace that asks to be meshed."""
    return workloads.namespace(cluster, "guarded")


def without_server(installation: Installation, within: str) -> Done:
    """A Pod that is created while no replica runs."""
    workloads.assert_meshed(workloads.roll_out(installation.cluster, workloads.deployment(within, 1)))
    installation.scale(0)
    return workloads.create(installation.cluster, workloads.pod(within))


class TestOff:
    @pytest.fixture
    def installation(self, cluster: Cluster, api: ApiServer) -> Iterator[Installation]:
        with installed(cluster, api, ("--guard=off",)) as result:
            yield result

    def test_lets_a_pod_in_without_a_proxy_and_without_a_word(self, installation: Installation, within: str) -> None:
        done = without_server(installation, within)
        assert "created" in done.ok()
        assert done.err == ""


class TestWarn:
    @pytest.fixture
    def installation(self, cluster: Cluster, api: ApiServer) -> Iterator[Installation]:
        with installed(cluster, api, ("--guard=warn",)) as result:
            yield result

    def test_lets_a_pod_in_and_tells_whoever_creates_it(self, installation: Installation, within: str) -> None:
        done = without_server(installation, within)
        assert "created" in done.ok()
        (warning,) = done.warnings
        assert f"Pod one is not meshed: it has no container linkerd-proxy, though Namespace {within} asks" in warning


@pytest.mark.usefixtures("clean")
class TestDeny:
    def test_only_warns_until_the_server_was_reached_and_then_refuses_while_no_replica_runs(
        self, cluster: Cluster, api: ApiServer, within: str
    ) -> None:
        installation = Installation(cluster, api, ("--guard=deny", "--set=nodeSelector.nowhere=really"))
        installation.apply().ok()
        until("a warning", lambda: self._warned(cluster, within), within=HEARD)

        remove(cluster, api)
        installation = Installation(cluster, api, ("--guard=deny",))
        installation.apply().ok()
        installation.roll_out()
        installation.wait_in_force()
        done = without_server(installation, within)
        assert done.code != 0
        assert "Pod one is not meshed" in done.err
        installation.scale(2)
        until("a meshed Pod", lambda: workloads.would_be_meshed(cluster, within), within=HEARD)

    def _warned(self, cluster: Cluster, within: str) -> bool:
        done = workloads.create(cluster, workloads.pod(within), "--dry-run=server")
        assert done.code == 0, done.err
        return any("is not meshed" in warning for warning in done.warnings)
