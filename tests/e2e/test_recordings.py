"""Pods and Services that come back from the API server are the ones that the reference's recordings predict."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.conftest import SHARED
from tests.e2e.mesh import ControlPlane
from tests.e2e.objects import ENABLED, Room
from tests.e2e.program import Webhook
from tests.e2e.recordings import create, differences, load, moved
from tests.e2e.waiting import until

RECORDINGS = "WEBHOOK_TEST_RECORDINGS"
VALUES = "default.yaml"


@pytest.fixture(scope="module")
def recordings() -> Path:
    """The folder of the injector's recordings."""
    folder = Path(os.environ.get(RECORDINGS) or SHARED / "conformance" / "injector")
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}: {RECORDINGS} says where they are")
    return folder


@pytest.fixture(scope="module")
def recorded_mesh(control_plane: ControlPlane, webhook: Webhook, api: ApiServer, recordings: Path) -> None:
    """The program with the values and trust anchors that the recordings were made with."""
    trust_anchors = (recordings / "ca-bundle.crt").read_bytes()
    control_plane.volumes.config.update({"values": (recordings / "values" / control_plane.line / VALUES).read_bytes()})
    control_plane.volumes.trust_roots.update({"ca-bundle.crt": trust_anchors})
    digest = hashlib.sha256(trust_anchors).hexdigest()
    room = Room.create(api, "probe", ENABLED)

    def in_force() -> bool:
        annotations: dict[str, str] = room.pod(dry_run=True).ok()["metadata"]["annotations"]
        return annotations["linkerd.io/trust-root-sha256"] == digest

    until("the recordings' trust anchors in force", in_force, within=10)


@pytest.mark.usefixtures("recorded_mesh")
class TestRecordedCases:
    def test_each_comes_out_as_recorded(self, recordings: Path, control_plane: ControlPlane, api: ApiServer) -> None:
        cases = load(recordings / f"{control_plane.line}.jsonl.gz", VALUES)
        problems = []
        for case in map(moved, cases):
            result = list(differences(case, create(api, case)))
            if result:
                problems.append("\n    ".join([case["name"], *result]))
        assert len(cases) > 50
        assert not problems, f"{len(problems)} of {len(cases)} differ:\n" + "\n".join(problems[:5])
