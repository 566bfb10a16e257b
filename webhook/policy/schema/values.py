"""The findings of one object as they come in: so many and no more, errors before all."""

from __future__ import annotations

from typing import Final

from webhook.findings.finding import Finding, Rule
from webhook.policy.schema.godecode import Place, path_of

# As many of one severity as anybody reads: an object of ten megabytes can hold millions.
_ENOUGH: Final = 200


class Found:
    """A list of findings that is added to. Errors are never crowded out by the others."""

    __slots__ = ("_errors", "_warnings", "all", "full")

    def __init__(self, findings: list[Finding]) -> None:
        self.all = findings
        self._errors = self._warnings = _ENOUGH
        self.full = False
        """Whether there are so many errors that it makes no sense to look for more."""

    def refuse(self, rule: Rule, place: Place, message: str) -> None:
        """Add an error."""
        if self._errors:
            self._errors -= 1
            self.full = not self._errors
            self.all.append(rule.at(path_of(place), message))

    def warn(self, rule: Rule, place: Place, message: str) -> None:
        """Add a warning."""
        if self._warnings:
            self._warnings -= 1
            self.all.append(rule.at(path_of(place), message))
