"""How a local port leads to a ready Pod, and to the next one when that goes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientError, ClientSession, web

from tests.kube.http import FakeApiServer
from tests.unit.diagnosis.test_replica_pods import pod
from webhook.diagnosis import forwarding
from webhook.diagnosis.forwarding import ForwardError, Forwarding, bind
from webhook.kube.api import ApiServer
from webhook.kube.client import Configuration
from webhook.kube.errors import ApiError

PODS = "/api/v1/namespaces/linkerd/pods"
DEPLOYMENT = "/apis/apps/v1/namespaces/linkerd/deployments/linkerd-webhook"


class Replicas:
    """Pods whose admin ports answer with their names."""

    def __init__(self, server: FakeApiServer) -> None:
        self.server = server
        self._runners: dict[str, web.AppRunner] = {}

    async def start(self, name: str, ready: bool = True) -> None:
        """A Pod, and what listens in it."""

        async def answer(request: web.Request) -> web.Response:
            return web.Response(text=f"{name} {request.path} {request.headers['Host']}")

        application = web.Application()
        application.router.add_get("/{path:.*}", answer)
        self._runners[name] = runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.server.put(f"{PODS}/{name}", {"kind": "Pod", **pod(name, ready=ready)})
        self.server.forwards[f"{PODS}/{name}"] = runner.addresses[0][1]

    async def delete(self, name: str) -> None:
        """The Pod goes, and what listens in it."""
        self.server.remove(f"{PODS}/{name}")
        del self.server.forwards[f"{PODS}/{name}"]
        await self.stop(name)

    async def stop(self, name: str) -> None:
        """What listens ends."""
        await self._runners.pop(name).cleanup()

    async def stop_all(self) -> None:
        """The end."""
        for name in list(self._runners):
            await self.stop(name)


@asynccontextmanager
async def cluster() -> AsyncIterator[tuple[Replicas, Forwarding, list[str]]]:
    """A cluster without Pods, what forwards to it, and what that has said."""
    server = FakeApiServer()
    await server.start()
    configuration = Configuration()
    configuration.host = server.url
    api, replicas, said = ApiServer(configuration), Replicas(server), list[str]()
    try:
        yield replicas, Forwarding(api, "linkerd", said.append), said
    finally:
        await replicas.stop_all()
        await api.close()
        await server.stop()


@asynccontextmanager
async def listening(forwarded: Forwarding) -> AsyncIterator[str]:
    """The URL that leads to a Pod."""
    (listener,) = bind("127.0.0.1", 0)
    server = await asyncio.start_server(forwarded.serve, sock=listener)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.close()


async def get(url: str, session: ClientSession | None = None) -> tuple[int, str]:
    """Status and body."""
    if session is None:
        async with ClientSession() as own:
            return await get(url, own)
    async with session.get(url) as response:
        return response.status, await response.text()


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long here."""
    monkeypatch.setattr(forwarding, "INTERVAL", 0.05)
    monkeypatch.setattr(forwarding, "HOLD", 0.5)


class TestForwarding:
    async def test_a_request_is_answered_by_the_pod_with_the_host_that_the_browser_names(self) -> None:
        async with cluster() as (replicas, forwarded, said):
            await replicas.start("a")
            assert (await forwarded.find(0)).pod == "a"
            async with listening(forwarded) as url:
                host = url.removeprefix("http://")
                assert await get(f"{url}/status.json") == (200, f"a /status.json {host}")
            assert said == []

    async def test_two_requests_over_one_connection_are_one_port_forward(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a")
            await forwarded.find(0)
            before = len(replicas.server.paths())
            async with listening(forwarded) as url, ClientSession() as session:
                for _ in range(2):
                    assert (await get(url, session))[0] == 200
            opened = [path for path in replicas.server.paths()[before:] if "portforward" in path]
            assert opened == [f"{PODS}/a/portforward?ports=9990"]

    async def test_when_the_pod_is_deleted_the_next_request_is_answered_by_another(self) -> None:
        async with cluster() as (replicas, forwarded, said):
            await replicas.start("a")
            await replicas.start("b")
            await forwarded.find(0)
            async with listening(forwarded) as url, ClientSession() as session:
                assert (await get(url, session))[1].startswith("a ")
                await replicas.delete("a")
                assert (await get(url, session))[1].startswith("b ")
            assert said == ["Pod a answers no more: forwarding to Pod b"]

    async def test_a_pod_on_its_way_out_is_asked_no_more(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a")
            await replicas.start("b")
            await forwarded.find(0)
            body = {"kind": "Pod", **pod("a")}
            body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            replicas.server.objects[f"{PODS}/a"] = body
            async with listening(forwarded) as url:
                assert (await get(url))[1].startswith("b ")

    @pytest.mark.parametrize("refused", [True, False])
    async def test_a_pod_that_is_ready_and_does_not_answer_gives_way_to_another(self, refused: bool) -> None:
        """As long as a node that is gone counts as there."""
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a")
            await replicas.start("b")
            await forwarded.find(0)
            if refused:
                replicas.server.forwards[f"{PODS}/a"] = None
            else:
                del replicas.server.forwards[f"{PODS}/a"]
            async with listening(forwarded) as url:
                assert (await get(f"{url}/x"))[1].startswith("b /x ")

    async def test_a_request_waits_for_the_pod_that_takes_the_place_of_the_last_one(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a")
            await forwarded.find(0)
            await replicas.delete("a")
            async with listening(forwarded) as url:
                request = asyncio.create_task(get(url))
                await asyncio.sleep(0.15)
                await replicas.start("b")
                assert (await request)[1].startswith("b ")

    async def test_without_any_pod_a_request_gets_503_and_the_reason(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a")
            await forwarded.find(0)
            await replicas.delete("a")
            async with listening(forwarded) as url:
                status, text = await get(url)
            assert status == 503
            assert text.startswith("no Pod of linkerd-webhook in namespace linkerd is ready after 0.5 s")

    async def test_a_pod_that_refuses_every_connection_ends_in_503_too(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a")
            await forwarded.find(0)
            replicas.server.forwards[f"{PODS}/a"] = None
            async with listening(forwarded) as url:
                status, text = await asyncio.wait_for(get(url), 5)
            assert (status, "nothing in the Pod listens on the port" in text) == (503, True)

    async def test_an_error_that_nobody_expected_ends_one_connection_with_a_note(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with cluster() as (replicas, forwarded, said):
            await replicas.start("a")
            await forwarded.find(0)

            def broken(*_: object) -> None:
                raise KeyError("a")

            async with listening(forwarded) as url:
                with monkeypatch.context() as patch:
                    patch.setattr(forwarding, "why_not_ready", broken)
                    with pytest.raises(ClientError):
                        await get(url)
                assert (await get(url))[0] == 200
            # aiohttp tries a GET once more.
            assert set(said) == {"a connection has failed: KeyError: 'a'"}

    async def test_a_browser_that_goes_leaves_nothing_open(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a")
            await forwarded.find(0)
            async with listening(forwarded) as url:
                await get(url)
                for _ in range(100):
                    if not replicas.server.running:
                        break
                    await asyncio.sleep(0.01)
                assert replicas.server.running == 0


class TestFinding:
    async def test_it_waits_for_a_pod_to_become_ready(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a", ready=False)
            finding = asyncio.create_task(forwarded.find(5))
            await asyncio.sleep(0.1)
            replicas.server.put(f"{PODS}/a", {"kind": "Pod", **pod("a")})
            assert (await finding).pod == "a"

    async def test_one_that_does_not_become_ready_is_named_with_the_reason(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a", ready=False)
            with pytest.raises(ForwardError) as error:
                await forwarded.find(0.1)
        assert str(error.value) == (
            "no Pod of linkerd-webhook in namespace linkerd is ready after 0.1 s (a: not ready): "
            "run linkerd-webhook check to see why"
        )

    async def test_without_an_installation_nothing_is_waited_for(self) -> None:
        async with cluster() as (_, forwarded, _):
            with pytest.raises(ForwardError, match="is not installed in namespace linkerd: pass the control plane's"):
                await asyncio.wait_for(forwarded.find(60), 5)

    async def test_the_pods_of_a_fresh_deployment_are_waited_for(self) -> None:
        async with cluster() as (replicas, forwarded, _):
            replicas.server.put(DEPLOYMENT, {"kind": "Deployment"})
            with pytest.raises(ForwardError, match="is ready after"):
                await forwarded.find(0.1)

    @pytest.mark.parametrize(
        ("path", "right"),
        [(PODS, "list on pods"), (f"{PODS}/a/portforward", "get and create on pods/portforward")],
    )
    async def test_a_right_that_is_missing_is_told_with_what_to_grant(self, path: str, right: str) -> None:
        async with cluster() as (replicas, forwarded, _):
            await replicas.start("a")
            replicas.server.failures[path] = ApiError(403, 'pods is forbidden: User "jane" cannot do that')
            with pytest.raises(ForwardError) as error:
                await asyncio.wait_for(forwarded.find(60), 5)
        assert f'not allowed: grant {right} in namespace linkerd to user "jane"' in str(error.value)

    async def test_an_api_server_that_does_not_answer_is_named(self) -> None:
        configuration = Configuration()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            configuration.host = f"http://127.0.0.1:{taken.getsockname()[1]}"
            api = ApiServer(configuration)
            with pytest.raises(ForwardError, match=f"the cluster at {configuration.host}: no connection to the API"):
                await Forwarding(api, "linkerd", print).find(0)
            await api.close()


class TestBinding:
    def test_a_port_that_is_taken_is_named_with_what_to_pass(self) -> None:
        (taken,) = bind("127.0.0.1", 0)
        port = taken.getsockname()[1]
        with taken, pytest.raises(ForwardError, match=f"port {port} of 127.0.0.1 is taken: pass another by --port"):
            bind("127.0.0.1", port)

    def test_localhost_is_the_same_port_on_each_of_its_addresses(self) -> None:
        listeners = bind("localhost", 0)
        assert len({listener.getsockname()[1] for listener in listeners}) == 1
        for listener in listeners:
            listener.close()

    @pytest.mark.parametrize("address", ["192.0.2.1", "no such name"])
    def test_an_address_of_another_machine_is_refused(self, address: str) -> None:
        with pytest.raises(ForwardError, match=f'--address "{address}".* such as localhost'):
            bind(address, 0)
