"""What other objects exist, by kind, Namespace and name; and the `Catalog` of manifests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Generic, TypeVar

from webhook.cluster.interface import Presence
from webhook.cluster.offline import flatten
from webhook.cluster.selection import Selection, Servers

POLICY: Final = "policy.linkerd.io"
GATEWAY: Final = "gateway.networking.k8s.io"

V = TypeVar("V")

Kind = tuple[str, str]
"""Group and kind; the core group is ""."""

SERVER: Final = (POLICY, "Server")
NAMESPACE: Final = ("", "Namespace")

# Kubernetes makes these itself, the account in every Namespace, so no manifest need have them.
_DEFAULT: Final = "default"
_ACCOUNT: Final = ("ServiceAccount", _DEFAULT)
_SERVICE: Final = ("Service", "default", "kubernetes")


class Objects(Generic[V]):
    """All objects of a kind by Namespace and name, and of each what `keep` takes from it."""

    __slots__ = ("_by_namespace", "_keep", "_new", "count")

    def __init__(self, keep: Callable[[Any], V], within: Callable[[], dict[str, V]] = dict) -> None:
        """`within` makes what holds the objects of one Namespace."""
        self._keep = keep
        self._new = within
        self._by_namespace: dict[str, dict[str, V]] = {}
        self.count = 0

    def put(self, body: Any) -> None:
        """Keep an object, in place of the one of this name."""
        place = _place(body)
        if place is None:
            return
        namespace, name = place
        objects = self._by_namespace.get(namespace)
        if objects is None:
            objects = self._by_namespace[namespace] = self._new()
        self.count += name not in objects
        # One string for all of those that every Namespace has.
        objects[_DEFAULT if name == _DEFAULT else name] = self._keep(body)

    def remove(self, body: Any) -> None:
        """Forget an object, if it is there."""
        place = _place(body)
        objects = self._by_namespace.get(place[0]) if place else None
        if place is None or objects is None or place[1] not in objects:
            return
        del objects[place[1]]
        self.count -= 1
        if not objects:
            del self._by_namespace[place[0]]

    def within(self, namespace: str) -> Mapping[str, V]:
        """The objects of a Namespace, by name."""
        return self._by_namespace.get(namespace) or {}


def names() -> Objects[None]:
    """For the kinds of which only the names count."""
    return Objects(lambda body: None)


def servers() -> Objects[Selection]:
    """For Servers: of the specs, what they select."""
    return Objects(lambda body: Selection(body.get("spec")), Servers)


def _place(body: Any) -> tuple[str, str] | None:
    """An object's Namespace ("" where it has none) and name."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace") or ""
    return (namespace, name) if isinstance(name, str) and name and isinstance(namespace, str) else None


class OfflineCatalog:
    """The `Catalog` of already parsed objects.

    Nothing is known of what lies elsewhere. So an object that was not given is absent only where others of its kind and
    Namespace were given, as there the manifests are taken to be complete; with `strict`, everywhere.
    """

    def __init__(self, objects: Iterable[Any], *, strict: bool = False) -> None:
        """A namespaced object without a `metadata.namespace` is in `default`, as `kubectl apply` would have it."""
        self._strict = strict
        self._objects: dict[Kind, Objects[None]] = {}
        self._servers = servers()
        for body in flatten(objects):
            self._add(body)

    def _add(self, body: dict[str, Any]) -> None:
        version, kind, place = body.get("apiVersion"), body.get("kind"), _place(body)
        if not isinstance(version, str) or not isinstance(kind, str) or place is None:
            return
        found = version.rpartition("/")[0], kind
        namespace = "" if found == NAMESPACE else place[0] or _DEFAULT
        body = {"metadata": {"namespace": namespace, "name": place[1]}, "spec": body.get("spec")}
        self._objects.setdefault(found, names()).put(body)
        if found == SERVER:
            self._servers.put(body)

    def look(self, group: str, kind: str, namespace: str, name: str) -> Presence:
        """Whether this object exists."""
        known = self.names(group, kind, namespace)
        if name in known or (not group and ((kind, name) == _ACCOUNT or (kind, namespace, name) == _SERVICE)):
            return Presence.PRESENT
        # Nobody gives all Namespaces of a cluster, whatever else is complete.
        return Presence.ABSENT if self._strict or (known and namespace) else Presence.UNKNOWN

    def names(self, group: str, kind: str, namespace: str) -> Collection[str]:
        """The names that were given of this kind in a Namespace."""
        objects = self._objects.get((group, kind))
        return objects.within(namespace) if objects is not None else ()

    def servers(self, namespace: str) -> Mapping[str, Mapping[str, Any]]:
        """The Servers that were given in a Namespace, by name: what they select, and their port."""
        return self._servers.within(namespace)
