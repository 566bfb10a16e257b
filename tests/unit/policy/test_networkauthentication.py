"""What is said of NetworkAuthentications; of networks themselves, see `test_networks`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, Said, say


def authentication(spec: Any = ..., **options: Any) -> Said:
    return say("NetworkAuthentication", spec, **options)


@pytest.mark.parametrize("line", BOTH)
@pytest.mark.parametrize(
    "spec",
    [
        {"networks": [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}, {"cidr": "fd00::/8"}]},
        {"networks": [{"cidr": "10.0.0.0/8", "except": None}]},
        {"networks": [["10.0.0.0/8", None]]},
        [[{"cidr": "10.0.0.0/8"}]],
    ],
)
def test_a_list_of_networks_is_accepted(spec: Any, line: Any) -> None:
    said = authentication(spec, line=line)
    assert (said.errors, said.warnings) == ([], [])


@pytest.mark.parametrize("line", BOTH)
@pytest.mark.parametrize(
    ("spec", "errors"),
    [
        (..., ["spec: field-missing"]),
        (None, ["spec: field-type"]),
        ({}, ["spec.networks: field-missing"]),
        ([], ["spec: field-type"]),
        ({"networks": None}, ["spec.networks: field-type"]),
        ({"networks": {"cidr": "10.0.0.0/8"}}, ["spec.networks: field-type"]),
        ({"networks": []}, ["spec.networks: network-missing"]),
        ([[]], ["spec.networks: network-missing"]),
        ({"networks": [None]}, ["spec.networks[0]: field-type"]),
        ({"networks": ["10.0.0.0/8"]}, ["spec.networks[0]: field-type"]),
        ({"networks": [["10.0.0.0/8"]]}, ["spec.networks[0]: field-type"]),
    ],
)
def test_anything_else_is_refused(spec: Any, errors: list[str], line: Any) -> None:
    assert authentication(spec, line=line).errors == errors


def test_all_errors_are_told_at_once() -> None:
    networks = [
        {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8", "11.0.0.1", 5]},
        {"except": ["1.2.3.4"]},
        {"cidr": "10.0.0.0/255.0.0.0", "except": {}},
    ]
    assert authentication({"networks": networks}).errors == [
        "spec.networks[0].except[0]: network-negated",
        "spec.networks[0].except[1]: network-exception-outside",
        "spec.networks[0].except[2]: field-type",
        "spec.networks[1].cidr: field-missing",
        "spec.networks[2].cidr: network-cidr",
        "spec.networks[2].except: field-type",
    ]
