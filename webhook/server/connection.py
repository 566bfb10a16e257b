"""HTTP connections: those of uvicorn, with what it lacks.

- Timeouts. uvicorn waits forever for headers and bodies. Here each connection has a deadline, and one sweep per second
  checks the deadlines of all connections, which costs less than a timer per request.
- Answers in one write. Head and body in two writes would be two TLS records and two system calls.
- `Connection: close` on answers while the server drains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

_NEVER = float("inf")


def _ignore(*_: object) -> None:
    pass


@dataclass(slots=True)
class Policy:
    """The limits of all connections of a server. Timeouts are in seconds, `header_limit` in bytes.

    `rejected` is called with the status of each HTTP error that a connection sends itself, `hung_up` whenever a client
    closes a connection before its request was answered.
    """

    header_timeout: float = 15.0
    body_timeout: float = 10.0
    # The API server closes its idle connections after 90 s; it must never be this server that closes them first.
    idle_timeout: float = 330.0
    header_limit: int = 64 * 1024
    draining: bool = False
    rejected: Callable[[int], None] = _ignore
    hung_up: Callable[[], None] = _ignore


def error_body(error: str, fix: str) -> bytes:
    """The body of every HTTP error: what is wrong, and what to do."""
    return orjson.dumps({"error": error, "fix": fix})


class _Exchange(RequestResponseCycle):
    """A request and its answer. Head and body of an answer are sent in one write if the body comes in one piece."""

    _head: dict[str, Any] | None = None

    async def send(self, message: Any) -> None:
        """ASGI's send."""
        if message["type"] == "http.response.start" and not self.response_started:
            self._head = message
            return
        head = self._head
        if head is None:
            await super().send(message)
            return
        self._head = None
        if message.get("more_body") or self.flow.write_paused or self.disconnected or self.scope["method"] == "HEAD":
            await super().send(cast(Any, head))
            await super().send(message)
            return
        self._send_at_once(head["status"], head.get("headers", ()), message.get("body", b""))

    def _send_at_once(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        parts = [STATUS_LINE[status]]
        sized = False
        for name, value in (*self.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
            if name == b"content-length":
                sized = True
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
        if not sized:
            parts += (b"content-length: ", b"%d" % len(body), b"\r\n")
        if not self.keep_alive and (b"connection", b"close") not in headers:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join(parts))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


Phase = Literal["idle", "headers", "body", "answer"]


class Connection(HttpToolsProtocol):
    """A connection with the limits of a `Policy`. Call `sweep` about once a second."""

    cycle: _Exchange

    def __init__(
        self,
        policy: Policy,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._policy = policy
        self._phase: Phase = "headers"
        self._deadline = self.loop.time() + policy.header_timeout
        self._header_bytes = 0

    def data_received(self, data: bytes) -> None:
        """The event loop's call: bytes from the client have arrived."""
        if self._phase == "idle":
            self._phase = "headers"
            self._deadline = self.loop.time() + self._policy.header_timeout
            self._header_bytes = 0
        super().data_received(data)
        if self._phase == "headers":
            self._header_bytes += len(data)
            if self._header_bytes > self._policy.header_limit:
                self._refuse(
                    431,
                    f"the headers are longer than {self._policy.header_limit} bytes",
                    "send an AdmissionReview as the API server does",
                )

    def on_headers_complete(self) -> None:
        """The parser's call: the request's head is known."""
        self._phase = "body"
        self._deadline = self.loop.time() + self._policy.body_timeout
        super().on_headers_complete()
        # uvicorn has no setting for the class of its exchanges; this class needs no __init__ of its own.
        self.cycle.__class__ = _Exchange
        if self._policy.draining:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The parser's call: the request's last byte is here."""
        if self.cycle.response_complete:
            self._await_request()
        else:
            self._phase = "answer"
            self._deadline = _NEVER
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """uvicorn's call: the answer was written. Does the same as uvicorn's own, without a timer per request."""
        self.server_state.total_requests += 1
        if not self.pipeline and self._phase == "answer":
            # In another phase the answer was sent before the body had ended, whose deadline still applies.
            self._await_request()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def _await_request(self) -> None:
        self._phase = "idle"
        self._deadline = self.loop.time() + self._policy.idle_timeout

    def connection_lost(self, exc: Exception | None) -> None:
        """The event loop's call: the connection was closed."""
        if self._unanswered():
            self._policy.hung_up()
        super().connection_lost(exc)

    def _unanswered(self) -> bool:
        """Whether a request has begun, perhaps with part of a header only, and is not answered yet."""
        if self._phase == "headers":
            return self._header_bytes > 0
        return self._phase != "idle" and not self.cycle.response_complete

    def sweep(self, now: float) -> None:
        """Close the connection if its deadline has passed. `now` is the event loop's time, in seconds."""
        if now < self._deadline or self.transport.is_closing():
            return
        if not self._unanswered():
            self.transport.close()
            return
        seconds = self._policy.header_timeout if self._phase == "headers" else self._policy.body_timeout
        self._refuse(408, f"the request's {self._phase} did not arrive within {seconds:g} s", "send it at once")

    def close_after_answer(self) -> None:
        """Close the connection once the current request, if any, is answered."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Answer the current request, if any, and close the connection."""
        if self._unanswered():
            self.close_after_answer()
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """uvicorn's call: what came is not HTTP."""
        self._refuse(
            400, "the request is not HTTP/1.1", "send an AdmissionReview over HTTP/1.1, as the API server does"
        )

    def _refuse(self, status: int, error: str, fix: str) -> None:
        """Send an HTTP error in place of the application, and close the connection."""
        self._phase = "idle"
        self._deadline = _NEVER
        answered = False
        if self.cycle is not None and not self.cycle.response_complete:
            answered = self.cycle.response_started
            # For the application the client has gone away, so that it sends nothing more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not answered:
            self._policy.rejected(status)
            body = error_body(error, fix)
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
