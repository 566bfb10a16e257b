"""The proxy in a Pod, and the operations (RFC 6902) that add to it.

Every operation adds. A list or map that is absent, null or empty is added whole, so a patch applies to any Pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from webhook.mesh.releases import Line

JSON = dict[str, Any]

PROXY: Final = "linkerd-proxy"

# The values that Go's strconv.ParseBool reads as true: https://pkg.go.dev/strconv#ParseBool
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})


class BadPodError(ValueError):
    """A field of a Pod has the wrong type: the message names it."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy's container in a Pod: its JSON pointer, and the container."""

    path: str
    container: Mapping[str, Any]


def is_true(annotations: Mapping[str, Any], key: str) -> bool:
    """Whether an annotation is true, in any spelling that Linkerd accepts."""
    return annotations.get(key) in _TRUE


def annotations_of(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations of a Pod. Raises `BadPodError`."""
    return _map(_map(pod, "metadata"), "annotations")


def find_proxy(pod: Mapping[str, Any], line: Line) -> Proxy | None:
    """The proxy's container, which may be a native sidecar where the release knows these. Raises `BadPodError`."""
    spec = _map(pod, "spec")
    lists = ("containers", "initContainers") if line.has("extension/native-sidecar") else ("containers",)
    for name in lists:
        for index, container in enumerate(_list(spec, name)):
            if isinstance(container, dict) and container.get("name") == PROXY:
                return Proxy(f"/spec/{name}/{index}", container)
    return None


def annotate(pod: Mapping[str, Any], key: str) -> JSON:
    """The operation that sets an annotation to `true`. Raises `BadPodError`."""
    if not isinstance(pod.get("metadata"), dict):
        return _add("/metadata", {"annotations": {key: "true"}})
    if not annotations_of(pod):
        return _add("/metadata/annotations", {key: "true"})
    return _add("/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1"), "true")


def append(path: str, parent: Mapping[str, Any], name: str, items: Sequence[JSON]) -> list[JSON]:
    """The operations that add items to the end of the list `name` of an object at `path`. Raises `BadPodError`."""
    at = f"{path}/{name}"
    if not _list(parent, name):
        return [_add(at, list(items))]
    return [_add(f"{at}/-", item) for item in items]


def volumes_of(pod: Mapping[str, Any]) -> Sequence[Any]:
    """The volumes of a Pod. Raises `BadPodError`."""
    return _list(_map(pod, "spec"), "volumes")


def mounts_of(proxy: Proxy) -> Sequence[Any]:
    """The volume mounts of the proxy. Raises `BadPodError`."""
    return _list(proxy.container, "volumeMounts")


def _add(path: str, value: Any) -> JSON:
    return {"op": "add", "path": path, "value": value}


def _map(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if value is not None and not isinstance(value, dict):
        raise BadPodError(f"the Pod's field {name} must be an object")
    return value or {}


def _list(parent: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = parent.get(name)
    if value is not None and not isinstance(value, list):
        raise BadPodError(f"the Pod's field {name} must be a list")
    return value or []
