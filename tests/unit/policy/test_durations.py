"""The durations of a policy HTTPRoute's timeouts and those of annotations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import SERVICE, Said, say
from webhook.policy.durations import parse_annotation, parse_timeout, parse_unsigned

REQUEST = "timeout.linkerd.io/request"
MS = 10**6
S = 10**9


def timeout(value: Any) -> Said:
    """What is said of a policy HTTPRoute whose requests have this timeout."""
    return say("HTTPRoute", {"rules": [{"timeouts": {"request": value}}]})


def annotated(value: str) -> Said:
    """What is said of a policy HTTPRoute of a Service, whose annotation sets this timeout."""
    return say("HTTPRoute", {"parentRefs": [SERVICE]}, annotations={REQUEST: value})


class TestTimeout:
    @pytest.mark.parametrize(
        ("text", "nanoseconds"),
        [
            *(("", 0), ("0", 0), ("+0", 0), ("0s", 0), ("+", 0)),
            *(
                ("10s", 10 * S),
                ("+10s", 10 * S),
                ("++10s", 10 * S),
                ("300ms", 300 * MS),
                ("1h", 3600 * S),
                ("1m", 60 * S),
            ),
            *(("1ns", 1), ("1us", 1000), ("1\u00b5s", 1000), ("1\u03bcs", 1000)),
            *(("1.5s", 1_500 * MS), (".5s", 500 * MS), ("5.s", 5 * S), ("01s", S), ("0.1ns", 0)),
            *(("1h30m", 5400 * S), ("1m1h", 3660 * S), ("1s1s", 2 * S), ("1h+5m", 3900 * S), ("1h0", 3600 * S)),
            ("5000000h", 5_000_000 * 3600 * S),
        ],
    )
    def test_is_numbers_with_units(self, text: str, nanoseconds: int) -> None:
        assert parse_timeout(text) == (False, nanoseconds)
        assert timeout(text).errors == []

    @pytest.mark.parametrize(
        ("text", "nanoseconds"), [("-0", 0), ("-5s", 5 * S), ("--5s", 5 * S), ("-", 0), ("-0s", 0)]
    )
    def test_that_is_negative_is_refused_by_a_rule_of_its_own(self, text: str, nanoseconds: int) -> None:
        assert parse_timeout(text) == (True, nanoseconds)
        assert timeout(text).errors == ["spec.rules[0].timeouts.request: httproute-timeout-negative"]

    @pytest.mark.parametrize("text", ["+-5s", "+-0"])
    def test_is_negative_by_its_first_sign_alone(self, text: str) -> None:
        duration = parse_timeout(text)
        assert isinstance(duration, tuple)
        assert duration[0] is False
        assert timeout(text).errors == []

    @pytest.mark.parametrize(
        "text",
        [
            *("5", "00", "1.0", "s", "ms", " ", "10 s", " 10s", "10s ", "10s\n", "1h30", "1e3s"),
            *("1h-5m", "1d", "1S", "1H", "1sec", "1w", "1.2.3s", ".s", "1_0s", "1,5s", "infs", "\u0661s"),
            *(
                "99999999999999999999999999h",
                "18446744073709551616s",
                "9000000000000000000s9000000000000000000s9000000000000000000s",
            ),
        ],
    )
    def test_is_nothing_else(self, text: str) -> None:
        assert isinstance(parse_timeout(text), str)
        assert timeout(text).errors == ["spec.rules[0].timeouts.request: duration-invalid"]

    @pytest.mark.parametrize("value", [10, 1.5, True, [], {}])
    def test_is_a_string(self, value: Any) -> None:
        assert timeout(value).errors == ["spec.rules[0].timeouts.request: field-type"]

    def test_that_is_a_number_is_given_a_unit(self) -> None:
        assert timeout(10).message("field-type").endswith('write "10s"')

    def test_may_be_null(self) -> None:
        assert timeout(None).errors == []


class TestAnnotation:
    @pytest.mark.parametrize(
        ("text", "milliseconds"),
        [
            *(("0", 0), ("00", 0), ("+0", 0), ("0s", 0), ("300ms", 300), ("10s", 10_000), ("+5s", 5_000)),
            *(("010s", 10_000), ("2m", 120_000), ("3h", 10_800_000), ("1d", 86_400_000), (" 10s\t", 10_000)),
            ("\u00a010s\u3000", 10_000),
            ("18446744073709551615ms", 2**64 - 1),
        ],
    )
    def test_is_one_whole_number_and_one_unit(self, text: str, milliseconds: int) -> None:
        assert parse_annotation(text) == milliseconds
        assert annotated(text).errors == []

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                " ",
                "s",
                "5",
                "+5",
                "-5s",
                "-0",
                "1.5s",
                "1.0s",
                "1.s",
                ".5s",
                "1h30m",
                "10 s",
                "1e3s",
                "+-5s",
                "++5s",
            ),
            *("1S", "1ns", "1us", "1w", "1sec", "1 0s", "1_0s", "\u0661s", "10s\x1f", "0 s", "x10s", "10s;"),
            *("18446744073709551616ms", "18446744073709551615s", "213503982335d", "9" * 500 + "s"),
        ],
    )
    def test_is_nothing_else(self, text: str) -> None:
        assert isinstance(parse_annotation(text), str)
        assert annotated(text).errors == [f"metadata.annotations[{REQUEST}]: route-annotation-invalid"]

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("5", '"5s" or "5ms"'),
            ("1.5s", 'write "1500ms"'),
            ("-5s", "a duration is not negative"),
            ("1h30m", "not one number and one unit"),
            ("10 s", '" s" is not a unit'),
            ("s", "it has no number"),
            ("99999999999999999d", "too long"),
        ],
    )
    def test_is_told_how_to_be_mended(self, text: str, hint: str) -> None:
        assert hint in annotated(text).message("route-annotation-invalid")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("0", 0),
            ("+7", 7),
            ("007", 7),
            ("10", 10),
            ("11", None),
            ("-0", None),
            ("", None),
            ("+", None),
            ("++1", None),
        ),
        *((" 1", None), ("1\n", None), ("1.0", None), ("\u0661", None), ("0" * 401, None), ("0" * 400, 0)),
    ],
)
def test_an_unsigned_number_is_digits_with_perhaps_a_plus(text: str, value: int | None) -> None:
    assert parse_unsigned(text, 10) == value
