"""Judges the lines of a scope by the facts: what each says, and which could not be judged. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import OUT_OF_PLACE, Line, Scope
from webhook.diagnosis.finding import CheckFinding, CheckSeverity
from webhook.diagnosis.internal import internal_error
from webhook.diagnosis.unseen import NotAsked, NotRead, NotSeen, Unseen

_GRAVEST: Final = (CheckSeverity.ERROR, CheckSeverity.WARNING)


@dataclass(frozen=True, slots=True)
class LineResult:
    """What a line says: `findings` are its errors and warnings, none where all is well."""

    line: Line
    findings: tuple[CheckFinding, ...] = ()

    @property
    def severity(self) -> CheckSeverity | None:
        """That of its gravest finding, None where all is well."""
        severities = {finding.severity for finding in self.findings}
        return next((severity for severity in _GRAVEST if severity in severities), None)


class Skipped(NamedTuple):
    """A line that could not be judged, and why."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All that was judged, in order. `release_line` is Linkerd's, "" where it is not known."""

    results: tuple[LineResult, ...]
    skipped: tuple[Skipped, ...]
    release_line: str = ""

    @property
    def success(self) -> bool:
        """Whether there is no error."""
        return not self._has(CheckSeverity.ERROR)

    @property
    def warned(self) -> bool:
        """Whether there is a warning."""
        return self._has(CheckSeverity.WARNING)

    def holds(self, *, strict: bool) -> bool:
        """Whether there is no error, and if it is `strict` no warning either."""
        return self.success and not (strict and self.warned)

    @property
    def awaited(self) -> tuple[str, ...]:
        """The codes of the lines that failed and may come right by themselves."""
        failed = (result.line for result in self.results if result.severity is CheckSeverity.ERROR)
        return tuple(line.code for line in failed if line.awaited)

    def _has(self, severity: CheckSeverity) -> bool:
        return any(result.severity is severity for result in self.results)


class Suppression(NamedTuple):
    """A finding that nobody wants to be told: the line's code, and where it must be so (`NAMESPACE` or
    `NAMESPACE/NAME`, each may have `*`), "" for everywhere."""

    code: str
    place: str = ""

    @classmethod
    def parse(cls, text: str) -> Suppression:
        """`CODE[=NAMESPACE[/NAME]]`."""
        code, _, place = text.partition("=")
        return cls(code, place)

    def covers(self, finding: CheckFinding) -> bool:
        """Whether it is this finding."""
        if finding.code != self.code:
            return False
        kind, _, name = finding.object.partition(" ")
        namespace, slash, name = name.partition("/") if "/" in name else ("", "", name)
        if kind == "Namespace" and not slash:
            namespace = name
        if not self.place:
            return True
        within, _, called = self.place.partition("/")
        return fnmatch.fnmatchcase(namespace or name, within) and (not called or fnmatch.fnmatchcase(name, called))


def judge(lines: Iterable[Line], facts: ClusterFacts, suppressions: Sequence[Suppression] = ()) -> CheckReport:
    """What these lines say, those of the facts' scope."""
    results: list[LineResult] = []
    skipped: list[Skipped] = []
    for line in lines:
        if facts.scope not in line.scopes:
            continue
        findings: list[CheckFinding] = []
        try:
            # Where a fact is missing in the middle, what was judged before counts.
            findings.extend(_in_scope(finding, line, facts.scope) for finding in line.judge(facts, line.check))
        except Unseen as unseen:
            fact = unseen.fact
            if fact == OUT_OF_PLACE and not findings:
                continue
            if not isinstance(fact, NotAsked) and not (line.optional and isinstance(fact, NotSeen)):
                findings += _unseen(line, unseen)
            elif not findings:
                skipped.append(Skipped(line.code, str(unseen)))
                continue
        except Exception as error:
            findings.append(line.check.error("", "", internal_error(error)))
        kept = [finding for finding in findings if finding.severity in _GRAVEST]
        kept = [finding for finding in kept if not any(one.covers(finding) for one in suppressions)]
        results.append(LineResult(line, tuple(kept)))
    # Lines that share a code, one for each kind of object, may share a reason.
    return CheckReport(tuple(results), tuple(dict.fromkeys(skipped)), facts.release_line)


def _in_scope(finding: CheckFinding, line: Line, scope: Scope) -> CheckFinding:
    if scope is Scope.PROXY and line.proxy_error and finding.severity is CheckSeverity.WARNING:
        return replace(finding, severity=CheckSeverity.ERROR)
    return finding


def _unseen(line: Line, unseen: Unseen) -> list[CheckFinding]:
    """The errors in place of a line whose facts could not be read."""
    fact = unseen.fact
    if isinstance(fact, NotRead):
        return [line.check.error("", "", fact.reason)]
    if isinstance(fact, NotAsked):
        return []
    return [
        line.check.error("", "", f"you may not {right.lost or f'{right.verb} {right.resource}'}", right.grant)
        for right in fact.missing
    ]
