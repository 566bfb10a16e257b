"""GRPCRoute (gateway.networking.k8s.io). Other controllers use it too, so Linkerd stores what it cannot read."""

from __future__ import annotations

from typing import Final

from webhook.findings.finding import Severity, declare
from webhook.mesh.releases import Line
from webhook.policy.gateway_rules import (
    check_filters,
    check_match_count,
    check_method,
    check_parents_differ,
    check_session,
)
from webhook.policy.objectreferences import GATEWAY, SUBDOMAIN
from webhook.policy.routeannotations import READ_BY_GRPC, check_annotations
from webhook.policy.routes import check_backends, check_filter, check_header_match, check_parents, warn_of_shadows
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
)
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Choice, Shape, String, Struct, omittable, required

METHOD_PATTERN = declare(
    "grpcroute-method-regex",
    Severity.ERROR,
    "FieldValueNotSupported",
    "A GRPCRoute matches a method by a regular expression, which Linkerd does not support.",
)


def _check(spec: Node, reading: Reading) -> None:
    effect = check_parents(spec, reading, GATEWAY)
    for finding in check_annotations(reading.annotations, READ_BY_GRPC, effect):
        reading.add(finding)
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
    if method is not None and method.get("type") == "RegularExpression":
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
_SPEC: Final = Struct(
    {
        "hostnames": omittable(HOST_NAMES),
        "parentRefs": omittable(PARENTS),
        "rules": omittable(Array(_RULE, most=16)),
        "useDefaultGateways": omittable(DEFAULT_GATEWAYS),
    },
    check=_check,
)


def spec(line: Line, version: str) -> Shape:
    """The shape of a GRPCRoute's spec: the same in every API version."""
    return _SPEC
