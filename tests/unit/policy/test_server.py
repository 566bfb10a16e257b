"""What is said of Servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import EDGE, JSON, STABLE, Said, Servers, manifest, say
from webhook.mesh.releases import line as line_of
from webhook.policy.server import POLICIES, PROTOCOLS

ANY_POD: JSON = {"podSelector": {}}
WEB: JSON = {"podSelector": {"matchLabels": {"app": "web"}}}


def server(spec: Any = ..., **options: Any) -> Said:
    return say("Server", spec, **options)


class TestPort:
    @pytest.mark.parametrize("line", [EDGE, STABLE])
    @pytest.mark.parametrize("port", [1, 80, 65535, "http", "http-2", "4you", "abcdefghijklmno"])
    def test_is_a_number_or_a_name(self, port: Any, line: Any) -> None:
        said = server({**WEB, "port": port}, line=line)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize("line", [EDGE, STABLE])
    @pytest.mark.parametrize("port", ["80", " 8080", "65535"])
    def test_in_quotes_is_a_name_that_no_port_has(self, port: str, line: Any) -> None:
        said = server({**WEB, "port": port}, line=line)
        assert (said.errors, said.warnings) == ([], ["spec.port: server-port-quoted"])
        assert said.message("server-port-quoted").endswith(f"write {int(port)} without quotes")

    @pytest.mark.parametrize(
        "port",
        [
            "No such name!",
            "HTTP",
            "http_1",
            "-http",
            "http-",
            "a--b",
            "abcdefghijklmnop",
            "65536",
            "0",
            "1-2",
            "gr\u00fcn",
        ],
    )
    def test_has_no_name_that_kubernetes_refuses(self, port: str) -> None:
        said = server({**WEB, "port": port})
        assert (said.errors, said.warnings) == ([], ["spec.port: server-port-name"])

    @pytest.mark.parametrize("line", [EDGE, STABLE])
    @pytest.mark.parametrize("port", [0, -1, 65536, 2**64, 80.0, 80.5, None, True, [80], {}])
    def test_is_nothing_else(self, port: Any, line: Any) -> None:
        assert server({**WEB, "port": port}, line=line).errors == ["spec.port: field-type"]

    def test_has_to_be_there(self) -> None:
        assert server(WEB).errors == ["spec.port: field-missing"]

    def test_without_a_fraction_is_proposed(self) -> None:
        assert server({**WEB, "port": 80.0}).message("field-type") == "80.0 is not an integer: write 80"

    def test_of_an_empty_name_is_warned_of(self) -> None:
        said = server({**WEB, "port": ""})
        assert (said.errors, said.warnings) == ([], ["spec.port: server-port-empty"])


class TestProxyProtocol:
    @pytest.mark.parametrize("line", [EDGE, STABLE])
    @pytest.mark.parametrize("protocol", [*PROTOCOLS, None, {"HTTP/1": None}])
    def test_is_one_of_six_or_not_there(self, protocol: Any, line: Any) -> None:
        assert server({**WEB, "port": 80, "proxyProtocol": protocol}, line=line).errors == []

    @pytest.mark.parametrize(
        ("protocol", "rule"),
        [
            ("http/1", "field-allowed"),
            ("HTTP", "field-allowed"),
            ("", "field-allowed"),
            (1, "field-type"),
            (["HTTP/1"], "field-type"),
            ({"HTTP/1": {}}, "field-type"),
            ({"HTTP/3": None}, "field-type"),
        ],
    )
    def test_is_nothing_else(self, protocol: Any, rule: str) -> None:
        assert server({**WEB, "port": 80, "proxyProtocol": protocol}).errors == [f"spec.proxyProtocol: {rule}"]

    def test_that_is_nearly_right_is_recognised(self) -> None:
        said = server({**WEB, "port": 80, "proxyProtocol": "http/2"})
        assert said.message("field-allowed").endswith('(did you mean "HTTP/2"?)')


class TestAccessPolicy:
    @pytest.mark.parametrize("policy", [*POLICIES, None])
    def test_is_one_of_six_or_not_there(self, policy: Any) -> None:
        assert server({**WEB, "port": 80, "accessPolicy": policy}).errors == []

    @pytest.mark.parametrize("policy", ["Deny", "", "all-authenticated ", "allow"])
    def test_of_another_name_is_refused(self, policy: str) -> None:
        said = server({**WEB, "port": 80, "accessPolicy": policy})
        assert said.errors == ["spec.accessPolicy: server-access-policy"]

    def test_is_a_string(self) -> None:
        assert server({**WEB, "port": 80, "accessPolicy": True}).errors == ["spec.accessPolicy: field-type"]

    @pytest.mark.parametrize("policy", ["Deny", 5])
    def test_is_not_looked_at_by_earlier_lines(self, policy: Any) -> None:
        assert server({**WEB, "port": 80, "accessPolicy": policy}, line=STABLE).errors == []


class TestSelector:
    @pytest.mark.parametrize(
        "selector",
        [
            {"podSelector": {}},
            {"podSelector": {"matchLabels": {}, "matchExpressions": []}},
            {"podSelector": {"matchLabels": None, "matchExpressions": None}},
            {"podSelector": {"matchLabels": {"app": "web", "": ""}}},
            {"podSelector": {"unknown": 1}},
            {"podSelector": [{"app": "web"}, None]},
            {"podSelector": [None, []]},
            {"externalWorkloadSelector": {}},
            {"externalWorkloadSelector": {"matchLabels": {"app": "web"}}},
        ],
    )
    def test_is_of_pods_or_of_external_workloads(self, selector: JSON) -> None:
        said = server({**selector, "port": 80})
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        ("selector", "errors"),
        [
            ({}, ["spec.podSelector: field-missing"]),
            ({"podSelector": None}, ["spec.podSelector: field-type"]),
            ({"podSelector": "app=web"}, ["spec.podSelector: field-type"]),
            ({"podSelector": []}, ["spec.podSelector: field-type"]),
            ({"podSelector": [{"app": "web"}]}, ["spec.podSelector: field-type"]),
            ({"podSelector": [None, None, None]}, ["spec.podSelector: field-type"]),
            ({"podSelector": {"matchLabels": []}}, ["spec.podSelector.matchLabels: field-type"]),
            ({"podSelector": {"matchLabels": {"a": 1}}}, ["spec.podSelector.matchLabels.a: field-type"]),
            ({"podSelector": {"matchLabels": {"a": None}}}, ["spec.podSelector.matchLabels.a: field-type"]),
            ({"podSelector": {"matchExpressions": {}}}, ["spec.podSelector.matchExpressions: field-type"]),
            ({"externalWorkloadSelector": None}, ["spec.externalWorkloadSelector: field-type"]),
            ({"externalWorkloadSelector": 5, "podSelector": {}}, ["spec.externalWorkloadSelector: field-type"]),
        ],
    )
    def test_is_refused_where_it_cannot_be_read(self, selector: JSON, errors: list[str]) -> None:
        assert server({**selector, "port": 80}).errors == errors

    def test_of_pods_is_not_read_next_to_one_of_external_workloads(self) -> None:
        said = server({"externalWorkloadSelector": {}, "podSelector": 5, "port": 80})
        assert (said.errors, said.schema) == ([], ["spec.podSelector: server-two-selectors"])

    @pytest.mark.parametrize("selector", ["podSelector", "externalWorkloadSelector"])
    def test_alone_is_no_second_one(self, selector: str) -> None:
        assert "spec.podSelector: server-two-selectors" not in server({selector: {}, "port": 80}).schema

    def test_of_external_workloads_is_unknown_to_earlier_lines(self) -> None:
        said = server({"externalWorkloadSelector": {}, "port": 80}, line=STABLE)
        assert said.errors == ["spec.podSelector: field-missing"]


class TestWhole:
    @pytest.mark.parametrize("spec", [None, [], "x", 5, [{}, None, 80, None, None]])
    def test_is_an_object(self, spec: Any) -> None:
        assert server(spec).errors == ["spec: field-type"]

    def test_has_to_be_there(self) -> None:
        assert server().errors == ["spec: field-missing"]

    def test_may_be_an_array_at_earlier_lines(self) -> None:
        assert server([{}, 80, None], line=STABLE).errors == []
        assert server([{}, 80], line=STABLE).errors == ["spec: field-type"]

    def test_may_hold_fields_that_nobody_knows(self) -> None:
        assert server({**WEB, "port": 80, "ports": [1]}).errors == []

    def test_is_told_all_of_its_errors(self) -> None:
        spec = {
            "podSelector": {"matchLabels": {"a": 1}, "matchExpressions": [{"key": "a", "operator": "in"}]},
            "port": 0,
            "proxyProtocol": "tcp",
            "accessPolicy": "none",
        }
        assert server(spec).errors == [
            "spec.accessPolicy: server-access-policy",
            "spec.podSelector.matchExpressions[0].operator: field-allowed",
            "spec.podSelector.matchLabels.a: field-type",
            "spec.port: field-type",
            "spec.proxyProtocol: field-allowed",
        ]


class TestVersion:
    @pytest.mark.parametrize(
        ("line", "version", "warnings", "schema"),
        [
            (EDGE, "v1beta3", [], []),
            (EDGE, "v1beta2", [], []),
            (EDGE, "v1beta1", ["apiVersion: api-version-deprecated"], []),
            (EDGE, "v1alpha1", ["apiVersion: api-version-deprecated"], []),
            (EDGE, "v1", [], ["apiVersion: api-version-unknown"]),
            (STABLE, "v1beta1", [], []),
            (STABLE, "v1alpha1", ["apiVersion: api-version-deprecated"], []),
            (STABLE, "v1beta2", [], ["apiVersion: api-version-unknown"]),
        ],
    )
    def test_that_is_old_is_warned_of_where_there_is_a_newer_one(
        self, line: Any, version: str, warnings: list[str], schema: list[str]
    ) -> None:
        said = server({**WEB, "port": 80}, line=line, version=version)
        assert (said.errors, said.warnings, said.schema) == ([], warnings, schema)


def theirs(port: Any = 80, **selector: Any) -> JSON:
    return {"podSelector": selector, "port": port, "externalWorkloadSelector": None}


LABELS = {"app": "web"}
IN = {"key": "app", "operator": "In", "values": ["a", "b"]}


class TestOverlap:
    """Up to 2.17 a Server is refused whose port of the same workloads another one has."""

    @pytest.mark.parametrize(
        ("ours", "other"),
        [
            (WEB, theirs(matchLabels=LABELS)),
            (ANY_POD, theirs(matchLabels={"app": "other"})),
            (WEB, theirs()),
            (WEB, theirs(matchLabels={}, matchExpressions=[])),
            (WEB, theirs(matchLabels=LABELS, matchExpressions=None)),
            (
                {"podSelector": {"matchExpressions": [{**IN, "values": ["b", "a", "a"]}]}},
                theirs(matchExpressions=[IN]),
            ),
        ],
    )
    def test_with_an_equal_selector_or_one_of_every_pod_is_refused(self, ours: JSON, other: JSON) -> None:
        said = server({**ours, "port": 80}, line=STABLE, catalog=Servers(other=other))
        assert (said.errors, said.warnings) == (["spec.port: server-overlap"], [])

    def test_is_refused_once_for_each_other_server(self) -> None:
        catalog = Servers(one=theirs(), two=theirs(matchLabels=LABELS), three=theirs(81))
        said = server({**WEB, "port": 80}, line=STABLE, catalog=catalog)
        assert said.errors == ["spec.port: server-overlap"] * 2

    @pytest.mark.parametrize(
        "other",
        [
            theirs(81),
            theirs("80"),
            theirs("http"),
            theirs(matchLabels={"app": "api"}),
            theirs(matchLabels=LABELS, matchExpressions=[]),
            theirs(matchExpressions=[{**IN, "values": ["web"]}]),
            {"podSelector": None, "port": 80},
            {"port": 80},
        ],
    )
    def test_is_one_of_what_is_written_only(self, other: JSON) -> None:
        assert server({**WEB, "port": 80}, line=STABLE, catalog=Servers(other=other)).errors == []

    @pytest.mark.parametrize(
        "expressions",
        [
            [IN, {"key": "x", "operator": "Exists", "values": None}],
            [{"key": "x", "operator": "Exists"}],
            [{**IN, "operator": "NotIn"}],
            [{**IN, "values": ["a"]}],
        ],
    )
    def test_counts_the_order_of_expressions_and_their_parts(self, expressions: list[JSON]) -> None:
        ours = {"podSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}, IN]}, "port": 80}
        other = theirs(matchExpressions=expressions)
        assert server(ours, line=STABLE, catalog=Servers(other=other)).errors == []

    def test_of_a_port_s_name_counts_too(self) -> None:
        said = server({**WEB, "port": "http"}, line=STABLE, catalog=Servers(other=theirs("http")))
        assert said.errors == ["spec.port: server-overlap"]

    def test_with_itself_is_none(self) -> None:
        catalog = Servers(subject=theirs(matchLabels=LABELS))
        assert server({**WEB, "port": 80}, line=STABLE, catalog=catalog).errors == []

    def test_in_a_namespace_of_which_nothing_is_known_is_none(self) -> None:
        metadata = {"name": "subject", "namespace": "elsewhere"}
        said = server({**WEB, "port": 80}, line=STABLE, catalog=Servers(other=theirs()), metadata=metadata)
        assert said.errors == []

    def test_is_not_looked_for_in_what_cannot_be_read(self) -> None:
        said = server({"podSelector": 5, "port": 80}, line=STABLE, catalog=Servers(other=theirs()))
        assert said.errors == ["spec.podSelector: field-type"]

    @pytest.mark.parametrize("name", ["version-2.15", "version-2.17"])
    def test_of_external_workloads_is_one_among_themselves(self, name: str) -> None:
        catalog = Servers(pods=theirs(), other={"podSelector": None, "externalWorkloadSelector": {}, "port": 80})
        ours = {"externalWorkloadSelector": {"matchLabels": LABELS}, "port": 80}
        said = server(ours, line=line_of(name), catalog=catalog)
        assert said.errors == ["spec.port: server-overlap"]
        assert said.message("server-overlap").startswith('Server "other" selects the port 80 of these ExternalWork')
        of_pods = server({**WEB, "port": 80}, line=line_of(name), catalog=catalog)
        assert of_pods.message("server-overlap").startswith('Server "pods" selects the port 80 of these Pods')

    def test_is_but_warned_of_by_later_lines(self) -> None:
        said = server({**WEB, "port": 80}, catalog=Servers(other=theirs(matchLabels=LABELS)))
        assert (said.errors, said.warnings) == ([], ["spec.port: server-port-shared"])


def test_a_server_as_the_documentation_has_it_is_in_order() -> None:
    spec = {**WEB, "port": "http", "proxyProtocol": "HTTP/1", "accessPolicy": "deny"}
    assert server(spec) == []
    assert manifest("Server", spec)["apiVersion"] == "policy.linkerd.io/v1beta3"
