"""The shapes of the parents, backends, matches and filters of routes.

Fields are in the order in which an array may replace the structure. A function makes the variants where the CRD of the
policy HTTPRoute differs from those of the Gateway API (https://gateway-api.sigs.k8s.io/reference/spec/).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from webhook.policy.objectreferences import GROUP_NAME, HOST_NAME, KIND_NAME, NAME, NAMESPACE_NAME, SUBDOMAIN
from webhook.policy.schema.reading import Check
from webhook.policy.schema.shape import (
    BOOLEAN,
    I32,
    I64,
    STRING,
    Array,
    Choice,
    Field,
    Integer,
    Pruned,
    Shape,
    String,
    Struct,
    omittable,
    required,
)

# RFC 9110, 5.6.2: a token.
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,65535}")
# RFC 3986, 3.3: the characters of a path.
URL_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]++|%[0-9a-fA-F]{2})+")
_ORIGIN: Final = String(
    pattern=r"\*|https?://((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?",
    like="an origin such as https://example.com, or *",
    least=1,
    most=253,
)


HOST_NAMES: Final = Array(HOST_NAME, most=16)
PORT: Final = Integer(-(2**31), 2**31 - 1, least=1, most=65535)
_WEIGHT: Final = Integer(-(2**31), 2**31 - 1, least=0, most=1_000_000)
_PATH_TEXT: Final = String(most=1024)
_HEADER_VALUE: Final = String(least=1, most=4096)
# `check_header_name` checks the characters of such a name, so that the schema need not.
_CHECKED_NAME: Final = String(most=256)
_TOKEN_NAME: Final = String(
    pattern=TOKEN.pattern, like="a name of letters, digits and any of !#$%&'*+-.^_`|~", least=1, most=256
)


def parent_shape(port: Shape) -> Struct:
    """The shape of a parentRef. `port` is that of its port."""
    return Struct(
        {
            "group": omittable(GROUP_NAME),
            "kind": omittable(KIND_NAME),
            "name": required(NAME),
            "namespace": omittable(NAMESPACE_NAME),
            "port": omittable(port),
            "sectionName": omittable(SUBDOMAIN),
        }
    )


PARENTS: Final = Array(parent_shape(PORT), most=32)
_TARGET_FIELDS: Final = {
    "group": omittable(GROUP_NAME),
    "kind": omittable(KIND_NAME),
    "name": required(NAME),
    "namespace": omittable(NAMESPACE_NAME),
    "port": omittable(PORT),
}
WEIGHTED_TARGET: Final = {**_TARGET_FIELDS, "weight": omittable(_WEIGHT)}
_TARGET: Final = Struct(dict(_TARGET_FIELDS))


def modifier(name: String, distinct: bool) -> Struct:
    """The shape of a header modifier. `name` is that of a header's name; with `distinct`, a header is removed only
    once."""
    headers = Array(Struct({"name": required(name), "value": required(_HEADER_VALUE)}), most=16, key="name")
    return Struct(
        {
            "add": omittable(headers),
            "remove": omittable(Array(STRING, most=16, distinct=distinct)),
            "set": omittable(headers),
        }
    )


def redirect(statuses: Sequence[int]) -> Struct:
    """The shape of a redirect. `statuses` are the status codes that the schema allows."""
    return Struct(
        {
            "hostname": omittable(SUBDOMAIN),
            "path": omittable(_NEW_PATH),
            "port": omittable(PORT),
            "scheme": omittable(Choice("http", "https")),
            "statusCode": omittable(Integer(-(2**63), 2**63 - 1, among=statuses)),
        }
    )


_NEW_PATH: Final = Struct(
    {
        "replaceFullPath": omittable(_PATH_TEXT),
        "replacePrefixMatch": omittable(_PATH_TEXT),
        "type": required(Choice("ReplaceFullPath", "ReplacePrefixMatch")),
    }
)
MODIFIER: Final = modifier(_CHECKED_NAME, distinct=False)
REDIRECT: Final = redirect((301, 302))
# A modifier that only the schema checks.
WHOLE_MODIFIER: Final = modifier(_TOKEN_NAME, distinct=False)
GATEWAY_MODIFIER: Final = modifier(_CHECKED_NAME, distinct=True)
# Only the schema checks the header names in the filters of a backend.
GATEWAY_BACKEND_MODIFIER: Final = modifier(_TOKEN_NAME, distinct=True)
_FRACTION: Final = Struct(
    {
        "denominator": omittable(Integer(-(2**31), 2**31 - 1, least=1)),
        "numerator": required(Integer(-(2**31), 2**31 - 1, least=0)),
    }
)
MIRROR: Final = Struct(
    {
        "backendRef": required(_TARGET),
        "fraction": omittable(_FRACTION),
        "percent": omittable(Integer(-(2**31), 2**31 - 1, least=0, most=100)),
    }
)
EXTENSION: Final = Struct({"group": required(GROUP_NAME), "kind": required(KIND_NAME), "name": required(NAME)})
_REWRITE: Final = Struct({"hostname": omittable(SUBDOMAIN), "path": omittable(_NEW_PATH)})
_HEADER_NAMES: Final = Array(STRING, most=64, distinct=True)
_EXTERNAL_AUTH: Final = Struct(
    {
        "backendRef": required(_TARGET),
        "forwardBody": omittable(Struct({"maxSize": omittable(I64)})),
        "grpc": omittable(Struct({"allowedHeaders": omittable(_HEADER_NAMES)})),
        "http": omittable(
            Struct(
                {
                    "allowedHeaders": omittable(_HEADER_NAMES),
                    "allowedResponseHeaders": omittable(_HEADER_NAMES),
                    "path": omittable(
                        String(pattern=URL_PATH.pattern, like="a path of a URL such as /check", most=1024)
                    ),
                }
            )
        ),
        "protocol": required(Choice("HTTP", "GRPC")),
    }
)
_CORS_HEADERS: Final = Array(_TOKEN_NAME, most=64, distinct=True)
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
_CORS: Final = Struct(
    {
        "allowCredentials": omittable(BOOLEAN),
        "allowHeaders": omittable(_CORS_HEADERS),
        "allowMethods": omittable(Array(String(choices=(*METHODS, "*")), most=9, distinct=True)),
        "allowOrigins": omittable(Array(_ORIGIN, most=64, distinct=True)),
        "exposeHeaders": omittable(_CORS_HEADERS),
        "maxAge": omittable(Integer(-(2**31), 2**31 - 1, least=1)),
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


def _types(newest: bool) -> tuple[str, ...]:
    return _HTTP_FILTERS if newest else _HTTP_FILTERS[:-2]


def http_filter(headers: Struct, newest: bool) -> Struct:
    """The shape of a filter of the Gateway API's HTTPRoute. `headers` is that of its header modifiers; `newest` is
    whether Linkerd reads the types that came last."""
    fields = {
        "extensionRef": omittable(EXTENSION),
        "requestHeaderModifier": omittable(headers),
        "requestMirror": omittable(MIRROR),
        "requestRedirect": omittable(redirect((301, 302, 303, 307, 308))),
        "responseHeaderModifier": omittable(headers),
        "type": required(Choice(*_types(newest))),
        "urlRewrite": omittable(_REWRITE),
    }
    if not newest:
        return Struct(fields, aside={"cors": _CORS, "externalAuth": _EXTERNAL_AUTH})
    return _sorted({**fields, "cors": omittable(_CORS), "externalAuth": omittable(_EXTERNAL_AUTH)})


def _sorted(fields: dict[str, Field]) -> Struct:
    """A structure with its fields in the order of their names, in which an array may replace it."""
    return Struct(dict(sorted(fields.items())))


def _policy_backend_filter(newest: bool) -> Struct:
    """The shape of a filter of a policy HTTPRoute's backend. Linkerd reads all types, and the CRD allows three."""
    headers = WHOLE_MODIFIER
    fields = {
        "extensionRef": omittable(Pruned(EXTENSION)),
        "requestHeaderModifier": omittable(headers),
        "requestMirror": omittable(Pruned(MIRROR)),
        "requestRedirect": omittable(REDIRECT),
        "responseHeaderModifier": omittable(headers),
        "type": required(
            Choice(*_types(newest), allowed=("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect"))
        ),
        "urlRewrite": omittable(Pruned(_REWRITE)),
    }
    if not newest:
        return Struct(fields)
    return _sorted({**fields, "cors": omittable(Pruned(_CORS)), "externalAuth": omittable(Pruned(_EXTERNAL_AUTH))})


def _policy_backend_filters(newest: bool) -> Field:
    return omittable(Array(_policy_backend_filter(newest), most=16))


def policy_backends(newest: bool) -> Array:
    """The shape of the backends of a policy HTTPRoute. `newest` is whether Linkerd reads the filters that came last."""
    return Array(Struct({"filters": _policy_backend_filters(newest), **WEIGHTED_TARGET}), most=16)


def old_policy_backends(newest: bool) -> Array:
    """The same for the first API versions, whose CRD has few fields of backends."""
    return Array(
        Struct(
            {
                "filters": _policy_backend_filters(newest),
                "group": omittable(Pruned(STRING)),
                "kind": omittable(Pruned(STRING)),
                "name": required(STRING),
                "namespace": omittable(STRING),
                "port": omittable(I32),
                "weight": omittable(Pruned(I32)),
            }
        )
    )


_TWO_TYPES: Final = Choice("Exact", "RegularExpression")
HEADER_MATCHES: Final = Array(
    Struct({"name": required(_CHECKED_NAME), "type": omittable(_TWO_TYPES), "value": required(_HEADER_VALUE)}),
    most=16,
    key="name",
)


def http_matches(parameter: String, most: int) -> Array:
    """The shape of the matches of an HTTP route. `parameter` is that of a query parameter's name, `most` their
    number."""
    query = Struct(
        {"name": required(parameter), "type": omittable(_TWO_TYPES), "value": required(String(least=1, most=1024))}
    )
    return Array(
        Struct(
            {
                "headers": omittable(HEADER_MATCHES),
                "method": omittable(Choice(*METHODS)),
                "path": omittable(
                    Struct(
                        {
                            "type": omittable(Choice("Exact", "PathPrefix", "RegularExpression")),
                            "value": omittable(_PATH_TEXT),
                        }
                    )
                ),
                "queryParams": omittable(Array(query, most=16, key="name")),
            }
        ),
        most=most,
    )


POLICY_MATCHES: Final = http_matches(String(least=1, most=256), most=8)
GATEWAY_MATCHES: Final = http_matches(_TOKEN_NAME, most=64)
DURATION: Final = String(pattern="([0-9]{1,5}(h|m|s|ms)){1,4}", like="a duration such as 10s or 1h30m")
SESSION_PERSISTENCE: Final = Struct(
    {
        "absoluteTimeout": omittable(DURATION),
        "cookieConfig": omittable(Struct({"lifetimeType": omittable(Choice("Permanent", "Session"))})),
        "idleTimeout": omittable(STRING),
        "sessionName": omittable(String(most=128)),
        "type": omittable(Choice("Cookie", "Header")),
    }
)
DEFAULT_GATEWAYS: Final = Choice("All", "None")


def spec_struct(fields: dict[str, Field], check: Check, newest: bool) -> Struct:
    """The shape of a Gateway API route's spec. `newest` is whether Linkerd reads useDefaultGateways; if not, only the
    CRD's schema checks it."""
    if newest:
        return Struct({**fields, "useDefaultGateways": omittable(DEFAULT_GATEWAYS)}, check=check)
    return Struct(fields, check=check, aside={"useDefaultGateways": DEFAULT_GATEWAYS})
