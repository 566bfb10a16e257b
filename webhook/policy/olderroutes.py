"""The shapes of routes up to edge-25.2.2, whose policy controller reads them with an older library.

Each form of a match or a filter is a structure of its own, chosen by the field `type`, which the API server fills in.
Ports and weights have 16 bits. A backend of an HTTPRoute that cannot be read is passed over, all but its filters.
Fields that the library does not know are only checked by the schema of the CRD.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from webhook.findings.finding import Path, Severity, declare
from webhook.policy.objectreferences import GROUP_NAME, KIND_NAME, NAME, NAMESPACE_NAME, SUBDOMAIN
from webhook.policy.routeshapes import EXTENSION, METHODS, WHOLE_MODIFIER
from webhook.policy.schema.reading import BAD, Reading
from webhook.policy.schema.shape import (
    STRING,
    Array,
    Choice,
    Field,
    Integer,
    Pruned,
    Shape,
    String,
    Struct,
    Tagged,
    note_schema,
    optional,
    required,
)

REDIRECT_PATH = declare(
    "httproute-redirect-path",
    Severity.ERROR,
    "FieldValueNotSupported",
    "A redirect has a path, and 2.12 cannot read a path of any form.",
)

_PORT: Final = Integer(0, 65535, least=1)
_WEIGHT: Final = Integer(0, 65535)
_TWO_TYPES: Final = ("Exact", "RegularExpression")


class _NoPath(Shape):
    """The path of a redirect: Linkerd 2.12 cannot read a path in any form."""

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        reading.refuse(REDIRECT_PATH, path, "this Linkerd version cannot read the path of a redirect: leave it out")
        return BAD


def _typed(names: Sequence[str], **fields: Shape) -> Tagged:
    return Tagged("type", {name: Struct({field: required(shape) for field, shape in fields.items()}) for name in names})


def header_matches() -> Array:
    """The shape of the matches of headers. `check_match` checks the characters of a header's name."""
    return Array(_typed(_TWO_TYPES, name=String(most=256), value=String(least=1, most=4096)), most=16, key="name")


def http_matches(most: int) -> Array:
    """The shape of the matches of an HTTP route, at most `most`."""
    query = _typed(_TWO_TYPES, name=String(least=1, most=256), value=String(least=1, most=1024))
    return Array(
        Struct(
            {
                "path": optional(_typed(("Exact", "PathPrefix", "RegularExpression"), value=String(most=1024))),
                "headers": optional(header_matches()),
                "queryParams": optional(Array(query, most=16, key="name")),
                "method": optional(String(choices=METHODS)),
            }
        ),
        most=most,
    )


def parent_shape(port: Shape) -> Struct:
    """The shape of a parentRef. `port` is that of its port."""
    return Struct(
        {
            "group": optional(GROUP_NAME),
            "kind": optional(KIND_NAME),
            "namespace": optional(NAMESPACE_NAME),
            "name": required(NAME),
            "sectionName": optional(SUBDOMAIN),
            "port": optional(port),
        }
    )


_HEADERS: Final = Array(
    Struct({"name": required(String(most=256)), "value": required(String(least=1, most=4096))}), most=16, key="name"
)
_MODIFIER: Final = Struct(
    {"set": optional(_HEADERS), "add": optional(_HEADERS), "remove": optional(Array(STRING, most=16))}
)
_NEW_PATH: Final = Tagged(
    "type",
    {
        "ReplaceFullPath": Struct({"replaceFullPath": required(String(most=1024))}),
        "ReplacePrefixMatch": Struct({"replacePrefixMatch": required(String(most=1024))}),
    },
)


def _redirect(path: Shape, statuses: Sequence[int]) -> Struct:
    return Struct(
        {
            "scheme": optional(String(choices=("http", "https"))),
            "hostname": optional(SUBDOMAIN),
            "path": optional(path),
            "port": optional(_PORT),
            "statusCode": optional(Integer(0, 65535, among=statuses)),
        }
    )


def policy_filter(redirect_path: bool, responses: bool) -> Tagged:
    """The shape of a filter of a policy HTTPRoute: whether the path of a redirect can be read, and whether the headers
    of responses can be changed."""
    redirect = _redirect(_NEW_PATH if redirect_path else _NoPath(), (301, 302))
    variants = {
        "RequestHeaderModifier": Struct(
            {"requestHeaderModifier": required(_MODIFIER)}, aside={"requestRedirect": redirect}
        ),
        "RequestRedirect": Struct(
            {"requestRedirect": required(redirect)}, aside={"requestHeaderModifier": WHOLE_MODIFIER}
        ),
    }
    allowed = tuple(variants)
    if responses:
        variants["ResponseHeaderModifier"] = Struct(
            {"responseHeaderModifier": required(Pruned(_MODIFIER))},
            aside={"requestHeaderModifier": WHOLE_MODIFIER, "requestRedirect": redirect},
        )
    return Tagged("type", variants, allowed=allowed)


_REFERENCE: Final = {
    "group": optional(GROUP_NAME),
    "kind": optional(KIND_NAME),
    "name": required(NAME),
    "namespace": optional(NAMESPACE_NAME),
    "port": optional(_PORT),
}
_MIRROR: Final = Struct({"backendRef": required(Struct(dict(_REFERENCE)))})
_REWRITE: Final = Struct({"hostname": optional(SUBDOMAIN), "path": optional(_NEW_PATH)})
_GATEWAY_FILTERS: Final[dict[str, tuple[str, Shape]]] = {
    "RequestHeaderModifier": ("requestHeaderModifier", _MODIFIER),
    "ResponseHeaderModifier": ("responseHeaderModifier", _MODIFIER),
    "RequestMirror": ("requestMirror", _MIRROR),
    "ExtensionRef": ("extensionRef", EXTENSION),
    "RequestRedirect": ("requestRedirect", _redirect(_NEW_PATH, (301, 302, 303, 307, 308))),
    "URLRewrite": ("urlRewrite", _REWRITE),
}
_GRPC_FILTERS: Final = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef")


def gateway_filters(names: Sequence[str] = tuple(_GATEWAY_FILTERS)) -> Array:
    """The shape of the filters of a Gateway API route, of the types in `names`."""
    fields = {name: _GATEWAY_FILTERS[name] for name in names}
    variants = {name: Struct({field: required(shape)}, schema=False) for name, (field, shape) in fields.items()}
    return Array(Tagged("type", variants), most=16)


GRPC_FILTERS: Final = gateway_filters(_GRPC_FILTERS)
_BACKEND: Final = Struct({"weight": optional(_WEIGHT), **_REFERENCE}, flattened=True)


class _PassedOver(Shape):
    """A backend of an HTTPRoute: its filters must be readable, and a reference that cannot be read is passed over."""

    wanted = "an object"

    def __init__(self, filters: Shape) -> None:
        self._filters = Struct({"filters": optional(filters)})

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """A `Node` with the filters, and the fields of the reference where all of them could be read."""
        if type(value) is not dict:
            return self.wrong_type(value, path, reading)
        node = self._filters.read({key: item for key, item in value.items() if key == "filters"}, path, reading)
        apart = Reading(reading.line, reading.judge)
        reference = _BACKEND.read({key: item for key, item in value.items() if key != "filters"}, path, apart)
        note_schema(apart, reading)
        if apart.broken:
            node.bad += tuple(_BACKEND.fields)
        else:
            node.update(reference)
        return node


HTTP_BACKENDS: Final = Array(_PassedOver(gateway_filters()), most=16)
GRPC_BACKENDS: Final = Array(
    Struct({"filters": optional(GRPC_FILTERS), "weight": optional(_WEIGHT), **_REFERENCE}, flattened=True), most=16
)
L4_BACKENDS: Final = Array(_BACKEND, least=1, most=16)
PARENTS: Final = Array(parent_shape(_PORT), most=32)
GRPC_METHOD: Final[dict[str, Field]] = {
    "type": optional(Choice(*_TWO_TYPES)),
    "method": optional(String(most=1024)),
    "service": optional(String(most=1024)),
}
