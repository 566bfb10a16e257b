"""The look of `install` at the cluster: the lines of `check --pre` that its settings depend on. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from webhook.diagnosis.check import kubernetes, linkerd
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Line
from webhook.diagnosis.finding import CheckFinding
from webhook.diagnosis.installation import checks, prerequisites
from webhook.diagnosis.installation.extensions import ExtensionFlags
from webhook.diagnosis.installation.releaseline import release_line
from webhook.diagnosis.unseen import NotAsked, Unseen
from webhook.mesh.releases import Line as ReleaseLine

# Whether the user may create objects is asked by `check --pre` alone: somebody else may apply what is printed.
LINES: Final[tuple[Line, ...]] = (
    kubernetes.version,
    linkerd.crds,
    linkerd.linkerd_config,
    linkerd.trust_roots,
    *checks.LINES,
    *prerequisites.LINES,
)


@dataclass(frozen=True, slots=True)
class Look:
    """What was found, notes among it, at the API server `host`. `unseen` is why something could not be looked at, a
    sentence each; `release_line` is Linkerd's, where it is known; `extensions` are the flags for its extensions."""

    findings: tuple[CheckFinding, ...]
    host: str = ""
    unseen: tuple[str, ...] = ()
    release_line: ReleaseLine | None = None
    extensions: ExtensionFlags = field(default_factory=ExtensionFlags)


def look(facts: ClusterFacts) -> Look:
    """What prevents the installation from working (errors), and further information (notes)."""
    if facts.problem:
        return Look((), facts.host, (facts.problem,))
    findings: list[CheckFinding] = []
    missed: list[str] = []
    for line in LINES:
        try:
            findings.extend(line.judge(facts, line.check))
        except Unseen as unseen:
            if not isinstance(unseen.fact, NotAsked):
                missed.append(str(unseen))
    detected = release_line(facts)
    line_in_force = detected.line if detected is not None else None
    return Look(tuple(findings), facts.host, tuple(dict.fromkeys(missed)), line_in_force)
