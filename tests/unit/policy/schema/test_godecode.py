"""JSON as Go reads it by way of YAML."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.policy.schema.godecode import (
    ANYTHING,
    BOOL,
    FLOAT32,
    INT64,
    PLAIN_STRING,
    QUANTITY,
    REFUSED,
    STRING,
    TIME,
    UINT32,
    WRONG,
    GoType,
    MapType,
    Oddity,
    SliceType,
    StructType,
    decode,
    is_readable,
    object_meta,
    text_of,
)

PAIR = StructType({"kilo": UINT32, "sum": STRING})
TREE = StructType(
    {"name": STRING, "pair": PAIR, "pairs": SliceType(PAIR), "flat": StructType({"sum": STRING}, pointer=False)}
)


def refused(value: Any, kind: GoType) -> bool:
    return any(note.oddity in REFUSED for note in decode(value, kind)[1])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (STRING, ""),
        (PLAIN_STRING, "x"),
        (BOOL, False),
        (INT64, -(2**63)),
        (UINT32, 2**32 - 1),
        (UINT32, 200.0),
        (UINT32, -0.0),
        (FLOAT32, 3.4028235677973366e38),
        (FLOAT32, 10**30),
        (QUANTITY, "1"),
        (QUANTITY, "."),
        (QUANTITY, "Mi"),
        (QUANTITY, "\u00a01"),
        (QUANTITY, "1e9223372036854775807"),
        (QUANTITY, 1e21),
        (QUANTITY, 10**400),
        (TIME, "2026-01-02T03:04:05Z"),
        (TIME, "2026-01-02T3:04:05,5+24:60"),
        (TIME, "2024-02-29T00:00:00.123456789012Z"),
        (MapType(STRING), {"a": None, "": "b"}),
        (MapType(StructType(), numbered=True), {"80": {}, "0443": None}),
        (SliceType(STRING), [None]),
        (ANYTHING, {"a": [1]}),
        *(
            (kind, None)
            for kind in (STRING, BOOL, UINT32, FLOAT32, QUANTITY, TIME, PAIR, SliceType(PAIR), MapType(STRING))
        ),
    ],
)
def test_what_go_reads(kind: GoType, value: Any) -> None:
    assert not refused(value, kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (STRING, []),
        (PLAIN_STRING, 5),
        (BOOL, "true"),
        (BOOL, 1),
        (INT64, 2**63),
        (INT64, True),
        (UINT32, 1.5),
        (UINT32, -1),
        (UINT32, 2**32),
        (UINT32, "1"),
        (UINT32, float("inf")),
        (FLOAT32, 3.402823567797337e38),
        (FLOAT32, True),
        (QUANTITY, ""),
        (QUANTITY, "Ei"),
        (QUANTITY, "\t1"),
        (QUANTITY, "1e9223372036854775808"),
        (QUANTITY, True),
        (TIME, 5),
        (TIME, "2026-02-29T00:00:00Z"),
        (TIME, "2026-00-01T00:00:00Z"),
        (TIME, "2026-01-02T24:00:00Z"),
        (TIME, "2026-01-02T03:04:60Z"),
        (TIME, "2026-01-02T03:04:05+25:00"),
        (TIME, "2026-01-02t03:04:05z"),
        (MapType(STRING), []),
        (MapType(STRING), {"a": {}}),
        (MapType(StructType(), numbered=True), {"+1": {}}),
        (MapType(StructType(), numbered=True), {"80": {"a": 1}}),
        (SliceType(STRING), "a"),
        (PAIR, {"other": 1}),
        (PAIR, [1]),
        (ANYTHING, {"\x80": 1}),
        (STRING, "\uffff"),
    ],
)
def test_what_go_refuses(kind: GoType, value: Any) -> None:
    assert refused(value, kind)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (5, "5"),
        (200.0, "200"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (0.1, "0.1"),
        (1e20, "1e+20"),
        (1e21, "1e+21"),
        (2**64, "1.8446744e+19"),
        (1234567.5, "1.2345675e+06"),
        (0.00001, "1e-05"),
        (1e-50, "0"),
        (-1e-50, "-0"),
        (1e39, "+Inf"),
        (-(10**400), "-Inf"),
    ],
)
def test_a_number_becomes_the_string_that_go_makes_of_it(value: float, text: str) -> None:
    assert text_of(value) == text


def test_names_match_without_regard_to_case() -> None:
    value, notes = decode({"\u212aIlo": 1, "\u017fUM": "a"}, PAIR)
    assert value == {"kilo": 1, "sum": "a"}
    assert [(note.oddity, note.path, note.detail) for note in notes] == [
        (Oddity.SPELLED, ("\u017fUM",), "sum"),
        (Oddity.SPELLED, ("\u212aIlo",), "kilo"),
    ]


def test_a_name_that_is_longer_in_another_case_is_another() -> None:
    assert refused({"\u0130": 1}, StructType({"i": UINT32}))


@pytest.mark.parametrize(
    ("first", "second", "read"),
    [
        ({"Name": "a"}, {"name": "b"}, {"name": "b"}),
        ({"Name": "a"}, {"name": None}, {"name": "a"}),
        ({"Pair": {"kilo": 1}}, {"pair": {"sum": "b"}}, {"pair": {"kilo": 1, "sum": "b"}}),
        ({"Pair": {"kilo": 1}}, {"pair": None}, {"pair": None}),
        ({"Flat": {"sum": "a"}}, {"flat": None}, {"flat": {"sum": "a"}}),
        ({"Pair": None}, {"pair": {"sum": "b"}}, {"pair": {"sum": "b"}}),
        (
            {"Pairs": [{"kilo": 1}, {"kilo": 2}]},
            {"pairs": [{"SUM": "b"}]},
            {"pairs": [{"kilo": 1, "sum": "b"}]},
        ),
    ],
)
def test_two_spellings_of_a_field_are_read_one_on_top_of_the_other(first: Any, second: Any, read: Any) -> None:
    for body in (first | second, second | first):
        value, notes = decode(body, TREE)
        assert value == read
        assert not any(note.oddity in REFUSED for note in notes)


def test_what_is_refused_under_one_spelling_is_not_made_good_by_another() -> None:
    assert refused({"Pairs": [{}, {"kilo": -1}], "pairs": []}, TREE)
    assert refused({"Pair": 5, "pair": {}}, TREE)


def test_what_is_wrong_leaves_the_rest_to_be_read() -> None:
    value, notes = decode({"name": [], "pair": {"kilo": 1, "more": 2}}, TREE)
    assert value == {"name": WRONG, "pair": {"kilo": 1}}
    assert [(note.oddity, note.path) for note in notes] == [
        (Oddity.TYPE, ("name",)),
        (Oddity.UNKNOWN, ("pair", "more")),
    ]


def test_spellings_within_spellings_end() -> None:
    tree = StructType()
    tree.fields.update({"tree": tree, "kilo": UINT32})
    deep: Any = {}
    for _ in range(3000):
        deep = {"tree": {}, "Tree": deep, "TREE": {}}
    assert decode(deep, tree)[1]


def test_characters_that_yaml_does_not_have_are_found_where_they_are() -> None:
    _, notes = decode({"name": "a\x7f", "pairs": [{"sum": "\x85\u2028\U0001f600"}]}, TREE)
    assert [(note.oddity, note.path, note.detail) for note in notes] == [(Oddity.UNREADABLE, ("name",), "U+007F")]


def test_a_value_too_deep_to_be_told_readable_at_once_takes_a_closer_look() -> None:
    deep: Any = "a"
    for _ in range(5000):
        deep = [deep]
    assert not is_readable(deep)
    assert not refused(deep, ANYTHING)


def test_metadata_lost_its_cluster_name() -> None:
    assert not refused({"clusterName": "east"}, object_meta(cluster_name=True))
    assert refused({"clusterName": "east"}, object_meta(cluster_name=False))


def test_a_number_at_the_end_of_what_32_bits_hold_becomes_a_string() -> None:
    """Its shorter spellings are beyond that."""
    assert text_of(3.4028234663852886e38) == "3.4028235e+38"
    assert text_of(3.4025000000000003e38) == "3.4025e+38"
    assert (text_of(3.5e38), text_of(-3.5e38)) == ("+Inf", "-Inf")
