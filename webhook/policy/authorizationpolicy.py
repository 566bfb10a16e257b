"""AuthorizationPolicy (policy.linkerd.io): what a client has to prove to use a Server, a route or a namespace."""

from __future__ import annotations

from functools import cache
from typing import Final

from webhook.findings.finding import Severity, declare, show, suggest
from webhook.mesh.releases import Line
from webhook.policy.objectreferences import (
    GATEWAY_GRPC_ROUTE,
    GATEWAY_HTTP_ROUTE,
    HTTP_ROUTE,
    LOCAL_REFERENCE,
    MESH_TLS,
    NAMESPACE,
    NETWORK,
    REFERENCE,
    SERVER,
    SERVICE_ACCOUNT,
    GroupKind,
    canonical,
    targets,
)
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Shape, Struct, either, required

TARGET = declare(
    "authorizationpolicy-target",
    Severity.ERROR,
    "FieldValueNotSupported",
    "An AuthorizationPolicy targets an object of a kind that it cannot target.",
)
OTHER_NAMESPACE = declare(
    "authorizationpolicy-other-namespace",
    Severity.ERROR,
    "FieldValueForbidden",
    "An AuthorizationPolicy targets another namespace than its own.",
)
AUTHENTICATION = declare(
    "authorizationpolicy-authentication",
    Severity.ERROR,
    "FieldValueNotSupported",
    "An AuthorizationPolicy requires an authentication of a kind that is not an authentication.",
)
TWICE = declare(
    "authorizationpolicy-authentication-twice",
    Severity.ERROR,
    "FieldValueTooMany",
    "An AuthorizationPolicy requires two authentications of one kind, and no client can satisfy both.",
)
TOGETHER = declare(
    "authorizationpolicy-authentication-together",
    Severity.ERROR,
    "FieldValueForbidden",
    "An AuthorizationPolicy requires a MeshTLSAuthentication and a ServiceAccount, and Linkerd allows one of the two.",
)
NONE = declare(
    "authorizationpolicy-no-authentication",
    Severity.WARNING,
    "FieldValueRequired",
    "An AuthorizationPolicy requires no authentication, so that every client may use its target.",
)

# The kinds that a policy can target, with the row that says from which release on.
_TARGETS: Final = (
    (SERVER, ""),
    (NAMESPACE, ""),
    (HTTP_ROUTE, ""),
    (GATEWAY_HTTP_ROUTE, "policy/AuthorizationPolicy.targetRef.gateway-HTTPRoute"),
    (GATEWAY_GRPC_ROUTE, "policy/AuthorizationPolicy.targetRef.GRPCRoute"),
)
_AUTHENTICATIONS: Final = (MESH_TLS, SERVICE_ACCOUNT, NETWORK)


def name_of(target: GroupKind) -> str:
    """A kind with its group as messages write it, such as `Server.policy.linkerd.io`."""
    group, kind = target
    return f"{kind}.{group}" if group else kind


def _check(allowed: tuple[GroupKind, ...], node: Node, reading: Reading) -> None:
    target = node.get("targetRef")
    if target is not None and not target.bad:
        _check_target(allowed, target, reading)
    _check_authentications(node, reading)


def _check_target(allowed: tuple[GroupKind, ...], target: Node, reading: Reading) -> None:
    if not any(targets(target, candidate, reading.line) for candidate in allowed):
        names = [name_of(candidate) for candidate in allowed]
        reading.note(
            TARGET,
            (*target.path, "kind"),
            f"an AuthorizationPolicy cannot target {show(canonical(target))}: target a {either(names)}"
            f"{_group_hint(target, allowed) or suggest(canonical(target), names)}",
        )
    elif targets(target, NAMESPACE, reading.line) and target["name"] != reading.namespace:
        reading.note(
            OTHER_NAMESPACE,
            (*target.path, "name"),
            f"{show(target['name'])} is another namespace, and an AuthorizationPolicy can target its own alone: "
            f"write {show(reading.namespace)}, or create the policy in {show(target['name'])}",
        )


def _group_hint(reference: Node, allowed: tuple[GroupKind, ...]) -> str:
    for group, kind in allowed:
        if reference["kind"].lower() == kind.lower():
            return f"; here, write group: {group}" if group else "; here, leave the group out"
    return ""


def _check_authentications(node: Node, reading: Reading) -> None:
    references = [r for r in node.nodes("requiredAuthenticationRefs") if not r.bad]
    path = (*node.path, "requiredAuthenticationRefs")
    if not references and "requiredAuthenticationRefs" in node and not reading.broken:
        reading.note(
            NONE,
            path,
            "the AuthorizationPolicy requires no authentication, so that every client may use its target: add "
            "one unless you mean that",
        )
    seen: dict[GroupKind, Node] = {}
    for reference in references:
        kind = next((k for k in _AUTHENTICATIONS if targets(reference, k, reading.line)), None)
        if kind is None:
            names = [name_of(k) for k in _AUTHENTICATIONS]
            reading.note(
                AUTHENTICATION,
                (*reference.path, "kind"),
                f"{show(canonical(reference))} is not an authentication: refer to a {either(names)}"
                f"{_group_hint(reference, _AUTHENTICATIONS) or suggest(canonical(reference), names)}",
            )
        elif kind in seen:
            reading.note(
                TWICE,
                reference.path,
                f"this is the second {kind[1]} in the list, and one is allowed: refer to {_replacement_for(kind)} in "
                "place of both",
            )
        else:
            seen[kind] = reference
    if MESH_TLS in seen and SERVICE_ACCOUNT in seen:
        reading.note(
            TOGETHER,
            seen[SERVICE_ACCOUNT].path,
            "the policy requires a ServiceAccount and a MeshTLSAuthentication, and one of the two is allowed: leave "
            "this out, and name the account in the MeshTLSAuthentication's identityRefs",
        )


def _replacement_for(kind: GroupKind) -> str:
    if kind == NETWORK:
        return "one NetworkAuthentication with the networks of both"
    if kind == SERVICE_ACCOUNT:
        return "one MeshTLSAuthentication with identityRefs to the accounts"
    return "one MeshTLSAuthentication with the identities of both"


@cache
def _spec(allowed: tuple[GroupKind, ...]) -> Struct:
    return Struct(
        {"targetRef": required(LOCAL_REFERENCE), "requiredAuthenticationRefs": required(Array(REFERENCE))},
        check=lambda node, reading: _check(allowed, node, reading),
    )


def spec(line: Line, version: str) -> Shape:
    """The shape of an AuthorizationPolicy's spec at a release line, which says what it can target."""
    return _spec(tuple(kind for kind, row in _TARGETS if not row or line.has(row)))
