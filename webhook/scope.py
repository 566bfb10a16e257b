"""Which objects there may be something to say about because of their annotations. Apart from what says it, as most
manifests need nothing of that, and it takes a while to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from webhook.findings.templates import Template, find

if TYPE_CHECKING:
    from webhook.findings.finding import Path
    from webhook.kube.objects import Namespace

# What has no Pod template: a Pod is one itself.
_WITHOUT: Final[Mapping[str, frozenset[str]]] = {"": frozenset(("Namespace", "Pod", "Service"))}
# What every key of Linkerd's and of ours has in it.
_MARK: Final = "linkerd"


def template(group: str, kind: str, body: Mapping[str, Any]) -> Template | None:
    """Where an object that the injector reads, or whose Pods it meets, has its Pod template (an empty path for what is
    one or has none), and what kind makes such Pods of it. None for any other object."""
    if kind in _WITHOUT.get(group, ()):
        return Template((), kind.lower())
    return find(group, kind, body)


def is_concerned(body: Mapping[str, Any], at: Path, namespace: Namespace | None) -> bool:
    """Whether an object has an annotation or label of Linkerd's, or Pods in a Namespace that has one.

    `at` leads to its Pod template; empty for what is none or has none.
    """
    if _is_marked(body):
        return True
    inner: Any = body
    for part in at:
        inner = inner.get(part) if isinstance(inner, dict) else None
        if _is_marked(inner):
            return True
    if namespace is None or not (at or body.get("kind") == "Pod"):
        return False
    return any(_MARK in key for key in (*namespace.annotations, *namespace.labels))


def _is_marked(body: Any) -> bool:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict):
        return False
    for group in ("annotations", "labels"):
        entries = metadata.get(group)
        if isinstance(entries, dict) and any(isinstance(key, str) and _MARK in key for key in entries):
            return True
    return False
