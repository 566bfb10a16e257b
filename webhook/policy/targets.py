"""References to other objects: by group, kind, name and sometimes namespace, as Linkerd compares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from webhook.mesh.releases import Line
from webhook.policy.shape import Field, Struct, Text, may, need

POLICY: Final = "policy.linkerd.io"
GATEWAY: Final = "gateway.networking.k8s.io"
CORE: Final = ""

GroupKind = tuple[str, str]

SERVER: Final = (POLICY, "Server")
HTTP_ROUTE: Final = (POLICY, "HTTPRoute")
GATEWAY_HTTP_ROUTE: Final = (GATEWAY, "HTTPRoute")
GATEWAY_GRPC_ROUTE: Final = (GATEWAY, "GRPCRoute")
MESH_TLS: Final = (POLICY, "MeshTLSAuthentication")
NETWORK: Final = (POLICY, "NetworkAuthentication")
EGRESS_NETWORK: Final = (POLICY, "EgressNetwork")
SERVICE: Final = (CORE, "Service")
SERVICE_ACCOUNT: Final = (CORE, "ServiceAccount")
NAMESPACE: Final = (CORE, "Namespace")

# The bounds that the CRDs put on names; the controller itself takes anything.
LABEL_PATTERN: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_PATTERN: Final = rf"{LABEL_PATTERN}(\.{LABEL_PATTERN})*"
GROUP_NAME: Final = Text(
    pattern=f"({SUBDOMAIN_PATTERN})?", like='an API group such as policy.linkerd.io, or ""', most=253
)
KIND_NAME: Final = Text(pattern="[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?", like="a kind such as Server", least=1, most=63)
NAME: Final = Text(least=1, most=253)
NAMESPACE_NAME: Final = Text(
    pattern=LABEL_PATTERN, like="a namespace: lower-case letters, digits and dashes", least=1, most=63
)
SUBDOMAIN: Final = Text(
    pattern=SUBDOMAIN_PATTERN, like="a name of lower-case letters, digits, dashes and dots", least=1, most=253
)
HOST_NAME: Final = Text(
    pattern=rf"(\*\.)?{SUBDOMAIN_PATTERN}",
    like="a host name such as web.example.com or *.example.com",
    least=1,
    most=253,
)


def reference(namespace: Text) -> dict[str, Field]:
    """The fields of a reference, in the controller's own order, with the bounds of its namespace."""
    return {"group": may(GROUP_NAME), "kind": need(KIND_NAME), "name": need(NAME), "namespace": may(namespace)}


LOCAL_REFERENCE: Final = Struct({"group": may(GROUP_NAME), "kind": need(KIND_NAME), "name": need(NAME)})
REFERENCE: Final = Struct(reference(Text(most=253)))


def fold(text: str) -> str:
    """Lower-case as the controller compares: ASCII letters only."""
    return text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)


def targets(reference: Mapping[str, Any], target: GroupKind, line: Line) -> bool:
    """Whether a reference means this group and kind, whatever the case. No group and `core` are the core group, and so
    is "" from a release line on."""
    group, kind = target
    written = reference.get("group")
    if written is None or (not written and line.has("policy/empty-group-is-core")):
        written = "core"
    return fold(written) == (group or "core") and fold(reference["kind"]) == fold(kind)


def canonical(reference: Mapping[str, Any]) -> str:
    """A reference's kind and group for a message, `Server.policy.linkerd.io`."""
    group = reference.get("group")
    return f"{reference['kind']}.{group}" if group else str(reference["kind"])


def means_service(parent: Mapping[str, Any]) -> bool:
    """Whether a parentRef is a Service; one without a kind is none."""
    kind = parent.get("kind")
    return kind is not None and fold(parent.get("group") or "core") == "core" and fold(kind) == "service"


def means_egress_network(parent: Mapping[str, Any]) -> bool:
    """Whether a parentRef is an EgressNetwork; one without a group or a kind is none."""
    group, kind = parent.get("group"), parent.get("kind")
    return group is not None and kind is not None and fold(group) == POLICY and fold(kind) == "egressnetwork"
