"""MeshTLSAuthentication (policy.linkerd.io): the mesh identities that clients may have."""

from __future__ import annotations

from functools import cache

from webhook.findings.finding import Severity, declare, show
from webhook.mesh.releases import Line
from webhook.policy.identities import DNS_IDENTITY, ClientIdentity
from webhook.policy.objectreferences import NAMESPACE, REFERENCE, SERVICE_ACCOUNT, canonical, targets
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Shape, Struct, optional

KIND = declare(
    "meshtlsauthentication-kind",
    Severity.ERROR,
    "FieldValueNotSupported",
    "An identityRef is neither a ServiceAccount nor a Namespace.",
)
NAMESPACED = declare(
    "meshtlsauthentication-namespaced-namespace",
    Severity.ERROR,
    "FieldValueForbidden",
    "An identityRef to a Namespace has a namespace itself.",
)
ONE_LIST = declare(
    "meshtlsauthentication-one-list",
    Severity.SCHEMA,
    "FieldValueRequired",
    "A MeshTLSAuthentication has both identities and identityRefs, or neither.",
)
EMPTY = declare(
    "meshtlsauthentication-empty",
    Severity.WARNING,
    "FieldValueRequired",
    "A MeshTLSAuthentication names no identity, so that no client matches it.",
)


def _check_reference(node: Node, reading: Reading) -> None:
    if node.bad:
        return
    if targets(node, SERVICE_ACCOUNT, reading.line):
        return
    if not targets(node, NAMESPACE, reading.line):
        reading.note(
            KIND,
            (*node.path, "kind"),
            f"{show(canonical(node))} has no identities: write kind: ServiceAccount or kind: Namespace, "
            "without a group",
        )
    elif node.get("namespace") is not None:
        reading.note(
            NAMESPACED,
            (*node.path, "namespace"),
            f"a Namespace is not in a namespace: leave namespace: {show(node['namespace'])} out",
        )


def _check(node: Node, reading: Reading) -> None:
    if reading.broken:
        return
    if "identities" in node and "identityRefs" in node:
        reading.note(
            ONE_LIST,
            node.path,
            "a MeshTLSAuthentication has either identities or identityRefs, and this one has both: make two of it",
        )
    elif "identities" not in node and "identityRefs" not in node:
        reading.note(
            ONE_LIST,
            node.path,
            "a MeshTLSAuthentication has either identities or identityRefs, and this one has neither: add one of them",
        )
    elif not node.get("identities") and not node.get("identityRefs"):
        reading.note(
            EMPTY, node.path, "the MeshTLSAuthentication names no identity, so that no client matches it: add one"
        )


@cache
def _spec(checked: bool, least: int) -> Struct:
    """The spec: whether Linkerd checks identities, and how many items the CRD requires of a list."""
    identity: Shape = ClientIdentity() if checked else DNS_IDENTITY
    reference = Struct(dict(REFERENCE.fields), check=_check_reference)
    return Struct(
        {"identities": optional(Array(identity, least=least)), "identityRefs": optional(Array(reference, least=least))},
        check=_check,
    )


def spec(line: Line, version: str) -> Shape:
    """The shape of a MeshTLSAuthentication's spec. Up to 2.14 only the CRD's schema checks the identities."""
    least = 1 if line.has("policy/MeshTLSAuthentication.no-empty-list") else 0
    return _spec(line.has("policy/MeshTLSAuthentication.identities"), least)
