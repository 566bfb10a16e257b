"""The kinds there are, and what holds for all of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, EDGE, NOTHING_KNOWN, SERVICE, STABLE, examine, gateway, manifest, say
from webhook.findings.finding import Severity
from webhook.policy.objectreferences import GATEWAY, POLICY
from webhook.policy.regex.judge import judge_for
from webhook.policy.registry import KINDS, check, find, knows

STRICT = [kind.kind for kind in KINDS if kind.group == POLICY]
LENIENT = [kind.kind for kind in KINDS if kind.group == GATEWAY]


class TestKinds:
    def test_are_these(self) -> None:
        assert sorted(STRICT) == [
            *("AuthorizationPolicy", "EgressNetwork", "HTTPLocalRateLimitPolicy", "HTTPRoute"),
            *("MeshTLSAuthentication", "NetworkAuthentication", "Server", "ServerAuthorization"),
        ]
        assert sorted(LENIENT) == ["GRPCRoute", "HTTPRoute", "TCPRoute", "TLSRoute"]

    @pytest.mark.parametrize(
        ("group", "kind"),
        [
            (POLICY, "Server"),
            ("POLICY.Linkerd.io", "SERVER"),
            (GATEWAY, "httproute"),
            ("linkerd.io", "ServiceProfile"),
        ],
    )
    def test_are_known_whatever_the_case(self, group: str, kind: str) -> None:
        assert knows(group, kind)

    @pytest.mark.parametrize(
        ("group", "kind"),
        [
            ("", "Server"),
            (GATEWAY, "Server"),
            (POLICY, "GRPCRoute"),
            (POLICY, "\u017ferver"),
            (GATEWAY, "UDPRoute"),
            (GATEWAY, "Gateway"),
            ("linkerd.io", "Link"),
        ],
    )
    def test_are_no_others(self, group: str, kind: str) -> None:
        assert not knows(group, kind)
        with pytest.raises(ValueError, match=f"{kind}.{group} is not checked"):
            check(group, kind, {}, line=EDGE, catalog=NOTHING_KNOWN, judge=judge_for(EDGE))

    def test_that_are_newer_do_not_exist_at_earlier_lines(self) -> None:
        gone = {(kind.group, kind.kind) for kind in KINDS if find(kind.group, kind.kind, STABLE) is None}
        assert gone == {
            (POLICY, "EgressNetwork"),
            (POLICY, "HTTPLocalRateLimitPolicy"),
            *((GATEWAY, kind) for kind in LENIENT),
        }
        assert all(find(kind.group, kind.kind, EDGE) is kind for kind in KINDS)


class TestObject:
    @pytest.mark.parametrize("kind", STRICT)
    def test_has_to_be_there(self, kind: str) -> None:
        assert examine(None, kind).errors == [": object-missing"]

    @pytest.mark.parametrize("kind", LENIENT)
    def test_of_a_lenient_kind_may_be_missing(self, kind: str) -> None:
        said = examine(None, kind, group=GATEWAY)
        assert (said.errors, said.schema) == ([], [": gateway-not-read", ": object-missing"])

    @pytest.mark.parametrize("body", [[], "x", 5, True])
    @pytest.mark.parametrize(("group", "kind"), [(POLICY, "Server"), (GATEWAY, "HTTPRoute")])
    def test_is_an_object(self, body: Any, group: str, kind: str) -> None:
        assert examine(body, kind, group=group).errors == [": field-type"]

    @pytest.mark.parametrize("kind", STRICT)
    def test_has_a_spec(self, kind: str) -> None:
        assert say(kind).errors == ["spec: field-missing"]

    @pytest.mark.parametrize("kind", LENIENT)
    def test_of_a_lenient_kind_without_a_spec_is_passed_over(self, kind: str) -> None:
        said = gateway(kind)
        assert (said.errors, said.schema) == ([], [": gateway-not-read", "spec: field-missing"])

    def test_is_checked_by_the_asked_kind_whatever_it_says_itself(self) -> None:
        body: Any = {"apiVersion": 5, "kind": None, "spec": {"networks": []}}
        assert examine(body, "NetworkAuthentication").errors == ["spec.networks: network-missing"]


def nested(depth: int) -> Any:
    """A container with `depth` of them within each other, itself among them."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


class TestDepth:
    """The object itself is the first container, the spec's unknown field the third."""

    @pytest.mark.parametrize("line", BOTH)
    def test_of_125_containers_is_read(self, line: Any) -> None:
        body = manifest("NetworkAuthentication", {"networks": [{"cidr": "::/0"}], "unknown": nested(123)})
        assert examine(body, "NetworkAuthentication", line=line).errors == []

    @pytest.mark.parametrize("line", BOTH)
    def test_of_126_containers_is_not(self, line: Any) -> None:
        body = manifest("NetworkAuthentication", {"networks": [{"cidr": "::/0"}], "unknown": nested(124)})
        assert examine(body, "NetworkAuthentication", line=line).errors == ["spec.unknown[0][0]: object-depth"]

    def test_counts_for_lenient_kinds_and_objects_alike(self) -> None:
        value: Any = {}
        for _ in range(200):
            value = {"a": value}
        body = manifest("HTTPRoute", {}, group=GATEWAY) | {"status": value}
        assert examine(body, "HTTPRoute", group=GATEWAY).errors == ["status.a.a.a: object-depth"]

    def test_counts_for_what_the_object_was_before(self) -> None:
        body = manifest("NetworkAuthentication", {"networks": [{"cidr": "::/0"}]})
        assert examine(body, "NetworkAuthentication", others=[{"spec": nested(125)}]).errors == [
            "spec[0][0][0]: object-depth"
        ]
        assert examine(body, "NetworkAuthentication", others=[{"spec": nested(124)}]).errors == []

    def test_of_a_hundred_thousand_is_no_trouble(self) -> None:
        body = manifest("Server", nested(100_000))
        assert examine(body, "Server").errors == ["spec[0][0][0]: object-depth"]


WRONG = {"parentRefs": [SERVICE], "rules": [{"matches": [{"path": {"value": "no-slash"}}]}]}


class TestLeniency:
    """A Gateway API route that Linkerd cannot read is stored all the same: then no rule refuses it."""

    def test_lets_nothing_pass_that_reads_well(self) -> None:
        said = gateway("HTTPRoute", WRONG)
        assert said.errors == ["spec.rules[0].matches[0].path.value: route-path-absolute"]
        assert "gateway-not-read" not in {finding.rule.id for finding in said}

    def test_forgives_what_a_rule_would_refuse_where_something_else_cannot_be_read(self) -> None:
        said = gateway("HTTPRoute", {**WRONG, "hostnames": 5})
        assert said.errors == []
        assert said.schema == [
            ": gateway-not-read",
            "spec.hostnames: field-type",
            "spec.rules[0].matches[0].path.value: route-path-absolute",
        ]

    def test_says_so_first(self) -> None:
        said = gateway("HTTPRoute", {**WRONG, "hostnames": 5})
        assert (said[0].rule.id, said[0].path) == ("gateway-not-read", ())
        assert {finding.severity for finding in said} == {Severity.SCHEMA}

    def test_is_not_for_the_policy_kinds(self) -> None:
        said = say("HTTPRoute", {**WRONG, "hostnames": 5})
        assert said.errors == [
            "spec.hostnames: field-type",
            "spec.rules[0].matches[0].path.value: route-path-absolute",
        ]


class TestVersion:
    @pytest.mark.parametrize(
        ("kind", "version"), [(k, v) for k in KINDS if k.group != "linkerd.io" for v in k.versions]
    )
    def test_that_is_served_is_known(self, kind: Any, version: str) -> None:
        said = say(kind.kind, {}, group=kind.group, version=version)
        assert "apiVersion: api-version-unknown" not in said.schema
        assert ("apiVersion: api-version-deprecated" in said.warnings) is (version in kind.deprecated)

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.group != "linkerd.io"])
    @pytest.mark.parametrize("version", ["v2", "V1", " v1"])
    def test_that_is_not_served_is_told_the_newest(self, kind: Any, version: str) -> None:
        said = say(kind.kind, {}, group=kind.group, version=version)
        assert "apiVersion: api-version-unknown" in said.schema
        assert said.message("api-version-unknown").endswith(f"write {kind.group}/{kind.versions[-1]}")

    @pytest.mark.parametrize(
        ("line", "version", "known"),
        [(EDGE, "v1beta3", True), (STABLE, "v1beta3", False), (STABLE, "v1beta2", False), (STABLE, "v1beta1", True)],
    )
    def test_of_a_route_is_that_of_its_line(self, line: Any, version: str, known: bool) -> None:
        said = say("HTTPRoute", {}, line=line, version=version)
        assert ("apiVersion: api-version-unknown" not in said.schema) is known

    @pytest.mark.parametrize("api_version", ["v1", "apps/v1", f"{GATEWAY}/v9", "", None, 5, []])
    def test_of_another_group_is_left_alone(self, api_version: Any) -> None:
        body = manifest("Server", {"podSelector": {}, "port": 80}) | {"apiVersion": api_version}
        assert examine(body, "Server") == []
