"""What a check has to say about an object: which rule, at which field, in words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

Path = tuple[str | int, ...]

# How much of a value a message shows, and how long a word may be that is compared with others.
_SHOWN = 80
_COMPARED = 100


class Severity(StrEnum):
    """What becomes of an object with such a finding."""

    ERROR = "error"
    """The webhook refuses it, as Linkerd's does."""
    SCHEMA = "schema"
    """Only the CRD's schema forbids it: the webhook warns, and `validate` counts it as an error."""
    WARNING = "warning"
    """Legal, and likely not what was meant: never refused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `id` never changes: people silence warnings by it. `reason` is what a cause of a Status carries
    (`FieldValueInvalid` and its like, meta/v1 `CauseType`). `summary` is its line in the table of rules."""

    id: str
    severity: Severity
    reason: str
    summary: str

    def at(self, path: Path, message: str, annotation: str = "") -> Finding:
        """A finding of this rule at a field, about the value of an annotation where that is named."""
        return Finding(self, path, message, self.severity, annotation)


RULES: dict[str, Rule] = {}


def declare(identifier: str, severity: Severity, reason: str, summary: str) -> Rule:
    """Declare a rule, once, at the top of the module that applies it. Raises `ValueError` for an identifier twice."""
    if identifier in RULES:
        raise ValueError(f"rule {identifier} is declared twice")
    rule = RULES[identifier] = Rule(identifier, severity, reason, summary)
    return rule


class Finding(NamedTuple):
    """One thing to say. `path` leads from the object's root to the field, which need not exist; it is empty for what
    concerns the whole object or stands outside of it. The message is a sentence that can be read alone, before the
    field: it names the value, what is allowed and what to write. The severity is the rule's, but where a kind is
    lenient. `annotation` is the key of the one whose value it is about, on the object itself or on its Namespace; empty
    for what is about something else."""

    rule: Rule
    path: Path
    message: str
    severity: Severity
    annotation: str = ""

    @property
    def field(self) -> str:
        """The field as Kubernetes writes it, `spec.networks[1].except[0]`."""
        return render_path(self.path)

    @property
    def text(self) -> str:
        """Field and message, for a line of its own."""
        return f"{self.field}: {self.message}" if self.path else self.message

    @property
    def warning(self) -> str:
        """What `kubectl` prints: the sentence, the field unless the sentence names it, and the rule's identifier."""
        sentence = " ".join(self.message.split())
        last = self.path[-1] if self.path else ""
        named = not self.path or (isinstance(last, str) and "/" in last and last in sentence) or self.field in sentence
        return f"{sentence} ({self.rule.id})" if named else f"{sentence} [{self.field}] ({self.rule.id})"


def render_path(path: Path) -> str:
    """A path in Kubernetes' notation: `spec.rules[0].matches`, `metadata.annotations[linkerd.io/inject]`."""
    text = ""
    for key in path:
        part = show(key)[1:-1] if isinstance(key, str) and not key.isprintable() else key
        if isinstance(part, int) or "." in part or "/" in part or "[" in part or not part:
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


_ORDER = {severity: position for position, severity in enumerate(Severity)}


def errors_first(findings: list[Finding]) -> list[Finding]:
    """The findings by severity, else in the order in which they came."""
    return sorted(findings, key=lambda finding: _ORDER[finding.severity])


def show(value: Any) -> str:
    """A value as it stands in the object, shortened for a message."""
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        # Nested too deeply, or a number of too many digits.
        text = "something nested" if isinstance(value, dict | list) else "a number"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def suggest(value: Any, allowed: Iterable[str]) -> str:
    """` (did you mean "HTTP/1"?)` where one of `allowed` is close to `value`, else the empty string."""
    if not isinstance(value, str) or len(value) > _COMPARED:
        return ""
    by_folded = {name.casefold(): name for name in allowed}
    close = difflib.get_close_matches(value.strip().casefold(), by_folded, n=1, cutoff=0.6)
    return f' (did you mean "{by_folded[close[0]]}"?)' if close else ""
