"""Runs the two uvicorn servers in one event loop, and drains and stops them together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.types import ASGIApp

from webhook.server.connection import Connection, Policy
from webhook.server.listen import BACKLOG

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. All of a shutdown fits into the 30 s that Kubernetes gives a Pod by default."""

    # Requests still arrive until every node has removed the endpoint.
    shutdown_delay: float = 3.0
    # For the delay and the requests in flight together (the API server waits 10 s for a webhook by default).
    grace: float = 25.0
    tls_handshake: float = 15.0
    # For a client that does not close its side of a TLS connection; uvicorn would wait 30 s.
    tls_shutdown: float = 2.0
    sweep: float = 1.0


class Server(uvicorn.Server):
    """A uvicorn server on a bound socket, with the limits of a policy. It installs no signal handlers."""

    def __init__(
        self, app: ASGIApp, sock: socket.socket, policy: Policy, times: Times, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
            )
        )
        self.policy = policy
        self._times = times
        self._sock = sock
        self._tls = tls
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port on which it listens, also if port 0 was requested."""
        return int(self._sock.getsockname()[1])

    async def start(self) -> None:
        """Start to accept connections."""
        await self.startup()
        self._task = asyncio.create_task(self._work(), name=f"server on port {self.port}")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's own, with timeouts for TLS, for which uvicorn has no settings."""
        if not self.config.loaded:
            self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        server = await asyncio.get_running_loop().create_server(
            self._connection,
            sock=self._sock,
            ssl=self._tls,
            backlog=BACKLOG,
            ssl_handshake_timeout=self._times.tls_handshake if self._tls else None,
            ssl_shutdown_timeout=self._times.tls_shutdown if self._tls else None,
        )
        self.servers = [server]
        self.started = True

    def _connection(self) -> Connection:
        return Connection(self.policy, self.config, self.server_state, {}, asyncio.get_running_loop())

    def _connections(self) -> list[Connection]:
        return [connection for connection in self.server_state.connections if isinstance(connection, Connection)]

    def _busy(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)

    async def _work(self) -> None:
        """Update the Date header, and check the deadlines of all connections."""
        loop = asyncio.get_running_loop()
        while True:
            await self.on_tick(0)
            now = loop.time()
            for connection in self._connections():
                connection.sweep(now)
            await asyncio.sleep(self._times.sweep)

    def drain(self) -> None:
        """Close each connection after its next answer; new connections are still accepted."""
        self.policy.draining = True
        for connection in self._connections():
            connection.close_after_answer()

    async def stop(self, within: float) -> bool:
        """Accept no more connections, and wait for requests in flight for at most `within` seconds.

        Returns False if some were still in flight then and were aborted.
        """
        for server in self.servers:
            server.close()
        for connection in self._connections():
            connection.shutdown()
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        while self._busy() and loop.time() < end:  # noqa: ASYNC110 - uvicorn has no event for changes of these sets
            await asyncio.sleep(0.02)
        complete = not self._busy()
        for connection in self._connections():
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return complete


class Signals:
    """SIGTERM and SIGINT: the first sets `received`, the second ends the process at once."""

    def __init__(self, at_exit: Callable[[], None] = lambda: None) -> None:
        self.received = asyncio.Event()
        self._at_exit = at_exit

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals in the running loop, within the block."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._handle, number)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _handle(self, number: int) -> None:
        name = signal.Signals(number).name
        if not self.received.is_set():
            log.info("shutting down: answering the requests in flight", signal=name)
            self.received.set()
            return
        log.warning("exiting at once", signal=name)
        self._at_exit()
        os._exit(128 + number)


async def serve_until(
    stop: asyncio.Event, admissions: Server, admin: Server, times: Times, draining: Callable[[], None]
) -> None:
    """Wait until `stop` is set, then shut down both started servers.

    `draining` is called first and makes the server not ready. After the shutdown delay the server accepts no more
    requests, and answers those in flight.
    """
    await stop.wait()
    draining()
    admissions.drain()
    await asyncio.sleep(times.shutdown_delay)
    left = times.grace - times.shutdown_delay
    if not await admissions.stop(left):
        log.warning("requests were still in flight and were aborted", waited_s=left)
    await admin.stop(1.0)
    log.info("stopped")
