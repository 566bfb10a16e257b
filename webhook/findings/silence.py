"""Warnings that somebody has read and does not want to read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from webhook.findings.finding import RULES, Finding, Severity, declare, show, suggest

# On an object: the identifiers of the rules whose warnings about it are not wanted, separated by commas.
ANNOTATION: Final = "linkerd-webhook/ignore"

UNKNOWN_RULE = declare(
    "ignore-unknown-rule",
    Severity.WARNING,
    "FieldValueNotSupported",
    f"The annotation {ANNOTATION} names a rule that there is not, or one whose findings are no warnings.",
)


def silenced(findings: Sequence[Finding], annotations: Mapping[str, Any]) -> list[Finding]:
    """The findings without the warnings that the object's annotations silence. Errors cannot be silenced."""
    text = annotations.get(ANNOTATION)
    if not isinstance(text, str):
        return list(findings)
    names = [name for name in (part.strip() for part in text.split(",")) if name]
    silent = set(names)
    kept = [f for f in findings if f.severity is not Severity.WARNING or f.rule.id not in silent]
    path = ("metadata", "annotations", ANNOTATION)
    for name in names:
        rule = RULES.get(name)
        if rule is None:
            kept.append(UNKNOWN_RULE.at(path, f"{show(name)} is no rule{suggest(name, RULES)}"))
        elif rule.severity is not Severity.WARNING:
            kept.append(
                UNKNOWN_RULE.at(path, f"{show(name)} is no warning, so it cannot be silenced: correct the object")
            )
    return kept
