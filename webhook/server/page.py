"""The status page on the admin port: its addresses, who may see it, and how long it waits for the API server."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from webhook.server.madepages import MadePages, packed, pieces_of, takes_gzip, unpacked
from webhook.statuspage.access import how_to_see_it, is_allowed
from webhook.statuspage.document import document
from webhook.statuspage.mesh_reader import LONGEST, MeshCounts, WorkloadRows
from webhook.statuspage.query import PageQuery
from webhook.statuspage.sources import StatusSources
from webhook.statuspage.turns import in_turns

# Seconds that the page waits for the list of Pods; then it shows what was counted so far. A program waits for all.
PATIENCE: Final = 1.5

# The page loads its own style and script, and nothing else; nobody may frame it.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PLAIN: Final = {**HEADERS, "Vary": "Accept-Encoding"}
_PACKED: Final = {**_PLAIN, "Content-Encoding": "gzip"}
_HTML: Final = "text/html; charset=utf-8"
_JSON: Final = "application/json"
_READABLE: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_STATIC: Final = {"status.css": "text/css", "status.js": "text/javascript"}


def add_routes(app: FastAPI, sources: StatusSources) -> None:
    """Add the page, its document, style and script, and the manual. Only GET is answered."""
    app.add_middleware(Guard, sources=sources)
    made = MadePages()

    @app.get("/", response_model=None)
    async def show(request: Request) -> Response:
        """The page for people."""
        render = await _RENDER.get()
        query = PageQuery.of(request.query_params)
        counts, workloads = await _mesh(sources, query, PATIENCE, request)

        async def make() -> bytes:
            return await packed(render.page(await _facts(sources, query, counts, workloads), query))

        return _packed(await made.get(("page", query, _counted(counts, workloads)), make), _HTML, request)

    @app.get("/status.json", response_model=None)
    async def status_json(request: Request) -> Response:
        """The same facts for programs."""
        query = PageQuery.of(request.query_params)
        counts, workloads = await _mesh(sources, query, LONGEST, request)

        async def make() -> bytes:
            facts = await _facts(sources, query, counts, workloads)
            facts["decisions"] = await in_turns(facts["decisions"])
            return await packed(pieces_of(orjson.dumps(facts, option=_READABLE).decode()))

        return _packed(await made.get(("json", query, _counted(counts, workloads)), make), _JSON, request)

    @app.get("/docs/{name}", response_model=None)
    async def manual(name: str) -> Response:
        """A page of the manual."""
        render = await _RENDER.get()
        text = await asyncio.to_thread(render.manual_page, name)
        if text is None:
            return PlainTextResponse(f"there is no page {name[:100]} of the manual\n", 404, headers=HEADERS)
        return _html(text)

    for name, media in _STATIC.items():
        app.add_api_route(f"/{name}", _static(name, media), methods=["GET"], response_model=None)


class Guard:
    """Middleware: the page, and all that belongs to it, is for those alone who may see it."""

    def __init__(self, app: ASGIApp, sources: StatusSources) -> None:
        self._app = app
        self._sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and _is_pages(scope["path"]) and not _allowed(scope):
            refusal = PlainTextResponse(how_to_see_it(*self._sources.where()), 403, headers=HEADERS)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_pages(path: str) -> bool:
    return path in ("/", "/status.json") or path.removeprefix("/") in _STATIC or path.startswith("/docs/")


def _allowed(scope: Scope) -> bool:
    client = scope.get("client")
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return is_allowed(client[0] if client else "", hosts)


async def _mesh(
    sources: StatusSources, query: PageQuery, wait: float, request: Request
) -> tuple[MeshCounts | None, WorkloadRows | None]:
    if sources.mesh is None:
        return None, None
    gone: Callable[[], Awaitable[bool]] = request.is_disconnected
    # At the same time: the page waits once.
    counting = sources.mesh.counts(wait, gone)
    if not query.namespace:
        return await counting, None
    return await asyncio.gather(counting, sources.mesh.workloads(query.namespace, wait, gone))


async def _facts(
    sources: StatusSources, query: PageQuery, counts: MeshCounts | None, workloads: WorkloadRows | None
) -> dict[str, Any]:
    """The document, whose decisions are still to be taken one after the other."""
    facts = document(sources, query, counts, workloads)
    if (mesh := facts["mesh"]) is not None:
        mesh["namespaces"] = await in_turns(mesh["namespaces"])
    return facts


def _counted(*parts: MeshCounts | WorkloadRows | None) -> Hashable:
    """Which state of the counts a page shows."""
    return tuple(part and (part.at, part.complete, part.problem) for part in parts)


class _Later:
    """A module that is imported when somebody looks, in a thread: Jinja takes a while."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: Any = None

    async def get(self) -> Any:
        """The module."""
        if self._module is None:
            self._module = await asyncio.to_thread(importlib.import_module, self._name)
        return self._module


_RENDER: Final = _Later("webhook.statuspage.render")


def _static(name: str, media: str) -> Callable[[], Awaitable[Response]]:
    async def static() -> Response:
        render = await _RENDER.get()
        content = await asyncio.to_thread((render.ASSETS / name).read_bytes)
        return Response(content, media_type=media, headers=HEADERS)

    return static


def _html(text: str) -> Response:
    return Response(text, media_type=_HTML, headers=HEADERS)


def _packed(page: bytes, media: str, request: Request) -> Response:
    """An answer with a page that is compressed by gzip, for a reader who may not take it so."""
    if takes_gzip(request.headers.getlist("accept-encoding")):
        return Response(page, media_type=media, headers=_PACKED)
    return Response(unpacked(page), media_type=media, headers=_PLAIN)
