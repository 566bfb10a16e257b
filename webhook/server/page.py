"""The status page on the admin port: its addresses, who may see it, and how long it waits for the API server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from webhook.server.madepages import MadePages, in_slices
from webhook.statuspage.access import how_to_see_it, is_allowed
from webhook.statuspage.document import document
from webhook.statuspage.mesh_reader import LONGEST, MeshCounts, WorkloadRows
from webhook.statuspage.query import PageQuery
from webhook.statuspage.sources import StatusSources

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
_STATIC: Final = {"status.css": "text/css", "status.js": "text/javascript"}


def add_routes(app: FastAPI, sources: StatusSources) -> None:
    """Add the page, its document, style and script, and the manual. Only GET is answered."""
    app.add_middleware(Guard, sources=sources)
    made = MadePages()

    @app.get("/", response_model=None)
    async def show(request: Request) -> Response:
        """The page for people."""
        # Imported when somebody looks: Jinja takes a while.
        render = await asyncio.to_thread(_renderer)
        query = PageQuery.of(request.query_params)
        counts, workloads = await _mesh(sources, query, PATIENCE, request)

        async def make() -> bytes:
            return await in_slices(render.page(document(sources, query, counts, workloads), query))

        counted = tuple(part and (part.at, part.complete) for part in (counts, workloads))
        return _html(await made.get((query, counted), make))

    @app.get("/status.json", response_model=None)
    async def status_json(request: Request) -> Response:
        """The same facts for programs."""
        query = PageQuery.of(request.query_params)
        facts = document(sources, query, *await _mesh(sources, query, LONGEST, request))
        text = orjson.dumps(facts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return Response(text, media_type="application/json", headers=HEADERS)

    @app.get("/docs/{name}", response_model=None)
    async def manual(name: str) -> Response:
        """A page of the manual."""
        render = await asyncio.to_thread(_renderer)
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


def _renderer() -> Any:
    from webhook.statuspage import render

    return render


def _static(name: str, media: str) -> Callable[[], Awaitable[Response]]:
    async def static() -> Response:
        render = await asyncio.to_thread(_renderer)
        content = await asyncio.to_thread((render.ASSETS / name).read_bytes)
        return Response(content, media_type=media, headers=HEADERS)

    return static


def _html(text: str | bytes) -> Response:
    return Response(text, media_type="text/html; charset=utf-8", headers=HEADERS)
