"""Values and EnvVars by the rules of Go's `encoding/json`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from webhook.mesh.gostruct import (
    YAML,
    AnyObject,
    Boolean,
    GoStruct,
    Int32,
    Int64,
    Number,
    Text,
    TextList,
    TextMap,
    UInt,
    describe,
)


class Inner(GoStruct):
    log_level: Text = ""


class Outer(GoStruct):
    text: Text = ""
    log_http_headers: Text = Field(default="", alias="logHTTPHeaders")
    flag: Boolean = False
    small: Int32 = 0
    large: Int64 = 0
    count: UInt = 0
    ratio: Number = 0.0
    inner: Inner | None = None
    texts: TextList = Field(default_factory=list)
    labels: TextMap = Field(default_factory=dict)
    anything: AnyObject = Field(default_factory=dict)


def read(data: Any) -> Outer:
    """Read from YAML."""
    return Outer.model_validate(data, context=YAML)


def problem(data: Any, *, context: Any = YAML) -> tuple[tuple[int | str, ...], str]:
    """Where and why data is refused."""
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(data, context=context)
    first = caught.value.errors()[0]
    return first["loc"], first["msg"].removeprefix("Value error, ")


class TestNames:
    @pytest.mark.parametrize("key", ["logHTTPHeaders", "loghttpheaders", "LOGHTTPHEADERS", "LogHttpHeaders"])
    def test_fields_match_without_regard_to_case(self, key: str) -> None:
        assert read({key: "insecure"}).log_http_headers == "insecure"

    def test_fields_of_nested_structures_do_too(self) -> None:
        assert read({"INNER": {"LOGLEVEL": "debug"}}).inner == Inner.model_validate({"logLevel": "debug"})

    @pytest.mark.parametrize("key", ["log_http_headers", "unknown", "text ", ""])
    def test_unknown_fields_have_no_effect(self, key: str) -> None:
        assert read({key: "x"}) == Outer()

    def test_unknown_fields_of_any_type_have_no_effect(self) -> None:
        assert read({"unknown": {"text": [1]}, 5: True}) == Outer()

    def test_of_two_spellings_the_last_in_order_of_their_bytes_counts(self) -> None:
        assert read({"text": "small", "Text": "large"}).text == "small"
        assert read({"Text": "large", "text": "small"}).text == "small"


class TestNull:
    def test_it_leaves_the_zero_value(self) -> None:
        fields = ("text", "flag", "small", "large", "count", "ratio", "inner", "texts", "labels", "anything")
        assert read(dict.fromkeys(fields)) == Outer()

    def test_within_lists_and_maps_of_text_it_is_empty_text(self) -> None:
        assert read({"texts": ["a", None], "labels": {"k": None}}).texts == ["a", ""]
        assert read({"labels": {"k": None}}).labels == {"k": ""}

    def test_a_structure_that_is_null_is_absent(self) -> None:
        assert read(None) == Outer()


class TestTexts:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(5, "5"), (True, "true"), (False, "false"), (0.5, "0.5"), (1e6, "1e+06"), ("", ""), ("yes", "yes")],
    )
    def test_a_scalar_of_yaml_becomes_text(self, value: Any, text: str) -> None:
        assert read({"text": value}).text == text

    @pytest.mark.parametrize(("value", "shown"), [(5, "5"), (True, "true"), (0.5, "0.5")])
    def test_a_scalar_of_json_is_none(self, value: Any, shown: str) -> None:
        assert problem({"text": value}, context=None) == (("text",), f"want text, got {shown}")

    @pytest.mark.parametrize(("value", "shown"), [([], "an array"), ({}, "an object")])
    def test_lists_and_objects_are_none(self, value: Any, shown: str) -> None:
        assert problem({"text": value}) == (("text",), f"want text, got {shown}")


class TestNumbers:
    @pytest.mark.parametrize(
        ("field", "value", "read_as"),
        [
            ("small", 2**31 - 1, 2**31 - 1),
            ("small", -(2**31), -(2**31)),
            ("small", 80.0, 80),
            ("large", 2**63 - 1, 2**63 - 1),
            ("large", -1, -1),
            ("count", 0, 0),
            ("count", 2**64 - 1, 2**64 - 1),
            ("ratio", 1, 1.0),
            ("ratio", 0.25, 0.25),
        ],
    )
    def test_they_are_taken_where_they_fit(self, field: str, value: float, read_as: float) -> None:
        assert getattr(read({field: value}), field) == read_as

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("small", 2**31, "want a whole number from -2147483648 to 2147483647, got 2147483648"),
            ("small", 0.5, "want a whole number, got 0.5"),
            ("small", "80", "want a whole number, got '80'"),
            ("small", True, "want a whole number, got true"),
            (
                "large",
                2**63,
                "want a whole number from -9223372036854775808 to 9223372036854775807, got 9223372036854775808",
            ),
            ("count", -1, "want a whole number from 0 to 18446744073709551615, got -1"),
            ("ratio", "1", "want a number, got '1'"),
            ("ratio", False, "want a number, got false"),
        ],
    )
    def test_they_are_refused_where_they_do_not(self, field: str, value: Any, message: str) -> None:
        assert problem({field: value}) == ((field,), message)

    @pytest.mark.parametrize("value", [float("inf"), float("nan"), float("-inf")])
    def test_what_is_not_finite_is_no_whole_number(self, value: float) -> None:
        assert problem({"large": value})[1].startswith("want a whole number, got ")


class TestOtherTypes:
    @pytest.mark.parametrize(
        ("field", "value", "path", "message"),
        [
            ("flag", "true", ("flag",), "want true or false, got 'true'"),
            ("flag", 1, ("flag",), "want true or false, got 1"),
            ("inner", [], ("inner",), "want an object, got an array"),
            ("inner", "x", ("inner",), "want an object, got 'x'"),
            ("inner", {"logLevel": []}, ("inner", "logLevel"), "want text, got an array"),
            ("texts", "a", ("texts",), "want an array, got 'a'"),
            ("texts", ["a", {}], ("texts", 1), "want text, got an object"),
            ("labels", [], ("labels",), "want an object, got an array"),
            ("labels", {"k": []}, ("labels", "k"), "want text, got an array"),
            ("anything", 5, ("anything",), "want an object, got 5"),
            ("texts", {}, ("texts",), "want an array, got an object"),
        ],
    )
    def test_a_refusal_says_where_what_is_wanted_and_what_is_there(
        self, field: str, value: Any, path: tuple[int | str, ...], message: str
    ) -> None:
        assert problem({field: value}) == (path, message)

    @pytest.mark.parametrize("data", [[], "text", 5, True])
    def test_what_is_no_object_is_no_structure(self, data: Any) -> None:
        assert problem(data) == ((), f"want an object, got {describe(data)}")


class TestDescriptions:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "null"),
            (True, "true"),
            (False, "false"),
            ({"a": 1}, "an object"),
            ([1], "an array"),
            (5, "5"),
            ("five", "'five'"),
            ("x" * 100, "'" + "x" * 58 + "…"),
        ],
    )
    def test_a_value_is_shown_in_at_most_sixty_characters(self, value: Any, text: str) -> None:
        assert describe(value) == text
