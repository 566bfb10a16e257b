"""A control plane of each line on the cluster that WEBHOOK_TEST_KUBECONFIG names, and the program in front of it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.api import ApiServer
from tests.e2e.mesh import LINES, LINKERDS_ACCOUNT, ControlPlane, Manifests, installed, serve
from tests.e2e.objects import ENABLED, Room
from tests.e2e.program import ROOT, Webhook

KUBECONFIG = "WEBHOOK_TEST_KUBECONFIG"
LINKERD = "WEBHOOK_TEST_LINKERD"
RESTART = "WEBHOOK_TEST_RESTART_CLUSTER"

SHARED = ROOT.parent / "shared"

# Lines of a replica's log that a failed test shows.
LOG_TAIL = 60


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    """The disposable cluster's kubeconfig; its user may do anything."""
    path = os.environ.get(KUBECONFIG)
    if not path:
        pytest.skip(f"{KUBECONFIG} names no disposable cluster's kubeconfig")
    return Path(path)


@pytest.fixture(scope="session")
def api(kubeconfig: Path) -> Iterator[ApiServer]:
    """The cluster's API server, as its administrator."""
    server = ApiServer.from_kubeconfig(kubeconfig)
    yield server
    server.close()


@pytest.fixture(scope="session")
def manifests_folder() -> Path:
    """Where each line's rendered manifests are."""
    folder = Path(os.environ.get(LINKERD) or SHARED / "linkerd")
    if not folder.is_dir():
        pytest.skip(f"no Linkerd manifests at {folder}: {LINKERD} says where they are")
    return folder


@pytest.fixture(scope="module", params=LINES)
def manifests(request: pytest.FixtureRequest, kubeconfig: Path, manifests_folder: Path) -> Manifests:
    """A line's manifests."""
    return Manifests(request.param, manifests_folder)


@pytest.fixture(scope="module")
def newest(kubeconfig: Path, manifests_folder: Path) -> Manifests:
    """The newest line's manifests, for tests that do not depend on the line."""
    return Manifests(LINES[0], manifests_folder)


@pytest.fixture
def linkerd(api: ApiServer, newest: Manifests, tmp_path: Path) -> Iterator[None]:
    """The newest line's own objects, without webhook configurations."""
    with installed(api, newest, tmp_path / "linkerd"):
        yield


@pytest.fixture(scope="module")
def control_plane(
    api: ApiServer, manifests: Manifests, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A line's control plane, its injector not started yet."""
    with installed(api, manifests, tmp_path_factory.mktemp(manifests.line)) as installation:
        yield installation


@pytest.fixture(scope="module")
def account() -> str:
    """The token of the service account that the program runs as: Linkerd's own, with the rights Linkerd gives it."""
    return LINKERDS_ACCOUNT


@pytest.fixture(scope="module")
def webhook(control_plane: ControlPlane, account: str) -> Webhook:
    """The program in the injector's place; the API server sends it every review."""
    return serve(control_plane, account)[0]


@pytest.fixture
def room(webhook: Webhook, api: ApiServer) -> Room:
    """A new Namespace that asks for injection."""
    return Room.create(api, "meshed", ENABLED)


@pytest.fixture
def plain_room(webhook: Webhook, api: ApiServer) -> Room:
    """A new Namespace without annotations."""
    return Room.create(api, "plain")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Show what the replicas said where a test failed."""
    outcome = yield
    report = outcome.get_result()
    control_plane = getattr(item, "funcargs", {}).get("control_plane")
    if report.failed and isinstance(control_plane, ControlPlane):
        for number, replica in enumerate(control_plane.replicas):
            tail = "\n".join(replica.log.splitlines()[-LOG_TAIL:])
            report.sections.append((f"log of replica {number}, exit code {replica.exit_code}", tail))
