"""HTTPRoute (policy.linkerd.io): routes of HTTP requests to a Server, a Service or an EgressNetwork.

It has the same name as the Gateway API's HTTPRoute, and after 2.12 the same matches. Linkerd refuses what it cannot
read in it, it has fewer filters, and its timeouts have a grammar of their own. `olderroutes` has the structures that
Linkerd up to 2.17 reads.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from webhook.findings.finding import Severity, declare, show
from webhook.mesh.releases import Line
from webhook.policy import olderroutes
from webhook.policy.durations import Timeout
from webhook.policy.objectreferences import POLICY, SERVER, SERVICE, targets
from webhook.policy.routeannotations import READ_BY_HTTP
from webhook.policy.routes import (
    check_filter,
    check_match,
    check_parents,
    check_settings,
    warn_of_filters,
    warn_of_parents,
    warn_of_shadows,
)
from webhook.policy.routeshapes import (
    HOST_NAMES,
    MODIFIER,
    POLICY_MATCHES,
    PORT,
    REDIRECT,
    WHOLE_MODIFIER,
    old_policy_backends,
    parent_shape,
    policy_backends,
)
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import (
    I32,
    Array,
    Integer,
    Pruned,
    Shape,
    Struct,
    Tagged,
    either,
    omittable,
    optional,
    required,
)

NEGATIVE = declare(
    "httproute-timeout-negative", Severity.ERROR, "FieldValueInvalid", "A timeout of an HTTPRoute is negative."
)
BACKEND_ABOVE_REQUEST = declare(
    "httproute-timeout-order",
    Severity.ERROR,
    "FieldValueInvalid",
    "The timeout of one try is longer than the timeout of the whole request.",
)
PARENT_KIND = declare(
    "httproute-parent",
    Severity.ERROR,
    "FieldValueNotSupported",
    "A parent of an HTTPRoute is not a Server, and 2.12 knows no other parents.",
)


def _check_timeouts(node: Node, reading: Reading) -> None:
    request, backend = node.get("request"), node.get("backendRequest")
    for name, timeout in (("request", request), ("backendRequest", backend)):
        if timeout is not None and timeout[0]:
            reading.note(NEGATIVE, (*node.path, name), f"{show(timeout[2])} is negative: remove the minus")
    if request is not None and backend is not None and backend[1] > request[1]:
        reading.note(
            BACKEND_ABOVE_REQUEST,
            (*node.path, "backendRequest"),
            f"{show(backend[2])} is longer than the request's {show(request[2])}: shorten it, or lengthen that",
        )


def _check(spec: Node, reading: Reading) -> None:
    if reading.line.has("policy/HTTPRoute.servers-and-services-only"):
        _check_parent_kinds(spec, reading)
    else:
        effect = check_parents(spec, reading, POLICY)
        warn_of_parents(spec, reading)
        check_settings(reading, READ_BY_HTTP, effect)
    for rule in spec.nodes("rules"):
        for match in rule.nodes("matches"):
            check_match(match, reading)
        for entry in rule.nodes("filters"):
            check_filter(entry, reading)
        warn_of_filters(rule.nodes("filters"), reading)
    warn_of_shadows(spec, reading)


def _check_parent_kinds(spec: Node, reading: Reading) -> None:
    """Refuse parents of other kinds than Server, as 2.12 does; edge-23.1.2 to 23.3.2 know Services, too."""
    kinds = (SERVER,) if reading.line.has("policy/HTTPRoute.servers-only") else (SERVER, SERVICE)
    for parent in spec.nodes("parentRefs"):
        kind = parent.get("kind")
        if parent.bad or (kind is not None and any(targets(parent, known, reading.line) for known in kinds)):
            continue
        reading.note(
            PARENT_KIND,
            parent.path,
            f"a parent of kind {show(kind)} is not a {either([name for _, name in kinds])}, and this Linkerd version "
            "knows no other parents: write group: policy.linkerd.io and kind: Server",
        )


_FILTER: Final = Tagged(
    "type",
    {
        # Linkerd does not read the fields of the other types, but the CRD's schema checks them.
        "RequestHeaderModifier": Struct(
            {"requestHeaderModifier": required(MODIFIER)}, aside={"requestRedirect": REDIRECT}
        ),
        "ResponseHeaderModifier": Struct(
            {"responseHeaderModifier": required(Pruned(MODIFIER))},
            aside={"requestHeaderModifier": WHOLE_MODIFIER, "requestRedirect": REDIRECT},
        ),
        "RequestRedirect": Struct(
            {"requestRedirect": required(REDIRECT)}, aside={"requestHeaderModifier": WHOLE_MODIFIER}
        ),
    },
    allowed=("RequestHeaderModifier", "RequestRedirect"),
)


_TIMEOUTS: Final = Struct(
    {"request": optional(Timeout()), "backendRequest": optional(Timeout())}, check=_check_timeouts
)
# The API versions whose CRD has few fields of parents and backends, and those before timeouts.
_EARLY: Final = ("v1alpha1", "v1beta1")
_BEFORE_TIMEOUTS: Final = (*_EARLY, "v1beta2")


def _timeouts(version: str) -> Shape:
    return Pruned(_TIMEOUTS) if version in _BEFORE_TIMEOUTS else _TIMEOUTS


@cache
def _newer(version: str, newest: bool) -> Struct:
    """The spec in an API version, as releases since edge-25.2.3 read it; `newest` is whether the filters of backends
    have the newest types."""
    early = version in _EARLY
    rule = Struct(
        {
            "matches": optional(POLICY_MATCHES),
            "filters": optional(Array(_FILTER, most=16)),
            "backendRefs": optional(old_policy_backends(newest) if early else policy_backends(newest)),
            "timeouts": optional(_timeouts(version)),
        }
    )
    return Struct(
        {
            "parentRefs": omittable(Array(parent_shape(I32 if early else PORT), most=32)),
            "hostnames": optional(HOST_NAMES),
            "rules": optional(Array(rule, most=16)),
        },
        check=_check,
    )


@cache
def _older(version: str, port: bool, redirect_path: bool, responses: bool, backends: bool, timeouts: bool) -> Struct:
    """The spec in an API version, as releases up to edge-25.2.2 read it. `port` is whether the CRD has the port of a
    parent, and the others are what Linkerd can read."""
    rule = {
        "matches": optional(olderroutes.http_matches(8)),
        "filters": optional(Array(olderroutes.policy_filter(redirect_path, responses), most=16)),
    }
    if backends:
        rule["backendRefs"] = optional(olderroutes.HTTP_BACKENDS)
    if timeouts:
        rule["timeouts"] = optional(_timeouts(version))
    # Releases whose CRD has backends, and which do not read them.
    aside = {"backendRefs": policy_backends(newest=False)} if port and not backends else {}
    # The API server drops the port of a parent where the CRD has none, although Linkerd could read it.
    parent_port: Shape = Integer(0, 65535, least=0 if version in _EARLY else 1) if port else Pruned(Integer(0, 65535))
    return Struct(
        {
            "parentRefs": optional(Array(olderroutes.parent_shape(parent_port), most=32)),
            "hostnames": optional(HOST_NAMES),
            "rules": optional(Array(Struct(rule, aside=aside), most=16)),
        },
        check=_check,
        flattened=True,
    )


def spec(line: Line, version: str) -> Shape:
    """The shape of a policy HTTPRoute's spec at a release line and in an API version such as `v1beta2`."""
    version = version if version in _BEFORE_TIMEOUTS else ""
    if line.has("policy/gateway-structures"):
        return _newer(version, line.has("policy/gateway-filters"))
    return _older(
        version,
        line.has("policy/HTTPRoute.backendRefs" if version in _EARLY else "policy/HTTPRoute.v1beta2"),
        line.has("policy/HTTPRoute.redirect-path"),
        line.has("policy/HTTPRoute.response-header-modifier"),
        line.has("policy/HTTPRoute.backendRefs"),
        line.has("policy/HTTPRoute.timeouts"),
    )
