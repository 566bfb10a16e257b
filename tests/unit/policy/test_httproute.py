"""What is said of the HTTPRoutes of policy.linkerd.io."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, EDGE, JSON, SERVER, SERVICE, STABLE, Said, say
from webhook.policy.objectreferences import GATEWAY, POLICY

EGRESS: JSON = {"group": POLICY, "kind": "EgressNetwork", "name": "out"}
RULE = "spec.rules[0]"
MATCH = f"{RULE}.matches[0]"
FILTER = f"{RULE}.filters[0]"


def route(spec: Any = ..., **options: Any) -> Said:
    return say("HTTPRoute", spec, **options)


def of(*parents: Any, **options: Any) -> Said:
    return route({"parentRefs": list(parents)}, **options)


def rule(value: Any, **options: Any) -> Said:
    return route({"rules": [value]}, **options)


def match(value: Any, **options: Any) -> Said:
    return rule({"matches": [value]}, **options)


def entry(value: Any, **options: Any) -> Said:
    return rule({"filters": [value]}, **options)


def modifier(value: Any, kind: str = "RequestHeaderModifier", **options: Any) -> Said:
    return entry({"type": kind, kind[0].lower() + kind[1:]: value}, **options)


def redirect(value: Any, **options: Any) -> Said:
    return entry({"type": "RequestRedirect", "requestRedirect": value}, **options)


def timeouts(**values: Any) -> Said:
    return rule({"timeouts": values})


class TestWhole:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "spec",
        [
            {},
            {"parentRefs": None, "hostnames": None, "rules": None},
            {"parentRefs": [], "hostnames": [], "rules": []},
            {"parentRefs": [SERVER], "hostnames": ["web.example.com", "*.example.com"], "rules": [{}]},
            {"rules": [{"matches": None, "filters": None, "backendRefs": None, "timeouts": None}]},
            {"unknown": 1, "rules": [{"unknown": 1}]},
        ],
    )
    def test_may_have_as_little_as_nothing(self, spec: Any, line: Any) -> None:
        said = route(spec, line=line)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("spec", "error"),
        [
            (..., "spec: field-missing"),
            (None, "spec: field-type"),
            ("x", "spec: field-type"),
            ({"parentRefs": {}}, "spec.parentRefs: field-type"),
            ({"hostnames": "a"}, "spec.hostnames: field-type"),
            ({"hostnames": [None]}, "spec.hostnames[0]: field-type"),
            ({"rules": {}}, "spec.rules: field-type"),
            ({"rules": [None]}, "spec.rules[0]: field-type"),
            ({"rules": [{"matches": {}}]}, f"{RULE}.matches: field-type"),
            ({"rules": [{"filters": {}}]}, f"{RULE}.filters: field-type"),
        ],
    )
    def test_is_refused_where_it_cannot_be_read(self, spec: Any, error: str, line: Any) -> None:
        assert route(spec, line=line).errors == [error]

    def test_may_be_arrays_in_place_of_objects_at_later_lines(self) -> None:
        assert route([None, None, None], line=EDGE).errors == []
        assert route([None, ["a"], [[[[None, None, ["Exact", "/a"], None]], None, None, None]]], line=EDGE).errors == []
        assert route([None], line=EDGE).errors == ["spec: field-type"]
        assert route([None, None, None], line=STABLE).errors == ["spec: field-type"]

    def test_is_told_all_of_its_errors(self) -> None:
        spec = {
            "parentRefs": [{"group": POLICY, "kind": "EgressNetwork"}, {"name": 5}],
            "hostnames": [1],
            "rules": [
                {
                    "matches": [{"path": {"value": "a"}, "method": "get", "headers": [{"name": "a:", "value": "\n"}]}],
                    "filters": [{"type": "URLRewrite"}, {}],
                    "timeouts": {"request": "-1s", "backendRequest": "1"},
                },
                {"matches": [{"path": {"type": "RegularExpression", "value": "("}}], "backendRefs": [{}]},
            ],
        }
        annotations = {"retry.linkerd.io/limit": "x"}
        assert route(spec, annotations=annotations).errors == [
            "metadata.annotations[retry.linkerd.io/limit]: route-annotation-invalid",
            "spec.hostnames[0]: field-type",
            "spec.parentRefs[0].name: field-missing",
            "spec.parentRefs[0].port: route-egress-port",
            "spec.parentRefs[1].name: field-type",
            "spec.rules[0].filters[0].type: field-allowed",
            "spec.rules[0].filters[1].type: field-missing",
            "spec.rules[0].matches[0].headers[0].name: route-header-name",
            "spec.rules[0].matches[0].headers[0].value: route-header-value",
            "spec.rules[0].matches[0].method: field-allowed",
            "spec.rules[0].matches[0].path.value: route-path-absolute",
            "spec.rules[0].timeouts.backendRequest: duration-invalid",
            "spec.rules[0].timeouts.request: httproute-timeout-negative",
            "spec.rules[1].backendRefs[0].name: field-missing",
            "spec.rules[1].matches[0].path.value: route-regex",
        ]


class TestParents:
    @pytest.mark.parametrize(
        "parent",
        [
            SERVER,
            SERVICE,
            {**SERVICE, "port": 80, "sectionName": "x", "namespace": "bank"},
            {**SERVICE, "port": None},
            {**EGRESS, "port": 443},
            {**EGRESS, "group": POLICY.upper(), "kind": "egressNETWORK", "port": 1},
            {"kind": "EgressNetwork", "name": "without a group"},
            ["core", "Service", "web"],
            [POLICY, "EgressNetwork", "out", None, 443],
        ],
    )
    def test_are_servers_services_and_egress_networks(self, parent: Any) -> None:
        said = of(parent)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        "parent",
        [
            {"name": "anything"},
            {"group": GATEWAY, "kind": "Gateway", "name": "front"},
            {"group": POLICY, "kind": "HTTPRoute", "name": "web"},
            {"group": "example.org", "kind": "Service", "name": "web"},
            {"group": "core", "name": "web"},
        ],
    )
    def test_of_another_kind_are_passed_over_which_is_warned_of(self, parent: Any) -> None:
        said = of(parent)
        assert (said.errors, said.warnings) == ([], ["spec.parentRefs[0].kind: route-parent-kind"])

    @pytest.mark.parametrize("group", [{}, {"group": None}, {"group": POLICY}, {"group": GATEWAY}])
    def test_that_are_services_of_no_group_or_another_are_told_to_write_core(self, group: Any) -> None:
        said = of({"kind": "Service", "name": "web", **group})
        assert (said.errors, said.warnings) == ([], ["spec.parentRefs[0].group: route-parent-group"])
        assert said.message("route-parent-group").endswith(": write group: core")

    def test_that_are_servers_of_another_group_are_told_to_write_linkerd_s(self) -> None:
        said = of({"kind": "Server", "name": "web", "group": "core"})
        assert said.message("route-parent-group").endswith(": write group: policy.linkerd.io")

    def test_without_a_kind_in_the_core_group_are_told_to_write_service(self) -> None:
        assert of({"group": "core", "name": "web"}).message("route-parent-kind").endswith(": write kind: Service")

    @pytest.mark.parametrize(
        "parent",
        [EGRESS, {**EGRESS, "port": None}, {**EGRESS, "kind": "egressnetwork"}, [POLICY, "EgressNetwork", "out"]],
    )
    def test_that_are_egress_networks_have_a_port(self, parent: Any) -> None:
        assert of(SERVICE, parent).errors == ["spec.parentRefs[1].port: route-egress-port"]

    @pytest.mark.parametrize(
        ("parent", "error"),
        [
            (None, "spec.parentRefs[0]: field-type"),
            ([], "spec.parentRefs[0]: field-type"),
            (["core", "Service"], "spec.parentRefs[0]: field-type"),
            ({"kind": "Service"}, "spec.parentRefs[0].name: field-missing"),
            ({**EGRESS, "port": "443"}, "spec.parentRefs[0].port: field-type"),
            ({**SERVICE, "port": 80.0}, "spec.parentRefs[0].port: field-type"),
            ({**SERVICE, "port": 2**31}, "spec.parentRefs[0].port: field-range"),
            ({**SERVICE, "namespace": 1}, "spec.parentRefs[0].namespace: field-type"),
        ],
    )
    def test_are_refused_where_they_cannot_be_read(self, parent: Any, error: str) -> None:
        assert of(parent).errors == [error]

    def test_that_stand_twice_are_warned_of(self) -> None:
        said = of(SERVICE, SERVER, dict(reversed(SERVICE.items())))
        assert (said.errors, said.warnings) == ([], ["spec.parentRefs[2]: route-parent-twice"])

    def test_that_differ_in_their_ports_are_not(self) -> None:
        assert of({**SERVICE, "port": 80}, {**SERVICE, "port": 81}, SERVICE).warnings == []


class TestPath:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("kind", ["Exact", "PathPrefix"])
    @pytest.mark.parametrize("value", ["/", "/a", "/a/", "/a b", "/\u00e4", "/a\n"])
    def test_is_absolute(self, value: str, kind: str, line: Any) -> None:
        assert match({"path": {"type": kind, "value": value}}, line=line).errors == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("kind", ["Exact", "PathPrefix"])
    @pytest.mark.parametrize("value", ["", "a", " /a", "http://web/a", "*"])
    def test_without_a_slash_in_front_is_refused(self, value: str, kind: str, line: Any) -> None:
        said = match({"path": {"type": kind, "value": value}}, line=line)
        assert said.errors == [f"{MATCH}.path.value: route-path-absolute"]

    @pytest.mark.parametrize(
        "path",
        [
            {},
            {"type": None},
            {"value": None},
            {"type": "Exact"},
            {"value": "/a"},
            [None, "/a"],
            [],
            {"type": {"Exact": None}},
        ],
    )
    def test_may_lack_parts_at_later_lines(self, path: Any) -> None:
        assert match({"path": path}, line=EDGE).errors == []

    @pytest.mark.parametrize(
        ("path", "error"),
        [
            ({}, "path.type: field-missing"),
            ({"type": "Exact"}, "path.value: field-missing"),
            ({"value": "/a"}, "path.type: field-missing"),
            ({"type": None, "value": "/a"}, "path.type: field-type"),
            ({"type": "Exact", "value": None}, "path.value: field-type"),
        ],
    )
    def test_has_both_parts_at_earlier_lines(self, path: Any, error: str) -> None:
        assert match({"path": path}, line=STABLE).errors == [f"{MATCH}.{error}"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("path", "error"),
        [
            (5, "path: field-type"),
            ({"type": "Prefix", "value": "/a"}, "path.type: field-allowed"),
            ({"type": "exact", "value": "/a"}, "path.type: field-allowed"),
            ({"type": "Exact", "value": 5}, "path.value: field-type"),
        ],
    )
    def test_is_refused_where_it_cannot_be_read(self, path: Any, error: str, line: Any) -> None:
        assert match({"path": path}, line=line).errors == [f"{MATCH}.{error}"]

    @pytest.mark.parametrize(
        "value", ["//", "/a//b", "/a/./b", "/a/.", "/a/../b", "/..", "/a%2Fb", "/a%2fb", "/a#b", "/a?b=c"]
    )
    @pytest.mark.parametrize("line", BOTH)
    def test_that_no_request_has_is_warned_of(self, value: str, line: Any) -> None:
        said = match({"path": {"type": "Exact", "value": value}}, line=line)
        assert (said.errors, said.warnings) == ([], [f"{MATCH}.path.value: route-path-unreachable"])

    @pytest.mark.parametrize("value", ["/", "/a/b/", "/.a", "/a..b", "/a.", "/a%20b", "/...", "/a%2"])
    def test_that_a_request_has_is_not(self, value: str) -> None:
        assert match({"path": {"type": "Exact", "value": value}}).warnings == []

    def test_that_is_refused_is_not_warned_of(self) -> None:
        assert match({"path": {"type": "Exact", "value": "a//b"}}).warnings == []


GOOD_PATTERNS = ["", "/a", "/[a-z]+", "a**", "(?P<n>a)", "(?i)/A", r"\d{2,3}", r"\p{Greek}"]
BAD_PATTERNS = [
    "(",
    ")",
    "[",
    "a)",
    "*",
    "+a",
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    r"(a)\1",
    r"\Z",
    "a{3,2}",
    "[z-a]",
    r"\p{Nope}",
]


class TestPatterns:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("pattern", GOOD_PATTERNS)
    def test_that_the_engine_takes_are_accepted(self, pattern: str, line: Any) -> None:
        value = {
            "path": {"type": "RegularExpression", "value": pattern},
            "headers": [{"name": "x", "type": "RegularExpression", "value": pattern}],
            "queryParams": [{"name": "x", "type": "RegularExpression", "value": pattern}],
        }
        assert match(value, line=line).errors == []

    @pytest.mark.parametrize("pattern", BAD_PATTERNS)
    def test_that_the_engine_does_not_take_are_refused(self, pattern: str) -> None:
        value = {
            "path": {"type": "RegularExpression", "value": pattern},
            "headers": [{"name": "x", "type": "RegularExpression", "value": pattern}],
            "queryParams": [{"name": "x", "type": "RegularExpression", "value": pattern}],
        }
        assert match(value).errors == [
            f"{MATCH}.headers[0].value: route-regex",
            f"{MATCH}.path.value: route-regex",
            f"{MATCH}.queryParams[0].value: route-regex",
        ]

    @pytest.mark.parametrize("pattern", BAD_PATTERNS)
    def test_of_a_query_are_not_judged_by_earlier_lines(self, pattern: str) -> None:
        value = {
            "path": {"type": "RegularExpression", "value": pattern},
            "headers": [{"name": "x", "type": "RegularExpression", "value": pattern}],
            "queryParams": [{"name": "x", "type": "RegularExpression", "value": pattern}],
        }
        assert match(value, line=STABLE).errors == [
            f"{MATCH}.headers[0].value: route-regex",
            f"{MATCH}.path.value: route-regex",
        ]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("where", ["path", "headers", "queryParams"])
    def test_that_are_missing_are_not_judged(self, where: str, line: Any) -> None:
        lacking = {"name": "x", "type": "RegularExpression"}
        said = match({where: lacking if where == "path" else [lacking]}, line=line)
        # A later line's path has a default.
        at = f"{MATCH}.path.value" if where == "path" else f"{MATCH}.{where}[0].value"
        assert said.errors == ([] if where == "path" and line is EDGE else [f"{at}: field-missing"])

    def test_with_a_group_named_as_in_perl_are_for_later_lines(self) -> None:
        value = {"path": {"type": "RegularExpression", "value": "/(?<n>a)"}}
        assert match(value, line=EDGE).errors == []
        assert match(value, line=STABLE).errors == [f"{MATCH}.path.value: route-regex"]

    @pytest.mark.parametrize("kind", ["Exact", "PathPrefix"])
    def test_are_judged_only_where_they_are_meant_as_such(self, kind: str) -> None:
        value = {
            "path": {"type": kind, "value": "/("},
            "headers": [{"name": "x", "type": "Exact", "value": "("}, {"name": "y", "value": "("}],
            "queryParams": [{"name": "x", "value": "("}],
        }
        assert match(value).errors == []

    @pytest.mark.parametrize("line", BOTH)
    def test_that_match_no_path_are_warned_of(self, line: Any) -> None:
        said = match({"path": {"type": "RegularExpression", "value": "a/b"}}, line=line)
        assert (said.errors, said.warnings) == ([], [f"{MATCH}.path.value: route-regex-never"])

    def test_that_match_no_header_are_warned_of(self) -> None:
        header = {"name": "x", "type": "RegularExpression"}
        said = match({"headers": [{**header, "value": "a$b"}, {**header, "value": "^a$"}]})
        assert (said.errors, said.warnings) == ([], [f"{MATCH}.headers[0].value: route-regex-never"])


QUOTED: JSON = {"type": "Exact", "name": 'a"b', "value": "a"}


class TestHeaders:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("name", "value"),
        [("x", "a"), ("X-Y_z!#$%&'*+.^`|~0", "a b\t\u00e4"), ("x" * 300, ""), ("host", "\u007e"), ("x", "\x80")],
    )
    def test_have_a_token_for_a_name_and_a_line_for_a_value(self, name: str, value: str, line: Any) -> None:
        said = match({"headers": [{"type": "Exact", "name": name, "value": value}]}, line=line)
        assert said.errors == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("name", ["", " ", "a b", "a:", ":path", "a\n", "\u00e4", "a/b", "(a)", "a@b"])
    def test_of_another_name_are_refused(self, name: str, line: Any) -> None:
        said = match({"headers": [{"type": "Exact", "name": name, "value": "a"}]}, line=line)
        assert said.errors == [f"{MATCH}.headers[0].name: route-header-name"]

    def test_with_a_quote_in_their_name_are_refused_by_later_lines(self) -> None:
        assert match({"headers": [QUOTED]}, line=EDGE).errors == [f"{MATCH}.headers[0].name: route-header-name"]

    def test_with_a_quote_in_their_name_are_accepted_by_earlier_lines(self) -> None:
        assert match({"headers": [QUOTED]}, line=STABLE).errors == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("value", ["\n", "a\r\nb", "\x00", "\x7f", "\x1f", "\x0b"])
    def test_of_a_value_of_several_lines_are_refused(self, value: str, line: Any) -> None:
        said = match({"headers": [{"type": "Exact", "name": "x", "value": value}]}, line=line)
        assert said.errors == [f"{MATCH}.headers[0].value: route-header-value"]

    @pytest.mark.parametrize(
        ("header", "error"),
        [
            (None, "headers[0]: field-type"),
            ({"name": "x"}, "headers[0].value: field-missing"),
            ({"value": "x"}, "headers[0].name: field-missing"),
            ({"name": "x", "value": 5}, "headers[0].value: field-type"),
            ({"name": "x", "value": "a", "type": "Prefix"}, "headers[0].type: field-allowed"),
            (["x", None], "headers[0]: field-type"),
        ],
    )
    def test_are_refused_where_they_cannot_be_read(self, header: Any, error: str) -> None:
        assert match({"headers": [header]}).errors == [f"{MATCH}.{error}"]

    @pytest.mark.parametrize("header", [{"name": "x", "value": "a", "type": None}, ["x", None, "a"]])
    def test_may_lack_their_type_at_later_lines(self, header: Any) -> None:
        assert match({"headers": [header]}).errors == []

    def test_have_their_type_at_earlier_lines(self) -> None:
        said = match({"headers": [{"name": "x", "value": "a"}]}, line=STABLE)
        assert said.errors == [f"{MATCH}.headers[0].type: field-missing"]
        assert match({"headers": [["Exact", "x", "a"]]}, line=STABLE).errors == []


class TestMethod:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("method", [None, "GET", "PATCH", "CONNECT"])
    def test_is_one_of_http(self, method: Any, line: Any) -> None:
        assert match({"method": method}, line=line).errors == []

    @pytest.mark.parametrize("method", ["get", "PURGE", "", "G T"])
    def test_is_one_of_nine_at_later_lines(self, method: str) -> None:
        assert match({"method": method}, line=EDGE).errors == [f"{MATCH}.method: field-allowed"]

    @pytest.mark.parametrize("method", ["get", "PURGE", "A-B", "!"])
    def test_may_be_any_token_at_earlier_lines(self, method: str) -> None:
        assert match({"method": method}, line=STABLE).errors == []

    @pytest.mark.parametrize("method", ["", "G T", "GET\n", "\u00e4", "A:"])
    def test_is_no_other_text_at_earlier_lines(self, method: str) -> None:
        assert match({"method": method}, line=STABLE).errors == [f"{MATCH}.method: httproute-method"]

    @pytest.mark.parametrize("line", BOTH)
    def test_is_a_string(self, line: Any) -> None:
        assert match({"method": 5}, line=line).errors == [f"{MATCH}.method: field-type"]


GET: JSON = {"matches": [{"method": "GET"}]}


class TestShadows:
    @pytest.mark.parametrize(
        "rules",
        [
            [GET, GET],
            [{}, {"matches": []}],
            [{"matches": [{"method": "GET"}, {"method": "PUT"}]}, {"matches": [{"method": "PUT"}]}],
            [
                {"matches": [{"headers": [{"name": "a", "value": "b"}]}]},
                {"matches": [{"headers": [{"value": "b", "name": "a"}]}]},
            ],
        ],
    )
    def test_of_an_earlier_rule_are_warned_of(self, rules: Any) -> None:
        said = route({"rules": rules})
        assert (said.errors, said.warnings) == ([], ["spec.rules[1]: route-rule-shadowed"])

    @pytest.mark.parametrize(
        "rules",
        [
            [GET, {}],
            [{}, GET],
            [GET, {"matches": [{"method": "GET"}, {"method": "PUT"}]}],
            [{"matches": [{"path": {"value": "/a"}}]}, {"matches": [{"path": {"value": "/a", "type": "Exact"}}]}],
        ],
    )
    def test_of_different_rules_are_none(self, rules: Any) -> None:
        assert route({"rules": rules}).warnings == []

    @pytest.mark.parametrize("line", BOTH)
    def test_are_told_with_the_rule_that_wins(self, line: Any) -> None:
        said = route({"rules": [{}, GET, GET]}, line=line)
        assert said.warnings == ["spec.rules[2]: route-rule-shadowed"]
        assert said.message("route-rule-shadowed").startswith("rules[1] ")


class TestFilters:
    @pytest.mark.parametrize(
        ("value", "errors"),
        [
            (None, [f"{FILTER}: field-type"]),
            ([], [f"{FILTER}: field-type"]),
            ({}, [f"{FILTER}.type: field-missing"]),
            ({"type": None}, [f"{FILTER}.type: field-type"]),
            ({"type": "requestRedirect"}, [f"{FILTER}.type: field-allowed"]),
            ({"type": "URLRewrite", "urlRewrite": {}}, [f"{FILTER}.type: field-allowed"]),
            ({"type": "ExtensionRef"}, [f"{FILTER}.type: field-allowed"]),
            ({"type": "RequestRedirect"}, [f"{FILTER}.requestRedirect: field-missing"]),
            ({"type": "RequestRedirect", "requestRedirect": None}, [f"{FILTER}.requestRedirect: field-type"]),
            ({"type": "RequestHeaderModifier"}, [f"{FILTER}.requestHeaderModifier: field-missing"]),
            (
                {"type": "RequestHeaderModifier", "requestRedirect": {}},
                [f"{FILTER}.requestHeaderModifier: field-missing"],
            ),
            (["RequestRedirect"], [f"{FILTER}: field-type"]),
        ],
    )
    @pytest.mark.parametrize("line", BOTH)
    def test_hold_what_their_type_says(self, value: Any, errors: list[str], line: Any) -> None:
        assert entry(value, line=line).errors == errors

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "value",
        [
            {"type": "RequestRedirect", "requestRedirect": {}},
            {"type": "RequestRedirect", "requestRedirect": {}, "requestHeaderModifier": 5},
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {}},
            ["RequestHeaderModifier", {}],
        ],
    )
    def test_are_read_for_no_more(self, value: Any, line: Any) -> None:
        said = entry(value, line=line)
        assert (said.errors, said.warnings) == ([], [])

    def test_of_responses_are_for_later_lines(self) -> None:
        assert modifier({}, "ResponseHeaderModifier", line=EDGE).errors == []
        assert modifier({}, "ResponseHeaderModifier", line=STABLE).errors == [f"{FILTER}.type: field-allowed"]

    @pytest.mark.parametrize("line", BOTH)
    def test_of_one_type_twice_are_warned_of(self, line: Any) -> None:
        value = {"type": "RequestHeaderModifier", "requestHeaderModifier": {}}
        other = {"type": "RequestRedirect", "requestRedirect": {}}
        said = rule({"filters": [value, other, value]}, line=line)
        assert (said.errors, said.warnings) == ([], [f"{RULE}.filters[2].type: route-filter-twice"])
        assert rule({"filters": [value, other]}, line=line).warnings == []


class TestModifiers:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "value",
        [
            {"add": None, "set": None, "remove": None},
            {"add": [], "set": [{"name": "X-a", "value": "b\tc"}], "remove": ["x", "y"]},
            {"add": [["x", "y"]]},
        ],
    )
    def test_change_headers(self, value: Any, line: Any) -> None:
        assert modifier(value, line=line).errors == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("value", "error"),
        [
            ({"add": [{"name": "a b", "value": "x"}]}, "add[0].name: route-header-name"),
            ({"set": [{"name": "", "value": "x"}]}, "set[0].name: route-header-name"),
            ({"set": [{"name": "a", "value": "x\n"}]}, "set[0].value: route-header-value"),
            ({"add": [{"name": "a", "value": "\x00"}]}, "add[0].value: route-header-value"),
            ({"remove": ["a", "b:"]}, "remove[1]: route-header-name"),
            ({"remove": "a"}, "remove: field-type"),
            ({"remove": [5]}, "remove[0]: field-type"),
            ({"add": [{"name": "a"}]}, "add[0].value: field-missing"),
            ({"add": {"a": "b"}}, "add: field-type"),
        ],
    )
    def test_of_what_http_does_not_allow_are_refused(self, value: Any, error: str, line: Any) -> None:
        assert modifier(value, line=line).errors == [f"{FILTER}.requestHeaderModifier.{error}"]

    def test_of_responses_are_checked_alike(self) -> None:
        said = modifier({"add": [{"name": "a b", "value": "\n"}]}, "ResponseHeaderModifier")
        assert said.errors == [
            f"{FILTER}.responseHeaderModifier.add[0].name: route-header-name",
            f"{FILTER}.responseHeaderModifier.add[0].value: route-header-value",
        ]


class TestRedirect:
    AT = f"{FILTER}.requestRedirect"

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("status", [100, 301, 302, 418, 999, None])
    def test_has_a_status_of_three_digits(self, status: Any, line: Any) -> None:
        assert redirect({"statusCode": status}, line=line).errors == []

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("status", [0, 99, 1000])
    def test_has_no_other_status(self, status: int, line: Any) -> None:
        assert redirect({"statusCode": status}, line=line).errors == [f"{self.AT}.statusCode: route-redirect-status"]

    @pytest.mark.parametrize(
        ("status", "edge", "stable"),
        [
            (-1, "route-redirect-status", "field-range"),
            (65536, "route-redirect-status", "field-range"),
            (2**63, "field-range", "field-range"),
            ("301", "field-type", "field-type"),
            (301.0, "field-type", "field-type"),
        ],
    )
    def test_has_a_status_of_a_width_by_the_line(self, status: Any, edge: str, stable: str) -> None:
        assert redirect({"statusCode": status}, line=EDGE).errors == [f"{self.AT}.statusCode: {edge}"]
        assert redirect({"statusCode": status}, line=STABLE).errors == [f"{self.AT}.statusCode: {stable}"]

    @pytest.mark.parametrize(
        "path",
        [
            {"type": "ReplaceFullPath", "replaceFullPath": "/a"},
            {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"},
            {"type": "ReplaceFullPath", "replacePrefixMatch": "/"},
            ["/a", None, "ReplaceFullPath"],
        ],
    )
    def test_has_an_absolute_path(self, path: Any) -> None:
        assert redirect({"path": path}).errors == []

    @pytest.mark.parametrize(
        ("path", "error"),
        [
            ({"type": "ReplaceFullPath", "replaceFullPath": "a"}, "replaceFullPath: route-path-absolute"),
            ({"type": "ReplaceFullPath", "replaceFullPath": ""}, "replaceFullPath: route-path-absolute"),
            ({"type": "ReplacePrefixMatch", "replacePrefixMatch": "a"}, "replacePrefixMatch: route-path-absolute"),
            ({"type": "ReplaceFullPath"}, "replaceFullPath: route-redirect-path"),
            ({"type": "ReplacePrefixMatch", "replacePrefixMatch": None}, "replacePrefixMatch: route-redirect-path"),
            ({"replaceFullPath": "/a"}, "type: field-missing"),
            ({"type": "Replace", "replaceFullPath": "/a"}, "type: field-allowed"),
            ({"type": "ReplaceFullPath", "replaceFullPath": 5}, "replaceFullPath: field-type"),
        ],
    )
    def test_has_no_other_path(self, path: JSON, error: str) -> None:
        assert redirect({"path": path}).errors == [f"{self.AT}.path.{error}"]

    def test_has_the_path_that_counts_checked_alone(self) -> None:
        path = {"type": "ReplacePrefixMatch", "replaceFullPath": "/a", "replacePrefixMatch": "b"}
        assert redirect({"path": path}).errors == []

    @pytest.mark.parametrize("path", [{}, {"type": "ReplaceFullPath", "replaceFullPath": "/a"}, [], "/a"])
    def test_has_no_path_at_earlier_lines(self, path: Any) -> None:
        assert redirect({"path": path}, line=STABLE).errors == [f"{self.AT}.path: httproute-redirect-path"]

    def test_may_have_a_path_of_null_at_earlier_lines(self) -> None:
        assert redirect({"path": None}, line=STABLE).errors == []

    @pytest.mark.parametrize(
        ("scheme", "edge", "stable"),
        [
            ("https", "", ""),
            (None, "", ""),
            ("HTTPS", "field-allowed", ""),
            ("", "field-allowed", ""),
            ("git+ssh", "field-allowed", ""),
            ("h ttp", "field-allowed", "httproute-scheme"),
            ("http:", "field-allowed", "httproute-scheme"),
            ("a~", "field-allowed", ""),
            ("a" * 64, "field-allowed", ""),
            ("a" * 65, "field-allowed", "httproute-scheme"),
            (5, "field-type", "field-type"),
        ],
    )
    def test_has_a_scheme_by_the_line(self, scheme: Any, edge: str, stable: str) -> None:
        for line, wrong in ((EDGE, edge), (STABLE, stable)):
            assert redirect({"scheme": scheme}, line=line).errors == ([f"{self.AT}.scheme: {wrong}"] if wrong else [])

    @pytest.mark.parametrize(
        ("port", "edge", "stable"),
        [
            (0, "", ""),
            (65535, "", ""),
            (-1, "", "field-range"),
            (65536, "", "field-range"),
            (2**31, "field-range", "field-range"),
            ("80", "field-type", "field-type"),
        ],
    )
    def test_has_a_port_of_a_width_by_the_line(self, port: Any, edge: str, stable: str) -> None:
        for line, wrong in ((EDGE, edge), (STABLE, stable)):
            assert redirect({"port": port}, line=line).errors == ([f"{self.AT}.port: {wrong}"] if wrong else [])

    @pytest.mark.parametrize("line", BOTH)
    def test_may_go_to_any_host(self, line: Any) -> None:
        assert redirect({"hostname": "Not a host!"}, line=line).errors == []
        assert redirect({"hostname": 5}, line=line).errors == [f"{self.AT}.hostname: field-type"]


class TestTimeouts:
    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"request": "", "backendRequest": ""},
            {"request": None, "backendRequest": "5s"},
            {"request": "10s", "backendRequest": "10s"},
            {"request": "1m", "backendRequest": "59.9s"},
            {"request": "0", "backendRequest": "0s"},
        ],
    )
    def test_of_a_try_are_within_that_of_the_request(self, values: Any) -> None:
        assert timeouts(**values).errors == []

    @pytest.mark.parametrize(
        ("whole", "one"), [("10s", "11s"), ("10s", "10.001s"), ("0", "1ns"), ("", "1s"), ("59s", "1m")]
    )
    def test_of_a_try_are_not_longer(self, whole: str, one: str) -> None:
        said = timeouts(request=whole, backendRequest=one)
        assert said.errors == [f"{RULE}.timeouts.backendRequest: httproute-timeout-order"]

    def test_are_not_negative_and_told_so_one_by_one(self) -> None:
        assert timeouts(request="-1s", backendRequest="-2s").errors == [
            f"{RULE}.timeouts.backendRequest: httproute-timeout-negative",
            f"{RULE}.timeouts.backendRequest: httproute-timeout-order",
            f"{RULE}.timeouts.request: httproute-timeout-negative",
        ]

    def test_may_be_an_array_of_both(self) -> None:
        assert rule({"timeouts": ["10s", None]}).errors == []
        assert rule({"timeouts": ["10s"]}).errors == [f"{RULE}.timeouts: field-type"]

    def test_are_not_read_at_earlier_lines(self) -> None:
        assert rule({"timeouts": {"request": "nonsense"}}, line=STABLE).errors == []


class TestBackends:
    @pytest.mark.parametrize(
        "backend",
        [
            {"name": "web"},
            {"name": "web", "kind": "Service", "group": "", "port": None, "weight": -1, "namespace": "bank"},
            {"name": "web", "filters": [{"type": "URLRewrite"}]},
            [None, None, None, "web"],
        ],
    )
    def test_need_no_more_than_a_name(self, backend: Any) -> None:
        said = rule({"backendRefs": [backend]})
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        ("backend", "error"),
        [
            ({}, "name: field-missing"),
            ({"name": "web", "port": "80"}, "port: field-type"),
            ({"name": "web", "weight": 2**31}, "weight: field-range"),
            ({"name": "web", "filters": [{}]}, "filters[0].type: field-missing"),
            ({"name": "web", "filters": [{"type": "Rewrite"}]}, "filters[0].type: field-allowed"),
        ],
    )
    def test_are_refused_where_they_cannot_be_read(self, backend: Any, error: str) -> None:
        assert rule({"backendRefs": [backend]}).errors == [f"{RULE}.backendRefs[0].{error}"]

    def test_are_not_read_at_earlier_lines(self) -> None:
        assert rule({"backendRefs": 5}, line=STABLE).errors == []


class TestEarlierParents:
    """2.12 knows Servers for parents, and nothing else."""

    @pytest.mark.parametrize(
        "parent",
        [
            SERVER,
            {**SERVER, "group": POLICY.upper(), "kind": "server", "namespace": "bank", "port": 80},
            [POLICY, "Server", None, "web", None, None],
        ],
    )
    def test_are_servers(self, parent: Any) -> None:
        assert of(SERVER, parent, line=STABLE).errors == []

    @pytest.mark.parametrize(
        "parent",
        [
            SERVICE,
            {"name": "web"},
            {"kind": "Server", "name": "web"},
            {"group": POLICY, "name": "web"},
            {**EGRESS, "port": 1},
        ],
    )
    def test_are_nothing_else(self, parent: JSON) -> None:
        assert of(SERVER, parent, line=STABLE).errors == ["spec.parentRefs[1]: httproute-parent"]

    @pytest.mark.parametrize(
        ("parent", "error"),
        [
            ({**SERVER, "port": -1}, "port: field-range"),
            ({**SERVER, "port": 65536}, "port: field-range"),
            ({**SERVER, "sectionName": 5}, "sectionName: field-type"),
            ({"group": POLICY, "kind": "Server"}, "name: field-missing"),
        ],
    )
    def test_are_refused_where_they_cannot_be_read(self, parent: Any, error: str) -> None:
        assert of(parent, line=STABLE).errors == [f"spec.parentRefs[0].{error}"]
