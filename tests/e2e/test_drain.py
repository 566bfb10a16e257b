"""Replicas that are told to go, as in each rollout."""

from __future__ import annotations

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.load import Load
from tests.e2e.mesh import LINKERDS_ACCOUNT, ControlPlane, serve
from tests.e2e.objects import ENABLED, Room
from tests.e2e.program import Webhook
from tests.e2e.waiting import until

# Seconds from SIGTERM within which Kubernetes wants a Pod to be gone.
GRACE = 30.0


@pytest.fixture
def replicas(control_plane: ControlPlane) -> list[Webhook]:
    """Two, behind one Service."""
    return serve(control_plane, LINKERDS_ACCOUNT, replicas=2)


class TestDrain:
    def test_no_pod_is_refused_or_unmeshed_while_one_of_two_replicas_goes(
        self, replicas: list[Webhook], control_plane: ControlPlane, api: ApiServer
    ) -> None:
        """The endpoint leaves the Service after the signal, as in a real cluster: until then requests still come."""
        with Load(Room.create(api, "drain", ENABLED), clients=16) as load:
            load.wait_for(50)
            staying, going = sorted(replicas, key=lambda element: element.admissions)
            seen = staying.admissions
            going.terminate()
            until("the draining replica unready", lambda: going.ready()[0] == 503, within=2)
            load.wait_for(10)
            control_plane.route(staying)
            assert going.wait_exit(GRACE) == 0
            load.wait_for(50)
            assert staying.admissions > seen
        assert load.problems == []
        assert "stopped" in going.log

    def test_a_replica_with_nothing_to_do_ends_soon(self, control_plane: ControlPlane) -> None:
        replica = control_plane.start(LINKERDS_ACCOUNT)
        replica.terminate()
        assert replica.wait_exit(10) == 0
