"""The API server of the tests, in memory: objects by path, and the rules by which a real one keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.kube.configurations import owners
from tests.kube.rules import BUILT_IN, Place, as_asked, as_item, check, matches, merged, place, plural, same_version
from webhook.kube.api import OBJECT, PLAIN
from webhook.kube.errors import ApiError, NotFound
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ROOT

NAMESPACES = "/api/v1/namespaces"
MERGE_PATCH = "application/merge-patch+json"


class Killed(Exception):
    """The process ends here: nobody catches this."""


@dataclass
class Request:
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: JSON | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw_path: str = ""

    @property
    def accept(self) -> str:
        """The media types that the client takes."""
        return self.headers.get("Accept", PLAIN)


@dataclass(eq=False)
class Stream:
    """An open watch: who asked for it, and the lines that are to be sent; None ends it."""

    request: Request
    lines: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)

    def put(self, event: JSON) -> None:
        """Tell of an event, if it is about what was asked for."""
        if matches(event["object"], self.request.query):
            told = {**event, "object": as_asked(event["object"], self.request.accept)}
            self.lines.put_nowait(json.dumps(told).encode() + b"\n")


class Store:
    """Objects by path, each of which gets the next resourceVersion whenever it is written.

    `put` and `remove` are writes by somebody else, and watches hear of them; what is set in `objects` itself no watch
    hears of. An object that stands at the path of a collection is what a list of it answers, to the letter.

    `failures` are by path, or by method and path (`PUT /…`); `hangs` are paths that get no answer. `before` is called
    ahead of each request, and may give an exception to raise; `written` after each write that was done, and then `lose`
    with the number of them, which may give the exception that the client sees in place of the answer. `admit` stands
    for the admission webhooks: what it returns is stored. A list has at most `page` items.

    `requests` are all that came, `done` the writes among them that were done.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.groups: dict[str, dict[str, list[str]]] = {}
        self.failures: dict[str, Exception] = {}
        self.hangs: set[str] = set()
        self.page = 1000
        self.before: Callable[[str, str], BaseException | None] = lambda method, path: None
        self.written: Callable[[], None] = lambda: None
        self.lose: Callable[[int], BaseException | None] = lambda number: None
        self.admit: Callable[[JSON], JSON] = lambda body: body
        self.requests: list[Request] = []
        self.done: list[Request] = []
        self.streams: dict[str, list[Stream]] = {}
        self._version = 100
        self._history: list[tuple[int, Place, JSON]] = []

    # What a test looks at.

    def paths(self, method: str = "GET") -> list[str]:
        """The paths of all requests of a method, with their queries."""
        return [request.raw_path for request in self.requests if request.method == method]

    def direct_reads(self) -> list[str]:
        """The paths of all GETs but those of all Namespaces."""
        return [path for path in self.paths() if not path.startswith(f"{NAMESPACES}?")]

    def sent(self, method: str) -> list[JSON]:
        """The bodies of all requests of a method."""
        return [request.body or {} for request in self.requests if request.method == method]

    @property
    def tried(self) -> list[Request]:
        """All writes, done or not."""
        return [request for request in self.requests if request.method != "GET"]

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The methods and paths of all writes that were tried."""
        return [(request.method, request.path) for request in self.tried]

    @property
    def writes(self) -> list[tuple[str, str]]:
        """The methods and paths of all writes that were done."""
        return [(request.method, request.path) for request in self.done]

    @property
    def watches(self) -> list[Stream]:
        """The open watches of Namespaces."""
        return self.streams.get(NAMESPACES, [])

    # What somebody else does.

    def put(self, path: str, body: JSON, manager: str = "kubectl") -> JSON:
        """Somebody writes an object, whatever was there."""
        return self._store(path, copy.deepcopy(body), manager)

    def add(self, collection: str, namespace: str, name: str, **fields: Any) -> JSON:
        """Somebody writes an object of a collection of all Namespaces."""
        root, _, resource = collection.rpartition("/")
        return self.put(f"{root}/namespaces/{namespace}/{resource}/{name}", fields)

    def set_namespace(self, name: str, **annotations: str) -> None:
        """Somebody writes a Namespace."""
        labels = {"kubernetes.io/metadata.name": name}
        metadata = {"annotations": annotations, "labels": labels, "managedFields": [{"manager": "kubectl"}]}
        self.put(f"{NAMESPACES}/{name}", {"kind": "Namespace", "metadata": metadata})

    def remove(self, path: str) -> None:
        """Somebody deletes an object, if it is there."""
        if path in self.objects:
            self._delete(path)

    def serve(self, group: str, version: str, *kinds: str) -> None:
        """Somebody installs CRDs."""
        self.groups.setdefault(group, {})[version] = list(kinds)

    def unserve(self, group: str) -> None:
        """Somebody deletes CRDs, and so their objects; nobody can watch them any more."""
        del self.groups[group]
        root = f"/apis/{group}/"
        self.objects = {path: body for path, body in self.objects.items() if not path.startswith(root)}
        for path, streams in self.streams.items():
            if path.startswith(root):
                _end(streams)

    def tell(self, event: JSON | bytes, path: str = NAMESPACES) -> None:
        """Send an event, or any line, to all watches of a collection."""
        for stream in self.streams.get(path, []):
            stream.lines.put_nowait((event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n")

    def end_watches(self) -> None:
        """End all watches, as an API server does that shuts down."""
        for streams in self.streams.values():
            _end(streams)

    # As `webhook.kube.api.ApiServer`.

    async def send(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        content_type: str = PLAIN,
        query: Mapping[str, str] | None = None,
        within: float = 5.0,
    ) -> JSON:
        """Any request for one whole object."""
        headers = {"Accept": PLAIN, "Content-Type": content_type}
        answer: JSON = await self.answer(Request(method, path, query or {}, copy.deepcopy(body), headers, path))
        return answer

    async def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = OBJECT) -> JSON:
        """GET, by default the metadata alone."""
        answer: JSON = await self.answer(Request("GET", path, query or {}, None, {"Accept": accept}, path))
        return answer

    async def read(self, path: str, query: Mapping[str, str] | None = None, accept: str = OBJECT) -> bytes:
        """GET, as it came."""
        return json.dumps(await self.get(path, query, accept)).encode()

    async def find(self, path: str, accept: str = OBJECT) -> JSON | None:
        """GET what may not be there, by default its metadata alone."""
        try:
            return await self.get(path, accept=accept)
        except NotFound:
            return None

    async def answer(self, request: Request) -> Any:
        """The answer to a request that is not a watch. Raises what `failures` and `before` say, and `ApiError`."""
        await self._receive(request)
        if request.method == "GET":
            return copy.deepcopy(self._read(request))
        body = copy.deepcopy(self._write(request))
        self.done.append(request)
        self.written()
        error = self.lose(len(self.done))
        if error is not None:
            raise error
        return body

    @contextlib.asynccontextmanager
    async def watch(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of a watch: what came after the resourceVersion that is asked for, and all that comes."""
        await self._receive(request)
        where = place(request.path)
        if where is None or not self._served(where):
            raise ApiError(404, "the server could not find the requested resource")
        stream = Stream(request)
        version = request.query.get("resourceVersion", "")
        since = int(version) if version.isdigit() else self._version
        for number, written, event in self._history:
            if number > since and where.holds(written):
                stream.put(event)
        streams = self.streams.setdefault(request.path, [])
        streams.append(stream)
        try:
            yield _lines(stream)
        finally:
            streams.remove(stream)

    async def _receive(self, request: Request) -> None:
        self.requests.append(request)
        error = self.before(request.method, request.path)
        if error is not None:
            raise error
        if request.path in self.hangs:
            await asyncio.Event().wait()
        failure = self.failures.get(f"{request.method} {request.path}") or self.failures.get(request.path)
        if failure is not None:
            raise failure

    def _served(self, where: Place) -> bool:
        if where.group in BUILT_IN:
            return True
        kinds = self.groups.get(where.group, {}).get(where.root.rpartition("/")[2], [])
        return where.resource in map(plural, kinds)

    # Reading.

    def _read(self, request: Request) -> Any:
        path = request.path
        where = place(path)
        if path in self.objects:
            return as_asked(self.objects[path], request.accept)
        if where is not None and not where.name and self._served(where):
            return self._list(where, request)
        if where is None and path.startswith("/apis/"):
            return self._discovery(*path.split("/")[2:])
        raise ApiError(404, f'"{path.rpartition("/")[2]}" not found')

    def _discovery(self, group: str, version: str = "", *_: str) -> JSON:
        versions = self.groups.get(group, {})
        if not version and versions:
            return {"kind": "APIGroup", "versions": [{"version": name} for name in versions]}
        if version not in versions:
            raise ApiError(404, "the server could not find the requested resource")
        verbs = ["get", "list", "watch"]
        resources = [{"name": plural(kind), "kind": kind, "verbs": verbs} for kind in versions[version]]
        resources += [{"name": f"{plural(kind)}/status", "kind": kind, "verbs": ["get"]} for kind in versions[version]]
        return {"kind": "APIResourceList", "resources": resources}

    def _list(self, where: Place, request: Request) -> JSON:
        # In the order of the keys, as etcd has them.
        stored = [(place(path), self.objects[path]) for path in sorted(self.objects)]
        items = [body for at, body in stored if at is not None and where.holds(at) and matches(body, request.query)]
        start = int(request.query.get("continue", "0"))
        end = start + min(self.page, int(request.query.get("limit", self.page)))
        metadata = {"resourceVersion": str(self._version), **({"continue": str(end)} if end < len(items) else {})}
        return {"metadata": metadata, "items": [as_item(body, where, request.accept) for body in items[start:end]]}

    # Writing.

    def _write(self, request: Request) -> JSON:
        method, path, body = request.method, request.path, copy.deepcopy(request.body)
        if method == "POST":
            return self._create(request, body)
        if path not in self.objects:
            raise ApiError(404, f'"{path.rpartition("/")[2]}" not found')
        before = self.objects[path]
        if method == "DELETE":
            same_version(before, (body or {}).get("preconditions", {}).get("resourceVersion"))
            return self._delete(path)
        assert body is not None
        if method == "PATCH":
            if request.headers.get("Content-Type") != MERGE_PATCH:
                raise ApiError(415, "the body of the request was in an unknown format")
            same_version(before, body.get("metadata", {}).get("resourceVersion"))
            body = merged(before, body)
        else:
            assert method == "PUT", method
            if not body["metadata"].get("resourceVersion"):
                raise ApiError(422, "metadata.resourceVersion: Invalid value: 0: must be specified for an update")
            same_version(before, body["metadata"]["resourceVersion"])
        check(before, body)
        return self._admitted(request, path, body)

    def _admitted(self, request: Request, path: str, body: JSON) -> JSON:
        body = self.admit(body)
        if request.query.get("dryRun"):
            return body
        return self._store(path, body, request.query.get("fieldManager", "unknown"))

    def _create(self, request: Request, body: JSON | None) -> JSON:
        where = place(request.path)
        if where is None or where.name or not self._served(where):
            raise ApiError(404, "the server could not find the requested resource")
        assert body is not None
        if body["metadata"].get("resourceVersion"):
            raise ApiError(500, "resourceVersion should not be set on objects to be created")
        if "name" not in body["metadata"] and body["metadata"].get("generateName"):
            body["metadata"]["name"] = f"{body['metadata']['generateName']}x4v2b"
        path = f"{request.path}/{body['metadata']['name']}"
        if path in self.objects:
            raise ApiError(409, f'"{body["metadata"]["name"]}" already exists')
        check(None, body)
        return self._admitted(request, path, body)

    def _store(self, path: str, body: JSON, manager: str) -> JSON:
        before, where = self.objects.get(path), place(path)
        self._version += 1
        metadata = body.setdefault("metadata", {})
        metadata["resourceVersion"] = str(self._version)
        if where is not None:
            metadata.setdefault("name", where.name)
            if where.namespace:
                metadata.setdefault("namespace", where.namespace)
        if path.startswith(ROOT):
            metadata["managedFields"] = owners(before, body, manager)
        self.objects[path] = body
        self._notify("ADDED" if before is None else "MODIFIED", path, body)
        return body

    def _delete(self, path: str) -> JSON:
        body: JSON = self.objects.pop(path)
        self._version += 1
        last = copy.deepcopy(body)
        last.setdefault("metadata", {})["resourceVersion"] = str(self._version)
        self._notify("DELETED", path, last)
        return body

    def _notify(self, kind: str, path: str, body: JSON) -> None:
        where = place(path)
        if where is None:
            return
        event = {"type": kind, "object": copy.deepcopy(body)}
        self._history.append((self._version, where, event))
        for collection, streams in self.streams.items():
            watched = place(collection)
            for stream in streams if watched is not None and watched.holds(where) else ():
                stream.put(event)


async def _lines(stream: Stream) -> AsyncIterator[bytes]:
    while (line := await stream.lines.get()) is not None:
        yield line


def _end(streams: list[Stream]) -> None:
    for stream in streams:
        stream.lines.put_nowait(None)
