"""Annotations that set retries and timeouts, on routes and Services: `retry.linkerd.io/*`, `timeout.linkerd.io/*`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from webhook.findings.finding import Finding, Path, Rule, Severity, declare, show, suggest
from webhook.policy.durations import parse_annotation, parse_unsigned
from webhook.policy.objectreferences import fold

INVALID = declare(
    "route-annotation-invalid",
    Severity.ERROR,
    "FieldValueInvalid",
    "Linkerd cannot read a retry or timeout annotation of a route to a Service or an EgressNetwork.",
)
ON_SERVICE = declare(
    "service-annotation-invalid",
    Severity.WARNING,
    "FieldValueInvalid",
    "Linkerd cannot read a retry or timeout annotation of a Service or an EgressNetwork, and goes on without it.",
)
NO_EFFECT = declare(
    "route-annotation-no-effect",
    Severity.WARNING,
    "FieldValueForbidden",
    "A retry or timeout annotation has no effect on the object that has it.",
)
UNKNOWN = declare(
    "route-annotation-unknown",
    Severity.WARNING,
    "FieldValueNotSupported",
    "Linkerd does not read an annotation under retry.linkerd.io or timeout.linkerd.io.",
)

_RETRY: Final = "retry.linkerd.io/"
_TIMEOUT: Final = "timeout.linkerd.io/"
_LIMIT: Final = "retry.linkerd.io/limit"
_RETRY_TIMEOUT: Final = "retry.linkerd.io/timeout"
_HTTP: Final = "retry.linkerd.io/http"
_GRPC: Final = "retry.linkerd.io/grpc"
_RESPONSE: Final = "timeout.linkerd.io/response"
_REQUEST: Final = "timeout.linkerd.io/request"
_IDLE: Final = "timeout.linkerd.io/idle"

GRPC_CONDITIONS: Final = ("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable")
HTTP_CONDITIONS: Final = ("5xx", "gateway-error")


def _check_limit(text: str) -> str:
    if parse_unsigned(text, 65535) is not None:
        return ""
    return "write a whole number from 0 to 65535"


def _check_duration(text: str) -> str:
    milliseconds = parse_annotation(text)
    return milliseconds if isinstance(milliseconds, str) else ""


def _parse_status(text: str) -> int | None:
    code = parse_unsigned(text, 2**32 - 1)
    return code if code is not None and 100 <= code < 600 else None


def _check_http_conditions(text: str) -> str:
    for condition in text.split(","):
        if fold(condition) in HTTP_CONDITIONS or _parse_status(condition) is not None:
            continue
        first, dash, last = condition.partition("-")
        start, end = (_parse_status(first), _parse_status(last)) if dash else (None, None)
        if start is not None and end is not None and start <= end:
            continue
        return _why_not_a_condition(
            condition, "5xx, gateway-error, a status such as 503 or a range such as 500-504", HTTP_CONDITIONS
        )
    return ""


def _check_grpc_conditions(text: str) -> str:
    for condition in text.split(","):
        if fold(condition) not in GRPC_CONDITIONS:
            return _why_not_a_condition(condition, ", ".join(GRPC_CONDITIONS), GRPC_CONDITIONS)
    return ""


def _why_not_a_condition(condition: str, want: str, names: tuple[str, ...]) -> str:
    if condition != condition.strip():
        return f"{show(condition)} has white space around it; take it away"
    return f"{show(condition)} is not a condition; write a comma-separated list of {want}{suggest(condition, names)}"


_COMMON: Final[dict[str, Callable[[str], str]]] = {
    _LIMIT: _check_limit,
    _RETRY_TIMEOUT: _check_duration,
    _RESPONSE: _check_duration,
    _REQUEST: _check_duration,
    _IDLE: _check_duration,
}
READ_BY_HTTP: Final = {**_COMMON, _HTTP: _check_http_conditions}
READ_BY_GRPC: Final = {**_COMMON, _GRPC: _check_grpc_conditions}
# A Service is a parent of HTTPRoutes and of GRPCRoutes.
READ_BY_SERVICE: Final = {**_COMMON, _HTTP: _check_http_conditions, _GRPC: _check_grpc_conditions}


Readers = Mapping[str, Callable[[str], str]]


class Effect(Enum):
    """What Linkerd does with the annotations on a route that set retries and timeouts."""

    READ = "read"
    """Linkerd reads them, as a parent is a Service or an EgressNetwork, and refuses a route whose annotations it cannot
    read."""
    NONE = "none"
    """Linkerd ignores them, as no parent is a Service or an EgressNetwork."""
    UNCERTAIN = "uncertain"
    """A parent has to be corrected first, so that the annotations are not checked."""


def check_annotations(annotations: Mapping[str, Any], readers: Readers, effect: Effect) -> list[Finding]:
    """The findings about the annotations of a route. `readers` are the checks of the annotations that its kind can
    have."""
    return [] if effect is Effect.UNCERTAIN else _check_all(annotations, readers, effect is Effect.READ, INVALID)


def check_service(annotations: Mapping[str, Any]) -> list[Finding]:
    """The findings about the annotations of a Service or an EgressNetwork. Linkerd does not check them on admission."""
    return _check_all(annotations, READ_BY_SERVICE, True, ON_SERVICE)


def _check_all(annotations: Mapping[str, Any], readers: Readers, effective: bool, invalid: Rule) -> list[Finding]:
    findings = []
    for key, value in annotations.items():
        if key.startswith((_RETRY, _TIMEOUT)):
            finding = _check(key, value, readers, effective, invalid)
            if finding is not None:
                findings.append(finding)
    return findings


def _check(key: str, value: Any, readers: Readers, effective: bool, invalid: Rule) -> Finding | None:
    path: Path = ("metadata", "annotations", key)
    if key not in READ_BY_SERVICE:
        hint = suggest(key, READ_BY_SERVICE) or f": Linkerd reads {', '.join(sorted(READ_BY_SERVICE))}"
        return UNKNOWN.at(path, f"Linkerd does not read the annotation {show(key)}{hint}")
    if key not in readers:
        protocol, other = ("gRPC", "an HTTPRoute") if key == _GRPC else ("HTTP", "a GRPCRoute")
        return NO_EFFECT.at(path, f"{key} is for {protocol} routes and has no effect on {other}: leave it out")
    if not effective:
        text = f"{key} has no effect, as no parent of this route is a Service or an EgressNetwork: leave it out"
        return NO_EFFECT.at(path, text)
    if not isinstance(value, str):
        return invalid.at(path, f"{show(value)} is not a string: put it in quotes")
    wrong = readers[key](value)
    if wrong:
        return invalid.at(path, f"Linkerd cannot read {show(value)}: {wrong}")
    if key == _LIMIT and parse_unsigned(value, 65535) == 0:
        return NO_EFFECT.at(path, "a limit of 0 has no effect, and the proxy retries once: write 1, or leave it out")
    if key == _RETRY_TIMEOUT and parse_annotation(value) == 0:
        return NO_EFFECT.at(path, "a timeout of 0 sets no limit to a try: leave it out")
    return None
