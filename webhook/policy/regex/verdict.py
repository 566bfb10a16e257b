"""The verdict on a regular expression by the proxy's engine, Rust's `regex`, which is part of pydantic's core.

A verdict is a text: empty, or one line that says what is wrong with an expression, where, and what to write instead.
This module imports little, as a worker process runs it alone.
"""

from __future__ import annotations

import re

from pydantic_core import SchemaError, SchemaValidator, core_schema

from webhook.policy.regex.older_engine import refused_before
from webhook.policy.regex.tokens import shown


def verdict(pattern: str, *, old: bool = False) -> str:
    """What is wrong with a pattern, "" for a valid one. Compiling it may take seconds.

    `old`: for the older engine, of release lines that lack the row `ROW` of `webhook.policy.regex.judge`.
    """
    complaint = _complaint(pattern)
    if complaint:
        return f"{shown(pattern)} is not a regular expression that the proxy can read: {explain(pattern, complaint)}"
    refused = refused_before(pattern) if old else ""
    if refused:
        return (
            f"{shown(pattern)} is not a regular expression that the proxy of this Linkerd version can read: {refused}"
        )
    return ""


def _complaint(pattern: str) -> str:
    """The error message of the engine, which may have several lines; "" for a valid pattern."""
    try:
        SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as error:
        return str(error).partition("SchemaError: ")[2] or str(error)
    return ""


# The marks that the engine puts below the pattern: carets, and the lines and columns of an error in several lines.
_CARETS = re.compile(r" +\^[ ^]*")
_SPAN = re.compile(r"on line (\d+) \(column (\d+)\)")


def explain(pattern: str, complaint: str) -> str:
    """The engine's error message about a pattern, in one line: what is wrong, where, and what to write."""
    head, separator, what = complaint.rpartition("error: ")
    if not separator:
        return _unlocated(complaint)
    line, column, length = _place(head)
    text = pattern.split("\n")[line - 1] if line else ""
    fault = text[column - 1 : column - 1 + length]
    where = f"line {line}, column {column}" if "\n" in pattern else f"column {column}"
    near = f", {shown(fault)}" if fault else ""
    hint = _hint(what, text, column - 1, fault)
    return f"{what} ({where}{near}){'; ' if hint else ''}{hint}"


def _unlocated(complaint: str) -> str:
    if "exceeds size limit" in complaint:
        return (
            "compiled, it exceeds the size limit of 10 MiB; lower its counted repetitions, "
            r"or use `[0-9]` and `[A-Za-z0-9_]` in place of `\d` and `\w`, which stand for all of Unicode"
        )
    return " ".join(complaint.split())[:200]


def _place(head: str) -> tuple[int, int, int]:
    """The line, column and length of the last error that the engine marks. The line is 0 where it marks none."""
    lines = head.split("\n")
    spans = _SPAN.search(lines[-2]) if len(lines) > 1 else None
    if spans:
        return int(spans[1]), int(spans[2]), 1
    for index in range(len(lines) - 1, 0, -1):
        if _CARETS.fullmatch(lines[index]):
            last = lines[index].rstrip().rfind(" ") + 1
            number, colon, _ = lines[index - 1].partition(": ")
            # If the pattern has several lines, the number of the line comes before each of them.
            if colon and number.strip().isdigit() and "~~~" in head:
                return int(number), last - len(number) - 1, len(lines[index].rstrip()) - last
            return 1, last - 3, len(lines[index].rstrip()) - last
    return 0, 0, 0


_ESCAPES = {
    r"\Z": r"for the end of the text write `\z`",
    r"\h": r"for a blank write `[ \t]`",
    r"\e": r"for an escape character write `\x1B`",
    r"\R": r"for the end of a line write `\r?\n`",
    r"\K": "the engine does not have it: leave it out",
    r"\G": "the engine does not have it: leave it out",
    r"\Q": "the engine cannot quote a run of characters: escape each by a backslash",
    r"\E": "the engine cannot quote a run of characters: escape each by a backslash",
}

# The first of these that occurs in the engine's message gives the hint.
_HINTS = {
    "look-around": "the proxy matches the whole value: write what must be there, or split the match in two",
    "backreferences": "write out what is to be repeated",
    "missing expression": "`*`, `+` and `?` repeat what stands before them: for anything write `.*`",
    "unclosed group": r"for a parenthesis itself write `\(`",
    "unopened group": r"for a parenthesis itself write `\)`",
    "unclosed character class": r"for a bracket itself write `\[`",
    "unclosed counted repetition": r"for a brace itself write `\{`",
    "invalid UTF-8": "leave `(?-u)` away",
    "incomplete escape sequence": r"for a backslash itself write `\\`",
    "unrecognized flag": "the flags are i, m, s, R, U, u and x",
    "duplicate capture group name": "give each group a name of its own, or none: `(…)`",
    "nesting limit": "nest fewer groups and classes",
}

_BRACES = re.compile(r"\{([^{}]*)\}")


def _hint(what: str, text: str, at: int, fault: str) -> str:
    if what.startswith("unrecognized escape"):
        return _ESCAPES.get(fault, r"leave the backslash away, or write `\\` for a backslash itself")
    if "valid decimal" in what:
        return _brace_hint(text, at)
    return next((hint for words, hint in _HINTS.items() if words in what), "")


def _brace_hint(text: str, at: int) -> str:
    """What to write in place of braces that are not a counted repetition."""
    braces = _BRACES.search(text, text.rfind("{", 0, at + 1) if "{" in text[: at + 1] else 0)
    inner = braces[1].strip() if braces else ""
    if inner[:1] == "," and inner[1:].strip().isdigit():
        return f"for at most so many write `{{0,{inner[1:].strip()}}}`"
    return r"braces are not a placeholder: for one segment of a path write `[^/]+`, for a brace itself `\{`"
