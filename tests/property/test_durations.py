"""Durations that are put together come apart as the same number; anything else is told to be wrong, in one way or
another, and never raises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.policy.durations import parse_annotation, parse_timeout, parse_unsigned

BOUNDED = settings(max_examples=150, deadline=None)

MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
NANOSECONDS = {
    "ns": 1,
    "us": 1000,
    "\u00b5s": 1000,
    "\u03bcs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
PIECES = [
    "",
    "0",
    "1",
    "05",
    "1.5",
    ".5",
    "5.",
    "+",
    "-",
    " ",
    "ns",
    "us",
    "ms",
    "s",
    "m",
    "h",
    "d",
    "S",
    "\u0661",
    "1e3",
]
NEARLY = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=6)
SPACE = st.text("\t\n \u00a0\u3000", max_size=2)


@BOUNDED
@given(st.integers(0, 2**64), st.sampled_from(sorted(MILLISECONDS)), st.sampled_from(["", "+", "0", "+00"]), SPACE)
def test_an_annotation_is_its_number_of_its_unit(number: int, unit: str, sign: str, space: str) -> None:
    want = number * MILLISECONDS[unit]
    duration = parse_annotation(f"{space}{sign}{number}{unit}{space}")
    if want < 2**64:
        assert duration == want
    else:
        assert isinstance(duration, str)


@BOUNDED
@given(st.integers(1, 2**64 - 1))
def test_an_annotation_without_a_unit_is_told_two(number: int) -> None:
    duration = parse_annotation(str(number))
    assert isinstance(duration, str)
    assert f'"{number}s" or "{number}ms"' in duration


@BOUNDED
@given(NEARLY)
def test_an_annotation_is_a_number_or_told_what_is_wrong(text: str) -> None:
    duration = parse_annotation(text)
    assert duration if isinstance(duration, str) else 0 <= duration < 2**64


@BOUNDED
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(sorted(NANOSECONDS))), max_size=5),
    st.sampled_from(["", "+", "++", "-", "--"]),
)
def test_a_timeout_is_the_sum_of_its_terms(terms: list[tuple[int, str]], sign: str) -> None:
    text = sign + "".join(f"{number}{unit}" for number, unit in terms)
    duration = parse_timeout(text)
    assert isinstance(duration, tuple)
    negative, total = duration
    assert negative is sign.startswith("-")
    # Each term is rounded from a binary fraction of a second.
    want = sum(number * NANOSECONDS[unit] for number, unit in terms)
    assert abs(total - want) <= len(terms) + want // 2**50


@BOUNDED
@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(["s", "m", "h"]))
def test_a_timeout_may_have_a_fraction(whole: int, thousandths: int, unit: str) -> None:
    duration = parse_timeout(f"{whole}.{thousandths:03}{unit}")
    assert isinstance(duration, tuple)
    want = (whole * 1000 + thousandths) * NANOSECONDS[unit] // 1000
    assert abs(duration[1] - want) <= 1 + want // 2**50


@BOUNDED
@given(NEARLY)
def test_a_timeout_is_a_number_or_told_what_is_wrong(text: str) -> None:
    duration = parse_timeout(text)
    if isinstance(duration, str):
        assert duration
    else:
        assert duration[0] is text.startswith("-")
        assert 0 <= duration[1] < 2**64 * 10**9


@BOUNDED
@given(st.integers(0, 2**70), st.integers(0, 2**70), st.sampled_from(["", "+", "0"]))
def test_an_unsigned_number_is_itself_up_to_its_bound(number: int, most: int, sign: str) -> None:
    assert parse_unsigned(f"{sign}{number}", most) == (number if number <= most else None)
