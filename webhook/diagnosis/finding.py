"""What a check of a cluster reports: one form for every check, as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

JSON = dict[str, Any]


class CheckSeverity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Something does not work, or would not: commands refuse, or exit with 1."""
    WARNING = "warning"
    """Something works now and will not for long, or works in part."""
    NOTE = "note"
    """Worth knowing; nothing is broken."""


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One thing that a check reports about one object.

    `code` names the check (kebab-case) and never changes. `object` is `Kind NAMESPACE/NAME`, or `Kind NAME` where it
    has no namespace, or a file. `field` is the field's path in the object, "" for the object as a whole, and `value`
    is what stands there, "" where that is not shown. `message` says what is wrong, `fix` what to do, "" for nothing.
    """

    code: str
    severity: CheckSeverity
    object: str
    field: str
    message: str
    fix: str = ""
    value: str = ""

    def text(self) -> str:
        """Where it is and what is wrong: `Secret linkerd/mine: data[tls.crt]: has expired`."""
        place = f"{self.field} {self.value}".strip()
        return ": ".join(part for part in (self.object, place, self.message) if part)

    def line(self) -> str:
        """The text, and after a colon what to do."""
        return f"{self.text()}: {self.fix}" if self.fix else self.text()

    def as_json(self) -> JSON:
        """All of it, one key a field."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "object": self.object,
            "field": self.field,
            "value": self.value,
            "message": self.message,
            "fix": self.fix,
        }


@dataclass(frozen=True, slots=True)
class Check:
    """A check, by the code that its findings carry; `passes` says what is so when it finds nothing."""

    code: str
    passes: str

    def error(self, where: str, field: str, message: str, fix: str = "", value: str = "") -> CheckFinding:
        """A finding about something that does not work."""
        return CheckFinding(self.code, CheckSeverity.ERROR, where, field, message, fix, value)

    def warning(self, where: str, field: str, message: str, fix: str = "", value: str = "") -> CheckFinding:
        """A finding about something that will not work for long, or works in part."""
        return CheckFinding(self.code, CheckSeverity.WARNING, where, field, message, fix, value)

    def note(self, where: str, field: str, message: str, fix: str = "", value: str = "") -> CheckFinding:
        """A finding that is only worth knowing."""
        return CheckFinding(self.code, CheckSeverity.NOTE, where, field, message, fix, value)

    def again(self, finding: CheckFinding) -> CheckFinding:
        """A finding of another check as one of this check: what is wrong is judged once, and told by both."""
        return replace(finding, code=self.code)


def lines(findings: Iterable[CheckFinding]) -> list[str]:
    """A line for each finding; those that say the same of several objects share one, which names all of them."""
    alike: dict[tuple[str, str, str, str, str], list[CheckFinding]] = {}
    for finding in findings:
        key = (finding.code, finding.field, finding.value, finding.message, finding.fix)
        alike.setdefault(key, []).append(finding)
    return [replace(same[0], object=_objects(same)).line() for same in alike.values()]


def _objects(findings: list[CheckFinding]) -> str:
    """The objects, with each kind named once where several of it follow each other."""
    named: list[str] = []
    last = ""
    for finding in findings:
        kind, _, name = finding.object.partition(" ")
        named.append(name if kind == last and name else finding.object)
        last = kind
    return ", ".join(named)


def errors(findings: Iterable[CheckFinding]) -> list[CheckFinding]:
    """Those that are errors, in their order."""
    return [finding for finding in findings if finding.severity is CheckSeverity.ERROR]


def notes(findings: Iterable[CheckFinding]) -> list[CheckFinding]:
    """Those that are not errors, in their order."""
    return [finding for finding in findings if finding.severity is not CheckSeverity.ERROR]
