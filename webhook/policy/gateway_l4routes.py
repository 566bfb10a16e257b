"""The fields and checks that TLSRoute and TCPRoute share: both have exactly one rule."""

from __future__ import annotations

from typing import Final

from webhook.findings.finding import Severity, declare
from webhook.policy.gateway_rules import check_parents_differ, check_target
from webhook.policy.objectreferences import GATEWAY, SUBDOMAIN
from webhook.policy.routes import check_parents
from webhook.policy.routeshapes import DEFAULT_GATEWAYS, PARENTS, WEIGHTED_TARGET
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Struct, omittable, required

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


_RULE: Final = Struct(
    {"backendRefs": required(Array(Struct(dict(WEIGHTED_TARGET)), least=1, most=16)), "name": omittable(SUBDOMAIN)}
)

FIELDS: Final = {
    "parentRefs": omittable(PARENTS),
    # `check` counts the rules.
    "rules": required(Array(_RULE)),
    "useDefaultGateways": omittable(DEFAULT_GATEWAYS),
}
