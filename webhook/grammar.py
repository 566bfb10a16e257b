"""The grammars that Linkerd's values and annotations are written in: Go's scalars and Kubernetes' quantities.

Linkerd reads them with Go's `strconv` and `time`, and Kubernetes' `resource.ParseQuantity`. What those take, odd as it
may look (`t`, `+5`, `1h1h`, `.5`, `Mi`), is taken here, and nothing else. Each `parse_*` raises `GrammarError`, whose
text says what is allowed. The `format_*` functions write numbers as the reference's text templates do.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from ipaddress import ip_address

TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})

_INT = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_HEX_FLOAT = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?inf(?:inity)?|nan", re.ASCII | re.IGNORECASE)
_SEPARATORS = re.compile(r"(?<=[0-9])_(?=[0-9])", re.ASCII)
_HEX_SEPARATORS = re.compile(r"(?<=[0-9a-fA-FxX])_(?=[0-9a-fA-F])", re.ASCII)
_DURATION_PART = re.compile(r"([0-9]*)(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_QUANTITY = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[+-]?[0-9]*)", re.ASCII)
_EXPONENT = re.compile(r"[eE][+-]?[0-9]+", re.ASCII)

NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
DECIMAL_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES = {power: suffix for suffix, power in DECIMAL_SUFFIXES.items()}
_BINARY_NAMES = {power: suffix for suffix, power in BINARY_SUFFIXES.items()}

INT64_MAX = 2**63 - 1


class GrammarError(ValueError):
    """A text outside the grammar. The message says what is allowed, as in "want …"."""


def parse_bool(text: str) -> bool:
    """Go's `strconv.ParseBool`."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise GrammarError("true or false")


def parse_int(text: str, bits: int = 64) -> int:
    """Go's `strconv.ParseInt` in base ten: a signed number of so many bits."""
    limit = 1 << (bits - 1)
    if _INT.fullmatch(text) and -limit <= (value := _to_int(text)) < limit:
        return value
    raise GrammarError(f"a whole number of {bits} bits")


def parse_uint(text: str, bits: int = 64) -> int:
    """Go's `strconv.ParseUint` in base ten: digits only, of so many bits."""
    if text.isascii() and text.isdigit() and (value := _to_int(text)) < 1 << bits:
        return value
    raise GrammarError("a whole number, zero or more")


def parse_float(text: str) -> float:
    """Go's `strconv.ParseFloat`: decimal, hexadecimal with `p`, `_` between digits, `inf` and `nan`.

    A number too large is refused.
    """
    if "_" in text:
        hexadecimal = text.lstrip("+-")[:2] in ("0x", "0X")
        text = (_HEX_SEPARATORS if hexadecimal else _SEPARATORS).sub("", text)
    if _FLOAT.fullmatch(text):
        value = float(text)
    elif _HEX_FLOAT.fullmatch(text):
        try:
            value = float.fromhex(text)
        except OverflowError:
            value = math.inf
    elif _NOT_FINITE.fullmatch(text):
        return float(text)
    else:
        raise GrammarError("a number")
    if math.isinf(value):
        raise GrammarError("a number that 64 bits can hold")
    return value


def parse_duration(text: str) -> int:
    """Go's `time.ParseDuration`, in nanoseconds: `1h30m`, `1.5s`, `-300ms`; a unit is needed but for a lone 0."""
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text[1:] if text[:1] == "+" else text)
    if rest == "0":
        return 0
    total = position = 0
    while position < len(rest):
        part = _DURATION_PART.match(rest, position)
        if part is None or not (part[1] or len(part[2] or "") > 1):
            raise GrammarError(_DURATION)
        unit = NANOSECONDS[part[3]]
        fraction = (part[2] or ".")[1:]
        total += (_to_int(part[1]) if part[1] else 0) * unit
        if fraction:
            # As many digits as fit 64 bits, and the rest has no effect.
            length = 19 if int(fraction[:19]) <= INT64_MAX + 1 else 18
            digits = fraction[:length]
            total += int(float(int(digits)) * (float(unit) / 10.0 ** len(digits)))
        position = part.end()
    if not rest or total > INT64_MAX + (sign < 0):
        raise GrammarError(_DURATION)
    return sign * total


def write_duration(nanoseconds: int) -> str:
    """A duration as Go writes it: `1h30m0s`, `1.5s`, `300ms`, `0s`."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < NANOSECONDS["s"]:
        unit = next((unit for unit in ("ms", "µs", "ns") if rest >= NANOSECONDS[unit]), "s")
        return f"{sign}{_decimal(rest, NANOSECONDS[unit])}{unit}"
    minutes, seconds = divmod(rest, NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    larger = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{larger}{_decimal(seconds, NANOSECONDS['s'])}s"


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    fraction = str(rest).zfill(len(str(unit)) - 1).rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


_DURATION = "a duration such as 300ms, 1.5s or 1h30m"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A Kubernetes quantity: the amount, and whether Kubernetes keeps it in 64 bits (`exact`)."""

    value: Decimal
    exact: bool

    def whole(self) -> int:
        """The amount rounded away from zero to whole units, as the reference counts CPU cores.

        What Kubernetes does not keep in 64 bits, the reference counts as 0: fractions of binary units, more than 18
        digits, steps below a billionth.
        """
        if not self.exact:
            return 0
        if abs(self.value) > INT64_MAX:
            return 0
        return int(self.value.to_integral_value(rounding="ROUND_UP"))


def parse_quantity(text: str) -> Quantity:
    """Kubernetes' `resource.ParseQuantity`: `100m`, `1.5`, `64Mi`, `1e3`."""
    return _remembered_quantity(text) if len(text) <= 32 else _parse_quantity(text)


def _parse_quantity(text: str) -> Quantity:
    match = _QUANTITY.fullmatch(text)
    if not text or match is None:
        raise GrammarError(_QUANTITIES)
    sign, number, fraction, suffix = match[1], match[2], match[3] or "", match[4]
    digits = _to_int((number + fraction) or "0") * (-1 if sign == "-" else 1)
    length = len(number or "0") + len(fraction)
    if suffix in BINARY_SUFFIXES:
        power = BINARY_SUFFIXES[suffix]
        fits = not fraction and length + power * 3 // 10 <= 14
        return Quantity(Decimal(digits).scaleb(-len(fraction)) * 2**power, fits)
    if suffix in DECIMAL_SUFFIXES:
        power = DECIMAL_SUFFIXES[suffix]
    elif _EXPONENT.fullmatch(suffix) and len(suffix) < 12:
        power = int(suffix[1:])
    else:
        raise GrammarError(_QUANTITIES)
    exponent = power - len(fraction)
    amount = Decimal(digits).scaleb(max(-10_000, min(10_000, exponent)))
    return Quantity(amount, length <= 18 and exponent >= -9)


def canonical_quantity(text: str) -> str:
    """A quantity as Kubernetes writes it once it has read it: `0.5` is `500m`, `1024Ki` is `1Mi`, `0.10` is `100m`.

    Raises `GrammarError`. What is finer than a billionth is rounded up, as Kubernetes does it.
    """
    value = parse_quantity(text).value
    if text[-2:] in BINARY_SUFFIXES and abs(value) >= 1024:
        whole, power = int(value.to_integral_value(rounding="ROUND_UP")), 0
        while whole % 1024 == 0 and power < 60:
            whole, power = whole // 1024, power + 10
        return f"{whole}{_BINARY_NAMES.get(power, '')}"
    nanos = int(value.scaleb(9).to_integral_value(rounding="ROUND_UP"))
    power = -9
    while nanos and nanos % 1000 == 0 and power < 18:
        nanos, power = nanos // 1000, power + 3
    if not nanos:
        return "0"
    if _EXPONENT.search(text):
        return f"{nanos}e{power}" if power else str(nanos)
    return f"{nanos}{_DECIMAL_NAMES[power]}"


def is_above(request: str, limit: str) -> bool:
    """Whether both are quantities, and the request is above the limit: the API server refuses such a container."""
    if not request or not limit:
        return False
    try:
        return parse_quantity(request).value > parse_quantity(limit).value
    except GrammarError:
        return False


# A cluster's Pods ask for the same few amounts.
_remembered_quantity = lru_cache(maxsize=2048)(_parse_quantity)

_QUANTITIES = "a quantity such as 100m, 0.5, 64Mi or 1G"


def _to_int(digits: str) -> int:
    """Digits to a number; ever so many of them cost no more than the first few hundred."""
    if len(digits) > 400:
        digits = digits.lstrip("+-0")[:400] or "0"
    return int(digits)


def is_cidr(text: str) -> bool:
    """Go's `net.ParseCIDR`: an address and the length of its prefix, no blanks, no zone."""
    address, slash, length = text.partition("/")
    if not slash or "%" in address or not (length.isascii() and length.isdigit()):
        return False
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return int(length[:4]) <= parsed.max_prefixlen and len(length) <= 3


def format_number(value: int | float) -> str:
    """A number in a text, as Go's templates write one that came through JSON: `4143`, `0.5`, but `1e+06`."""
    if isinstance(value, int) and -1_000_000 < value < 1_000_000:
        return str(value)
    number = float(value)
    if number == 0 or not math.isfinite(number):
        return "0" if number == 0 else repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    if -4 <= point - 1 < 6:
        return f"{number:.0f}" if int(exponent) >= 0 else repr(number)
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    power = point - 1
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def format_field(value: int) -> int:
    """A number in a field, as it comes out of the reference: exact up to 2^53, then what a float64 can hold."""
    return value if -(2**53) <= value <= 2**53 else int(Decimal(repr(float(value))))


_SNAKE = re.compile(
    r"[A-Z]+(?=[A-Z][a-z]|[^A-Za-z]|$)(?:[0-9]+(?![a-z0-9]))?"
    r"|[A-Z]?[a-z]+(?:[0-9]+(?![a-z0-9]))?"
    r"|[0-9]+[a-z0-9]*"
    r"|[-_\s]+"
    r"|[^A-Za-z0-9_\s-]+",
    re.ASCII,
)


def snake_case(text: str) -> str:
    """`keepAliveInterval` to `keep_alive_interval`, `HTTP2` to `http2`, `TCPKeepAlive` to `tcp_keep_alive`."""
    out = ""
    joined = True
    for word in _SNAKE.findall(text):
        connects = not word[0].isalnum()
        if not (joined or connects):
            out += "_"
        out += "_" if word[0] in "-_" or word[0].isspace() else word.lower()
        joined = connects
    return out
