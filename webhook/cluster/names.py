"""Names as Kubernetes allows them. What passes here is safe in a URL path; what does not never gets there."""

from __future__ import annotations

import re

from webhook.cluster.interface import ClusterError

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


def is_label(name: str) -> bool:
    """Whether this is an RFC 1123 label (at most 63 characters), as a Namespace's name is."""
    return _LABEL.fullmatch(name) is not None


def is_subdomain(name: str) -> bool:
    """Whether this is an RFC 1123 subdomain (at most 253 characters), as most objects' names are."""
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None


def check_namespace(name: str) -> None:
    """Raise `ClusterError` (`not_found`) where no Namespace can have this name."""
    if not name:
        raise ClusterError(
            "not_found", "the request names no Namespace: only namespaced objects can be decided about by Namespace"
        )
    if not is_label(name):
        raise ClusterError(
            "not_found",
            f'"{name[:80]}" cannot be the name of a Namespace: write at most 63 of a-z, 0-9 and "-", '
            'with no "-" at either end',
        )


def check_owner(kind: str, name: str) -> None:
    """Raise `ClusterError` (`not_found`) where no owner can have this name."""
    if not is_subdomain(name):
        raise ClusterError(
            "not_found",
            f'"{name[:80]}" cannot be the name of a {kind}: write at most 253 of a-z, 0-9, "-" and "."; '
            "correct the Pod's ownerReferences",
        )
