"""Splits a regular expression into tokens, in the syntax of Rust's `regex`
(https://docs.rs/regex/latest/regex/#syntax).

This is not a parser: only the engine can say whether an expression is valid. The tokens of a valid one are right;
`Unclear` is raised where they might not be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple


class Unclear(ValueError):
    """A pattern, or a part of one, that is not understood for certain."""


class TokenKind(Enum):
    """The kind of a token."""

    LITERAL = auto()
    ANY = auto()
    """The dot."""
    CLASS = auto()
    r"""An escape for many characters: `\w`, `\pL`."""
    BRACKET = auto()
    START = auto()
    END = auto()
    BOUNDARY = auto()
    OPEN = auto()
    CLOSE = auto()
    FLAGS = auto()
    r"""`(?i)`: from here to the group's end."""
    OR = auto()
    REPEAT = auto()


Flags = frozenset[str]

# How many characters of a pattern a message shows.
_SHOWN = 72


class Token(NamedTuple):
    """A part of a pattern. `at` is its index in the pattern, and `flags` are those set there. `low` and `high` are the
    bounds of a repetition; a `high` of None is no bound."""

    kind: TokenKind
    text: str
    at: int
    flags: Flags
    low: int = 1
    high: int | None = 1

    @property
    def character(self) -> str:
        """The one character that a literal stands for. Raises `Unclear`."""
        return literal(self.text)


ESCAPE = re.compile(
    r"\\(?:[pP](?:\{[^}]*\}|[^{])|x(?:\{[^}]*\}|[0-9A-Fa-f]{2})|u(?:\{[^}]*\}|[0-9A-Fa-f]{4})"
    r"|U(?:\{[^}]*\}|[0-9A-Fa-f]{8})|b\{\s*[-A-Za-z][^}]*\}|[^pPxuU])",
    re.DOTALL,
)
_COUNT = re.compile(r"\{\s*(\d{1,10})\s*(,\s*(\d{1,10})?\s*)?\}\??", re.ASCII)
_OPEN = re.compile(r"\((?:\?P?<[^>]+>|\?(?P<flags>[a-zA-Z]*(?:-[a-zA-Z]*)?)(?P<end>[:)]))?")
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")
_BLANK = frozenset("\t\n\x0b\x0c\r \x85\u200e\u200f\u2028\u2029")
_SIMPLE = {".": TokenKind.ANY, "|": TokenKind.OR, "^": TokenKind.START, "$": TokenKind.END}
_REPETITIONS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_CONTROLS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_SPECIAL = frozenset("\\()[]{}*+?.|^$")


def literal(text: str) -> str:
    """The character that a literal or its escape stands for. Raises `Unclear`."""
    if len(text) == 1:
        return text
    if text[1] in "xuU":
        digits = text[2:].strip("{}")
        try:
            return chr(int(digits, 16))
        except (ValueError, OverflowError) as error:
            raise Unclear(text) from error
    if text[1] in _CONTROLS:
        return _CONTROLS[text[1]]
    if text[1].isascii() and not text[1].isalnum():
        return text[1]
    raise Unclear(text)


def scan(pattern: str) -> Iterator[Token]:
    """The tokens of a pattern from left to right. Raises `Unclear` at the first one that is not understood."""
    flags: Flags = frozenset("u")
    outer: list[Flags] = []
    at = 0
    while at < len(pattern):
        if pattern[at] not in _SPECIAL and "x" not in flags:
            # Most tokens are literals, and this path takes a third of the time.
            yield Token(TokenKind.LITERAL, pattern[at], at, flags)
            at += 1
            continue
        token = _token(pattern, at, flags)
        if token is None:
            # A blank or a comment, under the flag x.
            at = _skip(pattern, at)
            continue
        at += len(token.text)
        if token.kind is TokenKind.OPEN:
            outer.append(flags)
            flags = token.flags
        elif token.kind is TokenKind.FLAGS:
            flags = token.flags
        elif token.kind is TokenKind.CLOSE:
            if not outer:
                raise Unclear(pattern)
            flags = outer.pop()
        yield token
    if outer:
        raise Unclear(pattern)


def _token(pattern: str, at: int, flags: Flags) -> Token | None:
    """The token at an index, None for a blank or a comment. The flags of an opening one are those inside of the
    group."""
    first = pattern[at]
    if first == "\\":
        return _escape(pattern, at, flags)
    if first == "[":
        return Token(TokenKind.BRACKET, pattern[at : bracket_end(pattern, at, "x" in flags)], at, flags)
    if first == "(":
        return _open(pattern, at, flags)
    if first == ")":
        return Token(TokenKind.CLOSE, first, at, flags)
    if first in _REPETITIONS:
        low, high = _REPETITIONS[first]
        return Token(TokenKind.REPEAT, first + "?" * (pattern[at + 1 : at + 2] == "?"), at, flags, low, high)
    if first == "{":
        return _counted(pattern, at, flags)
    if first in _SIMPLE:
        return Token(_SIMPLE[first], first, at, flags)
    if "x" in flags and (first in _BLANK or first == "#"):
        return None
    return Token(TokenKind.LITERAL, first, at, flags)


def _skip(pattern: str, at: int) -> int:
    if pattern[at] != "#":
        return at + 1
    end = pattern.find("\n", at)
    return len(pattern) if end < 0 else end + 1


def _escape(pattern: str, at: int, flags: Flags) -> Token:
    match = ESCAPE.match(pattern, at)
    if match is None:
        raise Unclear(pattern)
    text = match[0]
    if text in (r"\A", r"\z"):
        kind = TokenKind.START if text == r"\A" else TokenKind.END
    elif text[1] in "bB<>":
        kind = TokenKind.BOUNDARY
    elif text[1] in "wWdDsSpP":
        kind = TokenKind.CLASS
    else:
        kind = TokenKind.LITERAL
    return Token(kind, text, at, flags)


def _open(pattern: str, at: int, flags: Flags) -> Token:
    match = _OPEN.match(pattern, at)
    if match is None or (match[0] == "(" and pattern[at + 1 : at + 2] == "?"):
        raise Unclear(pattern)
    if match["flags"] is None:
        return Token(TokenKind.OPEN, match[0], at, flags)
    on, _, off = match["flags"].partition("-")
    within = (flags | frozenset(on)) - frozenset(off)
    return Token(TokenKind.OPEN if match["end"] == ":" else TokenKind.FLAGS, match[0], at, within)


def _counted(pattern: str, at: int, flags: Flags) -> Token:
    match = _COUNT.match(pattern, at)
    if match is None:
        raise Unclear(pattern)
    low = int(match[1])
    high = low if match[2] is None else int(match[3]) if match[3] else None
    return Token(TokenKind.REPEAT, match[0], at, flags, low, high)


def bracket_end(pattern: str, at: int, blanks: bool = False) -> int:
    """The index after the bracketed class that begins at `at`. `blanks`: the flag x is set, so that blanks are ignored.

    Raises `Unclear`.
    """
    depth = 0
    while at < len(pattern):
        first = pattern[at]
        if blanks and (first in _BLANK or first == "#"):
            raise Unclear(pattern)
        posix = _POSIX.match(pattern, at) if first == "[" and depth else None
        if posix:
            at = posix.end()
        elif first == "[":
            depth += 1
            at = _bracket_start(pattern, at)
        elif first == "]":
            depth -= 1
            at += 1
            if not depth:
                return at
        elif first == "\\":
            match = ESCAPE.match(pattern, at)
            if match is None:
                break
            at = match.end()
        else:
            at += 1
    raise Unclear(pattern)


_START = re.compile(r"\[\^?(?:-+|\])?")


def _bracket_start(pattern: str, at: int) -> int:
    """The index after the start of a class: its bracket, a negation, and dashes or a bracket that are literals
    there."""
    match = _START.match(pattern, at)
    return match.end() if match else at + 1


def shown(text: str) -> str:
    """A pattern or a part of it as messages show it: in backticks, on one line, shortened."""
    visible = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text[:_SHOWN]
    )
    return f"`{visible}{'…' if len(text) > _SHOWN else ''}`"
