"""References to objects that do not exist, and Servers that share a port: checks that need the cluster's other objects.

All findings are warnings, as a missing object may be created next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from webhook.cluster.interface import Catalog, CatalogPort, Presence
from webhook.cluster.selection import sharing
from webhook.findings.finding import Finding, Path, Rule, Severity, declare, show, suggest
from webhook.kube.object_names import is_label
from webhook.policy import serverworkloads
from webhook.policy.objectreferences import (
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
    """Groups and kinds by their lower-case form, as references are compared without regard to case."""
    return {(fold(group), fold(kind)): (group, kind) for group, kind in kinds}


_SERVER: Final = _targets(SERVER)
_POLICY_TARGETS: Final = _targets(SERVER, HTTP_ROUTE, GATEWAY_HTTP_ROUTE, GATEWAY_GRPC_ROUTE, NAMESPACE)
_AUTHENTICATIONS: Final = _targets(MESH_TLS, NETWORK, SERVICE_ACCOUNT)
_CLIENTS: Final = _targets(SERVICE_ACCOUNT, NAMESPACE)
_ACCOUNT: Final = _targets(SERVICE_ACCOUNT)
_BACKENDS: Final = _targets(SERVICE, EGRESS_NETWORK)

# The same kind in another group, which is easily mistaken for it.
_NAMESAKES: Final = {HTTP_ROUTE: GATEWAY_HTTP_ROUTE, GATEWAY_HTTP_ROUTE: HTTP_ROUTE}

# Among how many names a similar one is searched, and for how many references of an object: a search takes 1 ms.
_COMPARED = 100
_SUGGESTED = 3
# How many Servers a message names.
_NAMED = 3
# How many ports of a Service a message names.
_LISTED = 8


def check(group: str, kind: str, namespace: str, name: str, spec: Any, catalog: Catalog) -> list[Finding]:
    """The findings about the references of an object, and about Servers and rate limits that clash with another
    object's.

    `spec` is that of the object, in any form: other checks report what cannot be read. Objects that the catalog does
    not know about, and kinds without references, have no findings.
    """
    find = _CHECKS.get((group, kind)) or _FOLDED.get((fold(group), fold(kind)))
    if find is None or not isinstance(spec, dict):
        return []
    return find(_ReferenceChecker(namespace or "default", catalog), name, spec)


class _ReferenceChecker:
    """Checks the references of one object, and collects the findings. Each missing object is reported once."""

    __slots__ = ("catalog", "findings", "missing", "namespace")

    def __init__(self, namespace: str, catalog: Catalog) -> None:
        self.namespace = namespace
        self.catalog = catalog
        self.findings: list[Finding] = []
        self.missing: set[tuple[GroupKind, str, str]] = set()

    def check_reference(
        self,
        rule: Rule,
        reference: Any,
        path: Path,
        targets: Targets,
        group: str = "",
        kind: str | None = None,
        local: bool = False,
    ) -> None:
        """Check that the object of a reference exists, if it is one of `targets`.

        `path` leads to the reference; `group` and `kind` are the defaults of its fields. A `local` reference has no
        field namespace."""
        if not isinstance(reference, dict):
            return
        target = _target(reference, targets, group, kind)
        namespace = None if local else reference.get("namespace")
        if target is not None:
            self.look(rule, target, self.namespace if namespace is None else namespace, reference.get("name"), path)

    def check_route_reference(self, rule: Rule, target: GroupKind, reference: Mapping[str, Any], path: Path) -> None:
        """Check that the object of a route's parentRef or backendRef exists, and that a Service has the port."""
        namespace = reference.get("namespace")
        namespace, name = self.namespace if namespace is None else namespace, reference.get("name")
        self.look(rule, target, namespace, name, path)
        port = reference.get("port")
        if target != SERVICE or type(port) is not int or not isinstance(name, str) or not isinstance(namespace, str):
            return
        ports = self.catalog.ports(namespace or self.namespace, name)
        if ports and all(port != service_port.port for service_port in ports):
            self.findings.append(PORT_MISSING.at((*path, "port"), _missing_port_message(name, port, ports)))

    def look(self, rule: Rule, target: GroupKind, namespace: Any, name: Any, path: Path) -> None:
        """Report an object that does not exist; `path` leads to the reference to it."""
        if not isinstance(name, str) or not isinstance(namespace, str) or not name:
            return
        if target == NAMESPACE:
            if name == self.namespace:
                # An object cannot be in a Namespace that does not exist.
                return
            namespace = ""
        else:
            namespace = namespace or self.namespace
        if self._is_absent(target, namespace, name):
            self._note_missing(rule, target, namespace, name, path)

    def _note_missing(self, rule: Rule, target: GroupKind, namespace: str, name: str, path: Path) -> None:
        if (target, namespace, name) in self.missing:
            return
        self.missing.add((target, namespace, name))
        what = f"{target[1]} {show(name)} does not exist" + (
            f" in namespace {_namespace_text(namespace)}" if namespace else ""
        )
        namesake = _NAMESAKES.get(target)
        if namespace != self.namespace and namespace and self._is_absent(NAMESPACE, "", namespace):
            text = f"{what}, nor does that namespace: create both, or correct the namespace"
            self.findings.append(rule.at((*path, "namespace"), text))
        elif namesake and self.catalog.look(*namesake, namespace, name) is Presence.PRESENT:
            text = f"{what} in the group {target[0]}, but in {namesake[0]}: write group: {namesake[0]}"
            self.findings.append(rule.at((*path, "group"), text))
        else:
            few = len(self.findings) < _SUGGESTED
            close = _suggest_name(name, self.catalog.names(*target, namespace)) if few else ""
            self.findings.append(rule.at((*path, "name"), f"{what}{close}: create it, or correct the name"))

    def _is_absent(self, target: GroupKind, namespace: str, name: str) -> bool:
        return self.catalog.look(*target, namespace, name) is Presence.ABSENT


def _target(reference: Mapping[str, Any], targets: Targets, group: str, kind: str | None) -> GroupKind | None:
    """The one of `targets` that a reference is to; None for any other. The group may be written `core`."""
    written_group, written_kind = reference.get("group"), reference.get("kind")
    if written_group is None:
        written_group = group
    if written_kind is None:
        written_kind = kind
    if not isinstance(written_group, str) or not isinstance(written_kind, str):
        return None
    folded = fold(written_group)
    return targets.get(("" if folded == "core" else folded, fold(written_kind)))


def _missing_port_message(service: str, port: int, ports: Sequence[CatalogPort]) -> str:
    listed = ", ".join(str(service_port.port) for service_port in ports[:_LISTED])
    listed += " and others" if len(ports) > _LISTED else ""
    behind = [service_port.port for service_port in ports if service_port.target == port]
    what = f"Service {show(service)} has no port {port}, its {'port is' if len(ports) == 1 else 'ports are'} {listed}"
    if behind:
        return f"{what}; {port} is the targetPort of {behind[0]}: write {behind[0]}"
    return f"{what}: write {'that' if len(ports) == 1 else 'one of those'}"


def _namespace_text(namespace: str) -> str:
    return namespace if is_label(namespace) else show(namespace)


def _suggest_name(name: str, names: Iterable[str]) -> str:
    """A similar name to suggest. Only names with the same first letter are compared, as comparing all takes too
    long."""
    return suggest(name, islice((candidate for candidate in names if candidate[:1] == name[:1]), _COMPARED))


def _items_of(value: Any) -> Iterator[tuple[int, Any]]:
    return enumerate(value if isinstance(value, list) else ())


def _object_in(value: Any, key: str) -> Mapping[str, Any]:
    field = value.get(key)
    return field if isinstance(field, dict) else {}


def _check_authorization_policy(checker: _ReferenceChecker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    checker.check_reference(TARGET_MISSING, spec.get("targetRef"), ("spec", "targetRef"), _POLICY_TARGETS, local=True)
    for index, reference in _items_of(spec.get("requiredAuthenticationRefs")):
        path = ("spec", "requiredAuthenticationRefs", index)
        checker.check_reference(AUTHENTICATION_MISSING, reference, path, _AUTHENTICATIONS)
    return checker.findings


def _check_rate_limit_policy(checker: _ReferenceChecker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    checker.check_reference(TARGET_MISSING, spec.get("targetRef"), ("spec", "targetRef"), _SERVER, local=True)
    target = _object_in(spec, "targetRef")
    server = target.get("name") if _target(target, _SERVER, "", None) == SERVER else None
    others = (checker.catalog.rate_limits(checker.namespace, server) if isinstance(server, str) else None) or ()
    others = sorted(set(others) - {name})
    if others:
        text = (
            f"Server {show(server)} has the HTTPLocalRateLimitPolicy {show(others[0])} too, and Linkerd applies the "
            "older of the two alone: put all limits into one of them and delete the other"
        )
        checker.findings.append(RATE_LIMITED.at(("spec", "targetRef", "name"), text))
    for number, override in _items_of(spec.get("overrides")):
        for index, client in _items_of(override.get("clientRefs") if isinstance(override, dict) else None):
            checker.check_reference(
                CLIENT_MISSING, client, ("spec", "overrides", number, "clientRefs", index), _ACCOUNT
            )
    return checker.findings


def _check_mesh_tls(checker: _ReferenceChecker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    for index, reference in _items_of(spec.get("identityRefs")):
        checker.check_reference(CLIENT_MISSING, reference, ("spec", "identityRefs", index), _CLIENTS)
    return checker.findings


def _check_server_authorization(checker: _ReferenceChecker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    server = _object_in(spec, "server").get("name")
    checker.look(TARGET_MISSING, SERVER, checker.namespace, server, ("spec", "server"))
    for index, service_account in _items_of(_object_in(_object_in(spec, "client"), "meshTLS").get("serviceAccounts")):
        if isinstance(service_account, dict):
            account = {
                "kind": "ServiceAccount",
                "name": service_account.get("name"),
                "namespace": service_account.get("namespace"),
            }
            checker.check_reference(
                CLIENT_MISSING, account, ("spec", "client", "meshTLS", "serviceAccounts", index), _ACCOUNT
            )
    return checker.findings


def _route_checker(group: str) -> Callable[[_ReferenceChecker, str, Mapping[str, Any]], list[Finding]]:
    def check_route(checker: _ReferenceChecker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
        for index, reference in _items_of(spec.get("parentRefs")):
            meant = read_parent(reference, group).meant
            if meant is not None:
                checker.check_route_reference(PARENT_MISSING, meant, reference, ("spec", "parentRefs", index))
        # Linkerd does not read the routes of a Gateway.
        for number, rule in _items_of(spec.get("rules") if is_ours(spec, group) else None):
            for index, reference in _items_of(rule.get("backendRefs") if isinstance(rule, dict) else None):
                target = _target(reference, _BACKENDS, "", "Service") if isinstance(reference, dict) else None
                if target is not None:
                    checker.check_route_reference(
                        BACKEND_MISSING, target, reference, ("spec", "rules", number, "backendRefs", index)
                    )
        return checker.findings

    return check_route


def _check_server(checker: _ReferenceChecker, name: str, spec: Mapping[str, Any]) -> list[Finding]:
    checker.findings += serverworkloads.check(spec, checker.namespace, checker.catalog)
    servers = checker.catalog.servers(checker.namespace)
    others = sharing(servers, name, spec) if servers else []
    if others:
        named = ", ".join(f'"{other}"' for other in sorted(others)[:_NAMED])
        named += f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        who = f"Server {named} selects" if len(others) == 1 else f"Servers {named} select"
        text = (
            f"{who} this port of the same workloads, and the proxies apply the oldest Server alone: "
            "write another port, or labels that those workloads do not have"
        )
        checker.findings.append(PORT_SHARED.at(("spec", "port"), text))
    return checker.findings


_CHECKS: Final[Mapping[GroupKind, Callable[[_ReferenceChecker, str, Mapping[str, Any]], list[Finding]]]] = {
    SERVER: _check_server,
    (POLICY, "AuthorizationPolicy"): _check_authorization_policy,
    (POLICY, "ServerAuthorization"): _check_server_authorization,
    (POLICY, "HTTPLocalRateLimitPolicy"): _check_rate_limit_policy,
    MESH_TLS: _check_mesh_tls,
    HTTP_ROUTE: _route_checker(POLICY),
    GATEWAY_HTTP_ROUTE: _route_checker(GATEWAY),
    GATEWAY_GRPC_ROUTE: _route_checker(GATEWAY),
    (GATEWAY, "TLSRoute"): _route_checker(GATEWAY),
    (GATEWAY, "TCPRoute"): _route_checker(GATEWAY),
}
_FOLDED: Final = {(fold(group), fold(kind)): find for (group, kind), find in _CHECKS.items()}
