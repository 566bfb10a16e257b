"""Indexes of objects by kind, Namespace and name, and the `Catalog` of the objects in manifests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from webhook.cluster.interface import CatalogPort, Presence, Workload
from webhook.cluster.offline import flatten
from webhook.cluster.selection import Selection
from webhook.cluster.services import ports_of
from webhook.cluster.workloads import may_change_all, may_make_pods, workload_of

POLICY: Final = "policy.linkerd.io"
GATEWAY: Final = "gateway.networking.k8s.io"

V = TypeVar("V")

GroupKind = tuple[str, str]
"""Group and kind; the core group is ""."""

SERVER: Final = (POLICY, "Server")
RATE_LIMIT: Final = (POLICY, "HTTPLocalRateLimitPolicy")
SERVICE: Final = ("", "Service")
NAMESPACE: Final = ("", "Namespace")

# Kubernetes creates these itself (the ServiceAccount in every Namespace), so manifests need not contain them.
_DEFAULT: Final = "default"
_ACCOUNT: Final = ("ServiceAccount", _DEFAULT)
# Frequent kinds that have no Pods.
_WITHOUT_PODS: Final = frozenset({"Service", "ConfigMap", "Secret", "ServiceAccount", "Namespace", "Server"})
_API_SERVER: Final = ("Service", "default", "kubernetes")


class Objects(Generic[V]):
    """All objects of a kind by Namespace and name; of each object, only what `keep` returns is kept."""

    __slots__ = ("_by_namespace", "_keep", "count")

    def __init__(self, keep: Callable[[Any], V]) -> None:
        self._keep = keep
        self._by_namespace: dict[str, dict[str, V]] = {}
        self.count = 0

    def put(self, body: Any) -> None:
        """Add an object, in place of the previous one with its name. An object without a name is ignored."""
        place = _place(body)
        if place is None:
            return
        namespace, name = place
        objects = self._by_namespace.setdefault(namespace, {})
        self.count += name not in objects
        # `default` exists in every Namespace: all of them share one string.
        objects[_DEFAULT if name == _DEFAULT else name] = self._keep(body)

    def remove(self, body: Any) -> None:
        """Remove an object, if it is in the index."""
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
    """An index that keeps only the names."""
    return Objects(lambda body: None)


def servers() -> Objects[Selection]:
    """An index of Servers that keeps what each one selects."""
    return Objects(lambda body: Selection(body.get("spec")))


def services() -> Objects[tuple[CatalogPort, ...] | None]:
    """An index of Services that keeps their ports."""
    return Objects(lambda body: ports_of(body.get("spec")))


def rate_limits() -> Objects[str]:
    """An index of HTTPLocalRateLimitPolicies that keeps the name of the targeted Server ("" for another kind)."""
    return Objects(lambda body: _limited(body.get("spec")))


def limits_of(policies: Mapping[str, str], server: str) -> Collection[str]:
    """The names of the HTTPLocalRateLimitPolicies for a Server, among those of its Namespace."""
    return [name for name, limited in policies.items() if limited == server]


def _limited(spec: Any) -> str:
    target = spec.get("targetRef") if isinstance(spec, dict) else None
    name = target.get("name") if isinstance(target, dict) else None
    is_server = isinstance(target, dict) and str(target.get("kind")).lower() == "server"
    return name if is_server and isinstance(name, str) else ""


def _place(body: Any) -> tuple[str, str] | None:
    """An object's Namespace ("" where it has none) and name."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace") or ""
    return (namespace, name) if isinstance(name, str) and name and isinstance(namespace, str) else None


class OfflineCatalog:
    """A `Catalog` of parsed objects.

    Other objects may exist in the cluster. So an object counts as absent only if other objects of its kind and
    Namespace are among the manifests, which are then taken to be complete; with `strict`, always.
    """

    def __init__(self, objects: Iterable[Any], *, strict: bool = False) -> None:
        """A namespaced object without a `metadata.namespace` is in `default`, as `kubectl apply` would have it."""
        self._strict = strict
        self._objects: dict[GroupKind, Objects[None]] = {}
        self._servers = servers()
        self._services = services()
        self._rate_limits = rate_limits()
        # Objects that may have Pods, by Namespace; None if objects without a Pod template may have Pods there too.
        self._templates: dict[str, list[dict[str, Any]] | None] = {}
        self._changed = False
        self._workloads: dict[str, Sequence[Workload] | None] = {}
        for body in flatten(objects):
            self._add(body)

    def _add(self, body: dict[str, Any]) -> None:
        self._changed = self._changed or may_change_all(body)
        version, kind, place = body.get("apiVersion"), body.get("kind"), _place(body)
        if not isinstance(version, str) or not isinstance(kind, str) or place is None:
            return
        group_kind = version.rpartition("/")[0], kind
        namespace = "" if group_kind == NAMESPACE else place[0] or _DEFAULT
        self._add_template(namespace, group_kind, body)
        body = {"metadata": {"namespace": namespace, "name": place[1]}, "spec": body.get("spec")}
        self._objects.setdefault(group_kind, names()).put(body)
        if group_kind == SERVER:
            self._servers.put(body)
        elif group_kind == SERVICE:
            self._services.put(body)
        elif group_kind == RATE_LIMIT:
            self._rate_limits.put(body)

    def _add_template(self, namespace: str, kind: GroupKind, body: dict[str, Any]) -> None:
        bodies = self._templates.setdefault(namespace, [])
        if bodies is None:
            return
        if kind[1] in _WITHOUT_PODS and kind[0] in ("", POLICY):
            return
        if may_make_pods(*kind) and workload_of(body) is None:
            self._templates[namespace] = None
        else:
            bodies.append(body)

    def look(self, group: str, kind: str, namespace: str, name: str) -> Presence:
        """Whether this object exists."""
        known = self.names(group, kind, namespace)
        if name in known or (not group and ((kind, name) == _ACCOUNT or (kind, namespace, name) == _API_SERVER)):
            return Presence.PRESENT
        # Manifests never contain all Namespaces of a cluster, however complete they are otherwise.
        return Presence.ABSENT if self._strict or (known and namespace) else Presence.UNKNOWN

    def names(self, group: str, kind: str, namespace: str) -> Collection[str]:
        """The names of the manifests' objects of this kind in a Namespace."""
        objects = self._objects.get((group, kind))
        return objects.within(namespace) if objects is not None else ()

    def servers(self, namespace: str) -> Mapping[str, Selection]:
        """The Servers of a Namespace in the manifests, by name: what they select, and their port."""
        return self._servers.within(namespace)

    def ports(self, namespace: str, service: str) -> Sequence[CatalogPort] | None:
        """The ports of a Service, None if it is not in the manifests."""
        return self._services.within(namespace).get(service)

    def rate_limits(self, namespace: str, server: str) -> Collection[str] | None:
        """The names of the manifests' HTTPLocalRateLimitPolicies for a Server."""
        return limits_of(self._rate_limits.within(namespace), server)

    def workloads(self, namespace: str) -> Sequence[Workload] | None:
        """The workloads of a Namespace in the manifests; None if there are none, or if others may exist."""
        if namespace not in self._workloads:
            bodies = None if self._changed else self._templates.get(namespace)
            workloads = [workload for workload in map(workload_of, bodies or ()) if workload is not None]
            self._workloads[namespace] = workloads or None
        return self._workloads[namespace]
