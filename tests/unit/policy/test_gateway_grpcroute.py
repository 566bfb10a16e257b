"""What is said of GRPCRoutes. One that Linkerd cannot read is stored all the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import JSON, SERVICE, Said, gateway
from webhook.policy.objectreferences import POLICY

RULE = "spec.rules[0]"
MATCH = f"{RULE}.matches[0]"


def route(spec: Any = ..., **options: Any) -> Said:
    return gateway("GRPCRoute", spec, **options)


def rule(value: Any) -> Said:
    return route({"rules": [value]})


def match(value: Any) -> Said:
    return rule({"matches": [value]})


class TestWhole:
    @pytest.mark.parametrize(
        "spec",
        [
            {},
            {"rules": [{}]},
            {"parentRefs": [SERVICE], "rules": [{"matches": [{"method": {"service": "a.B", "method": "C"}}]}]},
            {"rules": [{"backendRefs": [{"name": "web", "port": 80}], "filters": [], "name": "first"}]},
        ],
    )
    def test_that_is_in_order_is_not_spoken_of(self, spec: Any) -> None:
        assert route(spec) == []

    @pytest.mark.parametrize(
        ("spec", "field"),
        [
            (..., "spec: field-missing"),
            (None, "spec: field-type"),
            ({"rules": {}}, "spec.rules: field-type"),
            ({"rules": [{"matches": [{"method": {"type": "Prefix"}}]}]}, f"{MATCH}.method.type: field-allowed"),
            ({"rules": [{"matches": [{"method": "Get"}]}]}, f"{MATCH}.method: field-type"),
            ({"rules": [{"filters": [{"type": "RequestRedirect"}]}]}, f"{RULE}.filters[0].type: field-allowed"),
            ({"rules": [{"backendRefs": [{"port": 80}]}]}, f"{RULE}.backendRefs[0].name: field-missing"),
        ],
    )
    def test_that_cannot_be_read_is_passed_over(self, spec: Any, field: str) -> None:
        said = route(spec)
        assert said.errors == []
        assert {": gateway-not-read", field} <= set(said.schema)

    def test_is_told_all_of_its_errors_or_none(self) -> None:
        spec: JSON = {
            "parentRefs": [{"group": POLICY, "kind": "EgressNetwork", "name": "out"}],
            "rules": [
                {
                    "matches": [
                        {
                            "method": {"type": "RegularExpression", "service": "."},
                            "headers": [{"name": "a:", "value": "\n"}],
                        }
                    ],
                    "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": [""]}}],
                    "backendRefs": [{"name": "web"}],
                }
            ],
        }
        annotations = {"timeout.linkerd.io/request": "1.5s"}
        errors = [
            "metadata.annotations[timeout.linkerd.io/request]: route-annotation-invalid",
            "spec.parentRefs[0].port: route-egress-port",
            f"{RULE}.backendRefs[0].port: route-backend-port",
            f"{RULE}.filters[0].requestHeaderModifier.remove[0]: route-header-name",
            f"{MATCH}.headers[0].name: route-header-name",
            f"{MATCH}.headers[0].value: route-header-value",
            f"{MATCH}.method.type: grpcroute-method-regex",
        ]
        assert route(spec, annotations=annotations).errors == errors
        said = route({**spec, "hostnames": "a"}, annotations=annotations)
        assert said.errors == []
        assert {*errors, ": gateway-not-read", "spec.hostnames: field-type"} <= set(said.schema)


class TestMatches:
    @pytest.mark.parametrize(
        "value",
        [
            {},
            {"method": {"type": "Exact", "service": "a.B"}},
            {"method": {"method": "C"}},
            {"method": {"type": None, "service": "a.B", "method": None}},
            {"method": {"type": "Exact", "service": "not a name"}},
            {"method": {}},
            {"method": ["C", "a.B", "Exact"]},
            {"headers": [{"name": "x", "value": "y"}]},
            {"headers": [{"name": "x", "type": "RegularExpression", "value": "a**"}]},
        ],
    )
    def test_name_a_method_and_headers(self, value: Any) -> None:
        said = match(value)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize("method", [{}, {"service": "a.B"}, {"method": "C"}, {"service": "(?=a)"}])
    def test_by_a_pattern_of_methods_are_refused(self, method: JSON) -> None:
        said = match({"method": {"type": "RegularExpression", **method}})
        assert said.errors == [f"{MATCH}.method.type: grpcroute-method-regex"]

    @pytest.mark.parametrize(
        ("header", "error"),
        [
            ({"name": "", "value": "y"}, "name: route-header-name"),
            ({"name": "x", "value": "\x00"}, "value: route-header-value"),
            ({"name": "x", "type": "RegularExpression", "value": "(?!a)"}, "value: route-regex"),
        ],
    )
    def test_by_headers_that_cannot_be_are_refused(self, header: JSON, error: str) -> None:
        assert match({"headers": [header]}).errors == [f"{MATCH}.headers[0].{error}"]

    def test_that_nothing_can_match_are_warned_of(self) -> None:
        said = match({"headers": [{"name": "x", "type": "RegularExpression", "value": "a$b"}]})
        assert (said.errors, said.warnings) == ([], [f"{MATCH}.headers[0].value: route-regex-never"])

    def test_that_an_earlier_rule_has_are_warned_of(self) -> None:
        said = route({"rules": [{"matches": [{"method": {"service": "a"}}]}] * 2})
        assert (said.errors, said.warnings) == ([], ["spec.rules[1]: route-rule-shadowed"])
        assert route({"rules": [{"matches": [{"method": {"service": "a"}}]}, {}]}).warnings == []


class TestBackends:
    @pytest.mark.parametrize(
        "value",
        [{"name": "web", "port": 80}, {"name": "web", "kind": "service"}, {"name": "web", "group": "example.org"}],
    )
    def test_have_a_port_or_are_no_service(self, value: JSON) -> None:
        assert rule({"backendRefs": [value]}).errors == []

    @pytest.mark.parametrize("value", [{"name": "web"}, {"name": "web", "port": 0}, {"name": "web", "group": "core"}])
    def test_that_are_services_are_refused_without_a_port(self, value: JSON) -> None:
        assert rule({"backendRefs": [value]}).errors == [f"{RULE}.backendRefs[0].port: route-backend-port"]


class TestFilters:
    @pytest.mark.parametrize("kind", ["requestHeaderModifier", "responseHeaderModifier"])
    def test_are_checked_whatever_their_type(self, kind: str) -> None:
        said = rule({"filters": [{"type": "ExtensionRef", kind: {"add": [{"name": "a b", "value": "\n"}]}}]})
        assert said.errors == [
            f"{RULE}.filters[0].{kind}.add[0].name: route-header-name",
            f"{RULE}.filters[0].{kind}.add[0].value: route-header-value",
        ]

    def test_in_order_are_accepted(self) -> None:
        value = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}]}}
        assert rule({"filters": [value]}) == []


class TestCrdRules:
    @pytest.mark.parametrize("method", [{}, {"service": "not a name"}, {"method": "a.b"}])
    def test_have_a_say_about_a_method_s_names(self, method: JSON) -> None:
        said = match({"method": method})
        assert said.errors == []
        assert "gateway-rule" in {finding.rule.id for finding in said}
