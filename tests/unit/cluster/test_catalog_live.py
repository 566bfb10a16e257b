"""What the API server says exists: watches that open and close with the CRDs, and silence about the unknown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kube.fixtures import Clock, Until
from tests.kube.http import FakeApiServer
from tests.kube.store import NAMESPACES
from webhook.cluster import live_catalog
from webhook.cluster.catalog import names
from webhook.cluster.interface import Presence
from webhook.cluster.live_catalog import STALE, LiveCatalog
from webhook.kube import watch
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.watch import NamespaceWatch

POLICY = "policy.linkerd.io"
GATEWAY = "gateway.networking.k8s.io"
SERVERS = "/apis/policy.linkerd.io/v1beta3/servers"
AUTHENTICATIONS = "/apis/policy.linkerd.io/v1alpha1/meshtlsauthentications"
SERVICES = "/api/v1/services"
ACCOUNTS = "/api/v1/serviceaccounts"

PRESENT, ABSENT, UNKNOWN = Presence.PRESENT, Presence.ABSENT, Presence.UNKNOWN


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for CRDs every few milliseconds."""
    monkeypatch.setattr(live_catalog, "SOON", 0.005)
    monkeypatch.setattr(live_catalog, "LOOK", (0.01, 0.02))


@pytest.fixture(autouse=True)
def cluster_with_linkerd(server: FakeApiServer) -> None:
    server.serve(POLICY, "v1beta3", "Server", "HTTPRoute")
    server.serve(POLICY, "v1alpha1", "Server", "MeshTLSAuthentication", "AuthorizationPolicy")


@pytest.fixture
async def catalog(server: FakeApiServer, api: ApiServer, clock: Clock) -> AsyncIterator[LiveCatalog]:
    """Started, with the watch of Namespaces beside it."""
    namespaces = NamespaceWatch(api, clock)
    task = asyncio.create_task(namespaces.run())
    subject = LiveCatalog(api, namespaces, clock)
    await subject.start()
    yield subject
    await subject.stop()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def watched(server: FakeApiServer) -> list[str]:
    """The collections with a watch of the catalog's."""
    return [path for path, queues in server.streams.items() if queues and path != NAMESPACES]


def looks(server: FakeApiServer) -> list[str]:
    """The requests by which the catalog looks for kinds."""
    return [path for path in server.paths() if path.startswith("/apis/") and path.count("/") < 4]


def at_rest(server: FakeApiServer) -> bool:
    """Whether the API server has answered all but the watches."""
    return server.running == sum(map(len, server.streams.values()))


def server_named(catalog: LiveCatalog, name: str) -> Presence:
    return catalog.look(POLICY, "Server", "shop", name)


class TestLook:
    async def test_tells_what_is_there_and_what_is_not(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        server.add(SERVERS, "shop", "web")
        server.add(SERVICES, "shop", "web-svc")
        server.add(AUTHENTICATIONS, "shop", "clients")
        await until(lambda: server_named(catalog, "web") is PRESENT)
        await until(lambda: catalog.look("", "Service", "shop", "web-svc") is PRESENT)
        await until(lambda: catalog.look(POLICY, "MeshTLSAuthentication", "shop", "clients") is PRESENT)
        await until(lambda: catalog.look("", "ServiceAccount", "shop", "web") is ABSENT)
        assert server_named(catalog, "db") is ABSENT
        assert catalog.look(POLICY, "Server", "bank", "web") is ABSENT
        assert list(catalog.names("", "Service", "shop")) == ["web-svc"]

    async def test_follows_what_is_created_and_deleted(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        await until(lambda: server.streams.get(SERVERS))
        server.add(SERVERS, "shop", "web")
        await until(lambda: server_named(catalog, "web") is PRESENT)
        server.remove("/apis/policy.linkerd.io/v1beta3/namespaces/shop/servers/web")
        await until(lambda: server_named(catalog, "web") is ABSENT)

    async def test_knows_namespaces_by_their_own_watch(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        server.set_namespace("shop")
        await until(lambda: catalog.look("", "Namespace", "", "shop") is PRESENT)
        await until(lambda: catalog.look("", "Namespace", "", "bank") is ABSENT)
        assert "shop" in catalog.names("", "Namespace", "")

    async def test_knows_nothing_before_anything_was_listed(self, api: ApiServer, clock: Clock) -> None:
        catalog = LiveCatalog(api, NamespaceWatch(api, clock), clock)
        assert catalog.look("", "Service", "shop", "web") is UNKNOWN
        assert catalog.look("", "Namespace", "", "shop") is UNKNOWN
        assert catalog.servers("shop") is None
        assert not catalog.names("", "Service", "shop")

    async def test_knows_nothing_of_kinds_that_nobody_refers_to(self, catalog: LiveCatalog) -> None:
        assert catalog.look("apps", "Deployment", "shop", "web") is UNKNOWN


class TestServers:
    async def test_are_told_with_what_they_select(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        server.add(SERVERS, "shop", "web", spec={"podSelector": {}, "port": 80, "proxyProtocol": "gRPC"})
        await until(lambda: catalog.servers("shop"))
        assert catalog.servers("shop") == {"web": {"podSelector": {}, "port": 80}}
        assert catalog.servers("bank") == {}

    async def test_and_services_are_asked_for_whole_and_all_others_for_their_metadata(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        await until(lambda: all(server.streams.get(path) for path in (SERVERS, SERVICES, AUTHENTICATIONS)))
        for request in server.requests:
            if request.path in (SERVERS, SERVICES):
                assert request.headers["Accept"] == "application/json"
            elif request.path == AUTHENTICATIONS:
                assert "as=PartialObjectMetadata" in request.headers["Accept"]


class TestPorts:
    async def test_are_those_of_the_service_and_follow_it(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        assert catalog.ports("shop", "web") is None
        await until(lambda: server.streams.get(SERVICES))
        server.add(SERVICES, "shop", "web", spec={"ports": [{"port": 80, "targetPort": 8080}]})
        await until(lambda: catalog.ports("shop", "web"))
        assert catalog.ports("shop", "web") == ((80, "", 8080),)
        assert catalog.ports("shop", "db") is None
        server.add(SERVICES, "shop", "web", spec={"ports": [{"port": 81}]})
        await until(lambda: catalog.ports("shop", "web") == ((81, "", 81),))


class TestRateLimits:
    async def test_are_known_by_their_server_where_their_crd_is(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        assert catalog.rate_limits("shop", "web") is None
        server.serve(POLICY, "v1alpha1", "MeshTLSAuthentication", "HTTPLocalRateLimitPolicy")
        path = "/apis/policy.linkerd.io/v1alpha1/httplocalratelimitpolicies"
        server.add(path, "shop", "a", spec={"targetRef": {"kind": "Server", "name": "web"}})
        await until(lambda: catalog.rate_limits("shop", "web"))
        assert set(catalog.rate_limits("shop", "web") or ()) == {"a"}
        assert not catalog.rate_limits("shop", "db")


class TestWorkloads:
    async def test_are_never_known(self, catalog: LiveCatalog) -> None:
        assert catalog.workloads("shop") is None


class TestKinds:
    async def test_are_watched_in_the_first_version_that_serves_them(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        await until(lambda: server.streams.get(SERVERS) and server.streams.get(AUTHENTICATIONS))
        assert "/apis/policy.linkerd.io/v1alpha1/servers" not in server.streams

    async def test_that_nobody_refers_to_are_not_watched(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        await until(lambda: server.streams.get(AUTHENTICATIONS))
        assert not any("authorizationpolic" in path for path in server.streams)

    async def test_are_watched_once_their_crd_is_installed(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        await until(lambda: server.streams.get(SERVERS))
        assert catalog.look(GATEWAY, "GRPCRoute", "shop", "web") is UNKNOWN
        server.serve(GATEWAY, "v1", "HTTPRoute", "GRPCRoute")
        server.add("/apis/gateway.networking.k8s.io/v1/grpcroutes", "shop", "web")
        await until(lambda: catalog.look(GATEWAY, "GRPCRoute", "shop", "web") is PRESENT)

    async def test_are_unknown_once_their_crd_is_gone_and_known_again_in_another_version(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        server.add(SERVERS, "shop", "web")
        await until(lambda: server_named(catalog, "web") is PRESENT)
        server.unserve(POLICY)
        await until(lambda: server_named(catalog, "web") is UNKNOWN)
        assert catalog.servers("shop") is None
        server.serve(POLICY, "v1", "Server")
        server.add("/apis/policy.linkerd.io/v1/servers", "shop", "db")
        await until(lambda: server_named(catalog, "db") is PRESENT)
        assert server_named(catalog, "web") is ABSENT
        assert catalog.servers("shop") == {"db": {}}

    async def test_that_are_all_there_are_not_looked_for_any_more(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        server.serve(POLICY, "v1beta3", *live_catalog.CUSTOM[POLICY])
        server.serve(GATEWAY, "v1", *live_catalog.CUSTOM[GATEWAY])
        await until(lambda: len(watched(server)) == 10 and at_rest(server))
        before = looks(server)
        # Nothing happens, for several times as long as it takes to look again.
        await asyncio.sleep(0.1)
        assert looks(server) == before

    async def test_that_are_asked_for_are_looked_for_at_once(
        self,
        server: FakeApiServer,
        api: ApiServer,
        clock: Clock,
        until: Until,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(live_catalog, "LOOK", (1000, 1000))
        catalog = LiveCatalog(api, NamespaceWatch(api, clock), clock)
        await catalog.start()
        await until(lambda: server.streams.get(AUTHENTICATIONS) and f"/apis/{GATEWAY}" in looks(server))
        await until(lambda: at_rest(server))
        server.serve(GATEWAY, "v1", "HTTPRoute")
        # Nothing happens, for several times as long as it would take to look again and to open a watch.
        await asyncio.sleep(0.1)
        assert "/apis/gateway.networking.k8s.io/v1/httproutes" not in server.streams
        catalog.look(GATEWAY, "HTTPRoute", "shop", "web")
        await until(lambda: server.streams.get("/apis/gateway.networking.k8s.io/v1/httproutes"))
        await catalog.stop()

    async def test_are_found_after_a_discovery_that_failed(
        self, server: FakeApiServer, api: ApiServer, clock: Clock, until: Until
    ) -> None:
        server.failures["/apis/policy.linkerd.io"] = ApiError(500, "etcd is away")
        catalog = LiveCatalog(api, NamespaceWatch(api, clock), clock)
        await catalog.start()
        await until(lambda: len([path for path in server.paths() if path == "/apis/policy.linkerd.io"]) > 2)
        del server.failures["/apis/policy.linkerd.io"]
        await until(lambda: catalog.servers("shop") == {})
        await catalog.stop()

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"versions": 7},
            {"versions": [7, {}, {"version": ""}, {"version": 1}]},
            {"versions": [{"version": "v1alpha1"}], "resources": [7, {"kind": "Server"}]},
        ],
    )
    async def test_survive_a_discovery_that_makes_no_sense(
        self, server: FakeApiServer, api: ApiServer, clock: Clock, until: Until, body: Any
    ) -> None:
        server.objects["/apis/policy.linkerd.io/v1alpha1"] = body
        server.objects["/apis/policy.linkerd.io"] = body
        server.groups.clear()
        catalog = LiveCatalog(api, NamespaceWatch(api, clock), clock)
        await catalog.start()
        await until(lambda: len(server.paths()) > 8)
        await catalog.stop()


class TestSilence:
    async def test_follows_a_minute_after_a_watch_broke(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until, clock: Clock
    ) -> None:
        server.add(SERVERS, "shop", "web")
        await until(lambda: server_named(catalog, "web") is PRESENT)
        await until(lambda: server.streams.get(SERVERS))
        server.failures[SERVERS] = ApiError(500, "etcd is away")
        server.end_watches()
        await until(
            lambda: {s.resource: s for s in catalog.states()}["servers.policy.linkerd.io"].restarts.get("error")
        )
        assert server_named(catalog, "web") is PRESENT
        assert server_named(catalog, "db") is ABSENT
        clock.now += STALE
        assert server_named(catalog, "web") is UNKNOWN
        assert catalog.servers("shop") is None
        assert catalog.ports("shop", "web") is None
        server.failures.clear()
        await until(lambda: server_named(catalog, "web") is PRESENT)

    async def test_does_not_follow_while_a_quiet_watch_is_open(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until, clock: Clock
    ) -> None:
        server.add(SERVERS, "shop", "web")
        await until(lambda: server.streams.get(SERVERS) and server_named(catalog, "web") is PRESENT)
        clock.now += 2 * STALE
        assert server_named(catalog, "web") is PRESENT

    async def test_is_kept_about_what_must_not_be_listed_until_it_may(
        self, server: FakeApiServer, api: ApiServer, clock: Clock, until: Until, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server.failures[SERVICES] = ApiError(
            403, 'services is forbidden: User "system:serviceaccount:linkerd:web" cannot list'
        )
        catalog = LiveCatalog(api, NamespaceWatch(api, clock), clock)
        await catalog.start()
        await until(lambda: len([path for path in server.paths() if path.startswith(SERVICES)]) > 2)
        assert catalog.look("", "Service", "shop", "web") is UNKNOWN
        said = capsys.readouterr().out
        assert said.count("the watch of services ended") == 1
        assert "grant list and watch on services to ServiceAccount linkerd/web" in said
        del server.failures[SERVICES]
        await until(lambda: catalog.look("", "Service", "shop", "web") is ABSENT)
        await catalog.stop()

    async def test_is_longer_between_two_attempts_at_what_is_forbidden(self, api: ApiServer) -> None:
        optional = watch.Watch(api, watch.Resource(SERVICES, "services", "services"), names, optional=True)
        optional._failures = 100
        assert max(optional._pause(watch.FORBIDDEN) for _ in range(100)) > 60


class TestLife:
    async def test_ends_every_watch_when_stopped(
        self, server: FakeApiServer, catalog: LiveCatalog, until: Until
    ) -> None:
        await until(lambda: server.streams.get(SERVERS) and server.streams.get(AUTHENTICATIONS))
        await catalog.stop()
        await until(lambda: not watched(server))
        assert server_named(catalog, "web") is UNKNOWN

    async def test_is_stopped_as_well_without_having_begun(self, api: ApiServer, clock: Clock) -> None:
        await LiveCatalog(api, NamespaceWatch(api, clock), clock).stop()

    async def test_is_told_to_the_metrics(self, server: FakeApiServer, catalog: LiveCatalog, until: Until) -> None:
        server.add(SERVERS, "shop", "web")
        await until(lambda: server_named(catalog, "web") is PRESENT)
        state = next(state for state in catalog.states() if state.resource == "servers.policy.linkerd.io")
        assert (state.objects, state.fresh) == (1, True)
        server.unserve(POLICY)
        await until(lambda: server_named(catalog, "web") is UNKNOWN)
        state = next(state for state in catalog.states() if state.resource == "servers.policy.linkerd.io")
        assert (state.objects, state.fresh, state.restarts["not_served"]) == (0, False, 1)
