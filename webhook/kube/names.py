"""Names as Kubernetes allows them. What passes here is safe in a URL path; what does not never gets there."""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


def is_label(name: str) -> bool:
    """Whether this is an RFC 1123 label (at most 63 characters), as a Namespace's name is."""
    return _LABEL.fullmatch(name) is not None


def is_subdomain(name: str) -> bool:
    """Whether this is an RFC 1123 subdomain (at most 253 characters), as most objects' names are."""
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None
