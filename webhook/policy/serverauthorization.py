"""ServerAuthorization (policy.linkerd.io): which clients may connect to a Server."""

from __future__ import annotations

from typing import Final

from webhook.findings.finding import Severity, declare
from webhook.mesh.releases import Line
from webhook.policy.identities import DNS_IDENTITY
from webhook.policy.networks import NETWORKS
from webhook.policy.objectreferences import LABEL_PATTERN
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import BOOLEAN, Array, Shape, String, Struct, defaulted_field, optional, required
from webhook.policy.selectors import SELECTOR

UNAUTHENTICATED = declare(
    "serverauthorization-unauthenticated",
    Severity.ERROR,
    "FieldValueForbidden",
    "A ServerAuthorization has both unauthenticated and meshTLS for its clients.",
)
UNAUTHENTICATED_TLS = declare(
    "serverauthorization-unauthenticated-tls",
    Severity.ERROR,
    "FieldValueForbidden",
    "A ServerAuthorization has unauthenticatedTLS, and names identities as well.",
)
SERVER = declare(
    "serverauthorization-server",
    Severity.SCHEMA,
    "FieldValueRequired",
    "A ServerAuthorization has both a Server's name and a selector, or neither.",
)
NO_CLIENT = declare(
    "serverauthorization-no-client",
    Severity.WARNING,
    "FieldValueRequired",
    "No client can satisfy a ServerAuthorization.",
)


def _check_server(node: Node, reading: Reading) -> None:
    if node.bad or ("name" in node) != ("selector" in node):
        return
    if "name" in node:
        reading.note(
            SERVER, node.path, "the CRD allows either name or selector, and this has both: leave one of them out"
        )
    else:
        reading.note(SERVER, node.path, "the CRD requires name or selector, and this has neither: add name")


def _check_client(node: Node, reading: Reading) -> None:
    mesh_tls = node.get("meshTLS")
    if mesh_tls is not None and node.get("unauthenticated"):
        reading.note(
            UNAUTHENTICATED,
            (*node.path, "unauthenticated"),
            "a client that is unauthenticated has no meshTLS: leave one of the two fields out",
        )
    if mesh_tls is None and not node.get("unauthenticated") and not node.bad:
        reading.note(
            NO_CLIENT,
            node.path,
            "the ServerAuthorization authorizes no client: add meshTLS (with identities or serviceAccounts), "
            "or unauthenticated: true",
        )


def _check_mesh_tls(node: Node, reading: Reading) -> None:
    named = [name for name in ("identities", "serviceAccounts") if node.get(name)]
    if node.get("unauthenticatedTLS") and named:
        reading.note(
            UNAUTHENTICATED_TLS,
            (*node.path, "unauthenticatedTLS"),
            f"unauthenticatedTLS, for clients without an identity, stands beside {' and '.join(named)}: "
            "leave one of them out",
        )
    elif not node.get("unauthenticatedTLS") and not named and not node.bad:
        reading.note(
            NO_CLIENT,
            node.path,
            "the ServerAuthorization authorizes no client: add identities or serviceAccounts, or "
            "unauthenticatedTLS: true",
        )


_NAME = String(pattern=LABEL_PATTERN, like="a name of lower-case letters, digits and dashes")
_MESH_TLS = Struct(
    {
        "unauthenticatedTLS": defaulted_field(BOOLEAN),
        "identities": optional(Array(DNS_IDENTITY)),
        "serviceAccounts": optional(Array(Struct({"namespace": optional(_NAME), "name": required(_NAME)}))),
    },
    check=_check_mesh_tls,
)
_CLIENT = Struct(
    {"networks": optional(NETWORKS), "unauthenticated": defaulted_field(BOOLEAN), "meshTLS": optional(_MESH_TLS)},
    check=_check_client,
)
_SPEC: Final = Struct(
    {
        "server": required(Struct({"name": optional(_NAME), "selector": optional(SELECTOR)}, check=_check_server)),
        "client": required(_CLIENT),
    }
)


def spec(line: Line, version: str) -> Shape:
    """The shape of a ServerAuthorization's spec: the same at every release line and in every API version."""
    return _SPEC
