"""Which objects there may be something to say about because of their annotations. Apart from what says it, as most
manifests need nothing of that, and it takes a while to import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from webhook.cluster.interface import Namespace
    from webhook.findings.finding import Path

_TEMPLATE: Final[Path] = ("spec", "template")
# Where kinds have their Pod template, by group and kind; a Pod is one itself.
_KINDS: Final[Mapping[str, Mapping[str, Path]]] = {
    "": {"Namespace": (), "Pod": (), "Service": (), "ReplicationController": _TEMPLATE},
    "apps": dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), _TEMPLATE),
    "batch": {"Job": _TEMPLATE, "CronJob": ("spec", "jobTemplate", "spec", "template")},
}
# What every key of Linkerd's and of ours has in it.
_MARK: Final = "linkerd"


def is_read(group: str, kind: str) -> bool:
    """Whether the injector reads annotations of objects of this kind, or of their Pods."""
    return kind in _KINDS.get(group, ())


def template(group: str, kind: str) -> Path:
    """Where objects of a kind have their Pod template; empty for those that are not read, too."""
    return _KINDS.get(group, {}).get(kind, ())


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
