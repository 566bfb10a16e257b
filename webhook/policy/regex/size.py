"""Estimates the size of a compiled regular expression from its text.

Counted repetitions make it large: the engine copies the repeated part as often as it may occur, and every copy of a
class with many Unicode characters is a large program.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from webhook.policy.regex.tokens import Token, TokenKind, Unclear, literal, scan

# The effort for longer patterns is estimated from their length alone (characters).
_LONG = 128


def program_size(pattern: str) -> float:
    """The estimated size in bytes of the program that `regex` 1.6 compiles a pattern to. Raises `Unclear`."""
    return _total(pattern, _size)


def effort(pattern: str) -> float:
    """A number without a unit that grows with the time that compiling a pattern takes. The worker judges patterns in
    the order of this number. It is large for a text that is not understood."""
    if len(pattern) <= _LONG:
        with contextlib.suppress(Unclear):
            return _total(pattern, _effort) + 100 * len(pattern)
    return 1e6 * (100 + len(pattern))


def _effort(token: Token) -> float:
    properties = token.text.count(r"\p") + token.text.count(r"\P")
    return _size(token) + _LETTERS * properties


def _total(pattern: str, weigh: Callable[[Token], float]) -> float:
    """The sum of `weigh` over all tokens, multiplied by their repetitions. Raises `Unclear`."""
    # For each open group: the sum without its last item, and the last item, which a repetition may follow.
    sums = [0.0]
    lasts = [0.0]
    for token in scan(pattern):
        if token.kind is TokenKind.OPEN:
            sums.append(0.0)
            lasts.append(0.0)
        elif token.kind is TokenKind.CLOSE:
            within = sums.pop() + lasts.pop() + 2 * _INSTRUCTION
            sums[-1] += lasts[-1]
            lasts[-1] = within
        elif token.kind is TokenKind.REPEAT:
            lasts[-1] = (lasts[-1] + (_INSTRUCTION if token.low != token.high else 0)) * _times(token)
        else:
            sums[-1] += lasts[-1]
            lasts[-1] = weigh(token)
    return sums[0] + lasts[0]


def _times(token: Token) -> int:
    """How often the engine copies the repeated part."""
    if token.text[0] != "{":
        return 1
    return max(1, token.low + 1 if token.high is None else token.high)


# The sizes of an instruction and of Unicode classes in bytes, measured.
_INSTRUCTION = 32
_UTF8 = 1187
_CLASSES = {"w": 117_800, "W": 108_101, "d": 6_687, "D": 19_490, "s": 1_024, "S": 2_530}
_LETTERS = 98_922
_BYTES = {"w": 224, "d": 40, "s": 96}


def _size(token: Token) -> float:
    text = token.text
    match token.kind:
        case TokenKind.LITERAL:
            return _literal_size(token)
        case TokenKind.ANY:
            return _UTF8
        case TokenKind.CLASS:
            return _class_size(text, token.flags)
        case TokenKind.BRACKET:
            inner = [_class_size(character_class, token.flags) for character_class in _CLASS.findall(text)]
            if text.startswith("[^"):
                inner.append(_UTF8)
            return max(inner, default=0) or _ranges_size(text)
    return _INSTRUCTION if token.kind is not TokenKind.FLAGS else 0


_CLASS = re.compile(r"\\(?:[wWdDsS]|[pP](?:\{[^}]*\}|.))")


def _literal_size(token: Token) -> float:
    size = _INSTRUCTION * len(token.character.encode("utf-8", "surrogatepass"))
    return size * 3 if "i" in token.flags and token.character.isalpha() else size


def _class_size(text: str, flags: frozenset[str]) -> float:
    if "u" not in flags:
        return _BYTES.get(text[1], _INSTRUCTION)
    if text.strip("\\{}") in ("pL", "PL", "p{L", "P{L"):
        return _LETTERS
    # The sizes of other properties are not known, and must not make a pattern count as too large.
    return _CLASSES.get(text[1], _INSTRUCTION)


_RANGE = re.compile(r"(\\?[^\\])(?:-(\\?[^\\\]]))?", re.DOTALL)


def _ranges_size(text: str) -> float:
    """The size of a class of literals and ranges: an instruction for each range, and one for each choice between
    two."""
    members: set[int] = set()
    for first, last in _RANGE.findall(text[1:-1]):
        low = ord(literal(first))
        members.update(range(low, min(ord(literal(last)) if last else low, low + 0x500) + 1))
    count = sum(member - 1 not in members for member in members)
    return max(1.25, 2 * count - 1) * _INSTRUCTION
