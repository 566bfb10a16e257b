"""Objects that are meant to take long."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.unit.policy.builders import say
from webhook.policy.objectreferences import GATEWAY, POLICY

# Seconds, many times what any of these takes.
BOUND = 5.0

MANY = 20_000
PARENT = {"group": "core", "kind": "Service", "name": "web", "port": 80}


def rule(**fields: Any) -> dict[str, Any]:
    """A route's spec of one rule."""
    return {"parentRefs": [PARENT], "rules": [fields]}


def matching(**fields: Any) -> dict[str, Any]:
    """A route's spec of one match."""
    return rule(matches=[fields])


@pytest.mark.parametrize("group", [POLICY, GATEWAY])
@pytest.mark.parametrize(
    "spec",
    [
        {"parentRefs": [PARENT] * MANY},
        {"parentRefs": [{**PARENT, "port": number} for number in range(MANY)]},
        {"hostnames": ["a." * 100_000 + "!"], "rules": []},
        rule(timeouts={"request": "9" * 300_000, "backendRequest": "9" * 300_000}),
        rule(timeouts={"request": "9" * 300_000 + "s", "backendRequest": "1s"}),
        rule(matches=[{"path": {"value": f"/{number}"}} for number in range(MANY)]),
        rule(filters=[{"type": "RequestRedirect", "requestRedirect": {}}] * MANY),
        matching(path={"value": "/" + "a/." * 100_000}),
        matching(path={"type": "RegularExpression", "value": "(" * 100_000}),
        matching(path={"type": "RegularExpression", "value": "[a-" * 100_000}),
        matching(headers=[{"name": "x" * 300_000 + " ", "value": "y" * 300_000 + "\n"}]),
        matching(method="G" * 300_000),
    ],
    ids=range(12),
)
def test_a_route_is_checked_in_time(group: str, spec: Any) -> None:
    began = time.process_time()
    assert say("HTTPRoute", spec, group=group) is not None
    assert time.process_time() - began < BOUND


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("NetworkAuthentication", {"networks": [{"cidr": "x"}] * MANY}),
        ("NetworkAuthentication", {"networks": [{"cidr": "1" * 300_000 + "/8"}, {"cidr": "::/" + "9" * 300_000}]}),
        ("NetworkAuthentication", {"networks": [{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"] * MANY}]}),
        ("MeshTLSAuthentication", {"identities": ["*." + "a." * 100_000, "spiffe://" + "a/" * 100_000]}),
        (
            "Server",
            {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}] * MANY}, "port": "9" * 300_000},
        ),
        ("AuthorizationPolicy", {"targetRef": {"kind": "a" * 300_000, "name": "b"}, "requiredAuthenticationRefs": []}),
        ("Server", {"podSelector": {}, "port": 80, **{f"x{number}": 1 for number in range(MANY)}}),
    ],
    ids=range(7),
)
def test_a_policy_is_checked_in_time(kind: str, spec: Any) -> None:
    began = time.process_time()
    assert say(kind, spec) is not None
    assert time.process_time() - began < BOUND
