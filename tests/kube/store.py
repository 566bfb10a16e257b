"""The API server of the tests, in memory: objects by path, and the rules by which a real one keeps them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import functools
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.kube.configurations import owners
from webhook.kube.api import OBJECT, PLAIN
from webhook.kube.errors import ApiError, NotFound
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ROOT

NAMESPACES = "/api/v1/namespaces"
MERGE_PATCH = "application/merge-patch+json"

# API groups that are there without a CRD.
BUILT_IN = frozenset(
    {"", "apps", "batch", "policy", "admissionregistration.k8s.io", "apiextensions.k8s.io", "coordination.k8s.io"}
    | {"discovery.k8s.io", "events.k8s.io", "rbac.authorization.k8s.io"}
)

_PLACE = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?")


class Killed(Exception):
    """The process ends here: nobody catches this."""


class Place(NamedTuple):
    """What a path means. Without a name it is a collection, in all Namespaces where none is given."""

    root: str
    namespace: str
    resource: str
    name: str

    @property
    def group(self) -> str:
        """The API group, "" for the core."""
        return self.root.split("/")[2] if self.root.startswith("/apis/") else ""

    def holds(self, other: Place) -> bool:
        """Whether another place is an object of this collection."""
        same = (self.root, self.resource) == (other.root, other.resource)
        return same and bool(other.name) and self.namespace in ("", other.namespace)


@functools.lru_cache(maxsize=10_000)
def place(path: str) -> Place | None:
    """What a path means; None for what is neither an object nor a collection, such as `/version`."""
    match = _PLACE.fullmatch(path)
    return Place(match[1], match[2] or "", match[3], match[4] or "") if match else None


def plural(kind: str) -> str:
    """A kind as it stands in a path."""
    return f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"


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
        self.streams: dict[str, list[asyncio.Queue[bytes | None]]] = {}
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
    def watches(self) -> list[asyncio.Queue[bytes | None]]:
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
        for path, queues in self.streams.items():
            if path.startswith(root):
                _end(queues)

    def tell(self, event: JSON | bytes, path: str = NAMESPACES) -> None:
        """Send an event, or any line, to all watches of a collection."""
        for queue in self.streams.get(path, []):
            queue.put_nowait((event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n")

    def end_watches(self) -> None:
        """End all watches, as an API server does that shuts down."""
        for queues in self.streams.values():
            _end(queues)

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
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        version = request.query.get("resourceVersion", "")
        since = int(version) if version.isdigit() else self._version
        for number, written, event in self._history:
            if number > since and where.holds(written):
                queue.put_nowait(json.dumps(event).encode() + b"\n")
        queues = self.streams.setdefault(request.path, [])
        queues.append(queue)
        try:
            yield _lines(queue)
        finally:
            queues.remove(queue)

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
            return _as_asked(self.objects[path], request.accept)
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
        items = [body for _, body in self._selected(where, request.query)]
        start = int(request.query.get("continue", "0"))
        end = start + min(self.page, int(request.query.get("limit", self.page)))
        metadata = {"resourceVersion": str(self._version), **({"continue": str(end)} if end < len(items) else {})}
        return {"metadata": metadata, "items": [_as_item(body, where, request.accept) for body in items[start:end]]}

    def _selected(self, where: Place, query: Mapping[str, str]) -> Iterator[tuple[str, JSON]]:
        """In the order of the keys, as etcd has them."""
        for path in sorted(self.objects):
            other = place(path)
            if other is not None and where.holds(other) and _matches(self.objects[path], query):
                yield path, self.objects[path]

    # Writing.

    def _write(self, request: Request) -> JSON:
        method, path, body = request.method, request.path, copy.deepcopy(request.body)
        manager = request.query.get("fieldManager", "unknown")
        if method == "POST":
            return self._create(path, body, manager)
        if path not in self.objects:
            raise ApiError(404, f'"{path.rpartition("/")[2]}" not found')
        before = self.objects[path]
        if method == "DELETE":
            _same_version(before, (body or {}).get("preconditions", {}).get("resourceVersion"))
            return self._delete(path)
        assert body is not None
        if method == "PATCH":
            if request.headers.get("Content-Type") != MERGE_PATCH:
                raise ApiError(415, "the body of the request was in an unknown format")
            _same_version(before, body.get("metadata", {}).get("resourceVersion"))
            body = _merged(before, body)
        else:
            assert method == "PUT", method
            if not body["metadata"].get("resourceVersion"):
                raise ApiError(422, "metadata.resourceVersion: Invalid value: 0: must be specified for an update")
            _same_version(before, body["metadata"]["resourceVersion"])
        _check(before, body)
        if request.query.get("dryRun"):
            return self.admit(body)
        return self._store(path, self.admit(body), manager)

    def _create(self, collection: str, body: JSON | None, manager: str) -> JSON:
        where = place(collection)
        if where is None or where.name or not self._served(where):
            raise ApiError(404, "the server could not find the requested resource")
        assert body is not None
        if body["metadata"].get("resourceVersion"):
            raise ApiError(500, "resourceVersion should not be set on objects to be created")
        path = f"{collection}/{body['metadata']['name']}"
        if path in self.objects:
            raise ApiError(409, f'"{body["metadata"]["name"]}" already exists')
        _check(None, body)
        return self._store(path, self.admit(body), manager)

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
        for collection in self.streams:
            watched = place(collection)
            if watched is not None and watched.holds(where):
                self.tell(event, collection)


async def _lines(queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (line := await queue.get()) is not None:
        yield line


def _end(queues: list[asyncio.Queue[bytes | None]]) -> None:
    for queue in queues:
        queue.put_nowait(None)


def _as_asked(body: Any, accept: str) -> Any:
    """An object whole, or its metadata alone. What is not an object at all is left to the client."""
    if "as=PartialObjectMetadata" not in accept or not isinstance(body, dict) or "items" in body:
        return body
    return {key: value for key, value in body.items() if key in ("apiVersion", "kind", "metadata")}


def _as_item(body: JSON, where: Place, accept: str) -> Any:
    """An object as it stands in a list: of built-in kinds it does not tell its kind there."""
    item = _as_asked(body, accept)
    if where.group in BUILT_IN and isinstance(item, dict):
        return {key: value for key, value in item.items() if key not in ("apiVersion", "kind")}
    return item


def _matches(body: Any, query: Mapping[str, str]) -> bool:
    """Whether the selectors of a query (`a=b,c=d`) take an object."""
    metadata = body.get("metadata") or {}
    labels = metadata.get("labels") or {}
    fields = {"metadata.name": metadata.get("name"), "metadata.namespace": metadata.get("namespace"), **body}
    for selector, values in (("labelSelector", labels), ("fieldSelector", fields)):
        for term in filter(None, query.get(selector, "").split(",")):
            key, _, value = term.partition("=")
            if values.get(key) != value:
                return False
    return True


def _same_version(before: JSON, wanted: str | None) -> None:
    if wanted not in (None, before["metadata"].get("resourceVersion")):
        name = before["metadata"].get("name")
        raise ApiError(409, f'Operation cannot be fulfilled on "{name}": the object has been modified')


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return copy.deepcopy(merged)


def _check(before: JSON | None, body: JSON) -> None:
    """The API server's rules about Secrets."""
    if body.get("kind") != "Secret":
        return
    data = body.get("data") or {}
    for value in data.values():
        base64.b64decode(value, validate=True)
    if body["type"] == "kubernetes.io/tls" and not {"tls.crt", "tls.key"} <= set(data):
        raise ApiError(422, "data[tls.crt] and data[tls.key]: Required value")
    if before is not None and before["type"] != body["type"]:
        raise ApiError(422, "type: field is immutable")
    if before is not None and before.get("immutable") and before.get("data") != body.get("data"):
        raise ApiError(422, "data: field is immutable when `immutable` is set")
