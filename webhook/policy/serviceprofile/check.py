"""Checks ServiceProfiles (linkerd.io): what Linkerd's validator refuses, and what the proxy ignores without a message.

Linkerd's validator (linkerd2, `pkg/profiles/profiles.go`) stops at the first error; `check` reports all. The sources of
the warnings are linkerd2-proxy, `linkerd/service-profiles/src/proto.rs`, and linkerd2,
`controller/api/destination/profile_translator.go`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from webhook.cluster.interface import Catalog, Presence
from webhook.findings.finding import Finding, Severity, declare, errors_first, show
from webhook.grammar import GrammarError, parse_duration, parse_quantity
from webhook.mesh.releases import Line
from webhook.policy.regex.judge import Judge
from webhook.policy.schema.reading import Place, Reading
from webhook.policy.serviceprofile.conditions import EVERY_REQUEST, check_request, check_response, condition_key
from webhook.policy.serviceprofile.shape import describe, read

_E: Final = Severity.ERROR
_W: Final = Severity.WARNING

REQUIRED: Final = declare("sp-required", _E, "FieldValueRequired", "A field that a ServiceProfile needs is missing.")
NAME: Final = declare("sp-name", _E, "FieldValueInvalid", "A ServiceProfile's name is not a DNS name.")
DURATION: Final = declare(
    "sp-duration", _E, "FieldValueInvalid", "A timeout or a ttl of a ServiceProfile is not a duration."
)
RATIO: Final = declare("sp-retry-ratio", _E, "FieldValueInvalid", "The retryRatio of a ServiceProfile is negative.")

SHADOWED: Final = declare(
    "sp-route-shadowed",
    _W,
    "FieldValueDuplicate",
    "A route of a ServiceProfile never applies, as one before it takes its requests.",
)
NAME_TWICE: Final = declare(
    "sp-route-name-twice", _W, "FieldValueDuplicate", "Two routes of a ServiceProfile have the same name."
)
TIMEOUT_IGNORED: Final = declare(
    "sp-timeout-ignored",
    _W,
    "FieldValueInvalid",
    "The proxy ignores the timeout of a ServiceProfile's route, as it is not above zero.",
)
RETRIES_OFF: Final = declare(
    "sp-retries-off", _W, "FieldValueInvalid", "With this retryBudget the proxy retries no request."
)
BUDGET_UNUSED: Final = declare(
    "sp-retry-budget-unused", _W, "FieldValueInvalid", "A ServiceProfile has a retryBudget, and no route is retryable."
)
CLASSES_EMPTY: Final = declare(
    "sp-response-classes-empty", _W, "FieldValueInvalid", "A list of response classes is empty, and has no effect."
)
OVERRIDE: Final = declare(
    "sp-override-ignored", _W, "FieldValueInvalid", "The proxy ignores or misreads an entry of dstOverrides."
)
NOT_FULL: Final = declare(
    "sp-name-not-full",
    _W,
    "FieldValueInvalid",
    "A ServiceProfile's name is not the full name of a Service, so that it applies to nothing.",
)
SERVICE_ABSENT: Final = declare(
    "sp-service-absent", _W, "FieldValueInvalid", "A ServiceProfile is named after a Service that does not exist."
)


def check(body: Any, *, line: Line, catalog: Catalog, judge: Judge, cluster_domain: str = "") -> list[Finding]:
    """All findings about a ServiceProfile, errors first.

    `body` is any JSON value, None for no object. `line` is the release line to check for, `catalog` has the Services of
    the cluster, and `judge` checks regular expressions. `cluster_domain` is the domain that the names of Services end
    in, empty where it is not known."""
    if body is None:
        return [REQUIRED.at((), "the request holds no object, and Linkerd refuses that: send the ServiceProfile")]
    profile, findings = read(body, line)
    if not isinstance(profile, dict):
        return findings
    reading = Reading(line, judge, findings=findings)
    _check_name(profile.get("metadata"), catalog, cluster_domain, reading)
    spec = profile.get("spec")
    if isinstance(spec, dict):
        routes = spec.get("routes")
        retryable = _check_routes(routes, reading) if isinstance(routes, list) else routes is not None
        budget = spec.get("retryBudget")
        if isinstance(budget, dict):
            _check_retry_budget(budget, retryable, reading)
        overrides = spec.get("dstOverrides")
        if isinstance(overrides, list):
            _check_dst_overrides(overrides, reading)
    return _sorted(reading.findings) if findings else findings


def _sorted(findings: list[Finding]) -> list[Finding]:
    """The findings with errors first, without those of the schema about a field that has an error."""
    refused = {finding.path for finding in findings if finding.rule.severity is Severity.ERROR}
    kept = [one for one in findings if one.rule.severity is not Severity.SCHEMA or one.path not in refused]
    return errors_first(kept)


_LABEL: Final = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DNS_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAMES: Final = "write the Service's full name, such as web.emojivoto.svc.cluster.local"


def _check_name(metadata: Any, catalog: Catalog, cluster_domain: str, reading: Reading) -> None:
    """Check that the name is a DNS name (https://www.rfc-editor.org/rfc/rfc1123), and the full name of a Service."""
    name = metadata.get("name") if isinstance(metadata, dict) else metadata
    place = _at(None, "metadata", "name")
    if name is None or name == "":
        reading.note_at(REQUIRED, place, f"the ServiceProfile has no name: {_NAMES}")
    elif not isinstance(name, str):
        return
    elif len(name) > 253:
        reading.note_at(
            NAME, place, f"{show(name)} has {len(name)} characters, and a DNS name has 253 at most: {_NAMES}"
        )
    elif not _DNS_NAME.fullmatch(name):
        reading.note_at(
            NAME,
            place,
            f"{show(name)} is not a DNS name (lower-case letters, digits and dashes, in parts between dots): {_NAMES}",
        )
    else:
        _warn_of_name(name, metadata.get("namespace"), place, catalog, cluster_domain, reading)


def _warn_of_name(
    name: str, namespace: Any, place: Place, catalog: Catalog, cluster_domain: str, reading: Reading
) -> None:
    """Linkerd looks for the ServiceProfile of a Service by the name SERVICE.NAMESPACE.svc.CLUSTER-DOMAIN alone
    (linkerd2, `controller/api/destination/server.go`)."""
    parts = name.split(".", 3)
    domain = cluster_domain or "cluster.local"
    if len(parts) == 4 and parts[2] == "svc" and cluster_domain in ("", parts[3]):
        service, within = parts[:2]
        if catalog.look("", "Service", within, service) is Presence.ABSENT:
            message = (
                f"there is no Service {show(service)} in the namespace {within}, so this ServiceProfile applies to "
                "nothing: create the Service, or correct the name"
            )
            reading.note_at(SERVICE_ABSENT, place, message)
        return
    write = _full_name(name.split("."), namespace, domain)
    message = (
        f"{show(name)} is not the full name of a Service, so this ServiceProfile applies to nothing: write {write}"
    )
    reading.note_at(NOT_FULL, place, message)


def _full_name(labels: list[str], namespace: Any, domain: str) -> str:
    """The full name of a Service that is most likely meant, for the end of a message."""
    if len(labels) == 1 and isinstance(namespace, str) and namespace:
        return f"{labels[0]}.{namespace}.svc.{domain}"
    if len(labels) == 2 or labels[2:3] == ["svc"]:
        return f"{labels[0]}.{labels[1]}.svc.{domain}"
    if labels[3:4] == ["svc"]:
        return f"{labels[1]}.{labels[2]}.svc.{domain}"
    return f"one such as web.emojivoto.svc.{domain}"


def _at(place: Place, *keys: str | int) -> Place:
    for key in keys:
        place = (place, key)
    return place


_ROUTES: Final = _at(None, "spec", "routes")


def _check_routes(routes: list[Any], reading: Reading) -> bool:
    """Check the routes, and compare them with each other. Returns whether one of them is retryable."""
    retryable = False
    names: dict[str, int] = {}
    shadows = _Shadows(reading)
    for index, route in enumerate(routes):
        place = (_ROUTES, index)
        if reading.full:
            break
        if route is None:
            reading.note_at(
                REQUIRED,
                place,
                "null is not a route: take it out, or write a route with a name and a condition",
            )
        elif isinstance(route, dict):
            _check_route(route, place, reading)
            retryable = retryable or route.get("isRetryable") is True
            name = route.get("name")
            if isinstance(name, str) and names.setdefault(name, index) != index:
                first = f"route {names[name]} has the name {show(name)} too"
                reading.note_at(
                    NAME_TWICE,
                    (place, "name"),
                    f"{first}, so that their metrics cannot be told apart: write another name",
                )
            shadows.add(index, route.get("condition"))
    return retryable


def _check_route(route: dict[str, Any], place: Place, reading: Reading) -> None:
    if route.get("name") in (None, ""):
        reading.note_at(
            REQUIRED,
            (place, "name"),
            'the route has no name, which its metrics need: write one such as "GET /"',
        )
    timeout = route.get("timeout")
    if timeout and isinstance(timeout, str):
        duration = _read_duration(timeout, (place, "timeout"), reading)
        if duration is not None and duration <= 0:
            message = f"the proxy ignores the timeout {show(timeout)}: write one above zero, or leave it out"
            reading.note_at(TIMEOUT_IGNORED, (place, "timeout"), message)
    condition = route.get("condition")
    if condition is None:
        message = 'the route has no condition: write one such as {"method": "GET", "pathRegex": "/books/[^/]*"}'
        reading.note_at(REQUIRED, (place, "condition"), message)
    else:
        check_request(condition, (place, "condition"), reading)
    classes = route.get("responseClasses")
    if isinstance(classes, list):
        _check_response_classes(classes, (place, "responseClasses"), reading)


def _check_response_classes(classes: list[Any], place: Place, reading: Reading) -> None:
    if not classes:
        reading.note_at(
            CLASSES_EMPTY,
            place,
            "an empty list is the same as no list, and responses from 500 on count as failures: add a "
            "response class, or leave it out",
        )
    for index, one in enumerate(classes):
        here = (place, index)
        if reading.full:
            break
        if one is None:
            reading.note_at(REQUIRED, here, "null is not a response class: take it out, or write one with a condition")
        elif isinstance(one, dict):
            condition = one.get("condition")
            if condition is None:
                message = 'the response class has no condition: write one such as {"status": {"min": 500, "max": 599}}'
                reading.note_at(REQUIRED, (here, "condition"), message)
            else:
                check_response(condition, (here, "condition"), reading)


class _Shadows:
    """Finds routes that never apply, as an earlier route has the same condition, or one that every request meets."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._first: dict[Any, int] = {}
        self._all: int | None = None

    def add(self, index: int, condition: Any) -> None:
        """Add the condition of the next route, and warn if it never applies."""
        key = condition_key(condition)
        if self._all is not None:
            self._note_shadowed(index, f"route {self._all} before it takes every request")
        elif key is not None:
            first = self._first.setdefault(key, index)
            if first != index:
                self._note_shadowed(index, f"route {first} before it has the same condition")
            elif key in EVERY_REQUEST:
                self._all = index

    def _note_shadowed(self, index: int, why: str) -> None:
        place = ((_ROUTES, index), "condition")
        self._reading.note_at(
            SHADOWED, place, f"{why}, so that this route never applies: change one of them, or put this one first"
        )


_SECOND: Final = 1_000_000_000


def _check_retry_budget(budget: dict[str, Any], retryable: bool, reading: Reading) -> None:
    """Check that the retryBudget is complete, and that the proxy retries requests with it."""
    place = _at(None, "spec", "retryBudget")
    ttl, ratio, least = budget.get("ttl"), budget.get("retryRatio"), budget.get("minRetriesPerSecond")
    if isinstance(ratio, float | int) and ratio < 0:
        reading.note_at(
            RATIO,
            (place, "retryRatio"),
            f"the retryRatio {show(ratio)} is negative: write a share such as 0.2",
        )
    duration = None
    if ttl is None or ttl == "":
        reading.note_at(
            REQUIRED,
            (place, "ttl"),
            "the retryBudget has no ttl: write a duration from 1s to 60s, such as 10s",
        )
    elif isinstance(ttl, str):
        duration = _read_duration(ttl, (place, "ttl"), reading)
    if not retryable:
        message = (
            "no route has isRetryable: true, so that the proxy retries nothing: add that to a route, or take the "
            "retryBudget out"
        )
        reading.note_at(BUDGET_UNUSED, place, message)
        return
    for key, why, write in _why_no_retries(duration, ratio or 0, least or 0):
        reading.note_at(
            RETRIES_OFF, (place, key) if key else place, f"{why}, so that the proxy retries nothing: {write}"
        )


def _why_no_retries(ttl: int | None, ratio: Any, least: Any) -> Iterator[tuple[str, str, str]]:
    if ttl is not None and not _SECOND <= ttl <= 60 * _SECOND:
        yield "ttl", "the ttl is not within 1s and 60s", "write one such as 10s"
    if isinstance(ratio, float | int) and isinstance(least, int):
        if ratio > 1000:
            yield "retryRatio", f"the retryRatio {show(ratio)} is above 1000", "write a share such as 0.2"
        if least >= 2**31:
            yield (
                "minRetriesPerSecond",
                f"minRetriesPerSecond, {least}, is above {2**31 - 1}",
                "write a number such as 10",
            )
        if ratio == 0 and least == 0:
            yield "", "retryRatio and minRetriesPerSecond are both 0", "raise one of them"


# The proxy counts weights in ten-thousandths, as unsigned 32-bit numbers.
_WEIGHT_LIMIT: Final = (2**32 - 1) // 10_000


def _check_dst_overrides(overrides: list[Any], reading: Reading) -> None:
    for index, override in enumerate(overrides):
        place = _at(None, "spec", "dstOverrides", index)
        if not isinstance(override, dict):
            continue
        if override.get("authority") in (None, ""):
            message = (
                "the proxy ignores an entry without an authority: write one such as web.emojivoto.svc.cluster.local"
            )
            reading.note_at(OVERRIDE, (place, "authority"), message)
        weight = override.get("weight")
        if isinstance(weight, str | int | float) and not 0 <= _weight_value(weight) <= _WEIGHT_LIMIT:
            message = (
                f"the proxy misreads the weight {describe(weight)}, which is out of range: write 0 to {_WEIGHT_LIMIT}"
            )
            reading.note_at(OVERRIDE, (place, "weight"), message)


def _weight_value(weight: str | float) -> float:
    if not isinstance(weight, str):
        return weight
    try:
        return float(parse_quantity(weight.strip()).value)
    except (GrammarError, OverflowError):
        return -1


def _read_duration(text: str, place: Place, reading: Reading) -> int | None:
    """The nanoseconds of a duration; None, after a finding was added, for a text that is not one."""
    duration = _parse_duration_cached(text) if len(text) < 32 else _parse_duration(text)
    if isinstance(duration, str):
        reading.note_at(DURATION, place, f"{show(text)} is not a duration: write {duration}")
        return None
    return duration


def _parse_duration(text: str) -> int | str:
    try:
        return parse_duration(text)
    except GrammarError as error:
        return str(error)


_parse_duration_cached = lru_cache(maxsize=1024)(_parse_duration)
