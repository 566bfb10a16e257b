"""Regular expressions that the `regex` crate of older release lines (1.6) refuses and the newer one (1.13) accepts
(https://github.com/rust-lang/regex/blob/master/CHANGELOG.md)."""

from __future__ import annotations

import re
from array import array
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

from webhook.policy.regex.size import program_size
from webhook.policy.regex.tokens import ESCAPE, Flags, Token, TokenKind, Unclear, scan, shown

# The punctuation that the older engine allows after a backslash.
_META = frozenset("\\.+*?()|[]{}^$#&-~")
_NAME = re.compile(r"\(\?P<[A-Za-z_][A-Za-z0-9_.\[\]]*>")
# 10 MiB, the engine's own limit.
_LIMIT = 10 * (1 << 20)


def refused_before(pattern: str) -> str:
    """What the older engine refuses in a pattern that the newer one accepts; "" if it accepts the pattern too."""
    try:
        for token in scan(pattern):
            refused = _why_refused(token)
            if refused:
                return f"{refused} (column {token.at + 1})"
        if program_size(pattern) > _LIMIT:
            return "compiled, it exceeds the size limit of 10 MiB; lower its counted repetitions"
    except Unclear:
        pass
    return ""


def _why_refused(token: Token) -> str:
    text = token.text
    match token.kind:
        case TokenKind.CLASS if (
            text[1] in "pP" and _property_names(text) == ["any"] and (text[1] == "P") != ("^" in text)
        ):
            return f"{shown(text)} stands for no character, which is not allowed"
        case TokenKind.LITERAL | TokenKind.CLASS:
            return _why_escape_refused(text, token.flags) if text[0] == "\\" else _why_not_a_byte(text, token.flags)
        case TokenKind.BOUNDARY if len(text) > 2 or text[1] in "<>":
            return rf"{shown(text)} is not known: write `\b`"
        case TokenKind.BOUNDARY if text == r"\B" and "u" not in token.flags:
            return r"`\B` needs Unicode: leave `(?-u)` away"
        case TokenKind.OPEN if text.startswith("(?<"):
            return f"a group is named by `(?P<…>`: write {shown('(?P' + text[2:])}"
        case TokenKind.OPEN if text.startswith("(?P") and not _NAME.fullmatch(text):
            return f"a group's name has only letters, digits, `_` and `.`: {shown(text)}"
        case TokenKind.OPEN | TokenKind.FLAGS if text[1:2] == "?" and "R" in text.rstrip(":)"):
            return "the flag `R` is not known"
        case TokenKind.BRACKET:
            return _why_class_refused(text, token.flags)
    return ""


def _why_escape_refused(text: str, flags: Flags) -> str:
    """Why the older engine refuses an escape, inside or outside of a class."""
    if text[1] in "pP":
        return _why_property_refused(text)
    if text[1] in "xuU":
        return _why_not_a_byte(chr(int(text[2:].strip("{}"), 16)), flags) if text[1] != "x" else ""
    if text[1].isalnum() or text[1] in _META or (text == r"\ " and "x" in flags):
        return ""
    return f"{shown(text)} is not known: write {shown(text[1])} without the backslash"


def _why_not_a_byte(character: str, flags: Flags) -> str:
    if "u" in flags or character.isascii():
        return ""
    return f"{shown(character)} needs Unicode: leave `(?-u)` away"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names and values of properties that were added after Unicode 14, normalized.
_NEWER_PROPERTIES = _words(
    """
    sc lc idcompatmathcontinue idcompatmathstart idsu idsunaryoperator incb indicconjunctbreak mcm
    modifiercombiningmark 15.0 15.1 16.0 v150 v151 v160 gara garay gukh gurungkhema kawi kiratrai krai nagm nagmundari
    olonal onao sunu sunuwar todhri todr tulutigalari tutg
    """
)


def _why_property_refused(text: str) -> str:
    # `sc` is in the list as a value, and is also the name of a property: only the last part counts.
    return f"{shown(text)} is not known" if _property_names(text)[-1] in _NEWER_PROPERTIES else ""


def _property_names(text: str) -> list[str]:
    r"""The normalized name of the property in `\p{…}`, and its value if it has one."""
    return [_normalized(part) for part in re.split(r"!?=|:", text[2:].strip("{}").lstrip("^"))]


def _normalized(name: str) -> str:
    folded = re.sub(r"[ _-]", "", name).lower()
    return folded[2:] if folded.startswith("is") and folded != "isc" else folded


# A class can only be empty if it has one of these: a negation of more than literals and their ranges, an operation on
# two classes, a negated property.
_PERHAPS_EMPTY = re.compile(r"^\[\^.*[\\\[\U0010FFFF]|.\[\^|&&|--|~~|\\P|\\p\{\^", re.DOTALL)


def _why_class_refused(text: str, flags: Flags) -> str:
    for match in ESCAPE.finditer(text):
        refused = _why_escape_refused(match[0], flags)
        if refused:
            return refused
    if "u" not in flags and not text.isascii():
        return f"{shown(text)} needs Unicode: leave `(?-u)` away"
    if _PERHAPS_EMPTY.search(text):
        known = "".join(sorted(flags & frozenset("ix"))) + ("" if "u" in flags else "-u")
        if _matches_no_character(f"(?s{known})" + text):
            return f"{shown(text)} stands for no character, which is not allowed"
    return ""


def _matches_no_character(pattern: str) -> bool:
    """Whether a class matches no character, found out by matching it against all characters."""
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")).validate_python(
            _every_character()
        )
    except ValidationError:
        return True
    except SchemaError:
        return False
    return False


@lru_cache(maxsize=1)
def _every_character() -> str:
    everything = array("I", range(0xD800))
    everything.extend(range(0xE000, 0x110000))
    return everything.tobytes().decode("utf-32")
