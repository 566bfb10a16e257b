"""Linkerd is upgraded underneath the running program: its values change, and with them the release that counts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.e2e.api import JSON
from tests.e2e.load import Load
from tests.e2e.mesh import ControlPlane
from tests.e2e.objects import Room, container
from tests.e2e.waiting import until
from webhook.mesh.defaults import default_values

# Oldest first, as an admin goes through them.
WAY = ("stable-2.12", "version-2.16", "edge-26.8")
VERSION = "linkerd.io/proxy-version"

# Seconds from the change of a file until it must be in force.
RELOAD = 10.0


@pytest.fixture
def put_back(control_plane: ControlPlane) -> Iterator[None]:
    """The control plane's own values, after the test."""
    yield
    control_plane.volumes.config.update({"values": control_plane.manifests.values_text.encode()})


@pytest.mark.usefixtures("put_back")
def test_no_pod_is_refused_and_each_is_of_one_release(room: Room, control_plane: ControlPlane) -> None:
    signatures: dict[str, Any] = {}
    with Load(room) as load:
        for line in WAY:
            values = default_values(line)
            control_plane.volumes.config.update({"values": values})
            until(f"Pods of {line}", partial(_is_injected_by, room, line), within=RELOAD)
            probe = _probe(room)
            signatures[_version(probe)] = _signature(probe)
            load.wait_for(50)
    assert load.problems == []
    assert len(set(map(repr, signatures.values()))) == len(WAY)
    mixed = [pod["metadata"]["name"] for pod in _pods(room, signatures) if not _is_of_one(pod, signatures)]
    assert mixed == []


def _probe(room: Room) -> JSON:
    return room.pod(dry_run=True).ok()


def _is_injected_by(room: Room, line: str) -> bool:
    return _version(_probe(room)).startswith(line)


def _version(pod: JSON) -> str:
    return str(pod["metadata"]["annotations"][VERSION])


def _signature(pod: JSON) -> Any:
    """What tells the Pods of these releases apart: the proxy's variables, the init container's arguments, the order."""
    proxy = container(pod, "linkerd-proxy")
    init = container(pod, "linkerd-init")
    assert proxy is not None
    assert init is not None
    names = [entry["name"] for entry in proxy["env"]]
    return names, init["args"], [one["name"] for one in pod["spec"]["initContainers"]]


def _pods(room: Room, versions: dict[str, Any]) -> list[JSON]:
    """The Pods that were created under these versions; those of before the first change have another."""
    items = room.api.request("GET", f"/api/v1/namespaces/{room.name}/pods").ok()["items"]
    return [pod for pod in items if _version(pod) in versions]


def _is_of_one(pod: JSON, signatures: dict[str, Any]) -> bool:
    return bool(_signature(pod) == signatures[_version(pod)])
