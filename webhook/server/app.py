"""The FastAPI application behind HTTPS: the admission paths, and plain errors for all others."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from webhook import __version__
from webhook.server.admission import Admission
from webhook.server.connection import error_body
from webhook.server.metrics import Metrics
from webhook.webhooks.registry import Registry


class AdmissionApp(FastAPI):
    """A FastAPI application that has its admission paths dispatched in front of its middleware.

    They are routes like any other, and the endpoint is the same object. But five layers of middleware and a list of
    regular expressions stand before a route, and cost twice what uvicorn does; none of them means anything to an
    endpoint that sends its own errors.
    """

    def __init__(self, registry: Registry, admission: Admission, metrics: Metrics) -> None:
        super().__init__(
            title="Linkerd admission webhook",
            version=__version__,
            openapi_url=None,
            redirect_slashes=False,
        )
        # No methods: the endpoint answers the wrong ones itself.
        self.router.routes.extend(Route(path, admission, name=path) for path in registry.paths)
        self._admission = admission
        self._paths = frozenset(registry.paths)
        self._metrics = metrics
        self.add_exception_handler(HTTPException, self._error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and scope["path"] in self._paths:
            await self._admission(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        self._metrics.reject(status)
        paths = ", ".join(sorted(self._paths))
        body = error_body(f"no such path: {request.url.path[:200]}", f"post to one of {paths}")
        return Response(body, status, media_type="application/json")
