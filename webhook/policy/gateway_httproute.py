"""HTTPRoute (gateway.networking.k8s.io). Other controllers use it too, so Linkerd stores what it cannot read."""

from __future__ import annotations

from functools import cache
from typing import Final

from webhook.mesh.releases import Line
from webhook.policy import olderroutes
from webhook.policy.gateway_rules import (
    check_filters,
    check_match_count,
    check_parents_differ,
    check_path,
    check_prefix_rewrites,
    check_session,
    check_timeouts,
)
from webhook.policy.objectreferences import GATEWAY, SUBDOMAIN
from webhook.policy.routeannotations import READ_BY_HTTP
from webhook.policy.routes import (
    check_backends,
    check_filter,
    check_match,
    check_parents,
    check_settings,
    warn_of_shadows,
)
from webhook.policy.routeshapes import (
    DEFAULT_GATEWAYS,
    DURATION,
    GATEWAY_BACKEND_MODIFIER,
    GATEWAY_MATCHES,
    GATEWAY_MODIFIER,
    HOST_NAMES,
    PARENTS,
    SESSION_PERSISTENCE,
    WEIGHTED_TARGET,
    http_filter,
    spec_struct,
)
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Integer, Shape, Struct, omittable, optional


def _check(spec: Node, reading: Reading) -> None:
    effect = check_parents(spec, reading, GATEWAY)
    check_settings(reading, READ_BY_HTTP, effect)
    for rule in spec.nodes("rules"):
        for match in rule.nodes("matches"):
            check_match(match, reading)
        for entry in rule.nodes("filters"):
            check_filter(entry, reading)
        check_backends(rule, reading)
        _check_schema(rule, reading)
    warn_of_shadows(spec, reading)
    check_parents_differ(spec, reading)
    check_match_count(spec, 1, reading)


def _check_schema(rule: Node, reading: Reading) -> None:
    """Check a rule of the route against the CEL rules of the CRD."""
    for match in rule.nodes("matches"):
        check_path(match.get("path"), reading)
    check_filters(rule, reading)
    for backend in rule.nodes("backendRefs"):
        if "filters" in backend:
            check_filters(backend, reading)
    check_prefix_rewrites(rule, reading)
    if "timeouts" in rule:
        check_timeouts(rule["timeouts"], reading)
    if "sessionPersistence" in rule:
        check_session(rule["sessionPersistence"], reading)


_RETRY: Final = Struct(
    {
        "attempts": omittable(Integer(-(2**63), 2**63 - 1, least=1)),
        "backoff": omittable(DURATION),
        "codes": omittable(Array(Integer(-(2**63), 2**63 - 1, least=400, most=599), distinct=True)),
    }
)
# The fields of a rule that came later: older releases leave them to the CRD's schema.
_LATER: Final = {
    "name": SUBDOMAIN,
    "retry": _RETRY,
    "sessionPersistence": SESSION_PERSISTENCE,
    "timeouts": Struct({"backendRequest": omittable(DURATION), "request": omittable(DURATION)}),
}


@cache
def _newer(newest: bool) -> Struct:
    backend = Struct(
        {"filters": omittable(Array(http_filter(GATEWAY_BACKEND_MODIFIER, newest), most=16)), **WEIGHTED_TARGET}
    )
    rule = Struct(
        {
            "backendRefs": omittable(Array(backend, most=16)),
            "filters": omittable(Array(http_filter(GATEWAY_MODIFIER, newest), most=16)),
            "matches": omittable(GATEWAY_MATCHES),
            **{name: omittable(shape) for name, shape in _LATER.items()},
        }
    )
    return spec_struct(
        {
            "hostnames": omittable(HOST_NAMES),
            "parentRefs": omittable(PARENTS),
            "rules": omittable(Array(rule, least=1, most=16)),
        },
        _check,
        newest,
    )


_OLDER_RULE: Final = Struct(
    {
        "matches": optional(olderroutes.http_matches(64)),
        "filters": optional(olderroutes.gateway_filters()),
        "backendRefs": optional(olderroutes.HTTP_BACKENDS),
    },
    aside=_LATER,
)
_OLDER: Final = Struct(
    {
        "parentRefs": optional(olderroutes.PARENTS),
        "hostnames": optional(HOST_NAMES),
        "rules": optional(Array(_OLDER_RULE, least=1, most=16)),
    },
    check=_check,
    flattened=True,
    aside={"useDefaultGateways": DEFAULT_GATEWAYS},
)


def spec(line: Line, version: str) -> Shape:
    """The shape of a Gateway API HTTPRoute's spec at a release line: the same in every API version."""
    return _newer(line.has("policy/gateway-filters")) if line.has("policy/gateway-structures") else _OLDER
