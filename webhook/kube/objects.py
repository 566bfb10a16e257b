"""Namespaces and references to objects, and what is kept of the metadata of a Namespace. It is read here from the API
server and from manifests alike, so both give the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# https://helm.sh/docs/helm/helm_install/
_HELM_RELEASE = "meta.helm.sh/release-name"

# kubectl's copy of the whole manifest: it decides nothing, and is most of what a Namespace weighs.
_NOT_KEPT = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Namespace's metadata, as much of it as decides anything."""

    name: str
    annotations: Mapping[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An object that owns others: what an ownerReference says, and in which Namespace."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


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


def helm_release(body: Mapping[str, Any]) -> str:
    """The Helm release that an object belongs to, "" for none."""
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return str(annotations.get(_HELM_RELEASE, "")) if isinstance(annotations, dict) else ""
