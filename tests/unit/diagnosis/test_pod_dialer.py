"""How Pods are reached: dialled from inside, through the API server's port-forward from outside."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from certs.handshake import ProbeError
from tests.unit.certs.test_handshake import CA, LEAF, NAME, OTHER, server
from webhook.diagnosis import pod_dialer
from webhook.diagnosis.pod_dialer import PodDialer, PortForwardForbidden
from webhook.kube.api import ApiServer
from webhook.kube.client import Configuration
from webhook.kube.endpoints import Endpoint

PATH = "/api/v1/namespaces/linkerd/pods/webhook-1/portforward"
POD = Endpoint("192.0.2.1", 8443, "webhook-1")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[ApiServer]:
    """An API server that answers port-forwards to one Pod."""
    application = web.Application()
    application.router.add_get(PATH, handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    api = ApiServer(configuration)
    try:
        yield api
    finally:
        await api.close()
        await runner.cleanup()


async def kubelet(request: web.Request) -> web.StreamResponse:
    """Forwards to a TLS server in memory, as a kubelet does it: channels, and the port's number first on each."""
    assert request.query["ports"] == "8443"
    socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
    await socket.prepare(request)
    for channel in (0, 1):
        await socket.send_bytes(bytes([channel]) + (8443).to_bytes(2, "little"))
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server(LEAF).wrap_bio(received, sent, server_side=True)
    async for message in socket:
        assert message.type is WSMsgType.BINARY and message.data[0] == 0
        received.write(message.data[1:])
        with suppress(ssl.SSLError):
            tls.do_handshake()
        if data := sent.read():
            # In pieces: a record need not come as one message.
            await socket.send_bytes(b"\x00" + data[:100])
            await socket.send_bytes(b"\x00" + data[100:])
    return socket


def saying(text: str) -> Handler:
    """A kubelet that cannot forward, and says so."""

    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        for channel in (0, 1):
            await socket.send_bytes(bytes([channel]) + (8443).to_bytes(2, "little"))
        await socket.send_bytes(b"\x01" + text.encode())
        await socket.close()
        return socket

    return handler


async def silent(request: web.Request) -> web.StreamResponse:
    """A kubelet that forwards to nobody who answers."""
    socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
    await socket.prepare(request)
    async for _ in socket:
        pass
    return socket


async def refuse(request: web.Request) -> web.StreamResponse:
    """The API server's answer to who lacks the right."""
    message = 'pods "webhook-1" is forbidden: User "jane" cannot get resource "pods/portforward"'
    return web.json_response({"kind": "Status", "message": message}, status=403)


class TestPortForward:
    """From outside."""

    async def test_a_replica_is_asked_through_the_api_server_and_never_dialled(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its address may lead to something else."""
        monkeypatch.setattr("certs.handshake.probe", lambda *_: pytest.fail("dialled"))
        async with answering(kubelet) as api:
            way = PodDialer(api, "linkerd")
            assert way.way == "port-forward"
            for bundle in (None, CA.certificate):
                assert NAME in (await way.probe(POD, NAME, bundle)).names

    async def test_what_is_not_trusted_is_told_from_what_is_not_reached(self) -> None:
        async with answering(kubelet) as api:
            with pytest.raises(ProbeError, match=r"certificate signature failure|unable to get local issuer") as error:
                await PodDialer(api, "linkerd").probe(POD, NAME, OTHER.certificate)
        assert error.value.kind == "untrusted"

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("dial tcp4 127.0.0.1:8443: connect: connection refused IPv6 …", "nothing in the Pod listens on the port"),
            ("container \n gone", "port-forward: container gone"),
        ],
    )
    async def test_what_the_kubelet_says_is_passed_on(self, text: str, says: str) -> None:
        async with answering(saying(text)) as api:
            with pytest.raises(ProbeError, match=says) as error:
                await PodDialer(api, "linkerd").probe(POD, NAME, None)
        assert error.value.kind == "unreachable"

    async def test_a_pod_that_is_gone_is_unreachable(self) -> None:
        async with answering(kubelet) as api:
            with pytest.raises(ProbeError, match="port-forward") as error:
                await PodDialer(api, "linkerd").probe(POD._replace(pod="other"), NAME, None)
        assert error.value.kind == "unreachable"

    async def test_silence_ends_in_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(pod_dialer.WITHIN, "port-forward", 0.2)
        async with answering(silent) as api:
            with pytest.raises(ProbeError, match=r"no handshake within 0\.2 s"):
                await PodDialer(api, "linkerd").probe(POD, NAME, None)

    async def test_who_may_not_is_told_in_the_api_server_s_words(self) -> None:
        async with answering(refuse) as api:
            with pytest.raises(PortForwardForbidden, match='User "jane" cannot get resource "pods/portforward"'):
                await PodDialer(api, "linkerd").probe(POD, NAME, None)

    async def test_an_endpoint_without_a_pod_cannot_be_asked(self) -> None:
        async with answering(kubelet) as api:
            with pytest.raises(ProbeError, match="names no Pod"):
                await PodDialer(api, "linkerd").probe(POD._replace(pod=""), NAME, None)


class TestDirect:
    """From inside."""

    async def test_in_a_pod_of_the_cluster_and_where_it_is_asked_for_replicas_are_dialled(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        dialled = []

        async def dial(host: str, port: int, *_: object) -> None:
            dialled.append((host, port))

        monkeypatch.setattr("certs.handshake.probe", dial)
        (tmp_path / "token").write_text("t")
        (tmp_path / "ca").write_bytes(CA.certificate)
        environment = {"KUBERNETES_SERVICE_HOST": "192.0.2.2", "KUBERNETES_SERVICE_PORT": "443"}
        inside = ApiServer.in_cluster(str(tmp_path / "token"), str(tmp_path / "ca"), environment)
        outside = ApiServer(Configuration())
        for way in (PodDialer(inside, "linkerd"), PodDialer(outside, "linkerd", direct=True)):
            assert way.way == "direct"
            await way.probe(POD, NAME, None)
        assert dialled == [(POD.host, POD.port)] * 2
        await asyncio.gather(inside.close(), outside.close())
