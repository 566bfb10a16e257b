"""HTTPRoute (policy.linkerd.io): routes of HTTP requests to a Server, a Service or an EgressNetwork.

It has the same name as the Gateway API's HTTPRoute, and after 2.12 the same matches. Linkerd refuses what it cannot
read in it, it has fewer filters, and its timeouts have a grammar of their own. Linkerd 2.12 has an older model.
"""

from __future__ import annotations

import re
from typing import Any, Final

from webhook.findings.finding import Path, Severity, declare, show
from webhook.mesh.releases import Line
from webhook.policy.durations import Timeout
from webhook.policy.objectreferences import (
    GROUP_NAME,
    KIND_NAME,
    NAME,
    NAMESPACE_NAME,
    POLICY,
    SERVER,
    SUBDOMAIN,
    targets,
)
from webhook.policy.routeannotations import READ_BY_HTTP, check_annotations
from webhook.policy.routes import (
    check_filter,
    check_match,
    check_parents,
    warn_of_filters,
    warn_of_parents,
    warn_of_shadows,
)
from webhook.policy.routeshapes import (
    HOST_NAMES,
    METHODS,
    MODIFIER,
    OLD_POLICY_BACKENDS,
    POLICY_BACKENDS,
    POLICY_MATCHES,
    PORT,
    REDIRECT,
    WHOLE_MODIFIER,
    parent_shape,
)
from webhook.policy.schema.reading import BAD, Node, Reading
from webhook.policy.schema.shape import (
    I32,
    STRING,
    Array,
    Integer,
    Pruned,
    Shape,
    String,
    Struct,
    Tagged,
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
METHOD = declare(
    "httproute-method", Severity.ERROR, "FieldValueInvalid", "An HTTPRoute matches a method that HTTP does not allow."
)
SCHEME = declare(
    "httproute-scheme", Severity.ERROR, "FieldValueInvalid", "A redirect has a scheme that no URI can have."
)
REDIRECT_PATH = declare(
    "httproute-redirect-path",
    Severity.ERROR,
    "FieldValueNotSupported",
    "A redirect has a path, and 2.12 cannot read a path of any form.",
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


def _check_rules(spec: Node, reading: Reading, query_patterns: bool) -> None:
    for rule in spec.nodes("rules"):
        for match in rule.nodes("matches"):
            check_match(match, reading, query_patterns)
        for entry in rule.nodes("filters"):
            check_filter(entry, reading)
        warn_of_filters(rule.nodes("filters"), reading)
    warn_of_shadows(spec, reading)


def _check_edge(spec: Node, reading: Reading) -> None:
    effect = check_parents(spec, reading, POLICY)
    warn_of_parents(spec, reading)
    for finding in check_annotations(reading.annotations, READ_BY_HTTP, effect):
        reading.add(finding)
    _check_rules(spec, reading, query_patterns=True)


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


def _edge(port: Shape, backends: Shape, timeouts: Shape) -> Struct:
    rule = Struct(
        {
            "matches": optional(POLICY_MATCHES),
            "filters": optional(Array(_FILTER, most=16)),
            "backendRefs": optional(backends),
            "timeouts": optional(timeouts),
        }
    )
    return Struct(
        {
            "parentRefs": omittable(Array(parent_shape(port), most=32)),
            "hostnames": optional(HOST_NAMES),
            "rules": optional(Array(rule, most=16)),
        },
        check=_check_edge,
    )


_TIMEOUTS: Final = Struct(
    {"request": optional(Timeout()), "backendRequest": optional(Timeout())}, check=_check_timeouts
)
_NEWEST: Final = _edge(PORT, POLICY_BACKENDS, _TIMEOUTS)
_OLDEST: Final = _edge(I32, OLD_POLICY_BACKENDS, Pruned(_TIMEOUTS))
_EDGE: Final = {
    "v1alpha1": _OLDEST,
    "v1beta1": _OLDEST,
    "v1beta2": _edge(PORT, POLICY_BACKENDS, Pruned(_TIMEOUTS)),
}


# --- 2.12: the structures are those of an older release of the Gateway API ---

_METHOD = re.compile(r"[!*+.^_`|~0-9A-Za-z-]+")
_SCHEME = re.compile(r"[0-9A-Za-z+.~-]{0,64}")


class _NoPath(Shape):
    """The path of a redirect: Linkerd 2.12 cannot read a path in any form."""

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        reading.refuse(REDIRECT_PATH, path, "this Linkerd version cannot read the path of a redirect: leave it out")
        return BAD


def _check_stable(spec: Node, reading: Reading) -> None:
    for parent in spec.nodes("parentRefs"):
        if parent.bad or (parent.get("kind") is not None and targets(parent, SERVER, reading.line)):
            continue
        reading.note(
            PARENT_KIND,
            parent.path,
            f"a parent of kind {show(parent.get('kind'))} is not a Server, and this Linkerd version knows no "
            "other parents: write group: policy.linkerd.io and kind: Server",
        )
    for rule in spec.nodes("rules"):
        for match in rule.nodes("matches"):
            method = match.get("method")
            if method is not None and _METHOD.fullmatch(method) is None:
                reading.note(
                    METHOD, (*match.path, "method"), f"{show(method)} is not an HTTP method: write one such as GET"
                )
        for entry in rule.nodes("filters"):
            redirect: Node | None = entry.get("requestRedirect")
            scheme = None if redirect is None else redirect.get("scheme")
            if redirect is not None and scheme is not None and _SCHEME.fullmatch(scheme) is None:
                reading.note(SCHEME, (*redirect.path, "scheme"), f"{show(scheme)} is not a scheme: write http or https")
    _check_rules(spec, reading, query_patterns=False)


_PORT: Final = Integer(0, 65535)


def _typed(names: tuple[str, ...], **fields: Shape) -> Tagged:
    return Tagged("type", {name: Struct({field: required(shape) for field, shape in fields.items()}) for name in names})


def _stable_matches() -> Array:
    two, value = ("Exact", "RegularExpression"), String(least=1, most=4096)
    # `check_match` checks the characters of a header's name.
    headers = _typed(two, name=String(most=256), value=value)
    query = _typed(two, name=String(least=1, most=256), value=String(least=1, most=1024))
    return Array(
        Struct(
            {
                "path": optional(_typed(("Exact", "PathPrefix", "RegularExpression"), value=String(most=1024))),
                "headers": optional(Array(headers, most=16, key="name")),
                "queryParams": optional(Array(query, most=16, key="name")),
                "method": optional(String(choices=METHODS)),
            }
        ),
        most=8,
    )


def _stable_modifier(name: String) -> Struct:
    headers = Array(
        Struct({"name": required(name), "value": required(String(least=1, most=4096))}), most=16, key="name"
    )
    return Struct({"set": optional(headers), "add": optional(headers), "remove": optional(Array(STRING, most=16))})


_STABLE_PARENT: Final = Struct(
    {
        "group": optional(GROUP_NAME),
        "kind": optional(KIND_NAME),
        "namespace": optional(NAMESPACE_NAME),
        "name": required(NAME),
        "sectionName": optional(SUBDOMAIN),
        "port": optional(Pruned(_PORT)),
    }
)
_STABLE_REDIRECT: Final = Struct(
    {
        "scheme": optional(String(choices=("http", "https"))),
        "hostname": optional(SUBDOMAIN),
        "path": optional(_NoPath()),
        "port": optional(Integer(0, 65535, least=1)),
        "statusCode": optional(Integer(0, 65535, among=(301, 302))),
    }
)
_STABLE_FILTER: Final = Tagged(
    "type",
    {
        "RequestHeaderModifier": Struct(
            {"requestHeaderModifier": required(_stable_modifier(String(most=256)))},
            aside={"requestRedirect": _STABLE_REDIRECT},
        ),
        "RequestRedirect": Struct(
            {"requestRedirect": required(_STABLE_REDIRECT)}, aside={"requestHeaderModifier": WHOLE_MODIFIER}
        ),
    },
)
_STABLE_RULE: Final = Struct(
    {"matches": optional(_stable_matches()), "filters": optional(Array(_STABLE_FILTER, most=16))}
)
_STABLE: Final = Struct(
    {
        "parentRefs": optional(Array(_STABLE_PARENT, most=32)),
        "hostnames": optional(HOST_NAMES),
        "rules": optional(Array(_STABLE_RULE, most=16)),
    },
    check=_check_stable,
    flattened=True,
)


def spec(line: Line, version: str) -> Shape:
    """The shape of a policy HTTPRoute's spec at a release line and in an API version such as `v1beta2`."""
    return _EDGE.get(version, _NEWEST) if line.has("policy/HTTPRoute.timeouts") else _STABLE
