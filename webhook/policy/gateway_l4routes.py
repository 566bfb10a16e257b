"""TLSRoute and TCPRoute (gateway.networking.k8s.io): one rule each, read leniently."""

from __future__ import annotations

from typing import Final

from webhook.mesh.releases import Line
from webhook.policy.finding import Severity, declare
from webhook.policy.gateway_rules import check_hosts, check_parents_differ, check_target
from webhook.policy.routes import DEFAULT_GATEWAYS, PARENTS, WEIGHTED_TARGET, check_parents
from webhook.policy.shape import List, Node, Reading, Shape, Struct, can, need
from webhook.policy.targets import HOST_NAME, SUBDOMAIN

ONE_RULE = declare(
    "route-one-rule", Severity.ERROR, "FieldValueInvalid", "A TLSRoute or a TCPRoute has not exactly one rule."
)


def _check(spec: Node, reading: Reading) -> None:
    check_parents(spec, reading)
    check_parents_differ(spec, reading)
    for rule in spec.nodes("rules"):
        for backend in rule.nodes("backendRefs"):
            check_target(backend, reading)
    rules = spec.get("rules")
    if rules is not None and len(rules) != 1 and not reading.broken:
        fix = "add one" if not rules else "make a route of each"
        reading.note(ONE_RULE, (*spec.path, "rules"), f"{len(rules)} rules, want exactly one: {fix}")


def _check_tls(spec: Node, reading: Reading) -> None:
    _check(spec, reading)
    check_hosts(spec, reading)


_RULE: Final = Struct(
    {"backendRefs": need(List(Struct(dict(WEIGHTED_TARGET)), least=1, most=16)), "name": can(SUBDOMAIN)}
)


_COMMON: Final = {
    "parentRefs": can(PARENTS),
    # How many there are is looked at by a rule.
    "rules": need(List(_RULE)),
    "useDefaultGateways": can(DEFAULT_GATEWAYS),
}
_TCP: Final = Struct(_COMMON, check=_check)
_TLS: Final = Struct({"hostnames": need(List(HOST_NAME, least=1, most=1024)), **_COMMON}, check=_check_tls)
_OLD_TLS: Final = Struct({"hostnames": need(List(HOST_NAME, most=1024)), **_COMMON}, check=_check)


def tls_spec(line: Line, version: str) -> Shape:
    """What a TLSRoute's spec looks like; the oldest version asks less of the host names."""
    return _OLD_TLS if version == "v1alpha2" else _TLS


def tcp_spec(line: Line, version: str) -> Shape:
    """What a TCPRoute's spec looks like."""
    return _TCP
