"""What the program knows of the objects that policies refer to, with this project's own rights on a real API server."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.api import JSON, ApiServer
from tests.e2e.mesh import OUR_ACCOUNT, our_rbac
from tests.e2e.objects import Room, namespace, service
from tests.e2e.waiting import until
from webhook.cluster import live_catalog
from webhook.cluster.interface import Presence
from webhook.cluster.live import LiveCluster
from webhook.cluster.live_catalog import CORE, CUSTOM, LiveCatalog

POLICY = "policy.linkerd.io"
GATEWAY = "gateway.networking.k8s.io"
NOBODY = "sa:linkerd:nobody"

WATCHED = len(CORE) + sum(len(kinds) for kinds in CUSTOM.values())


@pytest.fixture(scope="module")
def admin(kubeconfig: Path) -> Iterator[ApiServer]:
    """The API server as its administrator, without what other tests have learned of its kinds."""
    result = ApiServer.from_kubeconfig(kubeconfig)
    yield result
    result.close()


@pytest.fixture(scope="module", autouse=True)
def crds(admin: ApiServer, manifests_folder: Path) -> dict[str, JSON]:
    """Linkerd's CRDs of the newest line and the Gateway API's, in force, by name; they stay."""
    result = {}
    for file in (manifests_folder / "edge-26.8" / "crds.yaml", manifests_folder / "gateway-api-crds.yaml"):
        for body in yaml.safe_load_all(file.read_text()):
            if body and body["kind"] == "CustomResourceDefinition":
                result[body["metadata"]["name"]] = body
                admin.apply(body)
    for path in (f"/apis/{POLICY}/v1beta3/servers", f"/apis/{GATEWAY}/v1/httproutes", _path("egressnetworks")):
        until(path, lambda path=path: admin.request("GET", path).status == 200, within=20)  # type: ignore[misc]
    return result


@pytest.fixture(scope="module")
def account(admin: ApiServer) -> Iterator[str]:
    """The service account of `deploy/rbac.yaml`, with its rights in force."""
    admin.apply(namespace("linkerd"))
    manifests = our_rbac()
    for body in manifests:
        admin.apply(body)
    as_webhook = admin.as_user(OUR_ACCOUNT)
    until("the rights", lambda: as_webhook.request("GET", "/api/v1/services").status == 200, within=10)
    as_webhook.close()
    yield OUR_ACCOUNT
    for body in manifests:
        admin.delete(body)


@pytest.fixture
def shop(admin: ApiServer) -> Room:
    """A new Namespace."""
    return Room.create(admin, "shop")


@pytest.fixture
async def catalog(admin: ApiServer, account: str, tmp_path: Path) -> AsyncIterator[LiveCatalog]:
    """A catalog that knows all that there is."""
    async with _catalog(admin, account, tmp_path) as result:
        await _until(lambda: sum(state.fresh for state in result.states()) == WATCHED, within=10)
        yield result


@asynccontextmanager
async def _catalog(admin: ApiServer, account: str, folder: Path) -> AsyncIterator[LiveCatalog]:
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(admin.kubeconfig(account))
    cluster = await LiveCluster.from_kubeconfig(kubeconfig)
    result = LiveCatalog(cluster.api, cluster.watch)
    await cluster.start()
    await result.start()
    yield result
    await result.stop()
    await cluster.stop()


async def _until(condition: Callable[[], Any], within: float) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


def _path(plural: str) -> str:
    return f"/apis/{POLICY}/v1alpha1/{plural}"


def server(within: str, name: str, port: int = 8080) -> JSON:
    """A Server."""
    return {
        "apiVersion": f"{POLICY}/v1beta3",
        "kind": "Server",
        "metadata": {"name": name, "namespace": within},
        "spec": {"podSelector": {"matchLabels": {"app": name}}, "port": port},
    }


def account_of(within: str, name: str) -> JSON:
    """A ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": within}}


def egress_network(within: str, name: str) -> JSON:
    """An EgressNetwork."""
    return {
        "apiVersion": f"{POLICY}/v1alpha1",
        "kind": "EgressNetwork",
        "metadata": {"name": name, "namespace": within},
        "spec": {"trafficPolicy": "Allow"},
    }


class TestRights:
    async def test_of_this_project_are_enough_for_every_kind(self, catalog: LiveCatalog) -> None:
        for state in catalog.states():
            assert state.fresh, state
            assert "forbidden" not in state.restarts, state

    async def test_that_are_missing_make_the_catalog_silent(self, admin: ApiServer, shop: Room, tmp_path: Path) -> None:
        admin.create(service(shop.name, "web")).ok()
        async with _catalog(admin, NOBODY, tmp_path) as catalog:
            await _until(lambda: any(s.restarts.get("forbidden") for s in catalog.states()), within=10)
            assert catalog.look("", "Service", shop.name, "web") is Presence.UNKNOWN
            assert catalog.servers(shop.name) is None


class TestObjects:
    async def test_are_known_by_name_and_servers_by_what_they_select(
        self, admin: ApiServer, shop: Room, catalog: LiveCatalog
    ) -> None:
        for body in (server(shop.name, "web"), service(shop.name, "web"), account_of(shop.name, "web")):
            admin.create(body).ok()
        for group, kind in ((POLICY, "Server"), ("", "Service"), ("", "ServiceAccount")):
            await _until(lambda: catalog.look(group, kind, shop.name, "web") is Presence.PRESENT, within=5)  # noqa: B023
            assert catalog.look(group, kind, shop.name, "db") is Presence.ABSENT
        assert catalog.servers(shop.name) == {"web": {"podSelector": {"matchLabels": {"app": "web"}}, "port": 8080}}
        await _until(lambda: catalog.look("", "Namespace", "", shop.name) is Presence.PRESENT, within=5)

    async def test_are_known_soon_enough_for_what_is_applied_next(
        self, admin: ApiServer, shop: Room, catalog: LiveCatalog
    ) -> None:
        waits = []
        for number in range(20):
            await asyncio.to_thread(admin.create, server(shop.name, f"web-{number}"))
            begin = time.monotonic()
            await _until(lambda: f"web-{number}" in (catalog.servers(shop.name) or ()), within=5)  # noqa: B023
            waits.append(time.monotonic() - begin)
        assert sorted(waits)[10] < 0.1, waits

    async def test_that_are_deleted_are_absent(self, admin: ApiServer, shop: Room, catalog: LiveCatalog) -> None:
        admin.create(server(shop.name, "web")).ok()
        await _until(lambda: catalog.servers(shop.name), within=5)
        admin.delete(server(shop.name, "web")).ok()
        await _until(lambda: catalog.servers(shop.name) == {}, within=5)


async def test_a_crd_may_go_and_come_back(
    admin: ApiServer,
    crds: dict[str, JSON],
    shop: Room,
    catalog: LiveCatalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unknown in between: what nobody serves can neither be there nor be missed."""
    monkeypatch.setattr(live_catalog, "SOON", 0.2)
    body = egress_network(shop.name, "outside")

    def look() -> Presence:
        return catalog.look(POLICY, "EgressNetwork", shop.name, "outside")

    admin.create(body).ok()
    await _until(lambda: look() is Presence.PRESENT, within=5)
    crd = crds[f"egressnetworks.{POLICY}"]
    admin.delete(crd).ok()
    await _until(lambda: look() is Presence.UNKNOWN, within=30)
    await _until(lambda: admin.request("GET", _path("egressnetworks")).status == 404, within=30)
    admin.apply(copy.deepcopy(crd))
    await _until(lambda: admin.request("GET", _path("egressnetworks")).status == 200, within=30)
    admin.create(body).ok()
    await _until(lambda: look() is Presence.PRESENT, within=30)
