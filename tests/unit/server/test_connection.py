"""Clients that are slow, silent, or gone."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from tests.serving import LogFile, Serving, answering, read_response, request_bytes, review, within
from tests.waiting import until
from webhook.server.connection import Policy
from webhook.server.run import Server


class TestSlowClients:
    """Nobody is waited for without end."""

    async def test_a_body_that_does_not_arrive_in_time_is_408(self, serving: Serving) -> None:
        """And the connection is closed; the webhook never hears of it."""
        site = await serving(Policy(body_timeout=0.1))
        reader, writer = await site.connect()
        writer.write(request_bytes(b"{", length=1000))
        async with within(10):
            status, headers, body = await read_response(reader)
            assert (status, headers["connection"]) == (408, "close")
            assert "0.1 s" in orjson.loads(body)["error"]
            assert await reader.read() == b""
        assert site.sample("linkerd_webhook_rejected_requests_total", status="408") == 1
        assert site.sample("linkerd_webhook_client_hang_ups_total") == 0
        assert site.webhook.requests == []
        writer.close()

    async def test_a_body_that_trickles_is_408_too(self, serving: Serving) -> None:
        """The time is for the whole body."""
        site = await serving(Policy(body_timeout=0.2))
        reader, writer = await site.connect()
        writer.write(request_bytes(b"", length=1000))

        async def trickle() -> None:
            while True:
                writer.write(b" ")
                # Far more often than the time that a body has.
                await asyncio.sleep(0.02)

        task = asyncio.create_task(trickle())
        async with within(10):
            assert (await read_response(reader))[0] == 408
        task.cancel()
        writer.close()

    async def test_headers_that_do_not_arrive_in_time_are_408(self, serving: Serving) -> None:
        """However slowly they trickle."""
        site = await serving(Policy(header_timeout=0.1))
        reader, writer = await site.connect()
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\n")
        async with within(10):
            assert (await read_response(reader))[0] == 408
            assert await reader.read() == b""
        writer.close()

    async def test_the_second_request_of_a_connection_has_the_same_bounds(self, serving: Serving) -> None:
        """Not only the first."""
        site = await serving(Policy(header_timeout=0.1))
        reader, writer = await site.connect()
        writer.write(request_bytes(review()))
        assert (await read_response(reader))[0] == 200
        writer.write(b"POST / HTTP/1.1\r\n")
        async with within(10):
            assert (await read_response(reader))[0] == 408
        writer.close()

    async def test_a_connection_that_never_says_a_word_is_closed(self, serving: Serving) -> None:
        """Without an answer: nothing was asked."""
        site = await serving(Policy(header_timeout=0.1))
        reader, writer = await site.connect()
        async with within(10):
            assert await reader.read() == b""
        assert site.sample("linkerd_webhook_rejected_requests_total", status="408") is None
        writer.close()

    async def test_an_idle_connection_outlives_the_header_timeout(self, serving: Serving) -> None:
        """The API server keeps its connections for minutes."""
        site = await serving(Policy(header_timeout=0.05, body_timeout=0.05, idle_timeout=30))
        reader, writer = await site.connect()
        writer.write(request_bytes(review()))
        assert (await read_response(reader))[0] == 200
        # Nothing happens, for several times as long as headers and bodies have.
        await asyncio.sleep(0.3)
        writer.write(request_bytes(review()))
        assert (await read_response(reader))[0] == 200
        writer.close()

    async def test_an_idle_connection_is_closed_in_the_end(self, serving: Serving) -> None:
        """Without a word."""
        site = await serving(Policy(idle_timeout=0.1))
        reader, writer = await site.connect()
        writer.write(request_bytes(review()))
        assert (await read_response(reader))[0] == 200
        async with within(10):
            assert await reader.read() == b""
        writer.close()

    async def test_a_webhook_that_takes_its_time_is_not_cut(self, serving: Serving) -> None:
        """The bounds are on the client."""
        site = await serving(Policy(header_timeout=0.05, body_timeout=0.05, idle_timeout=0.05))
        site.webhook.gate.clear()
        task = asyncio.create_task(site.post())
        # Nothing happens, for several times as long as any client has.
        await asyncio.sleep(0.3)
        site.webhook.gate.set()
        assert (await task).status_code == 200

    async def test_endless_headers_are_431(self, serving: Serving) -> None:
        """They would fill the memory within the time that they have."""
        site = await serving(Policy(header_limit=10_000))
        reader, writer = await site.connect()
        writer.write(b"POST / HTTP/1.1\r\n")
        for _ in range(30):
            writer.write(b"x-a: " + b"a" * 1000 + b"\r\n")
        async with within(10):
            assert (await read_response(reader))[0] == 431
        writer.close()


class TestHangUps:
    """A client that goes away is counted, and the log is spared."""

    async def test_a_client_that_hangs_up_in_its_body_is_counted(self, serving: Serving, log_file: LogFile) -> None:
        """Not logged: anybody could fill the disk."""
        site = await serving()
        _, writer = await site.connect()
        writer.write(request_bytes(b"{", length=1000))
        await until(lambda: site.pending == 1)
        writer.transport.abort()
        await until(lambda: site.sample("linkerd_webhook_client_hang_ups_total") == 1)
        await until(lambda: not site.server.server_state.tasks)
        assert await log_file.events() == []

    async def test_a_client_that_does_not_wait_for_its_answer_is_counted(
        self, serving: Serving, log_file: LogFile
    ) -> None:
        """The decision is made and logged all the same."""
        site = await serving()
        site.webhook.gate.clear()
        _, writer = await site.connect()
        writer.write(request_bytes(review()))
        await until(lambda: site.webhook.requests)
        writer.transport.abort()
        await until(lambda: site.sample("linkerd_webhook_client_hang_ups_total") == 1)
        site.webhook.gate.set()
        await until(lambda: not site.server.server_state.tasks)
        assert [event["msg"] for event in await log_file.events()] == ["admission"]
        assert site.sample("linkerd_webhook_in_flight") == 0

    async def test_a_client_that_leaves_after_its_answer_is_not_counted(self, serving: Serving) -> None:
        """Nor one that opened a connection and said nothing, as a probe does."""
        site = await serving()
        reader, writer = await site.connect()
        writer.write(request_bytes(review()))
        await read_response(reader)
        writer.transport.abort()
        _, silent = await site.connect()
        silent.transport.abort()
        await until(lambda: not site.server.server_state.connections)
        assert site.sample("linkerd_webhook_client_hang_ups_total") == 0


START = "http.response.start"
BODY = "http.response.body"


async def exchange(server: Server, request: bytes = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") -> bytes:
    """All that comes back, up to the connection's end or a moment of silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    result = b""
    try:
        async with asyncio.timeout(2):
            while not (result.endswith(b"!") or result.endswith(b"0\r\n\r\n")):
                piece = await reader.read(10_000)
                if not piece:
                    break
                result += piece
    finally:
        writer.close()
    return result


class TestAnswers:
    """Whatever an application answers comes out as HTTP/1.1, mostly in one piece."""

    async def test_one_without_a_length_gets_one(self) -> None:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": START, "status": 200, "headers": [(b"x-a", b"b")]})
            await send({"type": BODY, "body": b"whole!"})

        async with answering(application) as server:
            head, _, body = (await exchange(server)).partition(b"\r\n\r\n")
            lines = head.split(b"\r\n")
            assert lines[0] == b"HTTP/1.1 200 OK"
            assert {b"x-a: b", b"content-length: 6"} <= set(lines)
            assert not any(line.startswith(b"connection") for line in lines)
            assert body == b"whole!"

    async def test_one_that_names_its_length_keeps_it_and_has_it_once(self) -> None:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": START, "status": 404, "headers": [(b"content-length", b"6")]})
            await send({"type": BODY, "body": b"whole!"})

        async with answering(application) as server:
            answer = await exchange(server)
            assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
            assert answer.count(b"content-length: 6\r\n") == 1

    async def test_one_without_a_body_is_empty(self) -> None:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": START, "status": 200, "headers": [(b"connection", b"close")]})
            await send({"type": BODY})

        async with answering(application) as server:
            answer = await exchange(server)
            assert b"content-length: 0\r\n" in answer
            assert answer.endswith(b"\r\n\r\n")

    async def test_one_in_pieces_comes_out_in_pieces(self) -> None:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": START, "status": 200, "headers": []})
            await send({"type": BODY, "body": b"one", "more_body": True})
            await send({"type": BODY, "body": b"two"})

        async with answering(application) as server:
            answer = await exchange(server)
            assert b"transfer-encoding: chunked\r\n" in answer
            assert answer.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    async def test_one_to_head_has_no_body(self) -> None:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send(
                {"type": START, "status": 200, "headers": [(b"content-length", b"6"), (b"connection", b"close")]}
            )
            await send({"type": BODY, "body": b"whole!"})

        async with answering(application) as server:
            answer = await exchange(server, b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"content-length: 6\r\n" in answer
            assert answer.endswith(b"\r\n\r\n")

    @pytest.mark.parametrize("by", ["application", "client", "drain"])
    async def test_one_that_is_the_last_says_so_once_and_the_connection_is_closed(self, by: str) -> None:
        policy = Policy(draining=by == "drain")

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            headers = [(b"connection", b"close")] if by == "application" else []
            await send({"type": START, "status": 200, "headers": headers})
            await send({"type": BODY, "body": b"whole."})

        async with answering(application, policy) as server:
            asked = b"connection: close\r\n" if by == "client" else b""
            answer = await exchange(server, b"GET / HTTP/1.1\r\nhost: x\r\n" + asked + b"\r\n")
            assert answer.endswith(b"\r\n\r\nwhole."), "up to the end of the connection"
            assert answer.count(b"connection: close\r\n") == 1


class TestPolicy:
    """The figures that all connections keep to."""

    def test_an_idle_connection_is_never_closed_before_the_api_server_closes_it(self) -> None:
        """It would send a request into the closing connection."""
        assert Policy().idle_timeout > 90

    def test_a_request_has_no_longer_to_come_in_than_the_api_server_waits_for_its_answer(self) -> None:
        assert Policy().body_timeout <= 10
        assert Policy().header_timeout <= 30
