"""Finds valid regular expressions that match no value at all, or no path of a request.

The proxy matches an expression against the whole of a value. An expression is reported only where it certainly matches
nothing; one whose text is not understood for certain (alternatives, flags that change the syntax) is not.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from webhook.policy.regex.judge import is_plain
from webhook.policy.regex.tokens import Token, TokenKind, Unclear, scan, shown

# The length in characters above which a pattern is not checked.
_LONGEST = 1024
_CONSUMING = frozenset({TokenKind.LITERAL, TokenKind.ANY, TokenKind.CLASS, TokenKind.BRACKET})
_ASSERTING = frozenset({TokenKind.START, TokenKind.END, TokenKind.BOUNDARY})
# The flags under which `^`, `$` or blanks mean something else.
_CONFUSING = frozenset("mxR")


class _Item(NamedTuple):
    """A token outside of all groups, and how often it occurs at least. A token of None stands for a group, whose
    contents are not checked."""

    token: Token | None
    low: int


def cannot_match_anything(pattern: str) -> str:
    """Why a pattern matches no value at all; "" where it may match one."""
    try:
        items = _items(pattern)
    except Unclear:
        return ""
    return _contradiction(items)


def cannot_match_path(pattern: str) -> str:
    """Why a pattern matches no path of a request, and what to write; "" where it may match one. A path begins with `/`,
    and has no blank, `?` or `#`."""
    if pattern.startswith(("/", "^/")) and " " not in pattern and is_plain(pattern):
        # True for most patterns, and several times faster.
        return ""
    try:
        items = _items(pattern)
        return _contradiction(items) or _why_not_slash_first(items, pattern) or _why_not_in_a_path(items)
    except Unclear:
        return ""


def alternatives(pattern: str) -> list[str]:
    """The parts of a pattern between the `|` outside of all groups. The whole pattern where there are none, or where
    flags or errors make them uncertain."""
    starts = [0]
    depth = 0
    try:
        for token in scan(pattern):
            if token.flags & _CONFUSING:
                return [pattern]
            if token.kind is TokenKind.OPEN:
                depth += 1
            elif token.kind is TokenKind.CLOSE:
                depth -= 1
            elif token.kind is TokenKind.OR and not depth:
                starts.append(token.at + 1)
    except Unclear:
        return [pattern]
    ends = [start - 1 for start in starts[1:]]
    return [pattern[start:end] for start, end in zip(starts, [*ends, len(pattern)], strict=True)]


def _items(pattern: str) -> list[_Item]:
    """The tokens outside of all groups, of a pattern without alternatives. Raises `Unclear`."""
    if len(pattern) > _LONGEST:
        raise Unclear("long")
    items: list[_Item] = []
    depth = 0
    for token in scan(pattern):
        if token.flags & _CONFUSING:
            raise Unclear(token.text)
        if token.kind is TokenKind.CLOSE:
            depth -= 1
            if not depth:
                items.append(_Item(None, 1))
        elif token.kind is TokenKind.OPEN:
            depth += 1
        elif depth or token.kind is TokenKind.FLAGS:
            continue
        elif token.kind is TokenKind.OR:
            raise Unclear(token.text)
        elif token.kind is TokenKind.REPEAT:
            _apply_repetition(items, token)
        else:
            items.append(_Item(token, 1))
    return items


def _apply_repetition(items: list[_Item], token: Token) -> None:
    if not items or (token.high is not None and token.high < token.low):
        raise Unclear(token.text)
    last = items[-1]
    items[-1] = _Item(last.token, last.low * token.low)


def _contradiction(items: list[_Item]) -> str:
    """Why the tokens contradict each other: a `^` after a character, a character after a `$`, or an empty class."""
    consumed: Token | None = None
    ended: Token | None = None
    for token, low in items:
        if token is None or not low:
            continue
        if token.kind is TokenKind.START and consumed is not None:
            return f"{shown(token.text)} (column {token.at + 1}) stands after {shown(consumed.text)}"
        if token.kind is TokenKind.END:
            ended = ended or token
        elif token.kind in _CONSUMING:
            if ended is not None:
                return f"{shown(token.text)} (column {token.at + 1}) stands after {shown(ended.text)}"
            if _is_empty_class(token):
                return f"{shown(token.text)} (column {token.at + 1}) stands for no character"
            consumed = token
    return ""


_ALL = re.compile(r"\[\^(?:\\s\\S|\\S\\s|\\w\\W|\\W\\w|\\d\\D|\\D\\d|\\x00-\\x\{10[fF]{4}\})\]")


def _is_empty_class(token: Token) -> bool:
    """Whether a class certainly has no character."""
    return token.kind is TokenKind.BRACKET and "u" in token.flags and (bool(_ALL.fullmatch(token.text)))


def _why_not_slash_first(items: list[_Item], pattern: str) -> str:
    """Why the first character cannot be a `/`, "" where it can."""
    for token, low in items:
        if token is not None and token.kind in _ASSERTING:
            continue
        if token is None or not low or _may_be_slash(token):
            return ""
        written = shown(f"{pattern[: token.at]}/{pattern[token.at :]}")
        return f"a path begins with `/`, and this pattern with {shown(token.text)}: write {written}"
    return "a path is never empty: write `/` for the root, or `/.*` for every path"


def _may_be_slash(token: Token) -> bool:
    if token.kind is TokenKind.LITERAL:
        return token.character == "/"
    if token.kind is TokenKind.CLASS:
        return token.text not in (r"\w", r"\d", r"\s")
    if token.kind is TokenKind.BRACKET:
        return not _SAFE.fullmatch(token.text)
    return True


# A class of letters, digits, ranges of them, and some literal punctuation, which has no `/`.
_SAFE = re.compile(r"\[(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_.,;=@%!*'$+])+\]")


_BEHIND_PATH = {"?": "query", "#": "fragment"}


def _why_not_in_a_path(items: list[_Item]) -> str:
    """Why a character of the pattern cannot be in a path, "" where all can."""
    for token, low in items:
        if token is None or not low or token.kind is not TokenKind.LITERAL:
            continue
        character = token.character
        where = f"(column {token.at + 1})"
        if character in _BEHIND_PATH:
            return f"a path ends before `{character}` {where}: leave it and the {_BEHIND_PATH[character]} out"
        if character <= " " or character == "\x7f":
            return f"a path has no blank and no control character {where}: leave it out, or write `%20` for a blank"
    return ""
