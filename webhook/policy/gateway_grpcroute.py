"""GRPCRoute (gateway.networking.k8s.io). Other controllers use it too, so Linkerd stores what it cannot read."""

from __future__ import annotations

from functools import cache
from typing import Final

from webhook.findings.finding import Severity, declare
from webhook.mesh.releases import Line
from webhook.policy import olderroutes
from webhook.policy.gateway_rules import (
    check_filters,
    check_match_count,
    check_method,
    check_parents_differ,
    check_session,
)
from webhook.policy.objectreferences import GATEWAY, SUBDOMAIN
from webhook.policy.routeannotations import READ_BY_GRPC
from webhook.policy.routes import (
    check_backends,
    check_filter,
    check_header_match,
    check_parents,
    check_settings,
    warn_of_shadows,
)
from webhook.policy.routeshapes import (
    DEFAULT_GATEWAYS,
    EXTENSION,
    GATEWAY_BACKEND_MODIFIER,
    GATEWAY_MODIFIER,
    HEADER_MATCHES,
    HOST_NAMES,
    MIRROR,
    PARENTS,
    SESSION_PERSISTENCE,
    WEIGHTED_TARGET,
    spec_struct,
)
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Choice, Shape, String, Struct, omittable, optional, required

METHOD_PATTERN = declare(
    "grpcroute-method-regex",
    Severity.ERROR,
    "FieldValueNotSupported",
    "A GRPCRoute matches a method by a regular expression, which Linkerd does not support.",
)


def _check(spec: Node, reading: Reading) -> None:
    effect = check_parents(spec, reading, GATEWAY)
    check_settings(reading, READ_BY_GRPC, effect)
    for rule in spec.nodes("rules"):
        for match in rule.nodes("matches"):
            _check_match(match, reading)
        for entry in rule.nodes("filters"):
            check_filter(entry, reading)
        check_backends(rule, reading)
        check_filters(rule, reading)
        for backend in rule.nodes("backendRefs"):
            check_filters(backend, reading)
        if "sessionPersistence" in rule:
            check_session(rule["sessionPersistence"], reading)
    warn_of_shadows(spec, reading)
    check_parents_differ(spec, reading)
    check_match_count(spec, 0, reading)


def _check_match(match: Node, reading: Reading) -> None:
    for header in match.nodes("headers"):
        check_header_match(header, reading)
    method = match.get("method")
    check_method(method, reading)
    refused = reading.line.has("policy/gateway-structures")
    if refused and method is not None and method.get("type") == "RegularExpression":
        reading.note(
            METHOD_PATTERN,
            (*method.path, "type"),
            'Linkerd does not support "RegularExpression" for a method: leave the type out, and write a match '
            "for each method",
        )


def _filter(headers: Struct) -> Struct:
    return Struct(
        {
            "extensionRef": omittable(EXTENSION),
            "requestHeaderModifier": omittable(headers),
            "requestMirror": omittable(MIRROR),
            "responseHeaderModifier": omittable(headers),
            "type": required(
                Choice("ResponseHeaderModifier", "RequestHeaderModifier", "RequestMirror", "ExtensionRef")
            ),
        }
    )


_BACKEND: Final = Struct({"filters": omittable(Array(_filter(GATEWAY_BACKEND_MODIFIER), most=16)), **WEIGHTED_TARGET})
_METHOD: Final = Struct(
    {
        "method": omittable(String(most=1024)),
        "service": omittable(String(most=1024)),
        "type": omittable(Choice("Exact", "RegularExpression")),
    }
)
_RULE: Final = Struct(
    {
        "backendRefs": omittable(Array(_BACKEND, most=16)),
        "filters": omittable(Array(_filter(GATEWAY_MODIFIER), most=16)),
        "matches": omittable(
            Array(Struct({"headers": omittable(HEADER_MATCHES), "method": omittable(_METHOD)}), most=64)
        ),
        "name": omittable(SUBDOMAIN),
        "sessionPersistence": omittable(SESSION_PERSISTENCE),
    }
)


@cache
def _newer(newest: bool) -> Struct:
    fields = {
        "hostnames": omittable(HOST_NAMES),
        "parentRefs": omittable(PARENTS),
        "rules": omittable(Array(_RULE, most=16)),
    }
    return spec_struct(fields, _check, newest)


_OLDER_MATCH: Final = Struct(
    {"method": optional(Struct(olderroutes.GRPC_METHOD)), "headers": optional(olderroutes.header_matches())}
)
_OLDER_RULE: Final = Struct(
    {
        "filters": optional(olderroutes.GRPC_FILTERS),
        "matches": optional(Array(_OLDER_MATCH, most=64)),
        "backendRefs": optional(olderroutes.GRPC_BACKENDS),
    },
    aside={"name": SUBDOMAIN, "sessionPersistence": SESSION_PERSISTENCE},
)
_OLDER: Final = Struct(
    {
        "parentRefs": optional(olderroutes.PARENTS),
        "hostnames": optional(HOST_NAMES),
        "rules": optional(Array(_OLDER_RULE, most=16)),
    },
    check=_check,
    flattened=True,
    aside={"useDefaultGateways": DEFAULT_GATEWAYS},
)


def spec(line: Line, version: str) -> Shape:
    """The shape of a GRPCRoute's spec at a release line: the same in every API version."""
    return _newer(line.has("policy/gateway-filters")) if line.has("policy/gateway-structures") else _OLDER
