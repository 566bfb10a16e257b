"""The state of checking one object: its findings so far, and the structures that were read.

A value that serde refuses is an error (`field-*`); one that only the CRD's schema forbids has the severity `schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.findings.finding import Finding, Path, Rule, Severity, declare
from webhook.mesh.releases import Line
from webhook.policy.regex.judge import Judge

MISSING = declare("field-missing", Severity.ERROR, "FieldValueRequired", "A required field is missing.")
TYPE = declare("field-type", Severity.ERROR, "FieldValueTypeInvalid", "A field has a value of the wrong type.")
ALLOWED = declare(
    "field-allowed", Severity.ERROR, "FieldValueNotSupported", "A field has a value that it does not allow."
)
RANGE = declare(
    "field-range",
    Severity.ERROR,
    "FieldValueInvalid",
    "A number or a time is outside of the range that its field allows.",
)

SCHEMA_MISSING = declare(
    "schema-missing", Severity.SCHEMA, "FieldValueRequired", "A field that the CRD requires is missing."
)
SCHEMA_TYPE = declare(
    "schema-type",
    Severity.SCHEMA,
    "FieldValueTypeInvalid",
    "A field has a value that Linkerd can read, but of a type that the CRD does not allow.",
)
SCHEMA_VALUE = declare(
    "schema-value",
    Severity.SCHEMA,
    "FieldValueInvalid",
    "A field has a value whose pattern, length or range the CRD does not allow.",
)
SCHEMA_DUPLICATE = declare(
    "schema-duplicate",
    Severity.SCHEMA,
    "FieldValueDuplicate",
    "A list has an item twice, and the CRD allows each item once.",
)
SCHEMA_UNKNOWN = declare(
    "schema-unknown",
    Severity.SCHEMA,
    "FieldValueForbidden",
    "The CRD does not know a field, and the API server drops it.",
)


Place = tuple[Any, str | int] | None
"""A place in a value: the place of the container and the key in it; None is the root. Unlike a path, it takes constant
time to extend at any depth."""


def path_of(place: Place) -> Path:
    """The path that leads to a place."""
    parts: list[str | int] = []
    while place is not None:
        place, part = place
        parts.append(part)
    return tuple(reversed(parts))


# How many errors, and how many other findings, are kept: an object of some megabytes may have thousands.
ENOUGH: Final = 200


@dataclass(slots=True)
class Reading:
    """An object that is being read: what its checks need to know, and their findings.

    `line` is the release line, and `judge` checks regular expressions. `namespace` and `annotations` are the object's.
    `errors` and `others` count the findings, including those that were not kept."""

    line: Line
    judge: Judge
    namespace: str = ""
    annotations: Mapping[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    broken: bool = False
    """Whether Linkerd could not decode a value."""
    aside: bool = False
    """Whether Linkerd does not read the field that is being read, so that only the CRD's schema applies."""

    errors: int = 0
    others: int = 0

    @property
    def full(self) -> bool:
        """Whether there are `ENOUGH` errors, so that looking for more is useless."""
        return self.errors >= ENOUGH

    def refuse(self, rule: Rule, path: Path, message: str) -> None:
        """Add a finding about a value that Linkerd cannot decode."""
        self.broken = True
        self.note(rule, path, message)

    def note(self, rule: Rule, path: Path, message: str) -> None:
        """Add a finding about a value that Linkerd can decode."""
        self.add(rule.at(path, message))

    def note_at(self, rule: Rule, place: Place, message: str) -> None:
        """As `note`, with a place, whose path is computed only if the finding is kept."""
        if self._keeps(rule.severity):
            self.findings.append(rule.at(path_of(place), message))

    def add(self, finding: Finding) -> None:
        """Add a finding, unless there are `ENOUGH` already."""
        if self._keeps(finding.severity):
            self.findings.append(finding)

    def _keeps(self, severity: Severity) -> bool:
        """Count a finding of this severity, and return whether to keep it. Errors are counted apart from the others."""
        if severity is Severity.ERROR:
            self.errors += 1
            return self.errors <= ENOUGH
        self.others += 1
        return self.others <= ENOUGH


class Node(dict[str, Any]):
    """A structure that was read: the fields that could be read, and its path. `bad` are the names of the other
    fields."""

    __slots__ = ("bad", "path")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.bad: tuple[str, ...] = ()

    def lacks(self, name: str) -> bool:
        """Whether a field is absent or null. False for a field that could not be read."""
        return self.get(name) is None and name not in self.bad

    def nodes(self, name: str) -> Sequence[Node]:
        """The items of a list of structures; empty where the list is absent or could not be read."""
        return self.get(name) or ()


class Bad:
    def __repr__(self) -> str:
        return "BAD"


BAD: Final = Bad()

Check = Callable[[Node, Reading], None]
