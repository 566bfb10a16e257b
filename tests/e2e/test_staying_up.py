"""Two replicas behind one Service with `failurePolicy: Fail`, Pods at a steady rate, and what happens in a year.

`python -m bench.staying_up` does the same for a minute each, and prints the table.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.conftest import RESTART
from tests.e2e.installation import NAME, NAMESPACE, Installation
from tests.e2e.load import Steady
from tests.e2e.mesh import Manifests, installed
from tests.e2e.objects import ENABLED, Room, bare, meshed, pod
from tests.e2e.scenarios import SCENARIOS, remove_linkerds_configurations
from tests.e2e.waiting import until

# Pods a second: `bench.staying_up` asks for a hundred, with the machine for itself.
RATE = 50.0
# Seconds before and after what happens.
AROUND = 1.0

FAIL = ("--failure-policy=Fail",)


@pytest.fixture(scope="module")
def installation(api: ApiServer, newest: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Two ready replicas, and configurations in force."""
    folder = tmp_path_factory.mktemp("installed")
    with installed(api, newest, folder / "linkerd"), Installation(api, newest, folder, FAIL) as result:
        result.start(2)
        until("the rules", result.in_force, within=30)
        yield result


@pytest.fixture
def room(installation: Installation, api: ApiServer) -> Room:
    """A new Namespace that asks for injection; Pods there come out meshed by now."""
    result = Room.create(api, "steady", ENABLED)
    until("a meshed Pod", lambda: meshed(result.pod(dry_run=True).ok()), within=20)
    return result


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_pod_is_refused_or_bare(name: str, installation: Installation, room: Room, newest: Manifests) -> None:
    if "API server" in name and not os.environ.get(RESTART):
        pytest.skip(f"{RESTART} holds no command that restarts the API server")
    scenario, whole = SCENARIOS[name]
    try:
        with Steady(room, RATE) as load:
            load.run(AROUND)
            scenario(installation)
            load.run(AROUND)
    finally:
        remove_linkerds_configurations(installation, newest)
    assert load.created > 2 * AROUND * RATE / 2
    if whole:
        assert load.problems == []
    assert load.bare == [], "under Fail a Pod is refused rather than bare"
    until("a meshed Pod afterwards", lambda: meshed(room.pod(dry_run=True).ok()), within=10)


class TestColdStart:
    """No replica is up, and `Fail` is in force."""

    @pytest.fixture
    def dark(self, installation: Installation) -> Iterator[Installation]:
        """All replicas killed."""
        for replica in installation.replicas:
            if replica.exit_code is None:
                replica.kill()
        yield installation
        if all(element.exit_code is not None for element in installation.replicas):
            installation.start(2)

    def test_the_pods_that_everything_waits_for_are_created_and_the_rest_follows_by_itself(
        self, dark: Installation, api: ApiServer
    ) -> None:
        room = Room.create(api, "dark", ENABLED)
        assert room.pod().status >= 400, "Fail is in force"
        for namespace in (NAMESPACE, "kube-system", "calico-system", "linkerd-cni"):
            api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            assert bare(api.create(pod(namespace)).ok())
        own = next(body for body in dark.objects if body["kind"] == "Deployment")["spec"]["template"]
        created = api.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {**own["metadata"], "namespace": NAMESPACE, "generateName": f"{NAME}-"},
                "spec": own["spec"],
            }
        )
        assert bare(created.ok())
        api.delete(created.body)
        dark.start(2)
        until("a meshed Pod", lambda: _meshed(room), within=30)


def _meshed(room: Room) -> bool:
    reply = room.pod(dry_run=True)
    return reply.status == 201 and meshed(reply.body)
