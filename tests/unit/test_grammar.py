"""The grammars of values and annotations: Go's scalars and Kubernetes' quantities."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

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


class TestBooleans:
    @pytest.mark.parametrize("text", ["1", "t", "T", "true", "TRUE", "True"])
    def test_six_spellings_are_true(self, text: str) -> None:
        assert parse_bool(text) is True

    @pytest.mark.parametrize("text", ["0", "f", "F", "false", "FALSE", "False"])
    def test_six_spellings_are_false(self, text: str) -> None:
        assert parse_bool(text) is False

    @pytest.mark.parametrize("text", ["", "yes", "on", "tRUE", " true", "true ", "2", "enabled", "y"])
    def test_nothing_else_is_a_boolean(self, text: str) -> None:
        with pytest.raises(GrammarError, match="true or false"):
            parse_bool(text)


class TestWholeNumbers:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0", 0),
            ("-0", 0),
            ("+5", 5),
            ("007", 7),
            ("-1", -1),
            ("9223372036854775807", 2**63 - 1),
            ("-9223372036854775808", -(2**63)),
        ],
    )
    def test_signs_and_leading_zeros_are_taken(self, text: str, value: int) -> None:
        assert parse_int(text) == value

    @pytest.mark.parametrize(
        "text", ["", "+", "-", "1.0", "1e3", "0x10", "1_000", " 1", "1 ", "1\n", "٣", "9223372036854775808", "--1"]
    )
    def test_what_go_refuses_is_refused(self, text: str) -> None:
        with pytest.raises(GrammarError, match="a whole number of 64 bits"):
            parse_int(text)

    @pytest.mark.parametrize(
        ("text", "value"), [("2147483647", 2**31 - 1), ("-2147483648", -(2**31)), ("70000", 70000)]
    )
    def test_a_number_of_32_bits_may_use_them_all(self, text: str, value: int) -> None:
        assert parse_int(text, 32) == value

    @pytest.mark.parametrize("text", ["2147483648", "-2147483649"])
    def test_a_number_of_32_bits_may_not_use_more(self, text: str) -> None:
        with pytest.raises(GrammarError, match="a whole number of 32 bits"):
            parse_int(text, 32)

    @pytest.mark.parametrize(("text", "value"), [("0", 0), ("0010", 10), ("18446744073709551615", 2**64 - 1)])
    def test_an_unsigned_number_is_digits(self, text: str, value: int) -> None:
        assert parse_uint(text) == value

    @pytest.mark.parametrize("text", ["", "-1", "+1", "1.5", "18446744073709551616", "²", "١", "1s"])
    def test_an_unsigned_number_has_no_sign(self, text: str) -> None:
        with pytest.raises(GrammarError, match="zero or more"):
            parse_uint(text)

    def test_a_million_digits_are_refused_at_once(self) -> None:
        with pytest.raises(GrammarError):
            parse_int("9" * 1_000_000)

    def test_a_million_zeros_before_a_digit_are_that_digit(self) -> None:
        assert parse_int("0" * 1_000_000 + "7") == 7


class TestFloats:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0", 0.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("+1.25", 1.25),
            ("-1e3", -1000.0),
            ("1E-2", 0.01),
            ("0x1p-1", 0.5),
            ("0X.8P1", 1.0),
            ("1e-400", 0.0),
            ("1_000.5", 1000.5),
            ("0x_1p4", 16.0),
            ("inf", math.inf),
            ("-Infinity", -math.inf),
            ("+INF", math.inf),
        ],
    )
    def test_decimal_hexadecimal_and_infinite_ones_are_taken(self, text: str, value: float) -> None:
        assert parse_float(text) == value

    @pytest.mark.parametrize("text", ["nan", "NaN", "NAN"])
    def test_not_a_number_is_taken_as_such(self, text: str) -> None:
        assert math.isnan(parse_float(text))

    @pytest.mark.parametrize(
        "text",
        [
            "",
            ".",
            "e5",
            "1e",
            "0x1",
            "0x1.8",
            "1,5",
            "+-1",
            "½",
            "1 ",
            "infinit",
            "+nan",
            "-NaN",
            "_1",
            "1_",
            "1__0",
            "1_.5",
        ],
    )
    def test_what_go_refuses_is_refused(self, text: str) -> None:
        with pytest.raises(GrammarError, match="a number"):
            parse_float(text)

    @pytest.mark.parametrize("text", ["1e309", "-1e400", "0x1p1024"])
    def test_what_64_bits_cannot_hold_is_refused(self, text: str) -> None:
        with pytest.raises(GrammarError, match="64 bits"):
            parse_float(text)


class TestDurations:
    @pytest.mark.parametrize(
        ("text", "nanoseconds"),
        [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("0s", 0),
            ("1ns", 1),
            ("1us", 1_000),
            ("1µs", 1_000),
            ("1μs", 1_000),
            ("300ms", 300_000_000),
            ("-300ms", -300_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1h1h", 7_200_000_000_000),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("0.100000000000000000000h", 360_000_000_000),
            ("0.9999999999999999999s", 1_000_000_000),
            ("9223372036854775807ns", 2**63 - 1),
            ("-9223372036854775808ns", -(2**63)),
        ],
    )
    def test_numbers_with_units_add_up(self, text: str, nanoseconds: int) -> None:
        assert parse_duration(text) == nanoseconds

    @pytest.mark.parametrize(
        "text",
        ["", "-", "+", "5", "s", ".s", "-.s", "1 s", "1d", "1S", "1h-5m", "--1s", "1e3s", "00", "١s", "1s "],
    )
    def test_what_lacks_a_number_or_a_unit_is_refused(self, text: str) -> None:
        with pytest.raises(GrammarError, match="a duration such as"):
            parse_duration(text)

    @pytest.mark.parametrize("text", ["9223372036854775808ns", "-9223372036854775809ns", "2562048h", "9" * 1000 + "s"])
    def test_what_64_bits_of_nanoseconds_cannot_hold_is_refused(self, text: str) -> None:
        with pytest.raises(GrammarError, match="a duration such as"):
            parse_duration(text)


class TestQuantities:
    @pytest.mark.parametrize(
        ("text", "amount"),
        [
            ("0", "0"),
            ("100m", "0.1"),
            ("1.5", "1.5"),
            ("+2", "2"),
            ("-2", "-2"),
            ("64Mi", "67108864"),
            ("0.5Gi", "536870912"),
            ("1k", "1000"),
            ("1e3", "1000"),
            ("1E3", "1000"),
            ("1e-3", "0.001"),
            ("1E", "1000000000000000000"),
            ("250u", "0.00025"),
            ("7n", "0.000000007"),
            ("1Ei", "1152921504606846976"),
            (".5", "0.5"),
            ("5.", "5"),
            ("007", "7"),
        ],
    )
    def test_numbers_with_suffixes_are_amounts(self, text: str, amount: str) -> None:
        assert parse_quantity(text).value == Decimal(amount)

    @pytest.mark.parametrize(
        "text", ["", "cpu", "1 Gi", "1gi", "1K", "1KiB", "1Mi2", "1e", "1e+", "1.2.3", "--1", "1_0", "0x1", "1g", "1mm"]
    )
    def test_what_kubernetes_refuses_is_refused(self, text: str) -> None:
        with pytest.raises(GrammarError, match="a quantity such as"):
            parse_quantity(text)

    @pytest.mark.parametrize(
        ("text", "cores"),
        [
            ("0", 0),
            ("1", 1),
            ("1m", 1),
            ("100m", 1),
            ("1500m", 2),
            ("2.000000001", 3),
            ("-1500m", -2),
            ("1k", 1000),
            ("1Ki", 1024),
            ("3e0", 3),
        ],
    )
    def test_cores_round_away_from_zero(self, text: str, cores: int) -> None:
        assert parse_quantity(text).whole() == cores

    @pytest.mark.parametrize("text", ["0.5Ki", "1234567890123456789", "1.0000000001", "1e-10", "1e30"])
    def test_what_kubernetes_keeps_in_no_64_bits_counts_as_no_core(self, text: str) -> None:
        assert parse_quantity(text).whole() == 0

    def test_an_absurd_exponent_is_no_work(self) -> None:
        assert parse_quantity("1e999999999").whole() == 0
        assert parse_quantity("1e-999999999").whole() == 0


class TestNumbersInTexts:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0"),
            (4143, "4143"),
            (-1, "-1"),
            (999_999, "999999"),
            (1_000_000, "1e+06"),
            (-1_000_000, "-1e+06"),
            (1_234_567, "1.234567e+06"),
            (2**31 - 1, "2.147483647e+09"),
            (2**63 - 1, "9.223372036854776e+18"),
            (0.5, "0.5"),
            (1.0, "1"),
            (-0.0, "0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (100.25, "100.25"),
            (1e21, "1e+21"),
            (1.5e-7, "1.5e-07"),
        ],
    )
    def test_they_are_written_as_go_templates_write_them(self, value: float, text: str) -> None:
        assert format_number(value) == text


class TestNumbersInFields:
    @pytest.mark.parametrize(
        ("value", "written"),
        [
            (2102, 2102),
            (-1, -1),
            (2**53, 2**53),
            (2**53 + 1, 2**53),
            (2**63 - 1, 9_223_372_036_854_776_000),
        ],
    )
    def test_they_are_exact_as_far_as_a_float_is(self, value: int, written: int) -> None:
        assert format_field(value) == written


class TestSnakeCase:
    @pytest.mark.parametrize(
        ("text", "snake"),
        [
            ("keepAliveInterval", "keep_alive_interval"),
            ("HTTP2", "http2"),
            ("http2", "http2"),
            ("TCPKeepAlive", "tcp_keep_alive"),
            ("server", "server"),
            ("max-idle", "max_idle"),
            ("already_snake", "already_snake"),
            ("two words", "two_words"),
            ("", ""),
        ],
    )
    def test_words_are_parted_by_underscores(self, text: str, snake: str) -> None:
        assert snake_case(text) == snake
