"""What is said of the selectors of Servers and ServerAuthorizations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, STABLE, Said, say
from webhook.policy.selectors import same_selector, selects_all


def selector(value: Any, **options: Any) -> Said:
    """What is said of the selector of a Server."""
    return say("Server", {"podSelector": value, "port": 80}, **options)


def expression(value: Any, **options: Any) -> Said:
    return selector({"matchExpressions": [value]}, **options)


AT = "spec.podSelector.matchExpressions[0]"


class TestExpression:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "value",
        [
            {"key": "app", "operator": "In", "values": ["web", ""]},
            {"key": "", "operator": "NotIn", "values": ["web"]},
            {"key": "app", "operator": "Exists"},
            {"key": "app", "operator": "DoesNotExist", "values": None},
            {"key": "app", "operator": "Exists", "values": []},
            {"key": "app", "operator": {"Exists": None}},
            ["app", "In", ["web"]],
            ["app", "Exists", None],
        ],
    )
    def test_has_a_key_an_operator_and_perhaps_values(self, value: Any, line: Any) -> None:
        said = expression(value, line=line)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("value", "errors"),
        [
            (None, [f"{AT}: field-type"]),
            ("app", [f"{AT}: field-type"]),
            ([], [f"{AT}: field-type"]),
            (["app", "Exists"], [f"{AT}: field-type"]),
            (["app", "In", ["web"], 1], [f"{AT}: field-type"]),
            ({}, [f"{AT}.key: field-missing", f"{AT}.operator: field-missing"]),
            ({"key": None, "operator": None}, [f"{AT}.key: field-type", f"{AT}.operator: field-type"]),
            ({"key": "a", "operator": "in", "values": ["b"]}, [f"{AT}.operator: field-allowed"]),
            ({"key": "a", "operator": "Equals", "values": ["b"]}, [f"{AT}.operator: field-allowed"]),
            ({"key": 1, "operator": "In", "values": ["b"]}, [f"{AT}.key: field-type"]),
            ({"key": "a", "operator": "In", "values": "b"}, [f"{AT}.values: field-type"]),
            ({"key": "a", "operator": "In", "values": {}}, [f"{AT}.values: field-type"]),
        ],
    )
    def test_is_refused_where_it_cannot_be_read(self, value: Any, errors: list[str], line: Any) -> None:
        assert expression(value, line=line).errors == errors

    def test_has_values_that_are_strings(self) -> None:
        said = expression({"key": "a", "operator": "In", "values": ["b", 2, None]})
        assert said.errors == [f"{AT}.values[1]: field-type", f"{AT}.values[2]: field-type"]

    def test_may_name_its_operator_by_an_empty_object_in_a_later_server(self) -> None:
        value = {"key": "app", "operator": {"Exists": {}}}
        assert expression(value).errors == []
        assert expression(value, line=STABLE).errors == [f"{AT}.operator: field-type"]
        spec = {"server": {"selector": {"matchExpressions": [value]}}, "client": {"unauthenticated": True}}
        assert say("ServerAuthorization", spec).errors == [
            "spec.server.selector.matchExpressions[0].operator: field-type"
        ]


class TestValues:
    @pytest.mark.parametrize("operator", ["In", "NotIn"])
    @pytest.mark.parametrize("values", [[], None, ...])
    def test_that_are_missing_are_warned_of(self, operator: str, values: Any) -> None:
        value = {"key": "a", "operator": operator} | ({} if values is ... else {"values": values})
        said = expression(value)
        assert (said.errors, said.warnings) == ([], [f"{AT}.values: selector-values-missing"])

    def test_that_are_missing_are_told_their_effect(self) -> None:
        for operator, effect in (("In", "selects nothing"), ("NotIn", "excludes nothing")):
            said = expression({"key": "a", "operator": operator})
            assert said.message("selector-values-missing") == f"{operator} has no values, so that it {effect}: add one"

    @pytest.mark.parametrize("operator", ["Exists", "DoesNotExist"])
    def test_that_are_not_looked_at_are_warned_of(self, operator: str) -> None:
        said = expression({"key": "a", "operator": operator, "values": ["b"]})
        assert (said.errors, said.warnings) == ([], [f"{AT}.values: selector-values-unused"])

    @pytest.mark.parametrize("operator", ["In", "NotIn"])
    def test_that_are_broken_are_not_missing(self, operator: str) -> None:
        assert expression({"key": "a", "operator": operator, "values": 5}).warnings == []


class TestOldestVersion:
    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ({"matchLabels": {"a": "b"}}, False),
            ({"matchExpressions": []}, False),
            ({}, True),
            ({"matchLabels": {"a": "b"}, "matchExpressions": []}, True),
        ],
    )
    @pytest.mark.parametrize("line", BOTH)
    def test_wants_labels_or_expressions(self, value: Any, told: bool, line: Any) -> None:
        rule = "spec.podSelector: selector-one-form"
        assert (rule in selector(value, version="v1alpha1", line=line).schema) is told
        assert rule not in selector(value, version="v1beta1", line=line).schema


class TestComparison:
    @pytest.mark.parametrize(
        ("value", "every"),
        [
            ({}, True),
            ({"matchLabels": {}, "matchExpressions": None}, True),
            ({"matchLabels": {"a": "b"}}, False),
            ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, False),
        ],
    )
    def test_a_selector_of_nothing_selects_every_pod(self, value: Any, every: bool) -> None:
        assert selects_all(value) is every

    def test_null_is_no_empty_list(self) -> None:
        assert same_selector({"matchExpressions": None}, {})
        assert not same_selector({"matchExpressions": []}, {})
        assert not same_selector({}, {"matchExpressions": []})
        assert same_selector({"matchExpressions": []}, {"matchExpressions": []})

    def test_values_are_a_set(self) -> None:
        def one(values: Any) -> Any:
            return {"matchExpressions": [{"key": "a", "operator": "In", "values": values}]}

        assert same_selector(one(["x", "y"]), one(["y", "x", "x"]))
        assert not same_selector(one(["x", "y"]), one(["x"]))
        assert not same_selector(one([]), one(None))
