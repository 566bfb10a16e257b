"""The fields and checks that TLSRoute and TCPRoute share: both have exactly one rule."""

from __future__ import annotations

from typing import Final

from webhook.findings.finding import Severity, declare
from webhook.mesh.releases import Line
from webhook.policy import olderroutes
from webhook.policy.gateway_rules import check_parents_differ, check_target
from webhook.policy.objectreferences import GATEWAY, SUBDOMAIN
from webhook.policy.routes import check_parents
from webhook.policy.routeshapes import DEFAULT_GATEWAYS, PARENTS, WEIGHTED_TARGET, spec_struct
from webhook.policy.schema.reading import Check, Node, Reading
from webhook.policy.schema.shape import Array, Field, Struct, omittable, optional, required

ONE_RULE = declare(
    "route-one-rule", Severity.ERROR, "FieldValueInvalid", "A TLSRoute or a TCPRoute does not have exactly one rule."
)


def check(spec: Node, reading: Reading) -> None:
    """Check the parents, the backends and the number of rules of a TLSRoute or a TCPRoute."""
    check_parents(spec, reading, GATEWAY)
    check_parents_differ(spec, reading)
    for rule in spec.nodes("rules"):
        for backend in rule.nodes("backendRefs"):
            check_target(backend, reading)
    rules = spec.get("rules")
    if rules is not None and len(rules) != 1 and not reading.broken:
        fix = "add one" if not rules else "make a route of each rule"
        reading.note(
            ONE_RULE, (*spec.path, "rules"), f"the route has {len(rules)} rules, and it can have exactly one: {fix}"
        )


_NAMED: Final = {"name": omittable(SUBDOMAIN)}
_BACKENDS: Final = Array(Struct(dict(WEIGHTED_TARGET)), least=1, most=16)


def shape_for(line: Line, hosts: dict[str, Field], check: Check) -> Struct:
    """The shape of the spec at a release line. `hosts` is the field of host names, if there is one; `check` checks the
    whole."""
    if line.has("policy/gateway-structures"):
        newest = line.has("policy/gateway-filters")
        # The newest releases alone cannot read a rule without backends.
        backends = required(_BACKENDS) if newest else omittable(_BACKENDS, schema=True)
        rule = Struct({"backendRefs": backends, **_NAMED})
        # `check` counts the rules.
        fields = {**hosts, "parentRefs": omittable(PARENTS), "rules": required(Array(rule))}
        return spec_struct(fields, check, newest)
    rule = Struct({"backendRefs": required(olderroutes.L4_BACKENDS)}, aside={"name": SUBDOMAIN})
    return Struct(
        {"parentRefs": optional(olderroutes.PARENTS), **hosts, "rules": required(Array(rule))},
        check=check,
        flattened=True,
        aside={"useDefaultGateways": DEFAULT_GATEWAYS},
    )
