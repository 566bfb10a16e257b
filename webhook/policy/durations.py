"""Two grammars of durations: that of a policy HTTPRoute's `timeouts`, and that of the annotations on a route.

(ServiceProfiles have a third, Go's own: `webhook.grammar`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from webhook.findings.finding import Path, Severity, declare, show
from webhook.policy.schema.reading import BAD, SCHEMA_VALUE, Reading
from webhook.policy.schema.shape import Shape

DURATION = declare("duration-invalid", Severity.ERROR, "FieldValueInvalid", "Linkerd cannot read a duration.")

# The white space of Unicode. Python's `strip` removes more characters.
_SPACE: Final = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_UNSIGNED = re.compile(r"\+?[0-9]+")
_MILLISECONDS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_U64: Final = 2**64 - 1

_SECONDS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")


def strip_space(text: str) -> str:
    """A text without the Unicode white space around it."""
    return text.strip(_SPACE)


def parse_unsigned(text: str, most: int) -> int | None:
    """An unsigned decimal number up to `most`, with or without a plus sign; None for any other text."""
    if _UNSIGNED.fullmatch(text) is None or len(text) > 400:
        return None
    value = int(text)
    return value if value <= most else None


def parse_annotation(text: str) -> int | str:
    """The milliseconds of an annotation's duration (`10s`, `0`); or a text that says what is wrong and what to
    write."""
    text = text.strip(_SPACE)
    want = "write a whole number and one of the units ms, s, m, h and d, such as 300ms or 10s"
    if text.startswith("-"):
        return f"a duration is not negative; {want}"
    last = max((i for i, c in enumerate(text) if c in "0123456789"), default=-1)
    if last < 0:
        return f"it has no number; {want}"
    magnitude, unit = text[: last + 1], text[last + 1 :]
    if "." in magnitude:
        return f"it has a fraction; {_in_milliseconds(magnitude, unit) or want}"
    value = parse_unsigned(magnitude, _U64)
    if value is None:
        return f"it is not one number and one unit; {want}"
    if not unit:
        return 0 if value == 0 else f'the unit is missing; write "{value}s" or "{value}ms"'
    if unit not in _MILLISECONDS:
        return f"{show(unit)} is not a unit; {want}"
    total = value * _MILLISECONDS[unit]
    return total if total <= _U64 else f"it is too long; {want}"


def _in_milliseconds(magnitude: str, unit: str) -> str:
    try:
        milliseconds = Fraction(magnitude) * _MILLISECONDS[unit]
    except (ValueError, KeyError, ZeroDivisionError):
        return ""
    return f'write "{milliseconds}ms"' if milliseconds.denominator == 1 else ""


def parse_timeout(text: str) -> tuple[bool, int] | str:
    """Whether a duration of the policy HTTPRoute is negative, and its nanoseconds; or a text that says what is wrong.

    Like Go's grammar (`1h30m`, `1.5s`, `0`), but the empty string is 0. The controller
    refuses a sign inside the text, and more than 2**64 seconds.
    """
    negative = text.startswith("-")
    rest = text.lstrip("+").lstrip("-")
    total = 0
    for value, unit in _terms(rest):
        if unit is None:
            return (negative, total) if value == "0" else f"{show(value)} has no unit{_UNITS}"
        if _NUMBER.fullmatch(value) is None:
            return f"{show(value)} is not a number{_UNITS}"
        if unit not in _SECONDS:
            return f"{show(unit)} is not a unit{_UNITS}"
        seconds = float(value) * _SECONDS[unit]
        if not 0 <= seconds < 2.0**64:
            return f"{show(value + unit)} is out of range{_UNITS}"
        total += round(Fraction(seconds) * 10**9)
        if total >= 2**64 * 10**9:
            return f"it is too long{_UNITS}"
    return negative, total


# What the API server accepts for `format: duration`: Go's grammar, or any text with a number and a unit in it.
_GO: Final = re.compile(r"[+-]?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)")
_NUMBER_AND_UNIT: Final = re.compile(r"([0-9]+)\s*[A-Za-z\u00b5]")


def has_format(text: str, nanoseconds: int) -> bool:
    """Whether the CRD's schema accepts a duration that `parse_timeout` has read as this many nanoseconds."""
    if nanoseconds < 2**63 and _GO.fullmatch(text) is not None:
        return True
    numbers = _NUMBER_AND_UNIT.findall(text)
    return bool(numbers) and all(len(number) < 400 and int(number) < 2**63 for number in numbers)


_UNITS: Final = "; write numbers with the units ns, us, ms, s, m and h, such as 300ms or 1h30m"


def _terms(text: str) -> Iterator[tuple[str, str | None]]:
    """The numbers with their units. The last unit is None where it is missing."""
    position = 0
    while position < len(text):
        start = next((i for i in range(position, len(text)) if text[i].isalpha()), None)
        if start is None:
            yield text[position:], None
            return
        end = next((i for i in range(start, len(text)) if not text[i].isalpha()), len(text))
        yield text[position:start], text[start:end]
        position = end


class Timeout(Shape):
    """A duration of the policy HTTPRoute, read as its sign, its nanoseconds and its text."""

    wanted = "a duration such as 10s"

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Returns (is negative, nanoseconds, text), or `BAD`."""
        if type(value) is not str:
            return self.wrong_type(value, path, reading)
        parsed = parse_timeout(value)
        if isinstance(parsed, str):
            reading.refuse(DURATION, path, f"{show(value)} is not a duration: {parsed}")
            return BAD
        if not has_format(value, parsed[1]):
            reading.note(
                SCHEMA_VALUE, path, f"the CRD does not allow the duration {show(value)}: write one such as 0s or 300ms"
            )
        return (*parsed, value)

    def remedy(self, value: Any) -> str:
        """Add the unit."""
        return f': write "{value}s"' if isinstance(value, int) and not isinstance(value, bool) else ""
