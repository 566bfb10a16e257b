"""How findings are worded and where they point."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import SERVICE, say
from webhook.findings.finding import RULES, Severity, declare, render_path, show, suggest
from webhook.policy import registry


class TestPath:
    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ((), ""),
            (("spec",), "spec"),
            (("spec", "networks", 1, "except", 0), "spec.networks[1].except[0]"),
            (("metadata", "annotations", "linkerd.io/inject"), "metadata.annotations[linkerd.io/inject]"),
            (("metadata", "labels", "a.b"), "metadata.labels[a.b]"),
            (("metadata", "labels", ""), "metadata.labels[]"),
            (("metadata", "labels", "a[0]"), "metadata.labels[a[0]]"),
            (("metadata", "labels", "app"), "metadata.labels.app"),
            ((0, "a"), "[0].a"),
        ],
    )
    def test_is_written_as_kubernetes_writes_it(self, path: Any, text: str) -> None:
        assert render_path(path) == text


class TestValue:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("a", '"a"'),
            ('a"\n', '"a\\"\\n"'),
            (None, "null"),
            (True, "true"),
            (80.0, "80.0"),
            ({"a": [1]}, '{"a":[1]}'),
            ("gr\u00fc\u00dfe", '"gr\u00fc\u00dfe"'),
        ],
    )
    def test_is_shown_as_json(self, value: Any, text: str) -> None:
        assert show(value) == text

    @pytest.mark.parametrize("value", ["x" * 1000, ["x"] * 1000, {"a": "x" * 1000}])
    def test_that_is_long_is_shortened(self, value: Any) -> None:
        shown = show(value)
        assert len(shown) == 80
        assert shown.endswith("\u2026")

    def test_that_fits_is_not(self) -> None:
        assert show("x" * 78) == f'"{"x" * 78}"'

    def test_that_is_no_json_is_shown_all_the_same(self) -> None:
        nested: Any = []
        for _ in range(2000):
            nested = [nested]
        for value in (nested, 10**30, -(10**4000)):
            assert 0 < len(show(value)) <= 80


class TestSuggestion:
    @pytest.mark.parametrize(
        ("value", "hint"),
        [
            ("http/1", ' (did you mean "HTTP/1"?)'),
            (" HTTP/2 ", ' (did you mean "HTTP/2"?)'),
            ("opaqe", ' (did you mean "opaque"?)'),
            ("something else", ""),
            ("", ""),
            (None, ""),
            (5, ""),
            (["opaque"], ""),
        ],
    )
    def test_is_made_where_one_is_close(self, value: Any, hint: str) -> None:
        assert suggest(value, ("HTTP/1", "HTTP/2", "opaque")) == hint


class TestRule:
    def test_of_an_identifier_that_there_is_already_cannot_be_declared(self) -> None:
        with pytest.raises(ValueError, match="rule field-type is declared twice"):
            declare("field-type", Severity.WARNING, "FieldValueInvalid", "Another.")
        assert RULES["field-type"].severity is Severity.ERROR

    def test_gives_its_severity_to_its_findings(self) -> None:
        registry.load_all()
        finding = RULES["server-port-empty"].at(("spec", "port"), "no name")
        assert (finding.severity, finding.field, finding.text) == (Severity.WARNING, "spec.port", "spec.port: no name")

    def test_about_the_whole_object_names_no_field(self) -> None:
        assert RULES["object-missing"].at((), "nothing there").text == "nothing there"


TWO_LINES = "a\nb"


@pytest.mark.parametrize(
    ("kind", "spec", "annotations"),
    [
        ("Server", {"podSelector": {}, "port": 80, "accessPolicy": TWO_LINES}, {}),
        ("Server", {"podSelector": {}, "port": 80, "proxyProtocol": TWO_LINES}, {}),
        ("NetworkAuthentication", {"networks": [{"cidr": "10.0.0.0\n/8"}]}, {}),
        ("MeshTLSAuthentication", {"identities": [TWO_LINES]}, {}),
        ("HTTPRoute", {"rules": [{"matches": [{"path": {"value": TWO_LINES}}]}]}, {}),
        ("HTTPRoute", {"rules": [{"matches": [{"headers": [{"name": TWO_LINES, "value": TWO_LINES}]}]}]}, {}),
        pytest.param("NetworkAuthentication", {"networks": [{"cidr": "1.2.3.4/1.\n"}]}, {}),
        pytest.param("HTTPRoute", {"rules": [{"timeouts": {"request": "10s\n"}}]}, {}),
        pytest.param("HTTPRoute", {"rules": [{"timeouts": {"request": "\n10s"}}]}, {}),
        pytest.param("HTTPRoute", {"parentRefs": [SERVICE]}, {"timeout.linkerd.io/request": "1\ns"}),
        pytest.param("HTTPRoute", {"parentRefs": [SERVICE]}, {"retry.linkerd.io/http": "5xx,\n503"}),
        pytest.param(
            "AuthorizationPolicy",
            {"targetRef": {"kind": "Namespace", "name": TWO_LINES}, "requiredAuthenticationRefs": []},
            {},
        ),
    ],
)
def test_a_message_is_one_line_whatever_the_value_holds(kind: str, spec: Any, annotations: Any) -> None:
    said = say(kind, spec, annotations=annotations)
    assert said.errors
    assert [finding.message for finding in said if "\n" in finding.message] == []
