"""Reading values by their shapes: what Linkerd refuses, what only the CRD's schema forbids, and where."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.mesh.releases import LINES, line
from webhook.policy.regex.judge import judge_inline
from webhook.policy.schema.reading import BAD, Reading
from webhook.policy.schema.shape import (
    BOOLEAN,
    I32,
    STRING,
    STRING_MAP,
    STRINGS,
    Array,
    Choice,
    Integer,
    Pruned,
    Shape,
    String,
    Struct,
    Tagged,
    defaulted_field,
    omittable,
    optional,
    read_aside,
    required,
    too_deep,
)

POINT = Struct({"name": required(STRING), "x": omittable(I32), "tags": omittable(STRINGS)})


def reading() -> Reading:
    """An object being read, at the newest line."""
    return Reading(line(LINES[-1]), judge_inline)


def told(shape: Shape, value: Any) -> list[tuple[str, str]]:
    """The rules that have something to say about a value, and where."""
    notes = reading()
    shape.read(value, ("spec",), notes)
    return [(finding.rule.id, finding.field) for finding in notes.findings]


def message(shape: Shape, value: Any) -> str:
    """What is said of a value that has one thing wrong with it."""
    notes = reading()
    shape.read(value, ("spec",), notes)
    (finding,) = notes.findings
    return finding.message


def test_a_structure_that_is_right_is_read_with_nothing_to_say() -> None:
    notes = reading()
    node = POINT.read({"name": "a", "x": 1, "tags": ["b"]}, ("spec",), notes)
    assert (node, node.path, notes.findings, notes.broken) == (
        {"name": "a", "x": 1, "tags": ["b"]},
        ("spec",),
        [],
        False,
    )


def test_everything_that_is_wrong_is_told_at_its_own_path() -> None:
    assert told(Array(POINT), [{"x": "1"}, {"name": 5, "tags": ["a", 1, None]}, "b"]) == [
        ("field-missing", "spec[0].name"),
        ("field-type", "spec[0].x"),
        ("field-type", "spec[1].name"),
        ("field-type", "spec[1].tags[1]"),
        ("field-type", "spec[1].tags[2]"),
        ("field-type", "spec[2]"),
    ]


def test_what_read_badly_is_left_out_and_named() -> None:
    notes = reading()
    node = POINT.read({"name": "a", "x": "1"}, ("spec",), notes)
    assert (node, node.bad, node.lacks("x"), node.lacks("tags")) == ({"name": "a"}, ("x",), False, True)
    assert notes.broken


def test_an_array_may_stand_for_a_structure_but_not_to_the_schema() -> None:
    notes = reading()
    assert POINT.read(["a", 1], ("spec",), notes) == {"name": "a", "x": 1}
    assert [(f.rule.id, f.field) for f in notes.findings] == [("schema-type", "spec")]
    assert not notes.broken


@pytest.mark.parametrize("value", [[], ["a", 1, [], "more"]])
def test_an_array_of_too_few_or_too_many_values_stands_for_no_structure(value: list[Any]) -> None:
    assert told(POINT, value) == [("field-type", "spec")]


def test_an_array_never_stands_for_a_flattened_structure() -> None:
    assert told(Struct({"name": omittable(STRING)}, flattened=True), ["a"]) == [("field-type", "spec")]


def test_an_array_has_to_hold_what_may_be_absent_but_has_no_default() -> None:
    assert told(Struct({"a": optional(STRING), "b": omittable(STRING)}), []) == [("field-type", "spec")]
    assert told(Struct({"a": optional(STRING), "b": omittable(STRING)}), [None]) == [("schema-type", "spec")]


def test_null_is_as_good_as_absent_where_a_field_is_optional() -> None:
    assert told(POINT, {"name": "a", "x": None}) == []
    assert told(Struct({"a": optional(STRING, schema=True)}), {"a": None}) == [("schema-missing", "spec.a")]


def test_null_is_refused_where_a_field_is_required_or_has_a_default() -> None:
    assert told(POINT, {"name": None}) == [("field-type", "spec.name")]
    assert told(Struct({"a": defaulted_field(BOOLEAN)}), {"a": None}) == [("field-type", "spec.a")]
    assert told(Struct({"a": defaulted_field(BOOLEAN)}), {}) == []


def test_an_unknown_field_is_told_with_what_may_have_been_meant() -> None:
    assert 'did you mean "tags"' in message(POINT, {"name": "a", "tagz": []})
    assert "write name, x or tags, or leave it out" in message(POINT, {"name": "a", "qqqq": []})


def test_a_choice_may_be_written_as_an_object_that_holds_null() -> None:
    choice = Choice("In", "NotIn")
    assert told(choice, {"In": None}) == [("schema-type", "spec")]
    assert told(choice, {"In": {}}) == [("field-type", "spec")]
    assert told(Choice("In", flattened=True), {"In": {}}) == [("schema-type", "spec")]
    assert told(choice, "in") == [("field-allowed", "spec")]
    assert 'did you mean "In"' in message(choice, "in")


def test_a_choice_that_linkerd_takes_and_the_crd_does_not_is_the_schemas_business() -> None:
    choice = Struct({"type": required(Choice("A", "B", allowed=("A",)))})
    assert told(choice, {"type": "A"}) == []
    assert told(choice, {"type": "B"}) == [("schema-value", "spec.type")]
    assert told(choice, {"type": "C"}) == [("field-allowed", "spec.type")]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (2**31 - 1, ""),
        (2**31, "field-range"),
        (-(2**31), ""),
        (1.0, "field-type"),
        (True, "field-type"),
        ("5", "field-type"),
    ],
)
def test_numbers_are_whole_and_within_the_range_of_their_type(value: Any, rule: str) -> None:
    assert told(I32, value) == ([(rule, "spec")] if rule else [])


@pytest.mark.parametrize(("value", "rule"), [(0, "schema-value"), (1, ""), (9, ""), (10, "schema-value")])
def test_the_schema_may_have_narrower_bounds_for_a_number(value: int, rule: str) -> None:
    assert told(Integer(0, 255, least=1, most=9), value) == ([(rule, "spec")] if rule else [])


def test_the_schema_may_know_but_some_numbers() -> None:
    assert told(Integer(0, 999, among=(301, 302)), 301) == []
    assert told(Integer(0, 999, among=(301, 302)), 303) == [("schema-value", "spec")]


def test_values_of_another_type_are_told_how_they_may_be_written() -> None:
    assert 'put it in quotes, "5"' in message(STRING, 5)
    assert 'put it in quotes, "true"' in message(STRING, True)
    assert "write true" in message(BOOLEAN, "True")
    assert "write 5 without quotes" in message(I32, " 5")
    assert "write 5" in message(I32, 5.0)
    assert 'write ["a"]' in message(STRINGS, "a")


@pytest.mark.parametrize(
    ("value", "wrong"),
    [("ab", ""), ("", "too short"), ("abcd", "4 characters"), ("a1", "letters"), ("ab\n", "letters")],
)
def test_texts_have_a_length_and_match_a_pattern_in_full(value: str, wrong: str) -> None:
    shape = String(pattern="[a-z]*", like="of letters", least=1, most=3)
    if wrong:
        assert told(shape, value) == [("schema-value", "spec")]
        assert wrong in message(shape, value)
    else:
        assert told(shape, value) == []


def test_texts_may_be_some_only() -> None:
    shape = Struct({"method": required(String(choices=("GET", "PUT")))})
    assert told(shape, {"method": "GET"}) == []
    assert told(shape, {"method": "get"}) == [("schema-value", "spec.method")]


def test_lists_have_bounds() -> None:
    shape = Array(STRING, least=1, most=2)
    assert [told(shape, ["a"] * size) for size in range(4)] == [
        [("schema-value", "spec")],
        [],
        [],
        [("schema-value", "spec")],
    ]


def test_lists_may_want_each_item_once() -> None:
    assert told(Array(STRING, distinct=True), ["a", "b", "a"]) == [("schema-duplicate", "spec[2]")]
    assert told(Array(POINT, key="name"), [{"name": "a"}, {"name": "a", "x": 1}]) == [
        ("schema-duplicate", "spec[1].name")
    ]
    assert told(Array(STRING), ["a", "a"]) == []


def test_a_map_is_read_entry_by_entry() -> None:
    assert told(STRING_MAP, {"a": "b", "c.d/e": 5}) == [("field-type", "spec[c.d/e]")]
    assert told(STRING_MAP, ["a"]) == [("field-type", "spec")]


SHADE = Tagged(
    "type",
    {"A": Struct({"a": required(STRING)}, aside={"b": I32}), "B": Struct({"b": required(I32)})},
    allowed=("A",),
)


def test_a_tag_says_which_structure_it_is() -> None:
    notes = reading()
    assert SHADE.read({"type": "A", "a": "x"}, ("spec",), notes) == {"type": "A", "a": "x"}
    assert SHADE.read(["A", "x"], ("spec",), reading()) == {"type": "A", "a": "x"}
    assert notes.findings == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "x"}, [("field-missing", "spec.type")]),
        ({"type": "C"}, [("field-allowed", "spec.type")]),
        ({"type": 5}, [("field-type", "spec.type")]),
        ({"type": "A"}, [("field-missing", "spec.a")]),
        ({"type": "B", "b": 1}, [("schema-value", "spec.type")]),
        ("A", [("field-type", "spec")]),
    ],
)
def test_a_tag_that_is_wrong_is_told_at_the_tag(value: Any, expected: list[tuple[str, str]]) -> None:
    assert told(SHADE, value) == expected


def test_what_linkerd_passes_over_is_held_against_the_schema_alone() -> None:
    assert told(SHADE, {"type": "A", "a": "x", "b": 1}) == []
    assert told(SHADE, {"type": "A", "a": "x", "b": 1.0}) == []
    assert told(SHADE, {"type": "A", "a": "x", "b": None}) == []
    assert told(SHADE, {"type": "A", "a": "x", "b": "1"}) == [("schema-type", "spec.b")]
    assert told(SHADE, {"type": "A", "a": "x", "b": 2**40}) == [("schema-value", "spec.b")]


def test_what_is_wrong_with_a_field_that_linkerd_passes_over_breaks_nothing() -> None:
    notes = reading()
    read_aside(POINT, {"x": "1"}, ("spec",), notes)
    assert [(f.rule.id, f.field) for f in notes.findings] == [
        ("schema-missing", "spec.name"),
        ("schema-type", "spec.x"),
    ]
    assert not notes.broken


def test_of_a_field_that_the_version_does_not_know_the_schema_says_only_that() -> None:
    shape = Struct({"name": optional(Pruned(String(most=1)))})
    assert told(shape, {"name": "long"}) == [("schema-unknown", "spec.name")]
    assert told(shape, {"name": 5}) == [("field-type", "spec.name"), ("schema-unknown", "spec.name")]
    assert told(shape, {}) == []


def test_the_check_of_a_structure_sees_what_read_well() -> None:
    seen = []
    shape = Struct(
        {"a": optional(STRING), "b": optional(STRING)}, check=lambda node, _: seen.append((dict(node), node.bad))
    )
    shape.read({"a": "x", "b": 1}, (), reading())
    assert seen == [({"a": "x"}, ("b",))]


def test_a_value_of_no_use_comes_out_as_such() -> None:
    assert POINT.read(5, (), reading()) is BAD


def nested(depth: int) -> Any:
    """So many arrays in each other."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_is_counted_in_containers_and_told_with_a_path() -> None:
    assert too_deep(nested(3), 4) is None
    assert too_deep(nested(4), 4) == (0, 0, 0)
    assert too_deep({"a": {"b": []}}, 3) == ("a", "b")
    assert too_deep(nested(50_000), 126) is not None
