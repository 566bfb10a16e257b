"""How large a regular expression becomes when compiled, and what compiling costs, estimated from its text.

Counted repetitions are what makes it explode: the engine writes out what is repeated, as often as it is at most, and
a class that stands for much of Unicode is a program of its own each time.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable

from webhook.policy.regex.tokens import Kind, Token, Unclear, literal, scan

# What is longer is never said to be cheap.
_LONG = 128


def program_size(pattern: str) -> float:
    """The bytes of the program that `regex` 1.6 makes of a pattern. Raises `Unclear`."""
    return _total(pattern, _size, repeat=32, group=64)


def compile_cost(pattern: str) -> float:
    """At most how many microseconds compiling a pattern takes, on a slow core. `math.inf` where that is not known."""
    if len(pattern) > _LONG:
        return math.inf
    cost = _Cost()
    try:
        total = _total(pattern, cost, repeat=6, group=3)
    except Unclear:
        # Mostly illegal, and found to be so soon; but that is not sure.
        return math.inf
    return cost.base + total


def effort(pattern: str) -> float:
    """A number that grows with what compiling takes, to put patterns in order. Large where it is not known."""
    if len(pattern) <= _LONG:
        with contextlib.suppress(Unclear):
            return _total(pattern, _effort, repeat=32, group=64) + 100 * len(pattern)
    return 1e6 * (100 + len(pattern))


def _effort(token: Token) -> float:
    properties = token.text.count(r"\p") + token.text.count(r"\P")
    return _size(token) + _LETTERS * properties


def _total(pattern: str, weigh: Callable[[Token], float], *, repeat: float, group: float) -> float:
    """The sum over all tokens, each as often as repetitions write it out. Raises `Unclear`."""
    # Of each group that is open: the sum without its last item, and the last item, which may yet be repeated.
    sums = [0.0]
    lasts = [0.0]
    for token in scan(pattern):
        if token.kind is Kind.OPEN:
            sums.append(0.0)
            lasts.append(0.0)
        elif token.kind is Kind.CLOSE:
            within = sums.pop() + lasts.pop() + group
            sums[-1] += lasts[-1]
            lasts[-1] = within
        elif token.kind is Kind.REPEAT:
            lasts[-1] = (lasts[-1] + (repeat if token.low != token.high else 0)) * _times(token)
        else:
            sums[-1] += lasts[-1]
            lasts[-1] = weigh(token)
    return sums[0] + lasts[0]


def _times(token: Token) -> int:
    """How often a repetition writes out what is repeated."""
    if token.text[0] != "{":
        return 1
    return max(1, token.low + 1 if token.high is None else token.high)


# Bytes of an instruction, and of what a class of Unicode is made of, by experiment.
_INSTRUCTION = 32
_UTF8 = 1187
_CLASSES = {"w": 117_800, "W": 108_101, "d": 6_687, "D": 19_490, "s": 1_024, "S": 2_530}
_LETTERS = 98_922
_BYTES = {"w": 224, "d": 40, "s": 96}


def _size(token: Token) -> float:
    text = token.text
    match token.kind:
        case Kind.LITERAL:
            return _literal_size(token)
        case Kind.ANY:
            return _UTF8
        case Kind.CLASS:
            return _class_size(text, token.flags)
        case Kind.BRACKET:
            inner = [_class_size(each, token.flags) for each in _CLASS.findall(text)]
            if text.startswith("[^"):
                inner.append(_UTF8)
            return max(inner, default=0) or _ranges_size(text)
    return _INSTRUCTION if token.kind is not Kind.FLAGS else 0


_CLASS = re.compile(r"\\(?:[wWdDsS]|[pP](?:\{[^}]*\}|.))")


def _literal_size(token: Token) -> float:
    size = _INSTRUCTION * len(token.character.encode("utf-8", "surrogatepass"))
    return size * 3 if "i" in token.flags and token.character.isalpha() else size


def _class_size(text: str, flags: frozenset[str]) -> float:
    if "u" not in flags:
        return _BYTES.get(text[1], _INSTRUCTION)
    if text.strip("\\{}") in ("pL", "PL", "p{L", "P{L"):
        return _LETTERS
    # Of the other properties nothing is known: they are not to be called too large.
    return _CLASSES.get(text[1], _INSTRUCTION)


_RANGE = re.compile(r"(\\?[^\\])(?:-(\\?[^\\\]]))?", re.DOTALL)


def _ranges_size(text: str) -> float:
    """Of a class of literals and their ranges: an instruction for each range of it, and for each choice between two."""
    members: set[int] = set()
    for first, last in _RANGE.findall(text[1:-1]):
        low = ord(literal(first))
        members.update(range(low, min(ord(literal(last)) if last else low, low + 0x500) + 1))
    count = sum(member - 1 not in members for member in members)
    return max(1.25, 2 * count - 1) * _INSTRUCTION


class _Cost:
    """What each token costs; and what is paid once, when there is one of its kind at all."""

    def __init__(self) -> None:
        self.base = 25.0

    def __call__(self, token: Token) -> float:
        match token.kind:
            case Kind.LITERAL:
                return self._literal(token)
            case Kind.ANY:
                return self._once(_WIDE, 12)
            case Kind.CLASS:
                return self._class(token.text, token.flags)
            case Kind.BRACKET:
                return self._bracket(token)
            case Kind.OR:
                return self._once(_CHOICE, 8)
        return 2

    def _once(self, base: float, each: float) -> float:
        self.base = max(self.base, base)
        return each

    def _literal(self, token: Token) -> float:
        if "i" in token.flags and (token.text.isalpha() or token.text[0] == "\\"):
            return self._once(_CHOICE, 60 if not token.text.isascii() else 25 if token.text in "kKsS" else 12)
        return 0.7

    def _class(self, text: str, flags: frozenset[str]) -> float:
        if "u" not in flags:
            return self._once(_CHOICE, 8)
        each = {"d": 40.0, "D": 60.0, "s": 25.0, "S": 30.0}.get(text[1], math.inf)
        return self._once(_WIDE, each)

    def _bracket(self, token: Token) -> float:
        text = token.text
        if _OPERATION.search(text):
            return math.inf
        inner = sum(self._class(each, token.flags) for each in _CLASS.findall(text))
        width = 30 + 6 * len(text) if "i" in token.flags else 1.5 * len(text)
        if text.startswith("[^") or not text.isascii() or "\\" in text:
            return inner + width + self._once(_WIDE, 20)
        return inner + width + self._once(_CHOICE, 10)


# A class of classes, or operations on them.
_OPERATION = re.compile(r".\[|&&|--|~~", re.DOTALL)

# Where there is a choice, the engine looks for literals to search by; where much of Unicode may come, it makes tables.
_CHOICE = 90.0
_WIDE = 190.0
