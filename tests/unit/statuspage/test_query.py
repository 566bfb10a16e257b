"""The parameters of the page's address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.statuspage.query import PageQuery

NAMES = ("namespace", "webhook", "decision", "reason", "page", "refresh")


def test_a_link_keeps_what_is_asked_for_and_changes_one_thing() -> None:
    query = PageQuery.of({"namespace": "shop", "decision": "skipped", "refresh": "10"})
    assert query.link(decision="") == "?namespace=shop&refresh=10"
    assert query.link(page=2) == "?namespace=shop&decision=skipped&page=2&refresh=10"
    assert PageQuery(page=2).link(decision="skipped") == "?decision=skipped&page=2"
    assert PageQuery().link() == "?"


def test_what_a_link_holds_cannot_become_another_parameter() -> None:
    assert PageQuery(namespace="a&refresh=1#x").link() == "?namespace=a%26refresh%3D1%23x"


@pytest.mark.parametrize(("given", "taken"), [("1", 2), ("10", 10), ("999999", 3600), ("0", 0), ("-5", 0), ("x", 0)])
def test_a_page_is_not_loaded_again_too_soon_or_never(given: str, taken: int) -> None:
    assert PageQuery.of({"refresh": given}).refresh == taken


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=400)))
def test_any_parameters_are_a_query_that_its_own_link_gives_again(parameters: dict[str, str]) -> None:
    from urllib.parse import parse_qsl

    query = PageQuery.of(parameters)
    assert query.page >= 1
    assert PageQuery.of(dict(parse_qsl(query.link().removeprefix("?"), keep_blank_values=True))) == query
