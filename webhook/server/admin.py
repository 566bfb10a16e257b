"""The admin port, plain HTTP: probes, metrics, explanations, and the status page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from certs.tls import ServedCertificate
from webhook import __version__
from webhook.diagnosis import condition
from webhook.diagnosis.condition import SERVING, Condition
from webhook.mesh.releases import Detected
from webhook.server.explaining import Explainer
from webhook.server.metrics import Metrics
from webhook.server.page import add_routes
from webhook.server.reload import Group
from webhook.statuspage.sources import StatusSources

JSON = dict[str, Any]

# Seconds after its start for which a server that is not ready lets a startup probe wait, and between two checks.
STARTUP = 20.0
CHECK_INTERVAL = 0.05


@dataclass(frozen=True, slots=True)
class Cache:
    """The state of the cache of the cluster. `age`: seconds since the API server last sent data."""

    synced: bool
    age: float = 0.0
    namespaces: int = 0
    owners: int = 0
    problem: str = ""
    source: str = "API server"


@dataclass(slots=True)
class Status:
    """The state of the server, read on each request. `more` returns further conditions beside the server's own."""

    certificate: ServedCertificate
    groups: list[Group]
    cache: Callable[[], Cache]
    release_line: Callable[[], Detected]
    more: Callable[[], list[Condition]] = list
    draining: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def drain(self) -> None:
        """Make the server not ready, as it shuts down."""
        self.draining = True

    @property
    def ready(self) -> bool:
        """Whether this replica should get requests. It stays ready with an old cache or with a refused file."""
        return not self.failing()

    def failing(self) -> list[Condition]:
        """The required conditions that do not hold."""
        return _failing(self.conditions())

    def conditions(self) -> list[Condition]:
        """All conditions, as `/ready` lists them."""
        cache = self.cache()
        leaf = self.certificate.leaf
        return [
            condition.namespaces(cache.synced, cache.namespaces, cache.source, cache.problem),
            condition.serving(self.draining),
            condition.cache(cache.problem),
            condition.certificate(leaf.not_after if leaf else None, self.certificate.expired),
            *(condition.files(group.name, group.error) for group in self.groups),
            *self.more(),
        ]


def _failing(conditions: list[Condition]) -> list[Condition]:
    return [one for one in conditions if one["required"] and not one["ok"]]


def create(
    status: Status, metrics: Metrics, explainer: Explainer | None = None, page: StatusSources | None = None
) -> FastAPI:
    """The application of the admin port. Without an explainer there is no `/explain`, and without sources no page."""
    app = FastAPI(title="linkerd-webhook", version=__version__, openapi_url=None, redirect_slashes=False)

    @app.get("/live", response_class=PlainTextResponse)
    async def live() -> str:
        """200 while the event loop runs."""
        return "ok\n"

    @app.get("/ping", response_class=PlainTextResponse)
    async def ping() -> str:
        """The liveness probe of Linkerd's own programs."""
        return "pong\n"

    @app.get("/startup", response_class=PlainTextResponse)
    async def startup() -> str:
        """200 once the server is ready, or `STARTUP` seconds after its start: a waiting probe does not fail."""
        while status.uptime < STARTUP and not status.draining and not status.ready:  # noqa: ASYNC110 - see `Status`
            await asyncio.sleep(CHECK_INTERVAL)
        return "started\n"

    @app.get("/ready")
    async def ready(draining: str = "") -> Response:
        """200 or 503, with all conditions.

        With `draining=ok` a server that shuts down stays ready. The kubelet asks so: a Pod that is being deleted gets
        no requests in any case, and the kubelet would record an Event for each failed probe.
        """
        conditions = status.conditions()
        failing = [one for one in _failing(conditions) if draining != "ok" or one["name"] != SERVING]
        body = {
            "ready": not failing,
            "conditions": conditions,
            "releaseLine": _release_line(status.release_line()),
            "cacheAgeSeconds": round(status.cache().age, 1),
            "certificateExpiry": _time(status.certificate.not_after),
        }
        text = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return Response(text, 200 if body["ready"] else 503, media_type="application/json")

    @app.get("/metrics")
    async def show_metrics() -> Response:
        """Prometheus' text format."""
        return Response(await asyncio.to_thread(metrics.render), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    if explainer is not None:

        @app.get("/explain")
        async def explain(namespace: str = "", pod: str = "") -> Response:
            """Why a Pod is meshed or is not, as JSON."""
            code, body = await explainer.answer(namespace, pod)
            text = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            return Response(text, code, media_type="application/json")

    if page is not None:
        add_routes(app, page)
    return app


def _release_line(detected: Detected) -> JSON:
    return {"name": detected.line.name, "release": detected.line.release.name, "why": detected.why}


def _time(seconds: float) -> str | None:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}" if seconds else None
