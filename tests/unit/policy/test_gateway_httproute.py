"""What is said of the Gateway API's HTTPRoutes. One that Linkerd cannot read is stored all the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import JSON, SERVICE, Said, gateway
from webhook.policy.objectreferences import GATEWAY, POLICY

EGRESS: JSON = {"group": POLICY, "kind": "EgressNetwork", "name": "out"}
RULE = "spec.rules[0]"
MATCH = f"{RULE}.matches[0]"
FILTER = f"{RULE}.filters[0]"
BACKEND = f"{RULE}.backendRefs[0]"


def route(spec: Any = ..., **options: Any) -> Said:
    return gateway("HTTPRoute", spec, **options)


def rule(value: Any) -> Said:
    return route({"rules": [value]})


def match(value: Any) -> Said:
    return rule({"matches": [value]})


def entry(value: Any) -> Said:
    return rule({"filters": [value]})


def backend(value: Any) -> Said:
    return rule({"backendRefs": [value]})


def passed_over(said: Said) -> list[str]:
    """What Linkerd cannot read in a route that is stored all the same."""
    assert said.errors == []
    assert ": gateway-not-read" in said.schema
    return [told for told in said.schema if ": field-" in told]


class TestWhole:
    @pytest.mark.parametrize(
        "spec",
        [
            {"rules": [{}]},
            {"parentRefs": [{"name": "front"}], "hostnames": ["web.example.com"], "rules": [{"matches": []}]},
            {"parentRefs": [SERVICE], "rules": [{"backendRefs": [{"name": "web", "port": 80, "weight": 1}]}]},
            {"parentRefs": [{**EGRESS, "port": 443}], "rules": [{"timeouts": {"request": "10s"}}]},
            {"rules": [{"name": "first", "retry": {"attempts": 3, "codes": [503]}}], "useDefaultGateways": "All"},
        ],
    )
    def test_that_is_in_order_is_not_spoken_of(self, spec: Any) -> None:
        assert route(spec) == []

    @pytest.mark.parametrize("spec", [{}, [], {"rules": None, "parentRefs": None}, [None, None, None, None]])
    def test_may_have_as_little_as_nothing(self, spec: Any) -> None:
        said = route(spec)
        assert (said.errors, said.warnings) == ([], [])
        assert ": gateway-not-read" not in said.schema

    @pytest.mark.parametrize(
        ("spec", "fields"),
        [
            (..., ["spec: field-missing"]),
            (None, ["spec: field-type"]),
            ("x", ["spec: field-type"]),
            ([None] * 5, ["spec: field-type"]),
            ({"rules": {}}, ["spec.rules: field-type"]),
            (
                {"hostnames": [1], "parentRefs": [{}]},
                ["spec.hostnames[0]: field-type", "spec.parentRefs[0].name: field-missing"],
            ),
            ({"useDefaultGateways": "Some"}, ["spec.useDefaultGateways: field-allowed"]),
            ({"rules": [{"matches": [{"method": "get"}]}]}, [f"{MATCH}.method: field-allowed"]),
            ({"rules": [{"filters": [{}]}]}, [f"{FILTER}.type: field-missing"]),
            ({"rules": [{"backendRefs": [{"name": "web", "port": 2**31}]}]}, [f"{BACKEND}.port: field-range"]),
            ({"rules": [{"timeouts": {"request": 10}}]}, [f"{RULE}.timeouts.request: field-type"]),
            ({"rules": [{"retry": {"codes": ["503"]}}]}, [f"{RULE}.retry.codes[0]: field-type"]),
        ],
    )
    def test_that_cannot_be_read_is_passed_over(self, spec: Any, fields: list[str]) -> None:
        assert passed_over(route(spec)) == fields

    def test_that_cannot_be_read_is_refused_for_nothing(self) -> None:
        """One broken field in a corner, and no rule has a say any more."""
        wrong = {
            "parentRefs": [EGRESS, SERVICE],
            "rules": [
                {
                    "matches": [{"path": {"value": "a"}, "headers": [{"name": "a b", "value": "\n"}]}],
                    "filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 1}}],
                    "backendRefs": [{"name": "web"}],
                }
            ],
        }
        annotations = {"retry.linkerd.io/limit": "x"}
        rules = [
            "metadata.annotations[retry.linkerd.io/limit]: route-annotation-invalid",
            "spec.parentRefs[0].port: route-egress-port",
            f"{BACKEND}.port: route-backend-port",
            f"{FILTER}.requestRedirect.statusCode: route-redirect-status",
            f"{MATCH}.headers[0].name: route-header-name",
            f"{MATCH}.headers[0].value: route-header-value",
            f"{MATCH}.path.value: route-path-absolute",
        ]
        assert route(wrong, annotations=annotations).errors == rules
        broken = {**wrong, "rules": [*wrong["rules"], {"sessionPersistence": {"sessionName": 5}}]}
        said = route(broken, annotations=annotations)
        assert passed_over(said) == ["spec.rules[1].sessionPersistence.sessionName: field-type"]
        assert set(rules) <= set(said.schema)


class TestParents:
    @pytest.mark.parametrize("parent", [EGRESS, {**EGRESS, "port": None}, {**EGRESS, "group": POLICY.upper()}])
    def test_that_are_egress_networks_have_a_port(self, parent: JSON) -> None:
        assert route({"parentRefs": [SERVICE, parent]}).errors == ["spec.parentRefs[1].port: route-egress-port"]

    @pytest.mark.parametrize(
        "parent",
        [
            {"name": "front"},
            {"group": GATEWAY, "kind": "EgressNetwork", "name": "x"},
            {"kind": "EgressNetwork", "name": "x"},
        ],
    )
    def test_that_are_none_need_not(self, parent: JSON) -> None:
        assert route({"parentRefs": [parent]}).errors == []


class TestBackends:
    @pytest.mark.parametrize(
        "value",
        [
            {"name": "web", "port": 80},
            {"name": "web", "port": -1},
            {"name": "web", "kind": "Service", "group": "", "port": 65536},
            {"name": "web", "kind": "service"},
            {"name": "web", "kind": "SERVICE", "group": "core"},
            {"name": "web", "group": "Core"},
            {"name": "web", "group": "example.org"},
            {"name": "web", "kind": "Bucket"},
            {"name": "web", "kind": "EgressNetwork", "group": POLICY},
        ],
    )
    def test_have_a_port_or_are_no_service_by_their_very_letters(self, value: JSON) -> None:
        assert backend(value).errors == []

    @pytest.mark.parametrize(
        "value",
        [
            {"name": "web"},
            {"name": "web", "port": None},
            {"name": "web", "port": 0},
            {"name": "web", "kind": "Service"},
            {"name": "web", "group": "core"},
            {"name": "web", "group": "", "kind": None},
            [None, None, None, "web"],
        ],
    )
    def test_that_are_services_are_refused_without_a_port(self, value: Any) -> None:
        assert backend(value).errors == [f"{BACKEND}.port: route-backend-port"]

    @pytest.mark.parametrize(
        "value", [{"name": "web", "port": "80"}, {"name": "web", "kind": 5}, {"name": "web", "group": []}]
    )
    def test_that_cannot_be_read_are_not_said_to_lack_one(self, value: JSON) -> None:
        assert "route-backend-port" not in {finding.rule.id for finding in backend(value)}

    @pytest.mark.parametrize(
        ("port", "shown"), [({}, "no port"), ({"port": 0}, "the port 0"), ({"port": None}, "no port")]
    )
    def test_that_lack_a_port_are_told_what_there_is(self, port: JSON, shown: str) -> None:
        assert f'"web" is a Service and has {shown}: ' in backend({"name": "web", **port}).message("route-backend-port")

    def test_may_change_headers_as_they_like(self) -> None:
        filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["a b"]}}]
        assert backend({"name": "web", "port": 80, "filters": filters}).errors == []


class TestMatches:
    @pytest.mark.parametrize(
        "value",
        [
            {},
            {"path": {"type": "Exact", "value": "/a"}},
            {"path": {"type": "RegularExpression", "value": "/[a-z]+"}},
            {
                "headers": [{"name": "X-y", "value": "z"}],
                "queryParams": [{"name": "a b", "value": "("}],
                "method": "GET",
            },
            {"headers": [{"name": "a", "type": "RegularExpression", "value": "a**"}]},
            [None, "GET", ["Exact", "/a"], None],
        ],
    )
    def test_that_are_in_order_are_accepted(self, value: Any) -> None:
        said = match(value)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        ("value", "error"),
        [
            ({"path": {"value": "a"}}, "path.value: route-path-absolute"),
            ({"path": {"type": "Exact", "value": ""}}, "path.value: route-path-absolute"),
            ({"path": {"type": "RegularExpression", "value": "(?=a)"}}, "path.value: route-regex"),
            ({"headers": [{"name": "a b", "value": "x"}]}, "headers[0].name: route-header-name"),
            ({"headers": [{"name": "a", "value": "\n"}]}, "headers[0].value: route-header-value"),
            ({"headers": [{"name": "a", "type": "RegularExpression", "value": "("}]}, "headers[0].value: route-regex"),
            (
                {"queryParams": [{"name": "a", "type": "RegularExpression", "value": "("}]},
                "queryParams[0].value: route-regex",
            ),
        ],
    )
    def test_that_are_not_are_refused(self, value: JSON, error: str) -> None:
        assert match(value).errors == [f"{MATCH}.{error}"]

    @pytest.mark.parametrize(
        ("value", "warning"),
        [
            ({"path": {"type": "Exact", "value": "/a//b"}}, "path.value: route-path-unreachable"),
            ({"path": {"type": "RegularExpression", "value": "a"}}, "path.value: route-regex-never"),
            (
                {"headers": [{"name": "a", "type": "RegularExpression", "value": "a$b"}]},
                "headers[0].value: route-regex-never",
            ),
        ],
    )
    def test_that_nothing_can_match_are_warned_of(self, value: JSON, warning: str) -> None:
        said = match(value)
        assert (said.errors, said.warnings) == ([], [f"{MATCH}.{warning}"])

    def test_that_an_earlier_rule_has_are_warned_of(self) -> None:
        get = {"matches": [{"method": "GET"}]}
        assert route({"rules": [get, {}, get]}).warnings == ["spec.rules[2]: route-rule-shadowed"]


class TestFilters:
    @pytest.mark.parametrize(
        "value",
        [
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": "b"}]}},
            {"type": "RequestRedirect", "requestRedirect": {"statusCode": 301, "scheme": "https"}},
            {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "no slash"}}},
            {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "web", "port": 80}}},
            {"type": "ExtensionRef", "extensionRef": {"group": "example.org", "kind": "Thing", "name": "x"}},
            {"type": "RequestRedirect"},
        ],
    )
    def test_that_are_in_order_are_accepted(self, value: JSON) -> None:
        said = entry(value)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        ("value", "error"),
        [
            (
                {"requestHeaderModifier": {"add": [{"name": "", "value": "b"}]}},
                "requestHeaderModifier.add[0].name: route-header-name",
            ),
            ({"requestHeaderModifier": {"remove": ["a:"]}}, "requestHeaderModifier.remove[0]: route-header-name"),
            (
                {"responseHeaderModifier": {"set": [{"name": "a", "value": "\r"}]}},
                "responseHeaderModifier.set[0].value: route-header-value",
            ),
            ({"requestRedirect": {"statusCode": 99}}, "requestRedirect.statusCode: route-redirect-status"),
            ({"requestRedirect": {"statusCode": 1000}}, "requestRedirect.statusCode: route-redirect-status"),
            (
                {"requestRedirect": {"path": {"type": "ReplaceFullPath"}}},
                "requestRedirect.path.replaceFullPath: route-redirect-path",
            ),
            (
                {"requestRedirect": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "a"}}},
                "requestRedirect.path.replacePrefixMatch: route-path-absolute",
            ),
        ],
    )
    def test_are_checked_whatever_their_type(self, value: JSON, error: str) -> None:
        said = entry({"type": "RequestMirror", **value})
        assert said.errors == [f"{FILTER}.{error}"]


class TestCrdRules:
    """Values that do not go together, by the CRD alone."""

    @pytest.mark.parametrize(
        ("value", "field"),
        [
            ({"filters": [{"type": "RequestRedirect"}]}, "filters[0].requestRedirect"),
            ({"timeouts": {"request": "1s", "backendRequest": "2s"}}, "timeouts.backendRequest"),
            (
                {"sessionPersistence": {"type": "Header", "cookieConfig": {"lifetimeType": "Session"}}},
                "sessionPersistence.cookieConfig",
            ),
        ],
    )
    def test_refuse_nothing(self, value: JSON, field: str) -> None:
        said = rule(value)
        assert said.errors == []
        assert f"{RULE}.{field}: gateway-rule" in said.schema

    @pytest.mark.parametrize("whole", ["0s", "2s"])
    def test_have_nothing_against_a_try_within_the_whole_or_no_limit(self, whole: str) -> None:
        assert rule({"timeouts": {"request": whole, "backendRequest": "2s"}}) == []


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_versions_are_read_alike(version: str) -> None:
    said = route({"rules": [{"backendRefs": [{"name": "web"}]}]}, version=version)
    assert said.errors == [f"{BACKEND}.port: route-backend-port"]
    assert said.warnings == []
