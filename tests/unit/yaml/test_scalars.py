"""What scalars of YAML mean: each row was seen to come out so of Go's `sigs.k8s.io/yaml`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webhook.yaml.objects import Broken, read

YES = "y Y yes Yes YES true True TRUE on On ON"
NO = "n N no No NO false False FALSE off Off OFF"
NULLS = ("", "~", "null", "Null", "NULL")
TEXTS = (
    "yEs tRue oN nULL None 2026-08-01 2026-08-01T00:00:00Z 2026-1-2 1:30 190:20:30.15 = . - + _1 1.2.3 0x 0b2 0o8 0xg "
    "1e400 -1e400 .e3 ._5 .5_ 1.5e 1e+ 0x1p3 0b-2 -0b-1 +-1 0x1ffffffffffffffff inf nan -inf 12a ½ ١"
)
INTEGERS = {
    "0": 0, "-0": 0, "+5": 5, "010": 8, "0o10": 8, "0O7": 7, "-0644": -420, "0x1F": 31, "0X_ff": 255, "0b11": 3,
    "-0B1": -1, "0b-1": -1, "0b+1": 1, "1_000": 1000, "1_": 1, "0_7": 7, "+_1": 1, "00": 0,
    "9223372036854775807": 2**63 - 1, "-9223372036854775808": -(2**63), "18446744073709551615": 2**64 - 1,
}  # fmt: skip
FLOATS = {
    "1.5": 1.5, ".5": 0.5, "-.5": -0.5, "1.": 1.0, "1e3": 1000.0, "1_0.5": 10.5, "08": 8.0, "09.5": 9.5, ".1_0": 0.1,
    "18446744073709551616": 2.0**64, "+18446744073709551615": 2.0**64, "1e-7": 1e-7, "1E+2": 100.0,
}  # fmt: skip


def scalar(text: str) -> Any:
    """What a scalar means."""
    return read(f"a: {text}\n")["a"]


@pytest.mark.parametrize("text", YES.split())
def test_these_are_true(text: str) -> None:
    assert scalar(text) is True


@pytest.mark.parametrize("text", NO.split())
def test_these_are_false(text: str) -> None:
    assert scalar(text) is False


@pytest.mark.parametrize("text", NULLS)
def test_these_are_null(text: str) -> None:
    assert scalar(text) is None


@pytest.mark.parametrize("text", [text for text in TEXTS.split() if text not in ("-",)])
def test_these_are_text(text: str) -> None:
    assert scalar(text) == text


@pytest.mark.parametrize(("text", "value"), [*INTEGERS.items(), *FLOATS.items()])
def test_these_are_numbers(text: str, value: float) -> None:
    parsed = scalar(text)
    assert (type(parsed), parsed) == (type(value), value)


@pytest.mark.parametrize("text", [".inf", "-.Inf", "+.INF", ".nan", "!!float .NaN"])
def test_numbers_that_json_lacks_are_told(text: str) -> None:
    with pytest.raises(Broken, match="JSON does not have this number"):
        scalar(text)


@pytest.mark.parametrize("text", ["yes", "12", "~", "1e3", "<<", "0x1F", ""])
@pytest.mark.parametrize("form", ['"{}"', "'{}'", "!!str {}", '!!str "{}"'])
def test_what_is_in_quotes_or_said_to_be_text_is_text(form: str, text: str) -> None:
    assert scalar(form.format(text)) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('!!int "0x10"', 16), ("!!float 3", 3.0), ("!!float 0b11", 3.0), ('!!bool "yes"', True), ("!!null ''", None),
        ("!!binary aGk=", "hi"), ("!!timestamp 2026-08-01", "2026-08-01"), ("!Ref x", "x"), ("!foo 5", "5"),
        ("!!python/name:os.system x", "x"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_tags_say_how_to_read(text: str, value: Any) -> None:
    parsed = scalar(text)
    assert (type(parsed), parsed) == (type(value), value)


@pytest.mark.parametrize(
    "text", ["!!int x", "!!int 1.0", "!!bool 1", "!!null x", "!!float x", "!!float 9223372036854775808", "!!binary a"]
)
def test_what_its_tag_does_not_fit_is_told(text: str) -> None:
    with pytest.raises(Broken, match="cannot be read as"):
        scalar(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("5", "5"), ("0x10", "16"), ("yes", "true"), ("n", "false"), ("1.50", "1.5"), ("1e30", "1e+30"), ("0.1", "0.1"),
        ("123456789.0", "1.2345679e+08"), ("-0.0", "-0"), ("1e-5", "1e-05"), ("100000.0", "100000"), (".inf", ".inf"),
        ("-.inf", "-.inf"), (".nan", ".nan"), ("1e39", ".inf"), ("-1e39", "-.inf"), ("2026-08-01", "2026-08-01"),
        ('"<<"', "<<"), ("!!str 5", "5"),
    ],
)  # fmt: skip
def test_keys_are_text_as_in_json(text: str, key: str) -> None:
    assert read(f"{text}: x\n") == {key: "x"}


@pytest.mark.parametrize("text", ["~", "null", "[a]", "{a: b}", "18446744073709551615"])
def test_keys_that_json_cannot_have_are_told(text: str) -> None:
    with pytest.raises(Broken, match="key is not a string"):
        read(f"? {text}\n: x\n")


def test_numbers_are_written_as_go_writes_them_into_json() -> None:
    from webhook.manifest import load

    text = "[8080.0, 1e6, 1e18, 1.2345678901234567e18, 1e30, 0.5, -3.0]"
    (parsed,) = load.documents(f"- {text}", load.VALUES)
    assert isinstance(parsed, load.Made)
    expected = "[[8080, 1000000, 1000000000000000000, 1234567890123456800, 1e+30, 0.5, -3]]"
    assert json.dumps(parsed.body) == expected
