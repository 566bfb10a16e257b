"""The values of YAML scalars by the rules of Go's `sigs.k8s.io/yaml`, which kubectl, Helm and Linkerd use.

Its dialect lies between YAML 1.1 and 1.2: `yes`, `on` and `y` are booleans and `0644` is octal, but a date is text, and
so is `1:30`. A number that Go's `strconv` does not accept is text. https://pkg.go.dev/sigs.k8s.io/yaml
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any, Final

TEXT: Final = "tag:yaml.org,2002:str"
MERGE: Final = "tag:yaml.org,2002:merge"
NULL: Final = "tag:yaml.org,2002:null"
BOOL: Final = "tag:yaml.org,2002:bool"
INT: Final = "tag:yaml.org,2002:int"
FLOAT: Final = "tag:yaml.org,2002:float"
BINARY: Final = "tag:yaml.org,2002:binary"

_WORDS: Final[dict[str, tuple[str, Any]]] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], (BOOL, True)),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], (BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], (FLOAT, math.nan)),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], (FLOAT, math.inf)),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], (FLOAT, -math.inf)),
    "<<": (MERGE, "<<"),
}
# The first characters of plain scalars that are not text; "" is null.
FIRST: Final = frozenset("+-.0123456789") | {word[:1] for word in _WORDS}

_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO](?P<oct>[0-7]+)|0(?P<old>[0-7]+)"
    r"|(?P<dec>0|[1-9][0-9]*))"
)
# `0b-1`: Go's YAML parses the rest of a binary number with its sign.
_SIGN_WITHIN: Final = re.compile(r"0b(?P<sign>[-+])(?P<bin>[01]+)")
_SEPARATORS: Final = re.compile(r"(?<=[0-9])_(?=[0-9])")
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "old": 8, "dec": 10}
_FRACTION: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# More digits than an integer of 64 bits has. Python refuses to read thousands of them.
_LONGEST: Final = 100

INT64: Final = range(-(2**63), 2**63)
UINT64: Final = range(2**64)


def plain(text: str) -> tuple[str, Any]:
    """The tag and the value of a scalar without quotes and without a tag of its own."""
    if text[:1] not in FIRST:
        return TEXT, text
    if known := _WORDS.get(text):
        return known
    if text[0] == ".":
        return _float(_SEPARATORS.sub("", text)) or (TEXT, text)
    if text[0] not in "+-0123456789":
        return TEXT, text
    digits = text.replace("_", "")
    return _integer(digits) or _float(digits) or (TEXT, text)


def tagged(tag: str, text: str) -> Any:
    """The value of a scalar with this tag, with or without quotes. Raises `ValueError` if it does not fit the tag.

    With a tag that Go does not know (`!Ref`), and with that of a timestamp, the value is the text.
    """
    if tag == BINARY:
        return _binary(text)
    if tag not in (NULL, BOOL, INT, FLOAT):
        return text
    natural, value = plain(text)
    if natural == tag:
        return value
    if tag == FLOAT and natural == INT and value in INT64:
        return float(value)
    raise ValueError(text)


def key(value: Any) -> str | None:
    """A mapping's key as a string, as in JSON. None for null and an integer beyond 64 bits, which cannot be keys."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value in INT64:
        return str(value)
    return _short(value) if isinstance(value, float) else None


def in_json(value: float) -> int | float:
    """A finite number after a conversion to JSON and back: 8080.0 becomes 8080."""
    if not value.is_integer() or int(value) not in INT64:
        return value
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return int(value)
    # Go writes the fewest digits that identify the number, then zeros.
    whole, _, fraction = mantissa.partition(".")
    return int(whole + fraction.ljust(int(exponent), "0"))


def _integer(text: str) -> tuple[str, int] | None:
    if len(text) > _LONGEST:
        return None
    match = _INTEGER.fullmatch(text) or _SIGN_WITHIN.fullmatch(text)
    if match is None:
        return None
    # The last group that matched holds the digits.
    base = match.lastgroup or "dec"
    value = int(f"{match['sign']}{match[base]}", _BASES[base])
    if value in INT64 or (value in UINT64 and not match["sign"]):
        return INT, value
    return None


def _float(text: str) -> tuple[str, float] | None:
    if not _FRACTION.fullmatch(text):
        return None
    value = float(text)
    return None if math.isinf(value) else (FLOAT, value)


def _binary(text: str) -> str:
    import base64

    return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", errors="replace")


def _short(value: float) -> str:
    """A float as a key: Go's `strconv.FormatFloat(value, 'g', -1, 32)`."""
    # Imported here, as floats as keys are rare and the module is not small.
    from webhook.grammar import format_number

    single = _rounded(value)
    if not math.isfinite(single):
        return ".nan" if math.isnan(single) else ".inf" if single > 0 else "-.inf"
    if single == 0:
        return "-0" if math.copysign(1, single) < 0 else "0"
    # The fewest digits that identify the number among those of 32 bits.
    shortest = (float(f"{single:.{precision}e}") for precision in range(10))
    return format_number(next(digits for digits in shortest if _rounded(digits) == single))


def _rounded(value: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)
