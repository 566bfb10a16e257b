"""Findings: what a check reports about a field of an object, and by which rule."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

Path = tuple[str | int, ...]

# The most characters of a value that a message shows, and of a word for which similar words are searched.
_SHOWN = 80
_COMPARED = 100


class Severity(StrEnum):
    """What a finding means for the object."""

    ERROR = "error"
    """The webhook refuses it, as Linkerd's does."""
    SCHEMA = "schema"
    """Only the CRD's schema forbids it: the webhook warns, and `validate` counts it as an error."""
    WARNING = "warning"
    """Valid, but probably not intended: never refused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `id` never changes, as annotations that silence warnings refer to it. `reason` is the reason of the cause
    in a Status (a `CauseType` of meta/v1, such as `FieldValueInvalid`). `summary` describes it in the table of rules.
    https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#CauseType"""

    id: str
    severity: Severity
    reason: str
    summary: str

    def at(self, path: Path, message: str, annotation: str = "") -> Finding:
        """A finding of this rule at a field. `annotation` is the key of the annotation it is about, "" for none."""
        return Finding(self, path, message, self.severity, annotation)


RULES: dict[str, Rule] = {}


def declare(identifier: str, severity: Severity, reason: str, summary: str) -> Rule:
    """Declare a rule, at the top of the module that applies it. Raises `ValueError` if it is declared already."""
    if identifier in RULES:
        raise ValueError(f"rule {identifier} is declared twice")
    rule = RULES[identifier] = Rule(identifier, severity, reason, summary)
    return rule


class Finding(NamedTuple):
    """What a check reports about a field.

    `path` leads from the object's root to the field, which need not exist; () is the object as a whole. `message` is a
    sentence that can be read without the path: it names the value, what is allowed and what to write. `severity` is the
    rule's, except for kinds whose objects are stored although they cannot be read. `annotation` is the key of the
    annotation that the finding is about, on the object or on its Namespace; "" for none.
    """

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
        """The field and the message in one line."""
        return f"{self.field}: {self.message}" if self.path else self.message

    @property
    def warning(self) -> str:
        """The warning that `kubectl` prints: the message, the field unless the message names it, and the rule's id."""
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
    """The findings sorted by severity, those of one severity in their order."""
    return sorted(findings, key=lambda finding: _ORDER[finding.severity])


def show(value: Any) -> str:
    """A value as JSON, shortened for a message."""
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
