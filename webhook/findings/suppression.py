"""The annotation `linkerd-webhook/ignore`, which silences warnings about an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from webhook.findings.finding import RULES, Finding, Severity, declare, show, suggest

# Its value is a list of rule ids, separated by commas.
ANNOTATION: Final = "linkerd-webhook/ignore"

UNKNOWN_RULE = declare(
    "ignore-unknown-rule",
    Severity.WARNING,
    "FieldValueNotSupported",
    f"The annotation {ANNOTATION} names a rule that does not exist, or one whose findings are errors.",
)


# Whether the rules of every kind are declared. A process that checks only Pods does not load those of policies.
_complete = False


def all_are_declared() -> None:
    """Report unknown rules in the annotation from now on, as the rules of every kind are declared."""
    global _complete
    _complete = True


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
        if rule is None and not _complete:
            continue
        if rule is None:
            kept.append(
                UNKNOWN_RULE.at(path, f"{ANNOTATION} names {show(name)}, which is not a rule{suggest(name, RULES)}")
            )
        elif rule.severity is not Severity.WARNING:
            kept.append(
                UNKNOWN_RULE.at(
                    path,
                    f"{ANNOTATION} names {show(name)}, which is an error and cannot be silenced: correct the object",
                )
            )
    return kept
