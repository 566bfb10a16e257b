"""Which objects `annotations` has something to say about. Apart from it, as most manifests need nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {
    "": {"namespace", "pod", "service", "replicationcontroller"},
    "apps": {"deployment", "statefulset", "daemonset", "replicaset"},
    "batch": {"job", "cronjob"},
}
_PREFIXES = ("linkerd.io/inject", "config.linkerd.io/", "config.alpha.linkerd.io/", "config.beta.linkerd.io/")
# Where a Pod's metadata may be.
_TEMPLATES = (("spec", "template"), ("spec", "jobTemplate"), ("spec", "jobTemplate", "spec", "template"))


def is_read(group: str, kind: str) -> bool:
    """Whether the injector reads annotations of objects of this kind."""
    return kind.lower() in _KINDS.get(group, ())


def is_annotated(body: Mapping[str, Any]) -> bool:
    """Whether any of them is there, or something that looks like it."""
    if _in(body):
        return True
    for path in _TEMPLATES:
        inner: Any = body
        for part in path:
            inner = inner.get(part) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and _in(inner):
            return True
    return False


def _in(body: Mapping[str, Any]) -> bool:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return False
    for group in ("annotations", "labels"):
        found = metadata.get(group)
        if isinstance(found, dict) and any(key.startswith(_PREFIXES) for key in found):
            return True
    return False
