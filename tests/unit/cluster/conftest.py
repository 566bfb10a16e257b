"""A small API server to test against: Namespaces with list and watch, objects by path, Events; every way to fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from webhook.cluster import watch
from webhook.cluster.api import ApiServer
from webhook.cluster.live import LiveCluster

NAMESPACES = "/api/v1/namespaces"


class FakeApiServer:
    """What the tests set: `objects` by path, `failures` (path -> status, message), `hangs` (paths), `page` (items)."""

    def __init__(self) -> None:
        self.namespaces: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, tuple[int, str]] = {}
        self.hangs: set[str] = set()
        self.page = 1000
        self.requests: list[web.Request] = []
        self.events: list[dict[str, Any]] = []
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.watches: list[asyncio.Queue[bytes | None]] = []
        self.running = 0
        self.most_running = 0
        self._released = asyncio.Event()
        self._version = 100
        self._port = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            self.end_watches()
            self._released.set()
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def paths(self, method: str = "GET") -> list[str]:
        return [request.raw_path for request in self.requests if request.method == method]

    def direct_reads(self) -> list[str]:
        return [path for path in self.paths() if not path.startswith(NAMESPACES + "?")]

    def set_namespace(self, name: str, event: str = "ADDED", **annotations: str) -> None:
        self._version += 1
        body = {
            "kind": "PartialObjectMetadata",
            "metadata": {
                "name": name,
                "resourceVersion": str(self._version),
                "annotations": annotations,
                "labels": {"kubernetes.io/metadata.name": name},
                "managedFields": [{"manager": "kubectl"}],
            },
        }
        if event == "DELETED":
            del self.namespaces[name]
        else:
            self.namespaces[name] = body
        self.send({"type": event, "object": body})

    def send(self, event: dict[str, Any] | bytes) -> None:
        line = event if isinstance(event, bytes) else json.dumps(event).encode()
        for queue in self.watches:
            queue.put_nowait(line + b"\n")

    def end_watches(self) -> None:
        for queue in self.watches:
            queue.put_nowait(None)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._answer(request)
        finally:
            self.running -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path in self.hangs:
            await self._released.wait()
            return self._status(503, "stopped")
        if path in self.failures:
            return self._status(*self.failures[path])
        if request.method == "POST":
            self.events.append(await request.json())
            return web.json_response({})
        if request.method == "PATCH":
            self.patches.append((path, await request.json()))
            return web.json_response({})
        if path == NAMESPACES:
            return await (self._watch(request) if "watch" in request.query else self._list(request))
        name = path.removeprefix(NAMESPACES + "/")
        found = self.objects.get(path) or self.namespaces.get(name)
        return web.json_response(found) if found else self._status(404, f'"{name}" not found')

    def _status(self, code: int, message: str) -> web.Response:
        return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)

    async def _list(self, request: web.Request) -> web.Response:
        start = int(request.query.get("continue", "0"))
        items = list(self.namespaces.values())
        metadata = {"resourceVersion": str(self._version)}
        if start + self.page < len(items):
            metadata["continue"] = str(start + self.page)
        return web.json_response({"metadata": metadata, "items": items[start : start + self.page]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.watches.append(queue)
        try:
            while (line := await queue.get()) is not None:
                await response.write(line)
        finally:
            self.watches.remove(queue)
        return response


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def _until(condition: Callable[[], Any], seconds: float = 3) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait until a condition holds; fail after 3 seconds."""
    return _until


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off in milliseconds."""
    monkeypatch.setattr(watch, "BACKOFF", (0.001, 0.02))


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    server = FakeApiServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def api(server: FakeApiServer) -> AsyncIterator[ApiServer]:
    api = ApiServer(Configuration(host=server.url))
    yield api
    await api.close()


@pytest.fixture
async def cluster(api: ApiServer, clock: Clock) -> AsyncIterator[LiveCluster]:
    """Not started: only direct reads."""
    cluster = LiveCluster(api, clock)
    yield cluster
    await cluster.stop()
