"""The grammars take any text without a crash, and give back what was written in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.grammar import (
    GrammarError,
    format_field,
    format_number,
    parse_bool,
    parse_duration,
    parse_float,
    parse_int,
    parse_quantity,
    parse_uint,
    snake_case,
)
from webhook.injector.ports import MOST_EXPANDED, parse_range, read_opaque_ports
from webhook.mesh.env import merge_env_vars, read_env_vars

BOUNDED = settings(max_examples=150, deadline=None)

# Any text, and texts made of what the grammars are made of.
TEXTS = st.one_of(st.text(max_size=40), st.text("0123456789.-+eEnumkKMGTPihsµ _xXpPfatrluI", max_size=12))
PARSERS = [parse_bool, parse_int, parse_uint, parse_float, parse_duration, parse_quantity]


@pytest.mark.parametrize("parser", PARSERS)
@BOUNDED
@given(text=TEXTS)
def test_any_text_is_read_or_refused(parser: Callable[[str], Any], text: str) -> None:
    try:
        parser(text)
    except GrammarError as error:
        assert str(error)


@BOUNDED
@given(text=TEXTS)
def test_whatever_is_a_quantity_has_whole_units(text: str) -> None:
    try:
        quantity = parse_quantity(text)
    except GrammarError:
        return
    assert abs(quantity.whole()) < 2**63


class TestRoundTrips:
    @BOUNDED
    @given(value=st.integers(-(2**63), 2**63 - 1))
    def test_whole_numbers(self, value: int) -> None:
        assert parse_int(str(value)) == value

    @BOUNDED
    @given(value=st.integers(0, 2**64 - 1))
    def test_unsigned_numbers(self, value: int) -> None:
        assert parse_uint(str(value)) == value

    @BOUNDED
    @given(value=st.floats(allow_nan=False, allow_infinity=False))
    def test_numbers_as_templates_write_them(self, value: float) -> None:
        assert parse_float(format_number(value)) == value

    @BOUNDED
    @given(value=st.integers(-(2**53), 2**53))
    def test_numbers_in_fields(self, value: int) -> None:
        assert format_field(value) == value
        assert parse_float(format_number(value)) == value

    @BOUNDED
    @given(value=st.integers(-(2**63), 2**63 - 1))
    def test_a_number_in_a_field_is_off_by_no_more_than_a_float_is(self, value: int) -> None:
        assert float(format_field(value)) == float(value)

    @BOUNDED
    @given(value=st.integers(-(2**63), 2**63 - 1))
    def test_nanoseconds(self, value: int) -> None:
        assert parse_duration(f"{value}ns") == value

    @BOUNDED
    @given(value=st.integers(-(10**9), 10**9), milli=st.booleans())
    def test_quantities(self, value: int, milli: bool) -> None:
        quantity = parse_quantity(f"{value}{'m' if milli else ''}")
        assert quantity.exact
        assert quantity.value * (1000 if milli else 1) == value

    @BOUNDED
    @given(words=st.lists(st.from_regex(r"[a-z]{2,6}", fullmatch=True), min_size=1, max_size=4))
    def test_words_in_camel_case(self, words: list[str]) -> None:
        assert snake_case(words[0] + "".join(word.capitalize() for word in words[1:])) == "_".join(words)


class TestOpaquePorts:
    @BOUNDED
    @given(text=st.one_of(TEXTS, st.text("0123456789-, ", max_size=30)), expand=st.booleans())
    def test_what_comes_out_is_ports_and_what_does_not_is_told(self, text: str, expand: bool) -> None:
        value, refused = read_opaque_ports(text, {"http": 80}, expand=expand)
        entries = value.split(",") if value else []
        assert all(parse_range(entry) for entry in entries)
        assert len(entries) <= MOST_EXPANDED
        assert not any(entry.strip() in ("http", "1") for entry in refused)

    @BOUNDED
    @given(low=st.integers(0, 65535), more=st.integers(0, 300))
    def test_a_range_is_all_its_ports(self, low: int, more: int) -> None:
        high = min(low + more, 65535)
        value, refused = read_opaque_ports(f"{low}-{high}", {}, expand=True)
        assert (value, refused) == (",".join(str(port) for port in range(low, high + 1)), [])


ENV = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ABCD")}, optional={"value": st.sampled_from("123")}), max_size=5
)


class TestEnv:
    @BOUNDED
    @given(base=ENV, over=ENV)
    def test_merging_twice_is_merging_once(self, base: list[dict[str, Any]], over: list[dict[str, Any]]) -> None:
        once = merge_env_vars(base, over)
        assert merge_env_vars(once, over) == once

    @BOUNDED
    @given(base=ENV, over=ENV)
    def test_the_last_of_each_name_counts(self, base: list[dict[str, Any]], over: list[dict[str, Any]]) -> None:
        merged = merge_env_vars(base, over)
        last = {variable["name"]: variable for variable in over}
        for name, variable in last.items():
            assert next(named for named in merged if named["name"] == name) == variable
        assert [v["name"] for v in merged[: len(base)]] == [v["name"] for v in base]

    @BOUNDED
    @given(
        value=st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["name", "value", "valueFrom", "fieldRef", "resourceFieldRef", "divisor", "x"]),
                    inner,
                    max_size=3,
                ),
            ),
        )
    )
    def test_any_json_is_read_or_refused(self, value: Any) -> None:
        try:
            variables = read_env_vars(value)
        except ValueError as error:
            assert str(error)
            return
        json.dumps(variables)
        assert read_env_vars(variables) == variables
