"""Rejects names that no object can have, before a request is sent to the API server."""

from __future__ import annotations

from webhook.cluster.interface import ClusterError
from webhook.kube.object_names import is_label, is_subdomain


def check_namespace(name: str) -> None:
    """Raise `ClusterError` (`not_found`) if no Namespace can have this name (an RFC 1123 label)."""
    if not name:
        raise ClusterError("not_found", "the request has no namespace: send requests about namespaced objects only")
    if not is_label(name):
        raise ClusterError(
            "not_found",
            f'"{name[:80]}" cannot be the name of a Namespace: write at most 63 of a-z, 0-9 and "-", '
            'with no "-" at either end',
        )


def check_owner(kind: str, name: str) -> None:
    """Raise `ClusterError` (`not_found`) if no owner can have this name (an RFC 1123 subdomain)."""
    if not is_subdomain(name):
        raise ClusterError(
            "not_found",
            f'"{name[:80]}" cannot be the name of a {kind}: write at most 253 of a-z, 0-9, "-" and "."; '
            "correct the Pod's ownerReferences",
        )
