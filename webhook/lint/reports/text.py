"""Writes findings for people: one line for each, with a place that editors and terminals can open."""

from __future__ import annotations

from webhook.lint.check import Reported, Result

_BOLD, _RED, _YELLOW, _DIM, _END = "\x1b[1m", "\x1b[31;1m", "\x1b[33;1m", "\x1b[2m", "\x1b[0m"
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def write(result: Result, *, colour: bool = False) -> str:
    """One line for each finding: `file:line:column: error rule Kind/namespace/name field: message`."""
    return "".join(f"{_line(one, colour=colour)}\n" for one in result.findings)


def _line(one: Reported, *, colour: bool) -> str:
    place = f"{one.file}:{one.line}:{one.column}:" if one.line else f"{one.file}:"
    subject = " ".join(filter(None, (str(one.object or ""), one.field)))
    words = place, one.level, one.rule.id, f"{subject}:" if subject else "", one.message
    # Control characters in a manifest must not reach the terminal.
    place, level, rule, subject, message = (word.translate(_CONTROLS) for word in words)
    if colour:
        place, rule = f"{_BOLD}{place}{_END}", f"{_DIM}{rule}{_END}"
        level = f"{_RED if one.is_error else _YELLOW}{level}{_END}"
    return " ".join(filter(None, (place, level, rule, subject, message)))


def summary(result: Result) -> str:
    """One line with the numbers of errors, warnings and objects."""
    parts = [_count(result.errors, "error"), _count(result.warnings, "warning")]
    if result.unreadable:
        parts.append(f"{result.unreadable} unreadable")
    others = f"; {result.passed_over} of other kinds passed over" if result.passed_over else ""
    return f"{', '.join(parts)} in {_count(result.checked, 'object')} checked{others}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
