"""The API server of the tests over HTTP: in the test's own loop, or in a thread beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from tests.kube.store import Request, Store
from webhook.kube.errors import ApiError


class FakeApiServer(Store):
    """A store that listens on a port of its own, the same after each `start`. `running` are the requests in work.

    `forwards` are the local ports that a port-forward to a Pod leads to, by the Pod's path; None is a Pod in which
    nothing listens.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forwards: dict[str, int | None] = {}
        self.running = 0
        self.most_running = 0
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End all watches and connections, and listen no more."""
        if self._runner is not None:
            self.end_watches()
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        asked = Request(request.method, request.path, request.query, body, request.headers, request.raw_path)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if "watch" in request.query:
                return await self._stream(request, asked)
            pod, slash, _ = request.path.partition("/portforward")
            if slash:
                return await self._forward(request, asked, pod)
            return web.json_response(await self.answer(asked))
        except ApiError as error:
            status = {"kind": "Status", "code": error.status, "message": error.message}
            return web.json_response(status, status=error.status)
        finally:
            self.running -= 1

    async def _forward(self, request: web.Request, asked: Request, pod: str) -> web.StreamResponse:
        """As a kubelet: a byte for the channel, and the port's number first on each."""
        await self._receive(asked)
        if pod not in self.forwards:
            raise ApiError(404, f"{pod} not found")
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        number = int(request.query["ports"]).to_bytes(2, "little")
        for channel in (b"\x00", b"\x01"):
            await socket.send_bytes(channel + number)
        port = self.forwards[pod]
        if port is None:
            await socket.send_bytes(b"\x01dial tcp4: connect: connection refused")
            await socket.close()
            return socket
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def down() -> None:
            while piece := await reader.read(4096):
                await socket.send_bytes(b"\x00" + piece)
            await socket.close()

        task = asyncio.create_task(down())
        async for message in socket:
            writer.write(message.data[1:])
        task.cancel()
        writer.close()
        return socket

    async def _stream(self, request: web.Request, asked: Request) -> web.StreamResponse:
        async with self.watch(asked) as lines:
            response = web.StreamResponse()
            await response.prepare(request)
            async for line in lines:
                await response.write(line)
        return response


@contextmanager
def served(folder: Path) -> Iterator[tuple[FakeApiServer, Path]]:
    """An API server in a thread, and a kubeconfig that leads there: for commands, which have a loop of their own."""
    server, loop = FakeApiServer(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def there(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(10)

    there(server.start())
    try:
        yield server, kubeconfig(folder, server.url)
    finally:
        there(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def kubeconfig(folder: Path, url: str) -> Path:
    """A kubeconfig of a server, without credentials."""
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": {"server": url}}],
                "users": [{"name": "test", "user": {}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                "current-context": "test",
            }
        )
    )
    return path
