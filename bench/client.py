"""A light HTTP/1.1 client: raw sockets under uvloop, TLS, one request at a time on each kept-alive connection."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import httptools
import uvloop

T = TypeVar("T")


@dataclass(slots=True)
class Measured:
    """What a load generator saw. Latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p90: float
    p99: float
    errors: int = 0
    bytes_each: float = 0
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0


class Connection(asyncio.Protocol):
    """One connection to a server. After an error, open another."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server hung up: {exc}"))

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._answer and not self._answer.done():
                self._answer.set_exception(ConnectionError(f"no HTTP: {error}"))
            self.close()

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status, body = self._parser.get_status_code(), b"".join(self._body)
        self._body.clear()
        self._parser = httptools.HttpResponseParser(self)
        if self._answer and not self._answer.done():
            self._answer.set_result((status, body))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request, head and body; return status and body."""
        if self._transport is None:
            raise ConnectionError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hang up at once: a benchmark waits for no close_notify."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and what every one of them carries."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    headers: tuple[tuple[str, str], ...] = ()

    async def connect(self) -> Connection:
        """Open a connection."""
        loop = asyncio.get_running_loop()
        name = self.host if self.tls else None
        _, connection = await loop.create_connection(
            Connection, self.host, self.port, ssl=self.tls, server_hostname=name
        )
        return connection

    def request(self, method: str, path: str, body: bytes = b"", media_type: str = "application/json") -> bytes:
        """A whole request as bytes."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Content-Length: {len(body)}"]
        if body:
            lines.append(f"Content-Type: {media_type}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + body


async def for_each(
    target: Target,
    requests: Iterable[bytes],
    connections: int,
    done: Callable[[float, int, bytes], None],
    until: float | None = None,
) -> None:
    """Send every request, that many at a time; stop taking more at `until` (monotonic). `done` gets each answer."""
    source: Iterator[bytes] = iter(requests)

    async def work() -> None:
        connection = await target.connect()
        try:
            for request in source:
                began = time.perf_counter()
                if until is not None and time.monotonic() >= until:
                    return
                try:
                    status, body = await connection.send(request)
                except ConnectionError as error:
                    status, body = 0, str(error).encode()
                    connection = await target.connect()
                done(time.perf_counter() - began, status, body)
        finally:
            connection.close()

    await asyncio.gather(*(work() for _ in range(connections)))


def load(
    target: Target, requests: Iterable[bytes], connections: int, seconds: float | None = None, want: int = 200
) -> Measured:
    """Send requests for that long (over and over), or each once. Any status but `want` is an error."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    size = 0

    def done(took: float, status: int, body: bytes) -> None:
        nonlocal size
        times.append(took)
        statuses[status] += 1
        size += len(body)

    began = time.monotonic()
    until = None if seconds is None else began + seconds
    run(for_each(target, requests if seconds is None else itertools.cycle(requests), connections, done, until))
    took = time.monotonic() - began
    times.sort()

    def percentile(share: float) -> float:
        return times[min(len(times) - 1, int(share * len(times)))] * 1000 if times else 0.0

    count = len(times)
    return Measured(
        requests=count,
        seconds=took,
        p50=percentile(0.5),
        p90=percentile(0.9),
        p99=percentile(0.99),
        errors=count - statuses[want],
        bytes_each=size / count if count else 0,
        statuses=statuses,
    )


def answers(target: Target, requests: Iterable[bytes], connections: int = 4) -> list[tuple[int, bytes]]:
    """Send each once and return status and body of all, in the order in which they came back."""
    answered: list[tuple[int, bytes]] = []
    run(for_each(target, requests, connections, lambda _, status, body: answered.append((status, body))))
    return answered


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a fresh uvloop."""
    return uvloop.run(work)
