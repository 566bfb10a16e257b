"""Label selectors, as the API server evaluates them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.kube.labelselector import query, requirements, selects, unmet


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    """A selector of one expression."""
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ({}, {}, True),
        (None, {"a": "b"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "b", "c": "d"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "c"}, False),
        ({"matchLabels": {"a": "b"}}, {}, False),
        (expression("a", "In", "b", "c"), {"a": "c"}, True),
        (expression("a", "In", "b", "c"), {"a": "d"}, False),
        (expression("a", "In", "b", "c"), {}, False),
        (expression("a", "NotIn", "b"), {"a": "b"}, False),
        (expression("a", "NotIn", "b"), {"a": "c"}, True),
        (expression("a", "NotIn", "b"), {}, True),
        (expression("a", "Exists"), {"a": ""}, True),
        (expression("a", "Exists"), {}, False),
        (expression("a", "DoesNotExist"), {}, True),
        (expression("a", "DoesNotExist"), {"a": ""}, False),
        (expression("a", "Near", "b"), {"a": "b"}, False),
        ({"matchLabels": {"a": "b"}, **expression("c", "Exists")}, {"a": "b"}, False),
    ],
)
def test_a_selector_selects_what_meets_all_of_it(selector: Any, labels: dict[str, str], selected: bool) -> None:
    assert selects(selector, labels) is selected


def test_the_first_requirement_that_is_not_met_is_named() -> None:
    selector = {"matchLabels": {"a": "b"}, **expression("c", "NotIn", "d", "e")}
    reasons = unmet(selector, {"a": "b", "c": "e"})
    assert reasons is not None
    assert reasons.text() == "c notin (d,e)"


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"a": "b"}}, "a=b"),
        (expression("a", "NotIn", "b"), "a!=b"),
        (expression("a", "In", "b", "c"), "a in (b,c)"),
        (expression("a", "Exists"), "a"),
        (expression("a", "DoesNotExist"), "!a"),
    ],
)
def test_requirements_read_as_kubectl_writes_them(selector: Any, text: str) -> None:
    assert [requirement.text() for requirement in requirements(selector)] == [text]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(
    st.fixed_dictionaries({}, optional={"matchLabels": JUNK, "matchExpressions": JUNK}) | JUNK,
    st.dictionaries(st.text(max_size=3), JUNK, max_size=3),
)
def test_whatever_a_selector_holds_is_survived(selector: Any, labels: dict[str, Any]) -> None:
    assert selects(selector, labels) in (True, False)


def test_a_list_is_asked_for_by_labels_and_by_expressions() -> None:
    selector = {
        "matchLabels": {"a": "b"},
        "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["d", "e"]},
            {"key": "f", "operator": "NotIn", "values": ["g", "h"]},
            {"key": "i", "operator": "Exists"},
            {"key": "j", "operator": "DoesNotExist"},
        ],
    }
    assert query(selector) == {"labelSelector": "a=b,c in (d,e),f notin (g,h),i,!j"}
    assert query({}) == {}
