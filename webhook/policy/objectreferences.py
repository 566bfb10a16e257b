"""References to other objects, by group, kind, name and sometimes namespace, and how Linkerd compares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webhook.mesh.releases import Line
from webhook.policy.schema.shape import Field, String, Struct, optional, required

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

# The bounds of names in the CRDs. The policy controller itself accepts any text.
LABEL_PATTERN: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_PATTERN: Final = rf"{LABEL_PATTERN}(\.{LABEL_PATTERN})*"
GROUP_NAME: Final = String(
    pattern=f"({SUBDOMAIN_PATTERN})?", like='an API group such as policy.linkerd.io, or ""', most=253
)
KIND_NAME: Final = String(pattern="[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?", like="a kind such as Server", least=1, most=63)
NAME: Final = String(least=1, most=253)
NAMESPACE_NAME: Final = String(
    pattern=LABEL_PATTERN, like="a namespace: lower-case letters, digits and dashes", least=1, most=63
)
SUBDOMAIN: Final = String(
    pattern=SUBDOMAIN_PATTERN, like="a name of lower-case letters, digits, dashes and dots", least=1, most=253
)
HOST_NAME: Final = String(
    pattern=rf"(\*\.)?{SUBDOMAIN_PATTERN}",
    like="a host name such as web.example.com or *.example.com",
    least=1,
    most=253,
)


def reference(namespace: String) -> dict[str, Field]:
    """The fields of a reference, in the policy controller's order. `namespace` is the shape of its namespace."""
    return {
        "group": optional(GROUP_NAME),
        "kind": required(KIND_NAME),
        "name": required(NAME),
        "namespace": optional(namespace),
    }


LOCAL_REFERENCE: Final = Struct({"group": optional(GROUP_NAME), "kind": required(KIND_NAME), "name": required(NAME)})
REFERENCE: Final = Struct(reference(String(most=253)))


def fold(text: str) -> str:
    """A text in lower case as the policy controller compares: only ASCII letters are changed."""
    return text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)


def targets(reference: Mapping[str, Any], target: GroupKind, line: Line) -> bool:
    """Whether a reference is to this group and kind, in any case. A missing group and `core` are the core group, and so
    is "" after 2.12."""
    group, kind = target
    written = reference.get("group")
    if written is None or (not written and line.has("policy/empty-group-is-core")):
        written = "core"
    return fold(written) == (group or "core") and fold(reference["kind"]) == fold(kind)


def canonical(reference: Mapping[str, Any]) -> str:
    """The kind and group of a reference as messages write them, such as `Server.policy.linkerd.io`."""
    group = reference.get("group")
    return f"{reference['kind']}.{group}" if group else str(reference["kind"])


class Parent(NamedTuple):
    """The kind of object that a route's parentRef refers to, once the API server has filled in the defaults."""

    target: GroupKind | None
    """Server, Service or EgressNetwork; None for any other kind, which Linkerd passes over."""
    meant: GroupKind | None
    """The same, or which of the three is most likely meant: the group may be missing, or be that of another kind."""
    sent: GroupKind | None
    """What Linkerd's webhook takes the parentRef for, by which it refuses: a missing group is the core group there. An
    API server never sends a parentRef without a group, as it fills in the group of the route."""


_PARENTS: Final = {(group, fold(kind)): (group, kind) for group, kind in (SERVER, SERVICE, EGRESS_NETWORK)}
_PARENT_KINDS: Final = {kind: target_kind for (_, kind), target_kind in _PARENTS.items()}
# Groups that users write by mistake for the kind of a parent that Linkerd reads.
_PARENT_GROUPS: Final = ("", POLICY, GATEWAY)
_NO_PARENT: Final = Parent(None, None, None)


def read_parent(reference: Any, own: str) -> Parent:
    """The kind of object that a parentRef of a route refers to. `own` is the API group of the route, which its CRD
    fills in for a missing group; for a missing kind it fills in Gateway. `reference` is any JSON value."""
    if not isinstance(reference, dict):
        return _NO_PARENT
    written, kind = reference.get("group"), reference.get("kind")
    group = own if written is None else written
    if not isinstance(group, str) or not isinstance(kind, str | None):
        return _NO_PARENT
    group = "" if fold(group) == "core" else fold(group)
    if kind is None:
        # Of the core group's kinds only Services are parents.
        return Parent(None, SERVICE if group == "" else None, None)
    target = _PARENTS.get((group, fold(kind)))
    meant = target or (_PARENT_KINDS.get(fold(kind)) if group in _PARENT_GROUPS else None)
    return Parent(target, meant, _PARENTS.get(("", fold(kind))) if written is None else target)


def is_ours(spec: Any, own: str) -> bool:
    """Whether a route has a parent that is, or is meant to be, a Server, a Service or an EgressNetwork. `own` is the
    API group of the route."""
    parents = spec.get("parentRefs") if isinstance(spec, dict) else None
    return isinstance(parents, list) and any(read_parent(parent, own).meant is not None for parent in parents)


def is_foreign(group: str, body: Any) -> bool:
    """Whether an object of this API group is a Gateway API route for other controllers: it has parents, or asks for the
    default Gateways, and no parent is, or is meant to be, a Server, a Service or an EgressNetwork."""
    spec = body.get("spec") if group == GATEWAY and isinstance(body, dict) else None
    if not isinstance(spec, dict):
        return False
    parents = spec.get("parentRefs")
    if not parents:
        return spec.get("useDefaultGateways") == "All"
    are_named = isinstance(parents, list) and all(
        isinstance(p, dict) and isinstance(p.get("name"), str) for p in parents
    )
    return are_named and not is_ours(spec, GATEWAY)
