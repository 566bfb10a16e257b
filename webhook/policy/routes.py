"""What HTTP and gRPC routes have in common: parents, backends, matches and filters, and the rules about them.

The shapes are those of the Gateway API, with fields in the order in which an array may stand for them. The policy
HTTPRoute of Linkerd's later lines borrows most of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from webhook.policy.finding import Path, Severity, declare, show
from webhook.policy.pattern_scan import cannot_match_anything, cannot_match_path
from webhook.policy.shape import (
    BOOLEAN,
    I32,
    I64,
    STRING,
    Choice,
    Integer,
    List,
    Node,
    Pruned,
    Reading,
    Shape,
    Struct,
    Text,
    can,
    need,
)
from webhook.policy.targets import (
    GROUP_NAME,
    HOST_NAME,
    KIND_NAME,
    NAME,
    NAMESPACE_NAME,
    SUBDOMAIN,
    means_egress_network,
    means_service,
)

EGRESS_PORT = declare(
    "route-egress-port", Severity.ERROR, "FieldValueRequired", "A route's parent is an EgressNetwork without a port."
)
BACKEND_PORT = declare(
    "route-backend-port", Severity.ERROR, "FieldValueRequired", "A route's backend is a Service without a port."
)
PATH_ABSOLUTE = declare(
    "route-path-absolute",
    Severity.ERROR,
    "FieldValueInvalid",
    "A path to match or to redirect to has no slash in front.",
)
PATTERN = declare(
    "route-regex", Severity.ERROR, "FieldValueInvalid", "A regular expression that the proxy's engine does not take."
)
HEADER_NAME = declare(
    "route-header-name", Severity.ERROR, "FieldValueInvalid", "A header name that HTTP does not allow."
)
HEADER_VALUE = declare(
    "route-header-value", Severity.ERROR, "FieldValueInvalid", "A header value that HTTP does not allow."
)
REDIRECT_PATH = declare(
    "route-redirect-path", Severity.ERROR, "FieldValueRequired", "A redirect's path says neither of the two it may be."
)
REDIRECT_STATUS = declare(
    "route-redirect-status", Severity.ERROR, "FieldValueInvalid", "A redirect's status code is none of HTTP's."
)
PATH_UNREACHABLE = declare(
    "route-path-unreachable", Severity.WARNING, "FieldValueInvalid", "A path that no request can have."
)
NEVER_MATCHES = declare(
    "route-regex-never", Severity.WARNING, "FieldValueInvalid", "A regular expression that nothing can match."
)
SHADOWED = declare(
    "route-rule-shadowed",
    Severity.WARNING,
    "FieldValueDuplicate",
    "A route rule whose matches an earlier rule has all.",
)
FILTER_TWICE = declare(
    "route-filter-twice", Severity.WARNING, "FieldValueDuplicate", "A filter type twice in one rule."
)
PARENT_TWICE = declare("route-parent-twice", Severity.WARNING, "FieldValueDuplicate", "A parentRef twice.")

# RFC 9110, 5.6.2: a token.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,65535}")
# RFC 3986, 3.3: the characters of a path.
URL_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]++|%[0-9a-fA-F]{2})+")
_ORIGIN: Final = Text(
    pattern=r"\*|https?://((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?",
    like="an origin such as https://example.com, or *",
    least=1,
    most=253,
)
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# What a client's or a proxy's normalisation leaves in no path.
_UNREACHABLE: Final = (
    ("//", "// is merged"),
    ("/./", "/./ is resolved"),
    ("/../", "/../ is resolved"),
    ("%2f", "an encoded slash is decoded or refused"),
    ("#", "a fragment is not sent"),
    ("?", "the query is no part of the path"),
)

# --- shapes; where the CRD of a policy HTTPRoute and those of the Gateway API differ, a function makes the variants ---

HOST_NAMES: Final = List(HOST_NAME, most=16)
PORT: Final = Integer(-(2**31), 2**31 - 1, least=1, most=65535)
_WEIGHT: Final = Integer(-(2**31), 2**31 - 1, least=0, most=1_000_000)
_PATH_TEXT: Final = Text(most=1024)
_HEADER_VALUE: Final = Text(least=1, most=4096)
# Where `check_header_name` looks at a name, its characters are no longer the schema's business.
_CHECKED_NAME: Final = Text(most=256)
_TOKEN_NAME: Final = Text(
    pattern=_TOKEN.pattern, like="a name of letters, digits and any of !#$%&'*+-.^_`|~", least=1, most=256
)


def parent_shape(port: Shape) -> Struct:
    """A route's parent."""
    return Struct(
        {
            "group": can(GROUP_NAME),
            "kind": can(KIND_NAME),
            "name": need(NAME),
            "namespace": can(NAMESPACE_NAME),
            "port": can(port),
            "sectionName": can(SUBDOMAIN),
        }
    )


PARENTS: Final = List(parent_shape(PORT), most=32)
_TARGET_FIELDS: Final = {
    "group": can(GROUP_NAME),
    "kind": can(KIND_NAME),
    "name": need(NAME),
    "namespace": can(NAMESPACE_NAME),
    "port": can(PORT),
}
WEIGHTED_TARGET: Final = {**_TARGET_FIELDS, "weight": can(_WEIGHT)}
_TARGET: Final = Struct(dict(_TARGET_FIELDS))


def modifier(name: Text, distinct: bool) -> Struct:
    """A change of headers. `distinct`: the schema takes the name of a header to be removed once."""
    headers = List(Struct({"name": need(name), "value": need(_HEADER_VALUE)}), most=16, key="name")
    return Struct({"add": can(headers), "remove": can(List(STRING, most=16, distinct=distinct)), "set": can(headers)})


def redirect(statuses: Sequence[int]) -> Struct:
    """A redirect to somewhere else."""
    return Struct(
        {
            "hostname": can(SUBDOMAIN),
            "path": can(_NEW_PATH),
            "port": can(PORT),
            "scheme": can(Choice("http", "https")),
            "statusCode": can(Integer(-(2**63), 2**63 - 1, among=statuses)),
        }
    )


_NEW_PATH: Final = Struct(
    {
        "replaceFullPath": can(_PATH_TEXT),
        "replacePrefixMatch": can(_PATH_TEXT),
        "type": need(Choice("ReplaceFullPath", "ReplacePrefixMatch")),
    }
)
MODIFIER: Final = modifier(_CHECKED_NAME, distinct=False)
REDIRECT: Final = redirect((301, 302))
# As far as only the schema looks at it.
WHOLE_MODIFIER: Final = modifier(_TOKEN_NAME, distinct=False)
GATEWAY_MODIFIER: Final = modifier(_CHECKED_NAME, distinct=True)
# Nobody checks the header names of a backend's filters.
GATEWAY_BACKEND_MODIFIER: Final = modifier(_TOKEN_NAME, distinct=True)
_FRACTION: Final = Struct(
    {
        "denominator": can(Integer(-(2**31), 2**31 - 1, least=1)),
        "numerator": need(Integer(-(2**31), 2**31 - 1, least=0)),
    }
)
MIRROR: Final = Struct(
    {
        "backendRef": need(_TARGET),
        "fraction": can(_FRACTION),
        "percent": can(Integer(-(2**31), 2**31 - 1, least=0, most=100)),
    }
)
EXTENSION: Final = Struct({"group": need(GROUP_NAME), "kind": need(KIND_NAME), "name": need(NAME)})
_REWRITE: Final = Struct({"hostname": can(SUBDOMAIN), "path": can(_NEW_PATH)})
_HEADER_NAMES: Final = List(STRING, most=64, distinct=True)
_EXTERNAL_AUTH: Final = Struct(
    {
        "backendRef": need(_TARGET),
        "forwardBody": can(Struct({"maxSize": can(I64)})),
        "grpc": can(Struct({"allowedHeaders": can(_HEADER_NAMES)})),
        "http": can(
            Struct(
                {
                    "allowedHeaders": can(_HEADER_NAMES),
                    "allowedResponseHeaders": can(_HEADER_NAMES),
                    "path": can(Text(pattern=URL_PATH.pattern, like="a path of a URL such as /check", most=1024)),
                }
            )
        ),
        "protocol": need(Choice("HTTP", "GRPC")),
    }
)
_CORS_HEADERS: Final = List(_TOKEN_NAME, most=64, distinct=True)
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_CORS: Final = Struct(
    {
        "allowCredentials": can(BOOLEAN),
        "allowHeaders": can(_CORS_HEADERS),
        "allowMethods": can(List(Text(choices=(*METHODS, "*")), most=9, distinct=True)),
        "allowOrigins": can(List(_ORIGIN, most=64, distinct=True)),
        "exposeHeaders": can(_CORS_HEADERS),
        "maxAge": can(Integer(-(2**31), 2**31 - 1, least=1)),
    }
)
_HTTP_FILTERS: Final = (
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestMirror",
    "RequestRedirect",
    "URLRewrite",
    "ExtensionRef",
    "CORS",
    "ExternalAuth",
)


def http_filter(headers: Struct) -> Struct:
    """A filter of the Gateway API's HTTPRoute."""
    return Struct(
        {
            "cors": can(_CORS),
            "extensionRef": can(EXTENSION),
            "externalAuth": can(_EXTERNAL_AUTH),
            "requestHeaderModifier": can(headers),
            "requestMirror": can(MIRROR),
            "requestRedirect": can(redirect((301, 302, 303, 307, 308))),
            "responseHeaderModifier": can(headers),
            "type": need(Choice(*_HTTP_FILTERS)),
            "urlRewrite": can(_REWRITE),
        }
    )


def _policy_backend_filter() -> Struct:
    """That of a policy HTTPRoute's backend: all of it is read, and the CRD knows three kinds."""
    headers = WHOLE_MODIFIER
    return Struct(
        {
            "cors": can(Pruned(_CORS)),
            "extensionRef": can(Pruned(EXTENSION)),
            "externalAuth": can(Pruned(_EXTERNAL_AUTH)),
            "requestHeaderModifier": can(headers),
            "requestMirror": can(Pruned(MIRROR)),
            "requestRedirect": can(REDIRECT),
            "responseHeaderModifier": can(headers),
            "type": need(
                Choice(*_HTTP_FILTERS, allowed=("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect"))
            ),
            "urlRewrite": can(Pruned(_REWRITE)),
        }
    )


_POLICY_BACKEND_FILTERS: Final = can(List(_policy_backend_filter(), most=16))
POLICY_BACKENDS: Final = List(Struct({"filters": _POLICY_BACKEND_FILTERS, **WEIGHTED_TARGET}), most=16)
# At first the CRD knew little of backends.
OLD_POLICY_BACKENDS: Final = List(
    Struct(
        {
            "filters": _POLICY_BACKEND_FILTERS,
            "group": can(Pruned(STRING)),
            "kind": can(Pruned(STRING)),
            "name": need(STRING),
            "namespace": can(STRING),
            "port": can(I32),
            "weight": can(Pruned(I32)),
        }
    )
)
_TWO_TYPES: Final = Choice("Exact", "RegularExpression")
HEADER_MATCHES: Final = List(
    Struct({"name": need(_CHECKED_NAME), "type": can(_TWO_TYPES), "value": need(_HEADER_VALUE)}), most=16, key="name"
)


def http_matches(parameter: Text, most: int) -> List:
    """What requests are matched by; `parameter` is the name of a query's."""
    query = Struct({"name": need(parameter), "type": can(_TWO_TYPES), "value": need(Text(least=1, most=1024))})
    return List(
        Struct(
            {
                "headers": can(HEADER_MATCHES),
                "method": can(Choice(*METHODS)),
                "path": can(
                    Struct({"type": can(Choice("Exact", "PathPrefix", "RegularExpression")), "value": can(_PATH_TEXT)})
                ),
                "queryParams": can(List(query, most=16, key="name")),
            }
        ),
        most=most,
    )


POLICY_MATCHES: Final = http_matches(Text(least=1, most=256), most=8)
GATEWAY_MATCHES: Final = http_matches(_TOKEN_NAME, most=64)
DURATION: Final = Text(pattern="([0-9]{1,5}(h|m|s|ms)){1,4}", like="a duration such as 10s or 1h30m")
SESSION_PERSISTENCE: Final = Struct(
    {
        "absoluteTimeout": can(DURATION),
        "cookieConfig": can(Struct({"lifetimeType": can(Choice("Permanent", "Session"))})),
        "idleTimeout": can(STRING),
        "sessionName": can(Text(most=128)),
        "type": can(Choice("Cookie", "Header")),
    }
)
DEFAULT_GATEWAYS: Final = Choice("All", "None")


def check_parents(spec: Node, reading: Reading) -> bool:
    """Check a route's parents. Whether one is a Service or an EgressNetwork comes out."""
    meshed = False
    for parent in spec.nodes("parentRefs"):
        if means_egress_network(parent):
            meshed = True
            if parent.lacks("port"):
                reading.note(
                    EGRESS_PORT, (*parent.path, "port"), "missing, an EgressNetwork is targeted at a port: add one"
                )
        elif means_service(parent):
            meshed = True
    return meshed


def warn_of_parents(spec: Node, reading: Reading) -> None:
    """Warn of a parent that stands twice."""
    seen: set[bytes] = set()
    for parent in spec.nodes("parentRefs"):
        key = _key(parent)
        if key in seen:
            reading.note(PARENT_TWICE, parent.path, "the same parentRef once more: leave it out")
        seen.add(key)


def check_backends(rule: Node, reading: Reading) -> None:
    """Check that every backend that is a Service has a port; others are somebody else's business. Case counts here."""
    for backend in rule.nodes("backendRefs"):
        if backend.get("group", "") not in ("", "core") or backend.get("kind", "Service") != "Service":
            continue
        if not backend.get("port") and "port" not in backend.bad and not {"group", "kind"} & set(backend.bad):
            reading.note(
                BACKEND_PORT,
                (*backend.path, "port"),
                f"{show(backend.get('port')) if 'port' in backend else 'missing'}, a Service is used at a port: "
                "write the port that it exposes",
            )


def check_match(match: Node, reading: Reading, query_patterns: bool = True) -> None:
    """Check one match of an HTTP route. `query_patterns`: query parameters' patterns are judged as well."""
    path = match.get("path")
    if path is not None and not path.bad:
        _check_path(path, reading)
    for header in match.nodes("headers"):
        check_header_match(header, reading)
    for parameter in match.nodes("queryParams"):
        if query_patterns and parameter.get("type") == "RegularExpression" and not parameter.bad:
            check_pattern(parameter["value"], (*parameter.path, "value"), reading)


def _check_path(path: Node, reading: Reading) -> None:
    value, at = path.get("value", "/"), (*path.path, "value")
    if path.get("type") == "RegularExpression":
        if check_pattern(value, at, reading) and (reason := cannot_match_path(value)):
            reading.note(NEVER_MATCHES, at, f"{show(value)} matches no path: {reason}")
    elif check_absolute(value, at, reading):
        _warn_of_path(value, at, reading)


def check_absolute(value: str, at: Path, reading: Reading) -> bool:
    """Refuse a path without a slash in front."""
    if value.startswith("/"):
        return True
    fix = "write / for every path" if not value else f"write {show('/' + value.strip())}"
    reading.note(PATH_ABSOLUTE, at, f"{show(value)} is not absolute, want a / in front: {fix}")
    return False


def _warn_of_path(value: str, at: Path, reading: Reading) -> None:
    lowered = value.lower()
    for part, why in _UNREACHABLE:
        if part in lowered or (part in ("/./", "/../") and lowered.endswith(part[:-1])):
            reading.note(PATH_UNREACHABLE, at, f"{show(value)} can be no request's path: {why}")
            return


def check_pattern(pattern: str, at: Path, reading: Reading) -> bool:
    """Refuse a regular expression that the engine does not take; whether it is known to be a good one comes out."""
    verdict = reading.judge(pattern)
    if verdict:
        reading.note(PATTERN, at, verdict)
    return verdict == ""


def check_header_match(header: Node, reading: Reading) -> None:
    """Check a header's name, and its value or pattern."""
    name, value = header.get("name"), header.get("value")
    if name is not None:
        check_header_name(name, (*header.path, "name"), reading)
    if value is None or "type" in header.bad:
        return
    at = (*header.path, "value")
    if header.get("type") != "RegularExpression":
        check_header_value(value, at, reading)
    elif check_pattern(value, at, reading) and (reason := cannot_match_anything(value)):
        reading.note(NEVER_MATCHES, at, f"{show(value)} matches no value: {reason}")


def check_header_name(name: str, at: Path, reading: Reading) -> None:
    """Refuse what is no token."""
    if name.isascii() and reading.line.has("policy/quote-in-header-name"):
        name = name.replace('"', "-")
    if _TOKEN.fullmatch(name) is None:
        fix = ": take the colon away" if name.endswith(":") and _TOKEN.fullmatch(name[:-1]) else ""
        reading.note(
            HEADER_NAME, at, f"{show(name)} is no header name, want letters, digits and any of !#$%&'*+-.^_`|~{fix}"
        )


def check_header_value(value: str, at: Path, reading: Reading) -> None:
    """Refuse what is not printable ASCII."""
    if _VALUE.fullmatch(value) is None:
        reading.note(
            HEADER_VALUE,
            at,
            f"{show(value)} is no header value: take the line breaks and other control characters away",
        )


def check_modifier(modifier: Node | None, reading: Reading) -> None:
    """Check the names and values of a header modifier."""
    if modifier is None:
        return
    for header in (*modifier.nodes("add"), *modifier.nodes("set")):
        if "name" in header:
            check_header_name(header["name"], (*header.path, "name"), reading)
        if "value" in header:
            check_header_value(header["value"], (*header.path, "value"), reading)
    for index, name in enumerate(modifier.get("remove") or ()):
        check_header_name(name, (*modifier.path, "remove", index), reading)


def check_redirect(redirect: Node | None, reading: Reading) -> None:
    """Check a redirect's path and status."""
    if redirect is None:
        return
    path = redirect.get("path")
    if path is not None and not path.bad:
        for name in ("replaceFullPath", "replacePrefixMatch"):
            if name in path:
                check_absolute(path[name], (*path.path, name), reading)
                break
        else:
            name = "replaceFullPath" if path["type"] == "ReplaceFullPath" else "replacePrefixMatch"
            reading.note(REDIRECT_PATH, (*path.path, name), "missing, want the path to redirect to: add one such as /")
    status = redirect.get("statusCode")
    if status is not None and not 100 <= status <= 999:
        reading.note(REDIRECT_STATUS, (*redirect.path, "statusCode"), f"{status} is no status code, want 301 or 302")


def warn_of_filters(filters: Iterable[Node], reading: Reading) -> None:
    """Warn of a filter type that stands twice in a rule; of extensions there may be several."""
    seen: set[str] = set()
    for entry in filters:
        kind = entry.get("type")
        if kind is None or kind == "ExtensionRef":
            continue
        if kind in seen:
            reading.note(FILTER_TWICE, (*entry.path, "type"), f"a second {kind}: put both into one filter")
        seen.add(kind)


def warn_of_shadows(spec: Node, reading: Reading) -> None:
    """Warn of a rule each of whose matches an earlier rule has as well: of equal matches the first rule wins."""
    seen: dict[bytes, Path] = {}
    for rule in spec.nodes("rules"):
        if rule.bad:
            continue
        keys = [_key(match) for match in rule.nodes("matches")] or [_EVERY_REQUEST]
        earlier = [seen.get(key) for key in keys]
        if all(earlier) and earlier[0] is not None:
            reading.note(
                SHADOWED,
                rule.path,
                f"rules[{earlier[0][-1]}] has the same matches and wins: merge the two, or narrow one",
            )
        for key in keys:
            seen.setdefault(key, rule.path)


def _key(node: Node) -> bytes:
    """A text that is the same for equal nodes."""
    return orjson.dumps(node, option=orjson.OPT_SORT_KEYS)


_EVERY_REQUEST: Final = b"{}"
