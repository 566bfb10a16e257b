"""Scalars of YAML: numbers in every spelling, dates and times, and any text at all."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from webhook.yaml import scalars
from webhook.yaml.objects import Broken, read

BASES = {"0x": "x", "0X": "X", "0b": "b", "0B": "b", "0o": "o", "0O": "o", "0": "o", "": "d"}
SIGNS = {"": 1, "+": 1, "-": -1}


def scalar(text: str) -> object:
    """What a scalar means."""
    return read(f"a: {text}\n")["a"]


@given(number=st.integers(0, 2**63 - 1), base=st.sampled_from(list(BASES)), sign=st.sampled_from(list(SIGNS)))
def test_whole_numbers_are_read_in_every_base(number: int, base: str, sign: str) -> None:
    assert scalar(f"{sign}{base}{number:{BASES[base]}}") == SIGNS[sign] * number


@given(number=st.integers(0, 2**63 - 1), at=st.sets(st.integers(1, 18)))
def test_underscores_in_numbers_have_no_effect(number: int, at: set[int]) -> None:
    text = "".join("_" * (index in at) + digit for index, digit in enumerate(str(number)))
    assert scalar(text) == number


@given(number=st.integers(-(2**80), 2**80))
def test_whole_numbers_beyond_64_bits_are_floats(number: int) -> None:
    parsed = scalar(str(number))
    assert isinstance(parsed, int) is (-(2**63) <= number < 2**64)
    assert parsed == (number if isinstance(parsed, int) else float(number))


@given(number=st.floats(allow_nan=False, allow_infinity=False), form=st.sampled_from(["{!r}", "{:.17e}", "{:.3f}"]))
def test_floats_are_read_in_every_form(number: float, form: str) -> None:
    text = form.format(number)
    assert float(str(scalar(text))) == float(text)


@given(number=st.floats(-9e18, 9e18).map(round).map(float))
def test_a_whole_number_in_json_is_the_same_float(number: float) -> None:
    result = scalars.in_json(number)
    assert isinstance(result, int)
    assert float(result) == number


@given(
    moment=st.datetimes(datetime.datetime(1000, 1, 1)),
    form=st.sampled_from(
        ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dt%H:%M:%S.5+02:00", "%H:%M", "%H:%M:%S"]
    ),
)
def test_dates_and_times_are_text(moment: datetime.datetime, form: str) -> None:
    text = moment.strftime(form)
    assert scalar(text) == text


@given(parts=st.lists(st.integers(0, 99), min_size=2, max_size=4), sign=st.sampled_from(["", "-", "+"]))
def test_nothing_is_a_number_of_base_60(parts: list[int], sign: str) -> None:
    text = sign + ":".join(f"{part:02}" for part in parts)
    assert scalar(text) == text


@given(text=st.text(st.sampled_from("+-._0123456789eExXoObBaAfFnNyYtTuU:~inflorsu"), min_size=1, max_size=10))
def test_quotes_make_text_of_anything_and_without_them_it_is_never_more_than_a_scalar(text: str) -> None:
    assert scalar(f'"{text}"') == text
    try:
        parsed = scalar(text)
    except Broken:
        return
    assert isinstance(parsed, bool | int | float | str | dict | list | None)
    if isinstance(parsed, str):
        assert parsed == text.strip()
