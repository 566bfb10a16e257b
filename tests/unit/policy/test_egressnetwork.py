"""What is said of EgressNetworks; of networks themselves, see `test_networks`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import EDGE, STABLE, Said, say
from webhook.policy.objectreferences import POLICY
from webhook.policy.registry import find


def network(spec: Any = ...) -> Said:
    return say("EgressNetwork", spec)


@pytest.mark.parametrize(
    "spec",
    [
        {"trafficPolicy": "Allow"},
        {"trafficPolicy": "Deny", "networks": None},
        {"trafficPolicy": "Deny", "networks": [{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}, {"cidr": "::/0"}]},
        {"trafficPolicy": {"Allow": None}},
        [None, "Deny"],
        [[["8.8.8.8", []]], "Deny"],
    ],
)
def test_networks_and_a_policy_are_accepted(spec: Any) -> None:
    said = network(spec)
    assert (said.errors, said.warnings) == ([], [])


@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (..., ["spec: field-missing"]),
        (None, ["spec: field-type"]),
        (["Deny"], ["spec: field-type"]),
        ({}, ["spec.trafficPolicy: field-missing"]),
        ({"trafficPolicy": None}, ["spec.trafficPolicy: field-type"]),
        ({"trafficPolicy": "allow"}, ["spec.trafficPolicy: field-allowed"]),
        ({"trafficPolicy": ""}, ["spec.trafficPolicy: field-allowed"]),
        ({"trafficPolicy": True}, ["spec.trafficPolicy: field-type"]),
        ({"trafficPolicy": {"Allow": {}}}, ["spec.trafficPolicy: field-type"]),
        ({"trafficPolicy": "Allow", "networks": []}, ["spec.networks: network-missing"]),
        ({"trafficPolicy": "Allow", "networks": {}}, ["spec.networks: field-type"]),
        (
            {"trafficPolicy": "Drop", "networks": [{"cidr": "10.0.0.0/8", "except": ["10.0.0.0/7", "x"]}]},
            [
                "spec.networks[0].except[0]: network-negated",
                "spec.networks[0].except[1]: network-cidr",
                "spec.trafficPolicy: field-allowed",
            ],
        ),
    ],
)
def test_anything_else_is_refused(spec: Any, errors: list[str]) -> None:
    assert network(spec).errors == errors


def test_there_are_none_at_earlier_lines() -> None:
    assert find(POLICY, "EgressNetwork", STABLE) is None
    assert find(POLICY, "EgressNetwork", EDGE) is not None
