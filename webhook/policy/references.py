"""References that name nothing, and Servers that share a port: what only the other objects of the cluster can tell.

All of it is warned of, never refused: what is missing may come with the next object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from webhook.cluster.interface import Catalog, Presence, ServicePort
from webhook.cluster.selection import sharing
from webhook.findings.finding import Finding, Path, Rule, Severity, declare, show, suggest
from webhook.kube.object_names import is_label
from webhook.policy import selected
from webhook.policy.targets import (
    EGRESS_NETWORK,
    GATEWAY,
    GATEWAY_GRPC_ROUTE,
    GATEWAY_HTTP_ROUTE,
    HTTP_ROUTE,
    MESH_TLS,
    NAMESPACE,
    NETWORK,
    POLICY,
    SERVER,
    SERVICE,
    SERVICE_ACCOUNT,
    GroupKind,
    fold,
    is_ours,
    read_parent,
)

NOT_FOUND: Final = "FieldValueNotFound"

TARGET_MISSING = declare(
    "reference-target-missing",
    Severity.WARNING,
    NOT_FOUND,
    "A policy targets a Server, a route or a Namespace that does not exist.",
)
AUTHENTICATION_MISSING = declare(
    "reference-authentication-missing",
    Severity.WARNING,
    NOT_FOUND,
    "A policy requires an authentication that does not exist.",
)
CLIENT_MISSING = declare(
    "reference-client-missing",
    Severity.WARNING,
    NOT_FOUND,
    "A policy names a ServiceAccount or a Namespace as a client that does not exist.",
)
PARENT_MISSING = declare(
    "reference-parent-missing",
    Severity.WARNING,
    NOT_FOUND,
    "A route's parent is a Server, a Service or an EgressNetwork that does not exist.",
)
BACKEND_MISSING = declare(
    "reference-backend-missing",
    Severity.WARNING,
    NOT_FOUND,
    "A route's backend is a Service or an EgressNetwork that does not exist.",
)
PORT_MISSING = declare(
    "reference-port-missing",
    Severity.WARNING,
    NOT_FOUND,
    "A route names a port that its parent or backend, a Service, does not have.",
)
RATE_LIMITED = declare(
    "ratelimit-second",
    Severity.WARNING,
    "FieldValueDuplicate",
    "A Server has two HTTPLocalRateLimitPolicies, of which Linkerd applies the older one alone.",
)
PORT_SHARED = declare(
    "server-port-shared",
    Severity.WARNING,
    "FieldValueDuplicate",
    "Two Servers select the same port of the same workloads.",
)

Targets = Mapping[GroupKind, GroupKind]


def _targets(*kinds: GroupKind) -> Targets:
    """Kinds by how a reference may write them, folded."""
    return {(fold(group), fold(kind)): (group, kind) for group, kind in kinds}


_SERVER: Final = _targets(SERVER)
_POLICY_TARGETS: Final = _targets(SERVER, HTTP_ROUTE, GATEWAY_HTTP_ROUTE, GATEWAY_GRPC_ROUTE, NAMESPACE)
_AUTHENTICATIONS: Final = _targets(MESH_TLS, NETWORK, SERVICE_ACCOUNT)
_CLIENTS: Final = _targets(SERVICE_ACCOUNT, NAMESPACE)
_ACCOUNT: Final = _targets(SERVICE_ACCOUNT)
_BACKENDS: Final = _targets(SERVICE, EGRESS_NETWORK)

# The same kind in another group, which one easily writes.
_NAMESAKES: Final = {HTTP_ROUTE: GATEWAY_HTTP_ROUTE, GATEWAY_HTTP_ROUTE: HTTP_ROUTE}

# Among how many names a close one is looked for, and for how many references of an object: it costs a millisecond.
_COMPARED = 100
_SUGGESTED = 3
# How many Servers a message names.
_NAMED = 3
# How many of a Service's ports it does.
_LISTED = 8


def check(group: str, kind: str, namespace: str, name: str, spec: Any, catalog: Catalog) -> list[Finding]:
    """What an object of this kind and name refers to in vain. Silent about what the catalog does not know, about kinds
    without references, and about a spec that makes no sense: that is for others to say."""
    find = _CHECKS.get((group, kind)) or _FOLDED.get((fold(group), fold(kind)))
    if find is None or not isinstance(spec, dict):
        return []
    return find(_Looker(namespace or "default", catalog), name, spec)


class _Looker:
    """Looks up the references of one object, and holds what there is to say: of each missing object once."""

    __slots__ = ("catalog", "findings", "missing", "namespace")

    def __init__(self, namespace: str, catalog: Catalog) -> None:
        self.namespace = namespace
        self.catalog = catalog
        self.findings: list[Finding] = []
        self.missing: set[tuple[GroupKind, str, str]] = set()

    def refer(
        self,
        rule: Rule,
        reference: Any,
        path: Path,
        targets: Targets,
        group: str = "",
        kind: str | None = None,
        local: bool = False,
    ) -> None:
        """Follow one reference to one of `targets`; others are passed over. `group` and `kind` are meant where it does
        not say. A `local` reference has no namespace of its own."""
        if not isinstance(reference, dict):
            return
        target = _target(reference, targets, group, kind)
        namespace = None if local else reference.get("namespace")
        if target is not None:
            self.look(rule, target, self.namespace if namespace is None else namespace, reference.get("name"), path)

    def follow(self, rule: Rule, target: GroupKind, reference: Mapping[str, Any], path: Path) -> None:
        """Follow a route's reference to an object of this kind, and to a port of it where it is a Service."""
        namespace = reference.get("namespace")
        namespace, name = self.namespace if namespace is None else namespace, reference.get("name")
        self.look(rule, target, namespace, name, path)
        port = reference.get("port")
        if target != SERVICE or type(port) is not int or not isinstance(name, str) or not isinstance(namespace, str):
            return
        ports = self.catalog.ports(namespace or self.namespace, name)
        if ports and all(port != each.port for each in ports):
            self.findings.append(PORT_MISSING.at((*path, "port"), _no_port(name, port, ports)))

    def look(self, rule: Rule, target: GroupKind, namespace: Any, name: Any, path: Path) -> None:
        """Look up one object; `path` leads to what refers to it."""
        if not isinstance(name, str) or not isinstance(namespace, str) or not name:
            return
        if target == NAMESPACE:
            if name == self.namespace:
                # It is there, or the object could not be.
                return
            namespace = ""
        else:
            namespace = namespace or self.namespace
        if self._absent(target, namespace, name):
            self._report(rule, target, namespace, name, path)

    def _report(self, rule: Rule, target: GroupKind, namespace: str, name: str, path: Path) -> None:
        if (target, namespace, name) in self.missing:
            return
        self.missing.add((target, namespace, name))
        what = f"{target[1]} {show(name)} does not exist" + (f" in namespace {_plain(namespace)}" if namespace else "")
        namesake = _NAMESAKES.get(target)
        if namespace != self.namespace and namespace and self._absent(NAMESPACE, "", namespace):
            text = f"{what}, nor does that namespace: create both, or correct the namespace"
            self.findings.append(rule.at((*path, "namespace"), text))
        elif namesake and self.catalog.look(*namesake, namespace, name) is Presence.PRESENT:
            text = f"{what} in the group {target[0]}, but in {namesake[0]}: write group: {namesake[0]}"
            self.findings.append(rule.at((*path, "group"), text))
        else:
            few = len(self.findings) < _SUGGESTED
            close = _close(name, self.catalog.names(*target, namespace)) if few else ""
            self.findings.append(rule.at((*path, "name"), f"{what}{close}: create it, or correct the name"))

    def _absent(self, target: GroupKind, namespace: str, name: str) -> bool:
        return self.catalog.look(*target, namespace, name) is Presence.ABSENT


def _target(reference: Mapping[str, Any], targets: Targets, group: str, kind: str | None) -> GroupKind | None:
    """Which of the targets a reference means. `core` is the core group too."""
    found_group, found_kind = reference.get("group"), reference.get("kind")
    if found_group is None:
        found_group = group
    if found_kind is None:
        found_kind = kind
    if not isinstance(found_group, str) or not isinstance(found_kind, str):
        return None
    folded = fold(found_group)
    return targets.get(("" if folded == "core" else folded, fold(found_kind)))


def _no_port(service: str, port: int, ports: Sequence[ServicePort]) -> str:
    listed = ", ".join(str(each.port) for each in ports[:_LISTED])
    listed += " and others" if len(ports) > _LISTED else ""
    behind = [each.port for each in ports if each.target == port]
    what = f"Service {show(service)} has no port {port}, its {'port is' if len(ports) == 1 else 'ports are'} {listed}"
    if behind:
        return f"{what}; {port} is the targetPort of {behind[0]}: write {behind[0]}"
    return f"{what}: write {'that' if len(ports) == 1 else 'one of those'}"


def _plain(namespace: str) -> str:
    return namespace if is_label(namespace) else show(namespace)


def _close(name: str, names: Iterable[str]) -> str:
    """A name to suggest. All names of a large Namespace take too long, and the first letter is seldom mistyped."""
    return suggest(name, islice((each for each in names if each[:1] == name[:1]), _COMPARED))


def _items(found: Any) -> Iterator[tuple[int, Any]]:
    return enumerate(found if isinstance(found, list) else ())


def _dict(found: Any, key: str) -> Mapping[str, Any]:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _authorization_policy(looker: _Looker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    looker.refer(TARGET_MISSING, spec.get("targetRef"), ("spec", "targetRef"), _POLICY_TARGETS, local=True)
    for index, each in _items(spec.get("requiredAuthenticationRefs")):
        path = ("spec", "requiredAuthenticationRefs", index)
        looker.refer(AUTHENTICATION_MISSING, each, path, _AUTHENTICATIONS)
    return looker.findings


def _rate_limit_policy(looker: _Looker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    looker.refer(TARGET_MISSING, spec.get("targetRef"), ("spec", "targetRef"), _SERVER, local=True)
    target = _dict(spec, "targetRef")
    server = target.get("name") if _target(target, _SERVER, "", None) == SERVER else None
    others = (looker.catalog.rate_limits(looker.namespace, server) if isinstance(server, str) else None) or ()
    others = sorted(set(others) - {name})
    if others:
        text = (
            f"Server {show(server)} has the HTTPLocalRateLimitPolicy {show(others[0])} too, and Linkerd applies the "
            "older of the two alone: put all limits into one of them and delete the other"
        )
        looker.findings.append(RATE_LIMITED.at(("spec", "targetRef", "name"), text))
    for number, override in _items(spec.get("overrides")):
        for index, each in _items(override.get("clientRefs") if isinstance(override, dict) else None):
            looker.refer(CLIENT_MISSING, each, ("spec", "overrides", number, "clientRefs", index), _ACCOUNT)
    return looker.findings


def _mesh_tls(looker: _Looker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    for index, each in _items(spec.get("identityRefs")):
        looker.refer(CLIENT_MISSING, each, ("spec", "identityRefs", index), _CLIENTS)
    return looker.findings


def _server_authorization(looker: _Looker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    server = _dict(spec, "server").get("name")
    looker.look(TARGET_MISSING, SERVER, looker.namespace, server, ("spec", "server"))
    for index, each in _items(_dict(_dict(spec, "client"), "meshTLS").get("serviceAccounts")):
        if isinstance(each, dict):
            account = {"kind": "ServiceAccount", "name": each.get("name"), "namespace": each.get("namespace")}
            looker.refer(CLIENT_MISSING, account, ("spec", "client", "meshTLS", "serviceAccounts", index), _ACCOUNT)
    return looker.findings


def _route(group: str) -> Callable[[_Looker, str, Mapping[str, Any]], list[Finding]]:
    def route(looker: _Looker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
        for index, each in _items(spec.get("parentRefs")):
            meant = read_parent(each, group).meant
            if meant is not None:
                looker.follow(PARENT_MISSING, meant, each, ("spec", "parentRefs", index))
        # A Gateway's routes are not Linkerd's to judge.
        for number, rule in _items(spec.get("rules") if is_ours(spec, group) else None):
            for index, each in _items(rule.get("backendRefs") if isinstance(rule, dict) else None):
                target = _target(each, _BACKENDS, "", "Service") if isinstance(each, dict) else None
                if target is not None:
                    looker.follow(BACKEND_MISSING, target, each, ("spec", "rules", number, "backendRefs", index))
        return looker.findings

    return route


def _server(looker: _Looker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    looker.findings += selected.check(spec, looker.namespace, looker.catalog)
    servers = looker.catalog.servers(looker.namespace)
    others = sharing(servers, name, spec) if servers else []
    if others:
        named = ", ".join(f'"{other}"' for other in sorted(others)[:_NAMED])
        named += f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        who = f"Server {named} selects" if len(others) == 1 else f"Servers {named} select"
        text = (
            f"{who} this port of the same workloads, and each workload goes by the oldest Server alone: "
            "write another port, or labels that those workloads do not have"
        )
        looker.findings.append(PORT_SHARED.at(("spec", "port"), text))
    return looker.findings


_CHECKS: Final[Mapping[GroupKind, Callable[[_Looker, str, Mapping[str, Any]], list[Finding]]]] = {
    SERVER: _server,
    (POLICY, "AuthorizationPolicy"): _authorization_policy,
    (POLICY, "ServerAuthorization"): _server_authorization,
    (POLICY, "HTTPLocalRateLimitPolicy"): _rate_limit_policy,
    MESH_TLS: _mesh_tls,
    HTTP_ROUTE: _route(POLICY),
    GATEWAY_HTTP_ROUTE: _route(GATEWAY),
    GATEWAY_GRPC_ROUTE: _route(GATEWAY),
    (GATEWAY, "TLSRoute"): _route(GATEWAY),
    (GATEWAY, "TCPRoute"): _route(GATEWAY),
}
_FOLDED: Final = {(fold(group), fold(kind)): find for (group, kind), find in _CHECKS.items()}
