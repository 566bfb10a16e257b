"""Namespaces and references to objects.

Objects from the API server and from manifests are both read here, so that both give the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

# https://helm.sh/docs/helm/helm_install/
_HELM_RELEASE = "meta.helm.sh/release-name"

# kubectl's copy of the whole manifest: no decision depends on it, and it takes most of the memory of a Namespace.
_NOT_KEPT = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})


class Namespace(msgspec.Struct, frozen=True):
    """The metadata of a Namespace that decisions depend on."""

    name: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str]


class ObjectReference(msgspec.Struct, frozen=True):
    """The object that an ownerReference refers to, and its Namespace."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


def namespace_of(body: Any) -> Namespace | None:
    """The `Namespace` that a Namespace object, or its PartialObjectMetadata, describes; None if it has no name."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        return None
    return Namespace(name, _texts(metadata.get("annotations")), _texts(metadata.get("labels")))


def _texts(mapping: Any) -> dict[str, str]:
    if not isinstance(mapping, dict):
        return {}
    return {key: value for key, value in mapping.items() if isinstance(value, str) and key not in _NOT_KEPT}


def helm_release(body: Mapping[str, Any]) -> str:
    """The name of the Helm release that an object belongs to, "" if it belongs to none."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return str(annotations.get(_HELM_RELEASE, "")) if isinstance(annotations, dict) else ""
