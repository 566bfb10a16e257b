"""The API server's rules: what a path means, what a request gets to see, and what must not be written."""

from __future__ import annotations

import base64
import copy
import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON

# API groups that are there without a CRD.
BUILT_IN = frozenset(
    {"", "apps", "batch", "policy", "admissionregistration.k8s.io", "apiextensions.k8s.io", "coordination.k8s.io"}
    | {"discovery.k8s.io", "events.k8s.io", "rbac.authorization.k8s.io"}
)

_PLACE = re.compile(r"(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?")


class Place(NamedTuple):
    """What a path means. Without a name it is a collection, in all Namespaces where none is given."""

    root: str
    namespace: str
    resource: str
    name: str

    @property
    def group(self) -> str:
        """The API group, "" for the core."""
        return self.root.split("/")[2] if self.root.startswith("/apis/") else ""

    def holds(self, other: Place) -> bool:
        """Whether another place is an object of this collection."""
        same = (self.root, self.resource) == (other.root, other.resource)
        return same and bool(other.name) and self.namespace in ("", other.namespace)


@functools.lru_cache(maxsize=10_000)
def place(path: str) -> Place | None:
    """What a path means; None for what is neither an object nor a collection, such as `/version`."""
    match = _PLACE.fullmatch(path)
    return Place(match[1], match[2] or "", match[3], match[4] or "") if match else None


def plural(kind: str) -> str:
    """A kind as it stands in a path."""
    return f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"


def as_asked(body: Any, accept: str) -> Any:
    """An object whole, or its metadata alone. What is not an object at all is left to the client."""
    if "as=PartialObjectMetadata" not in accept or not isinstance(body, dict) or "items" in body:
        return body
    return {key: value for key, value in body.items() if key in ("apiVersion", "kind", "metadata")}


def as_item(body: JSON, where: Place, accept: str) -> Any:
    """An object as it stands in a list: of built-in kinds it does not tell its kind there."""
    item = as_asked(body, accept)
    if where.group in BUILT_IN and isinstance(item, dict):
        return {key: value for key, value in item.items() if key not in ("apiVersion", "kind")}
    return item


def matches(body: Any, query: Mapping[str, str]) -> bool:
    """Whether the selectors of a query (`a=b,c!=d`) take an object."""
    metadata = body.get("metadata") or {}
    labels = metadata.get("labels") or {}
    fields = {
        "metadata.name": metadata.get("name"),
        "metadata.namespace": metadata.get("namespace"),
        "status.phase": (body.get("status") or {}).get("phase"),
        **body,
    }
    for selector, values in (("labelSelector", labels), ("fieldSelector", fields)):
        for term in filter(None, query.get(selector, "").split(",")):
            key, _, value = term.partition("=")
            if (values.get(key.removesuffix("!")) == value) is key.endswith("!"):
                return False
    return True


def same_version(before: JSON, wanted: str | None) -> None:
    """Whoever says which resourceVersion they know must know the last. Raises `ApiError`."""
    if wanted not in (None, before["metadata"].get("resourceVersion")):
        name = before["metadata"].get("name")
        raise ApiError(409, f'Operation cannot be fulfilled on "{name}": the object has been modified')


def merged(target: Any, patch: Any) -> Any:
    """What a merge patch makes of a value (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return copy.deepcopy(result)


def check(before: JSON | None, body: JSON) -> None:
    """The API server's rules about Secrets. Raises `ApiError`."""
    if body.get("kind") != "Secret":
        return
    data = body.get("data") or {}
    for value in data.values():
        base64.b64decode(value, validate=True)
    if body["type"] == "kubernetes.io/tls" and not {"tls.crt", "tls.key"} <= set(data):
        raise ApiError(422, "data[tls.crt] and data[tls.key]: Required value")
    if before is not None and before["type"] != body["type"]:
        raise ApiError(422, "type: field is immutable")
    if before is not None and before.get("immutable") and before.get("data") != body.get("data"):
        raise ApiError(422, "data: field is immutable when `immutable` is set")
