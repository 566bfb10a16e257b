"""A small API server to test against: Namespaces and CRDs with list and watch, objects by path; every way to fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from webhook.cluster.live import LiveCluster
from webhook.kube import watch
from webhook.kube.api import ApiServer

NAMESPACES = "/api/v1/namespaces"

Until = Callable[[Callable[..., Any]], Awaitable[None]]


def plural(kind: str) -> str:
    """A kind as it stands in a path."""
    return f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"


class FakeApiServer:
    """What the tests set: `objects` by path, `failures` (path -> status, message), `hangs` (paths), `page` (items),
    `groups` (API group -> version -> kinds), whose `collections` (and those of `/api/v1`) are by path."""

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
        self.groups: dict[str, dict[str, list[str]]] = {}
        self.collections: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
        self.streams: dict[str, list[asyncio.Queue[bytes | None]]] = {}
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

    def serve(self, group: str, version: str, *kinds: str) -> None:
        self.groups.setdefault(group, {})[version] = list(kinds)
        for kind in kinds:
            self.collections.setdefault(f"/apis/{group}/{version}/{plural(kind)}", {})

    def unserve(self, group: str) -> None:
        for version, kinds in self.groups.pop(group).items():
            for kind in kinds:
                path = f"/apis/{group}/{version}/{plural(kind)}"
                del self.collections[path]
                self._end(self.streams.get(path, []))

    def put(self, path: str, namespace: str, name: str, event: str = "ADDED", **fields: Any) -> None:
        self._version += 1
        metadata = {"namespace": namespace, "name": name, "resourceVersion": str(self._version)}
        body = {"metadata": metadata, **fields}
        if event == "DELETED":
            del self.collections[path][namespace, name]
        else:
            self.collections[path][namespace, name] = body
        for queue in self.streams.get(path, []):
            queue.put_nowait(json.dumps({"type": event, "object": body}).encode() + b"\n")

    def send(self, event: dict[str, Any] | bytes) -> None:
        line = event if isinstance(event, bytes) else json.dumps(event).encode()
        for queue in self.watches:
            queue.put_nowait(line + b"\n")

    def end_watches(self) -> None:
        self._end(self.watches)
        for queues in self.streams.values():
            self._end(queues)

    def _end(self, queues: list[asyncio.Queue[bytes | None]]) -> None:
        for queue in queues:
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
            return await self._collection(request, list(self.namespaces.values()), self.watches)
        if path in self.collections:
            queues = self.streams.setdefault(path, [])
            return await self._collection(request, list(self.collections[path].values()), queues)
        if path.startswith("/apis/") and path.count("/") < 4 and path not in self.objects:
            return self._discovery(*path.split("/")[2:])
        name = path.removeprefix(NAMESPACES + "/")
        found = self.objects.get(path) or self.namespaces.get(name)
        return web.json_response(found) if found else self._status(404, f'"{name}" not found')

    def _status(self, code: int, message: str) -> web.Response:
        return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)

    def _discovery(self, group: str, version: str = "") -> web.Response:
        versions = self.groups.get(group, {})
        if not version and versions:
            return web.json_response({"kind": "APIGroup", "versions": [{"version": each} for each in versions]})
        if version not in versions:
            return self._status(404, "the server could not find the requested resource")
        verbs = ["get", "list", "watch"]
        found = [{"name": f"{plural(kind)}", "kind": kind, "verbs": verbs} for kind in versions[version]]
        found += [{"name": f"{plural(kind)}/status", "kind": kind, "verbs": ["get"]} for kind in versions[version]]
        return web.json_response({"kind": "APIResourceList", "resources": found})

    async def _collection(
        self, request: web.Request, items: list[dict[str, Any]], queues: list[asyncio.Queue[bytes | None]]
    ) -> web.StreamResponse:
        return await self._watch(request, queues) if "watch" in request.query else self._list(request, items)

    def _list(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        start = int(request.query.get("continue", "0"))
        metadata = {"resourceVersion": str(self._version)}
        if start + self.page < len(items):
            metadata["continue"] = str(start + self.page)
        return web.json_response({"metadata": metadata, "items": items[start : start + self.page]})

    async def _watch(self, request: web.Request, queues: list[asyncio.Queue[bytes | None]]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        queues.append(queue)
        try:
            while (line := await queue.get()) is not None:
                await response.write(line)
        finally:
            queues.remove(queue)
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
def until() -> Until:
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
