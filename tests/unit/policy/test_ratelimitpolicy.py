"""What is said of HTTPLocalRateLimitPolicies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import EDGE, JSON, SERVER, STABLE, Said, say
from webhook.policy.objectreferences import POLICY
from webhook.policy.registry import find

ACCOUNT: JSON = {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}


def limit(rate: Any) -> JSON:
    return {"requestsPerSecond": rate}


def override(rate: Any, *clients: Any) -> JSON:
    return {"requestsPerSecond": rate, "clientRefs": list(clients or (ACCOUNT,))}


def policy(**fields: Any) -> Said:
    """What is said of one with these fields, which targets a Server."""
    return say("HTTPLocalRateLimitPolicy", {"targetRef": SERVER, **fields})


class TestTarget:
    @pytest.mark.parametrize(
        "target", [SERVER, {**SERVER, "kind": "server", "group": "Policy.LINKERD.io"}, [POLICY, "Server", "web"]]
    )
    def test_is_a_server(self, target: Any) -> None:
        said = policy(targetRef=target, total=limit(1))
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        "target",
        [
            {"kind": "Server", "name": "web"},
            {**SERVER, "group": "core"},
            {**SERVER, "kind": "HTTPRoute"},
            {"kind": "Namespace", "name": "shop"},
        ],
    )
    def test_is_nothing_else(self, target: JSON) -> None:
        assert policy(targetRef=target, total=limit(1)).errors == ["spec.targetRef.kind: ratelimit-target"]

    @pytest.mark.parametrize(
        ("target", "error"),
        [
            (None, "spec.targetRef: field-type"),
            ([], "spec.targetRef: field-type"),
            ({"kind": "Pod"}, "spec.targetRef.name: field-missing"),
        ],
    )
    def test_is_refused_where_it_cannot_be_read(self, target: Any, error: str) -> None:
        assert policy(targetRef=target).errors == [error]

    def test_has_to_be_there(self) -> None:
        assert say("HTTPLocalRateLimitPolicy", {"total": limit(1)}).errors == ["spec.targetRef: field-missing"]


class TestLimits:
    @pytest.mark.parametrize(
        "fields",
        [
            {"total": limit(1)},
            {"total": limit(2**32 - 1)},
            {"total": [100]},
            {"total": limit(10), "identity": limit(10), "overrides": [override(9)]},
            {"identity": limit(10), "overrides": [override(11)]},
            {"total": None, "identity": limit(5), "overrides": None},
            {"overrides": [[5, [ACCOUNT]]]},
        ],
    )
    def test_are_of_one_request_and_more_but_not_above_the_total(self, fields: JSON) -> None:
        said = policy(**fields)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        ("fields", "at"),
        [
            ({"total": limit(0)}, "spec.total"),
            ({"identity": limit(0)}, "spec.identity"),
            ({"overrides": [override(1), override(0)]}, "spec.overrides[1]"),
            ({"total": [0]}, "spec.total"),
        ],
    )
    def test_are_not_of_no_request(self, fields: JSON, at: str) -> None:
        assert policy(**fields).errors == [f"{at}.requestsPerSecond: ratelimit-zero"]

    @pytest.mark.parametrize(
        ("fields", "at"),
        [
            ({"total": limit(10), "identity": limit(11)}, "spec.identity"),
            ({"total": limit(10), "overrides": [override(10), override(11)]}, "spec.overrides[1]"),
        ],
    )
    def test_of_a_client_are_not_above_the_total(self, fields: JSON, at: str) -> None:
        assert policy(**fields).errors == [f"{at}.requestsPerSecond: ratelimit-above-total"]

    def test_are_not_above_a_total_that_is_none(self) -> None:
        said = policy(total=limit(0), identity=limit(5))
        assert said.errors == ["spec.total.requestsPerSecond: ratelimit-zero"]

    @pytest.mark.parametrize(
        ("rate", "rule"),
        [
            (-1, "field-range"),
            (2**32, "field-range"),
            (1.0, "field-type"),
            ("10", "field-type"),
            (None, "field-type"),
            (True, "field-type"),
        ],
    )
    def test_are_whole_numbers_of_32_bits(self, rate: Any, rule: str) -> None:
        assert policy(total=limit(rate)).errors == [f"spec.total.requestsPerSecond: {rule}"]

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"total": {}}, "spec.total.requestsPerSecond: field-missing"),
            ({"total": 5}, "spec.total: field-type"),
            ({"total": []}, "spec.total: field-type"),
            ({"total": [5, 5]}, "spec.total: field-type"),
            ({"identity": "5"}, "spec.identity: field-type"),
            ({"overrides": {}}, "spec.overrides: field-type"),
            ({"overrides": [None]}, "spec.overrides[0]: field-type"),
            ({"overrides": [limit(5)]}, "spec.overrides[0].clientRefs: field-missing"),
            ({"overrides": [{**limit(5), "clientRefs": None}]}, "spec.overrides[0].clientRefs: field-type"),
            ({"overrides": [{"clientRefs": [ACCOUNT]}]}, "spec.overrides[0].requestsPerSecond: field-missing"),
        ],
    )
    def test_are_refused_where_they_cannot_be_read(self, fields: JSON, error: str) -> None:
        assert policy(**fields).errors == [error]

    @pytest.mark.parametrize("fields", [{}, {"total": None, "overrides": []}, {"identity": None}])
    def test_that_are_none_are_warned_of(self, fields: JSON) -> None:
        said = policy(**fields)
        assert (said.errors, said.warnings) == ([], ["spec: ratelimit-limits-nothing"])


class TestOverrides:
    @pytest.mark.parametrize(
        "client",
        [
            ACCOUNT,
            {"kind": "serviceaccount", "name": "web"},
            {**ACCOUNT, "group": "core", "namespace": None},
            ["", "ServiceAccount", "web", "shop"],
        ],
    )
    def test_are_for_service_accounts(self, client: Any) -> None:
        said = policy(overrides=[override(5, client)])
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        "client", [{**ACCOUNT, "group": POLICY}, {"kind": "Namespace", "name": "shop"}, {**ACCOUNT, "kind": "account"}]
    )
    def test_are_for_nobody_else(self, client: JSON) -> None:
        said = policy(overrides=[override(5, ACCOUNT, client)])
        assert said.errors == ["spec.overrides[0].clientRefs[1].kind: ratelimit-client"]

    def test_for_nobody_are_warned_of(self) -> None:
        said = policy(overrides=[{**limit(5), "clientRefs": []}])
        assert (said.errors, said.warnings) == ([], ["spec.overrides[0].clientRefs: ratelimit-override-same"])

    def test_that_change_nothing_are_warned_of(self) -> None:
        said = policy(identity=limit(5), overrides=[override(5), override(4)])
        assert (said.errors, said.warnings) == ([], ["spec.overrides[0].requestsPerSecond: ratelimit-override-same"])


def test_all_errors_are_told_at_once() -> None:
    said = policy(
        targetRef={"kind": "Pod", "name": "web"},
        total=limit(10),
        identity=limit(0),
        overrides=[override(11), override(-1, {"kind": "Pod", "name": "x"}, 5)],
    )
    assert said.errors == [
        "spec.identity.requestsPerSecond: ratelimit-zero",
        "spec.overrides[0].requestsPerSecond: ratelimit-above-total",
        "spec.overrides[1].clientRefs[0].kind: ratelimit-client",
        "spec.overrides[1].clientRefs[1]: field-type",
        "spec.overrides[1].requestsPerSecond: field-range",
        "spec.targetRef.kind: ratelimit-target",
    ]


def test_the_spec_may_be_an_array_of_all_its_fields() -> None:
    assert say("HTTPLocalRateLimitPolicy", [SERVER, [5], None, None]).errors == []
    assert say("HTTPLocalRateLimitPolicy", [SERVER, [5]]).errors == ["spec: field-type"]


def test_there_are_none_at_earlier_lines() -> None:
    assert find(POLICY, "HTTPLocalRateLimitPolicy", STABLE) is None
    assert find(POLICY, "HTTPLocalRateLimitPolicy", EDGE) is not None
