"""How the server ends: nothing that was asked goes without its answer, and nobody holds it up."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

import pytest

from tests.serving import Serving, Site, read_response, request_bytes, review, trust, within
from tests.waiting import until
from webhook.server.run import Server, Times, serve_until


class Ending:
    """A site under `serve_until`, with a second one in the admin server's place."""

    def __init__(self, site: Site, admin: Server, times: Times) -> None:
        self.stop = asyncio.Event()
        self.admissions = site.server
        self.drained = False
        self.task = asyncio.create_task(serve_until(self.stop, site.server, admin, times, self._drain))

    def _drain(self) -> None:
        self.drained = True

    async def closing(self) -> None:
        """Until no new connection is taken: what is in flight is waited for now."""
        await until(lambda: not any(server.is_serving() for server in self.admissions.servers))


async def ending(serving: Serving, **times: float) -> tuple[Site, Ending]:
    settings = Times(**{"shutdown_delay": 0.0, "sweep": 0.02, **times})
    site, other = await serving(times=settings), await serving(times=settings)
    return site, Ending(site, other.server, settings)


async def test_a_request_in_flight_is_answered_and_its_connection_closed(serving: Serving) -> None:
    """With `Connection: close`, so that the client does not send another there."""
    site, end = await ending(serving)
    site.webhook.gate.clear()
    reader, writer = await site.connect()
    writer.write(request_bytes(review()))
    await until(lambda: site.webhook.requests)
    end.stop.set()
    await end.closing()
    assert not end.task.done()
    site.webhook.gate.set()
    status, headers, _ = await read_response(reader)
    assert (status, headers["connection"]) == (200, "close")
    assert await reader.read() == b""
    async with within(10):
        await end.task


@pytest.fixture
def delay(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Ends a shutdown's delay of 17 seconds, which lasts until then."""
    over, sleep = asyncio.Event(), asyncio.sleep

    async def asleep(seconds: float) -> None:
        await (over.wait() if seconds == 17 else sleep(seconds))

    monkeypatch.setattr(asyncio, "sleep", asleep)
    return over


async def test_not_ready_is_said_first_and_new_connections_are_served_for_a_while(
    serving: Serving, delay: asyncio.Event
) -> None:
    """Endpoints take their time to go from every node."""
    site, end = await ending(serving, shutdown_delay=17)
    kept, kept_writer = await site.connect()
    kept_writer.write(request_bytes(review()))
    _, headers, _ = await read_response(kept)
    assert "connection" not in headers
    end.stop.set()
    await until(lambda: end.drained)
    response = await site.post()
    assert (response.status_code, response.headers["connection"]) == (200, "close")
    kept_writer.write(request_bytes(review()))
    status, headers, _ = await read_response(kept)
    assert (status, headers["connection"]) == (200, "close")
    assert not end.task.done()
    delay.set()
    async with within(10):
        await end.task
    with pytest.raises(OSError):
        await site.connect()


async def test_a_request_that_is_half_sent_is_finished(serving: Serving) -> None:
    """Its connection is open, and its client believes in it."""
    site, end = await ending(serving)
    reader, writer = await site.connect()
    message = request_bytes(review())
    writer.write(message[:20])
    await until(lambda: any(connection._header_bytes for connection in site.server._connections()))
    end.stop.set()
    await end.closing()
    writer.write(message[20:])
    status, headers, _ = await read_response(reader)
    assert (status, headers["connection"]) == (200, "close")
    async with within(10):
        await end.task


async def test_an_idle_connection_does_not_hold_the_exit(serving: Serving) -> None:
    """It is closed in all form."""
    site, end = await ending(serving)
    reader, writer = await site.connect()
    writer.write(request_bytes(review()))
    await read_response(reader)
    end.stop.set()
    assert await reader.read() == b""
    async with within(10):
        await end.task


class _Silent(asyncio.Protocol):
    """A client that keeps TCP open and answers nothing, not even TLS' goodbye."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.connected = asyncio.Event()
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._shake()

    def data_received(self, data: bytes) -> None:
        if not self.connected.is_set():
            self.incoming.write(data)
            self._shake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    def _shake(self) -> None:
        try:
            self.tls.do_handshake()
            self.connected.set()
        except ssl.SSLWantReadError:
            pass
        self.transport.write(self.outgoing.read())


async def test_a_tls_client_that_never_says_goodbye_does_not_hold_the_exit(serving: Serving) -> None:
    """uvicorn would wait half a minute for it."""
    site, end = await ending(serving, tls_shutdown=0.2)
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: _Silent(trust(site.ca)), "127.0.0.1", site.server.port)
    async with within(10):
        await client.connected.wait()
    await until(lambda: site.server.server_state.connections)
    end.stop.set()
    async with within(10):
        await end.task
    await until(lambda: client.closed)


async def test_a_client_that_never_ends_its_handshake_does_not_hold_the_exit(serving: Serving) -> None:
    """It has no connection yet that could be waited for."""
    site, end = await ending(serving)
    _, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
    end.stop.set()
    async with within(10):
        await end.task
    writer.close()


async def test_what_takes_longer_than_the_grace_is_cut(serving: Serving) -> None:
    """Kubernetes would kill the Pod else."""
    site, end = await ending(serving, grace=0.3)
    site.webhook.gate.clear()
    reader, writer = await site.connect()
    writer.write(request_bytes(review()))
    await until(lambda: site.webhook.requests)
    end.stop.set()
    async with within(10):
        await end.task
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await read_response(reader)
