"""The admission endpoint, and the application that it belongs to.

The endpoint is plain ASGI: it runs for each object that is created in the cluster, and FastAPI's classes for requests,
validation and responses would cost more than the decision. https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter, time
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from webhook import __version__, review
from webhook.review import AdmissionRequest, Answer, ReviewError, deny
from webhook.server.connection import error_body
from webhook.server.log import Lines
from webhook.server.metrics import Metrics
from webhook.statuspage.decisions import Decision, DecisionLog
from webhook.webhooks.registry import Registry

log = structlog.get_logger(__name__)

BODY_LIMIT = 10 * 1024 * 1024
MAX_IN_FLIGHT = 256
# Bytes of bodies that are being received, over all connections; the API server never sends as much at a time.
PENDING_LIMIT = 64 * 1024 * 1024

_JSON_HEADER = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")

# The webhook's name in metrics and log lines for a body that is not an AdmissionReview.
_NO_WEBHOOK = "none"

# The decision of the self-test, which the leader repeats all the time: it is logged at level debug.
_ROUTINE = "answered"


class Rejection(Exception):
    """A request that is answered with an HTTP error, without an AdmissionReview."""

    def __init__(self, status: int, error: str, fix: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.fix = fix
        self.headers = headers


class _Gone(Exception):
    """The client went away."""


class Admission:
    """The ASGI endpoint of every admission path."""

    def __init__(
        self,
        registry: Registry,
        metrics: Metrics,
        lines: Lines,
        *,
        decisions: DecisionLog | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
        body_limit: int = BODY_LIMIT,
        pending_limit: int = PENDING_LIMIT,
    ) -> None:
        """`decisions` keeps the last ones. `body_limit` and `pending_limit` are bytes. More than `max_in_flight`
        requests at a time get status 429."""
        self._registry = registry
        self._metrics = metrics
        self._counts = metrics.admissions
        self._lines = lines
        self._decisions = DecisionLog() if decisions is None else decisions
        self._max_in_flight = max_in_flight
        self._body_limit = body_limit
        self._pending_limit = pending_limit
        self._pending = 0

    @property
    def pending(self) -> int:
        """Bytes of bodies that are being received, over all connections."""
        return self._pending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Never raises for what a client sends."""
        counts = self._counts
        try:
            self._admit(scope)
            message = await receive()
            if message["type"] != "http.request":
                return
            body: bytes = message["body"]
            if message.get("more_body"):
                body = await self._read(body, receive)
            if len(body) > self._body_limit:
                raise self._too_large()
            counts.in_flight += 1
            try:
                await self._answer(scope["path"], body, send)
            finally:
                counts.in_flight -= 1
        except Rejection as rejection:
            await self._reject(rejection, send)
        except _Gone:
            return

    def _admit(self, scope: Scope) -> None:
        """Check the request before its body is read. Raises `Rejection`."""
        if scope["method"] != "POST":
            raise Rejection(405, f"method {scope['method']}", "POST an AdmissionReview", (b"allow", b"POST"))
        if self._counts.in_flight >= self._max_in_flight:
            raise self._too_many()
        media = length = None
        for name, value in scope["headers"]:
            if name == b"content-type":
                media = value
            elif name == b"content-length":
                length = value
        if media != b"application/json" and (media is None or not _is_json(media)):
            raise Rejection(415, _media_error(media), "send application/json, as the API server does")
        if length is not None and int(length) > self._body_limit:
            raise self._too_large()

    async def _read(self, first: bytes, receive: Receive) -> bytes:
        """The whole body, of which `first` is the first piece. Raises `Rejection` and `_Gone`."""
        parts, size = [first], len(first)
        self._pending += size
        try:
            while True:
                if size > self._body_limit:
                    raise self._too_large()
                if self._pending > self._pending_limit:
                    raise self._too_many()
                message: Message = await receive()
                if message["type"] != "http.request":
                    raise _Gone
                piece: bytes = message["body"]
                parts.append(piece)
                size += len(piece)
                self._pending += len(piece)
                if not message.get("more_body"):
                    break
        finally:
            self._pending -= size
        if self._counts.in_flight >= self._max_in_flight:
            raise self._too_many()
        return b"".join(parts)

    async def _answer(self, path: str, body: bytes, send: Send) -> None:
        """Decide, answer, then record Events, count and log. Raises `Rejection` for a body without a uid."""
        started = perf_counter()
        try:
            request = review.parse(body)
        except ReviewError as error:
            if error.uid is None:
                raise Rejection(400, error.message, "post an AdmissionReview of admission.k8s.io/v1") from None
            request = AdmissionRequest(error.uid, error.api_version or review.API_VERSIONS[0])
            name, answer = _NO_WEBHOOK, self._refuse(path, deny(error.message, reason="bad_review"))
            payload = review.render(request.uid, request.api_version, answer)
        else:
            webhook = self._registry.choose(path, request)
            name = webhook.name
            try:
                answer = await webhook.answer(request)
                payload = review.render(request.uid, request.api_version, answer)
            except Exception as error:
                answer = self._refuse(path, self._failed(name, request, error))
                payload = review.render(request.uid, request.api_version, answer)
        size = b"%d" % len(payload)
        await send({"type": "http.response.start", "status": 200, "headers": [_JSON_HEADER, (b"content-length", size)]})
        await send({"type": "http.response.body", "body": payload})
        seconds = perf_counter() - started
        if answer.effects and not request.dry_run:
            self._run_effects(name, answer)
        self._counts.count(name, request.namespace, answer, seconds, len(body), len(payload))
        self._log_decision(name, request, answer, seconds)

    def _failed(self, name: str, request: AdmissionRequest, error: Exception) -> Answer:
        """The answer to a request for which the webhook raised an error."""
        self._metrics.fail(name)
        log.error("the webhook failed: this is a bug", webhook=name, uid=request.uid, exc_info=error)
        return deny(
            f"internal error of the webhook {name} ({type(error).__name__}): the object is not to blame; "
            f"see the webhook's log for uid {request.uid}",
            code=500,
            status_reason="InternalError",
            reason="internal_error",
        )

    def _refuse(self, path: str, refusal: Answer) -> Answer:
        """The refusal, or an answer that allows the object if the webhook only advises."""
        return Answer(decision="allowed", reason=refusal.reason) if self._registry.allows_all(path) else refusal

    def _run_effects(self, name: str, answer: Answer) -> None:
        for effect in answer.effects:
            try:
                effect()
            except Exception as error:
                self._metrics.fail(name)
                log.error("an effect of an answer failed: this is a bug", webhook=name, exc_info=error)

    def _log_decision(self, name: str, request: AdmissionRequest, answer: Answer, seconds: float) -> None:
        """Log one line with the object, the decision and its reason."""
        event: dict[str, Any] = {
            "event": "admission",
            "uid": request.uid,
            "webhook": name,
            "kind": request.kind.kind,
            "namespace": request.namespace,
            "name": request.name or answer.name or _generated_name(request),
            "operation": request.operation,
            "decision": answer.decision,
            "reason": answer.reason,
            "ms": round(seconds * 1000, 3),
        }
        if answer.workload:
            event["workload"] = answer.workload
        if answer.warnings:
            event["warnings"] = answer.warnings
        if not answer.allowed:
            event["message"] = answer.message
        if request.dry_run:
            event["dry_run"] = True
        if answer.decision == _ROUTINE:
            self._lines.debug(event)
            return
        workload = answer.workload or f"{request.kind.kind}/{event['name']}"
        self._decisions.add(
            Decision(
                time(),
                name,
                request.namespace,
                workload,
                answer.decision,
                answer.reason,
                answer.warnings,
                "" if answer.allowed else answer.message,
            )
        )
        self._lines.info(event)

    async def _reject(self, rejection: Rejection, send: Send) -> None:
        self._metrics.reject(rejection.status)
        body = error_body(rejection.error, rejection.fix)
        headers: Iterable[tuple[bytes, bytes]] = (
            _JSON_HEADER,
            (b"content-length", b"%d" % len(body)),
            *rejection.headers,
        )
        await send({"type": "http.response.start", "status": rejection.status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    def _too_large(self) -> Rejection:
        # Keeping the connection would mean to read the rest of the body.
        return Rejection(
            413, f"the body is larger than {self._body_limit} bytes", "the API server's own limit is smaller", _CLOSE
        )

    def _too_many(self) -> Rejection:
        # The API server retries only if there is a Retry-After header.
        fix = f"try again in a second; the bound of {self._max_in_flight} is set with --max-in-flight"
        return Rejection(429, "too many admissions in work", fix, (b"retry-after", b"1"))


def _is_json(media: bytes) -> bool:
    return media.partition(b";")[0].strip().lower() == b"application/json"


def _media_error(media: bytes | None) -> str:
    return "no Content-Type" if media is None else f"Content-Type is {media.decode('latin-1')[:100]}"


def _generated_name(request: AdmissionRequest) -> str:
    """The object's name, or its generateName if the API server has not named it yet."""
    try:
        body = request.object
    except ReviewError:
        return ""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    name = metadata.get("name") or metadata.get("generateName") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


class AdmissionApp(FastAPI):
    """A FastAPI application that calls the admission endpoint before its middleware, and answers all other paths with
    an error.

    The admission paths are ordinary routes, too. But FastAPI's middleware and its routing cost twice as much as
    uvicorn, and have no effect for an endpoint that sends its own errors.
    """

    def __init__(self, registry: Registry, admission: Admission, metrics: Metrics) -> None:
        super().__init__(
            title="Linkerd admission webhook",
            version=__version__,
            openapi_url=None,
            redirect_slashes=False,
        )
        # The routes accept every method: the endpoint refuses all but POST itself.
        self.router.routes.extend(Route(path, admission, name=path) for path in registry.paths)
        self._admission = admission
        self._paths = frozenset(registry.paths)
        self._metrics = metrics
        self.add_exception_handler(HTTPException, self._error)

    # Not mutated: mutmut's wrapper takes any arguments, and uvicorn, which tries a call without any, would take it
    # for a factory of applications.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # pragma: no mutate block
        """ASGI."""
        if scope["type"] == "http" and scope["path"] in self._paths:
            await self._admission(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        self._metrics.reject(status)
        paths = ", ".join(sorted(self._paths))
        body = error_body(f"the path {request.url.path[:200]} does not exist", f"POST to one of {paths}")
        return Response(body, status, media_type="application/json")
