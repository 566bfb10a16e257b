"""The parts of a ServiceProfile (linkerd.io/v1alpha2), and what our validator thinks of one.

How routes are named and their paths written is Linkerd's (linkerd2, `pkg/profiles`), so that metrics keep their labels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.cluster.interface import NothingKnown
from webhook.findings.finding import Finding
from webhook.mesh.releases import NEWEST, line
from webhook.policy.regex.judge import judge_inline
from webhook.policy.serviceprofile.check import check

_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
_PARAMETER: Final = re.compile(r"\\\{[^}]*\\\}")


class Unreadable(Exception):
    """A file does not hold what a ServiceProfile can be made of: `line` (from 1; 0 for the file as a whole) and why."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Target:
    """The Service that a ServiceProfile is for."""

    service: str
    namespace: str
    cluster_domain: str = "cluster.local"

    @property
    def name(self) -> str:
        """The name that Linkerd looks for."""
        return f"{self.service}.{self.namespace}.svc.{self.cluster_domain}"


@dataclass(slots=True)
class Routes:
    """The routes of a file in their order, and notes about what it has that a ServiceProfile does not take: pairs of a
    line and a message."""

    routes: list[dict[str, Any]] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)

    def note(self, line: int, message: str) -> None:
        """Add a note."""
        self.notes.append((line, message))


def service_profile(target: Target, routes: list[dict[str, Any]]) -> dict[str, Any]:
    """A ServiceProfile with these routes."""
    return {
        "apiVersion": "linkerd.io/v1alpha2",
        "kind": "ServiceProfile",
        "metadata": {"name": target.name, "namespace": target.namespace},
        "spec": {"routes": routes} if routes else {},
    }


def quoted(text: str) -> str:
    """A regular expression that matches this text alone, with the escapes that Go's `regexp.QuoteMeta` writes."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def path_regex(path: str) -> str:
    """A regular expression for a path with parameters: `/books/{id}` is `/books/[^/]*`."""
    return _PARAMETER.sub("[^/]*", quoted(path))


def findings(profile: dict[str, Any]) -> list[Finding]:
    """What our validator, for Linkerd's newest release, finds wrong with a ServiceProfile."""
    return check(profile, line=line(NEWEST), catalog=NothingKnown(), judge=judge_inline)
