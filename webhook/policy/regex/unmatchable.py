"""Whether a valid regular expression can match a value at all, or the path of a request.

The proxy matches an expression against the whole of a value. An expression is reported only where it certainly matches
nothing; one whose text is not understood for certain (alternatives, flags that change the syntax) is not.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from webhook.policy.regex.judge import is_plain
from webhook.policy.regex.tokens import Token, TokenKind, Unclear, scan, shown

# Longer ones are not looked at.
_LONGEST = 1024
_CONSUMING = frozenset({TokenKind.LITERAL, TokenKind.ANY, TokenKind.CLASS, TokenKind.BRACKET})
_ASSERTING = frozenset({TokenKind.START, TokenKind.END, TokenKind.BOUNDARY})
# Under these the signs mean something else.
_CONFUSING = frozenset("mxR")


class _Item(NamedTuple):
    """One token of an expression's outermost row and how often it comes at least; a token of None is a group, of which
    nothing is known."""

    token: Token | None
    low: int


def cannot_match_anything(pattern: str) -> str:
    """Why no value at all is matched, "" where one may be."""
    try:
        items = _items(pattern)
    except Unclear:
        return ""
    return _contradiction(items)


def cannot_match_path(pattern: str) -> str:
    """Why no path of a request is matched (it begins with `/`, and has no blank, `?` or `#`) and what to write instead,
    "" where one may be."""
    if pattern.startswith(("/", "^/")) and " " not in pattern and is_plain(pattern):
        # Most are: this is several times faster.
        return ""
    try:
        items = _items(pattern)
        return _contradiction(items) or _why_not_slash_first(items, pattern) or _why_not_in_a_path(items)
    except Unclear:
        return ""


def alternatives(pattern: str) -> list[str]:
    """The parts between those `|` that are not in brackets; the whole pattern where it has none, or flags or errors
    make that hard to tell."""
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
    """The outermost row of an expression without alternatives. Raises `Unclear`."""
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
    """A start after something, something after the end, or a class without characters."""
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
    """Whether a class surely has no character."""
    return token.kind is TokenKind.BRACKET and "u" in token.flags and (bool(_ALL.fullmatch(token.text)))


def _why_not_slash_first(items: list[_Item], pattern: str) -> str:
    """Why what comes first cannot be a `/`."""
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


# Letters, digits and ranges of them, and some punctuation that means itself.
_SAFE = re.compile(r"\[(?:[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]|[A-Za-z0-9_.,;=@%!*'$+])+\]")


_BEHIND_PATH = {"?": "query", "#": "fragment"}


def _why_not_in_a_path(items: list[_Item]) -> str:
    """A character that no path has."""
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
