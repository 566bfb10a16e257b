"""The shapes of routes: parents, backends, matches and filters, their fields in the order in which an array may stand
for them. Where the CRD of a policy HTTPRoute and those of the Gateway API differ, a function makes the variants.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from webhook.policy.schema.shape import (
    BOOLEAN,
    I32,
    I64,
    STRING,
    Choice,
    Integer,
    List,
    Pruned,
    Shape,
    Struct,
    Text,
    can,
    need,
)
from webhook.policy.targets import GROUP_NAME, HOST_NAME, KIND_NAME, NAME, NAMESPACE_NAME, SUBDOMAIN

# RFC 9110, 5.6.2: a token.
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,65535}")
# RFC 3986, 3.3: the characters of a path.
URL_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]++|%[0-9a-fA-F]{2})+")
_ORIGIN: Final = Text(
    pattern=r"\*|https?://((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?",
    like="an origin such as https://example.com, or *",
    least=1,
    most=253,
)


HOST_NAMES: Final = List(HOST_NAME, most=16)
PORT: Final = Integer(-(2**31), 2**31 - 1, least=1, most=65535)
_WEIGHT: Final = Integer(-(2**31), 2**31 - 1, least=0, most=1_000_000)
_PATH_TEXT: Final = Text(most=1024)
_HEADER_VALUE: Final = Text(least=1, most=4096)
# Where `check_header_name` looks at a name, its characters are no longer the schema's business.
_CHECKED_NAME: Final = Text(most=256)
_TOKEN_NAME: Final = Text(
    pattern=TOKEN.pattern, like="a name of letters, digits and any of !#$%&'*+-.^_`|~", least=1, most=256
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
