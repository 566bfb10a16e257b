"""Checks of object names, by Kubernetes' rules. A name that passes is safe in a URL path.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


def is_label(name: str) -> bool:
    """Whether `name` is an RFC 1123 label (at most 63 characters), as the name of a Namespace must be."""
    return _LABEL.fullmatch(name) is not None


def is_subdomain(name: str) -> bool:
    """Whether `name` is an RFC 1123 subdomain (at most 253 characters), as most objects' names must be."""
    return len(name) <= 253 and _SUBDOMAIN.fullmatch(name) is not None
