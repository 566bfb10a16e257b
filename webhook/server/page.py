"""The status page on the admin port: its addresses, who may see it, and how long it waits for the API server."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from webhook.server.madepages import MadePages, packed, pieces_of, takes_gzip, unpacked
from webhook.statuspage.access import how_to_see_it, is_allowed
from webhook.statuspage.document import document
from webhook.statuspage.mesh_reader import MeshCounts, WorkloadRows
from webhook.statuspage.podlist import LONGEST
from webhook.statuspage.query import PageQuery
from webhook.statuspage.sources import StatusSources
from webhook.statuspage.turns import Turns

# Seconds that the page waits for the list of Pods; then it shows what was counted so far. A program waits for all.
PATIENCE: Final = 1.0

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
_NOTHING_ASKED: Final = PageQuery()
_STATIC: Final = {"status.css": "text/css", "status.js": "text/javascript"}

# Makes a page of the facts, whose decisions are still to be taken one after the other, for a query, in turns.
Make = Callable[[dict[str, Any], PageQuery, Turns], Awaitable[bytes]]


def add_routes(app: FastAPI, sources: StatusSources) -> None:
    """Add the page, its document, style and script, and the manual. Only GET is answered."""
    made = MadePages()
    often = {
        "/": PageEndpoint(sources, made, _HTML, PATIENCE, _page),
        "/status.json": PageEndpoint(sources, made, _JSON, LONGEST, _json),
    }
    app.add_middleware(Guard, sources=sources, often=often)

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


class PageEndpoint:
    """Shows what is made from the sources, or was made from them a moment ago.

    It is plain ASGI: many readers load it again and again, beside reviews, and FastAPI's classes and routes would take
    most of the time of an answer that is there. https://asgi.readthedocs.io/en/latest/specs/www.html
    """

    def __init__(self, sources: StatusSources, made: MadePages, media: str, wait: float, make: Make) -> None:
        """A reader waits for the list of Pods for at most `wait` seconds. `media` is the type of what `make` makes."""
        self._sources = sources
        self._made = made
        self._media = media
        self._packed = _raw({**_PACKED, "Content-Type": media})
        self._plain = _raw({**_PLAIN, "Content-Type": media})
        self._wait = wait
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["method"] != "GET":
            refusal = PlainTextResponse("only GET is answered here\n", 405, headers={**HEADERS, "Allow": "GET"})
            await refusal(scope, receive, send)
            return
        asked = scope["query_string"]
        query = PageQuery.of(QueryParams(asked)) if asked else _NOTHING_ASKED
        counts, workloads = await self._mesh(query, receive)

        async def make() -> bytes:
            facts = document(self._sources, query, counts, workloads)
            if (shown := facts["mesh"]) is not None:
                shown["namespaces"] = await self._sources.turns.all_of(shown["namespaces"])
            return await self._make(facts, query, self._sources.turns)

        page = await self._made.get((self._media, query, _counted(counts, workloads)), make)
        headers = self._packed
        if not takes_gzip(_values(scope, b"accept-encoding")):
            headers, page = self._plain, unpacked(page)
        length = (b"content-length", b"%d" % len(page))
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": page})

    async def _mesh(self, query: PageQuery, receive: Receive) -> tuple[MeshCounts | None, WorkloadRows | None]:
        mesh = self._sources.mesh
        if mesh is None:
            return None, None

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        # At the same time: the reader waits once.
        counting = mesh.counts(self._wait, gone)
        if not query.namespace:
            return await counting, None
        return await asyncio.gather(counting, mesh.workloads(query.namespace, self._wait, gone))


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def _page(facts: dict[str, Any], query: PageQuery, turns: Turns) -> bytes:
    """The page for people."""
    render = await _RENDER.get()
    return await packed(render.page(facts, query), turns)


async def _json(facts: dict[str, Any], _: PageQuery, turns: Turns) -> bytes:
    """The same facts for programs."""
    facts["decisions"] = await turns.all_of(facts["decisions"])
    return await packed(pieces_of(orjson.dumps(facts, option=_READABLE).decode()), turns)


def _counted(*parts: MeshCounts | WorkloadRows | None) -> Hashable:
    """Which state of the counts a page shows."""
    return tuple(part and (part.at, part.complete, part.problem) for part in parts)


class Guard:
    """Middleware: the page, and all that belongs to it, is for those alone who may see it. What is loaded often is
    answered here."""

    def __init__(self, app: ASGIApp, sources: StatusSources, often: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._sources = sources
        self._often = often

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        path = scope["path"] if scope["type"] == "http" else ""
        app = self._often.get(path)
        if (app or _is_pages(path)) and not _allowed(scope):
            app = PlainTextResponse(how_to_see_it(*self._sources.where()), 403, headers=HEADERS)
        await (app or self._app)(scope, receive, send)


def _is_pages(path: str) -> bool:
    return path.removeprefix("/") in _STATIC or path.startswith("/docs/")


def _allowed(scope: Scope) -> bool:
    client = scope.get("client")
    return is_allowed(client[0] if client else "", _values(scope, b"host"))


def _values(scope: Scope, header: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header]


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
