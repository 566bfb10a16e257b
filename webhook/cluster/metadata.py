"""What is kept of an object's metadata. `live` and `offline` both read here, so both tell the same facts."""

from __future__ import annotations

from typing import Any

from webhook.cluster.interface import Namespace

# kubectl's copy of the whole manifest: it decides nothing, and is most of what a Namespace weighs.
_NOT_KEPT = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})


def namespace_of(body: Any) -> Namespace | None:
    """The Namespace of an object or of its PartialObjectMetadata; None where there is no name to it."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        return None
    return Namespace(name, _texts(metadata.get("annotations")), _texts(metadata.get("labels")))


def _texts(found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str) and key not in _NOT_KEPT}
