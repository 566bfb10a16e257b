"""The line about whether anything is installed, on which all lines about the server depend."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installation import Installation, elsewhere
from webhook.diagnosis.check.line import Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import NotAsked, Unseen, known, seen
from webhook.install.render import NEWEST
from webhook.kube.fields import text
from webhook.kube.interface import JSON

NOT_INSTALLED: Final = "linkerd-webhook is not installed"
_INSTALL: Final = "linkerd-webhook install --image REPOSITORY:TAG | kubectl apply -f -"


def needed(facts: ClusterFacts) -> Installation:
    """The installation. Raises `Unseen`, by which a line is skipped, where there is none."""
    installation = facts.installation
    if installation is None:
        raise Unseen(NotAsked(NOT_INSTALLED))
    if not isinstance(installation, Installation):
        raise Unseen(NotAsked("it is not known whether linkerd-webhook is installed"))
    return installation


def kubernetes(facts: ClusterFacts) -> tuple[int, int]:
    """The version (major, minor) of the API server; the newest that is known, where it reports none."""
    version = known(facts.version, {})
    numbers = [re.match(r"\d+", text(version, key)) for key in ("major", "minor")]
    major, minor = (int(match[0]) if match else -1 for match in numbers)
    return (major, minor) if min(major, minor) >= 0 else NEWEST


def printed(facts: ClusterFacts, installation: Installation) -> list[JSON]:
    """The objects that `install` prints with the settings of the installation, for this API server."""
    return installation.rendered(kubernetes(facts)).objects


@line(
    Section.CONFIG,
    "installed",
    "linkerd-webhook is installed",
    hint="https://linkerd.io/2/features/proxy-injection/",
)
def installed(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the server is installed in Linkerd's Namespace, in whatever way."""
    if seen(facts.installation) is not None:
        return
    others = elsewhere(known(facts.configurations, {}), facts.namespace)
    within = f"--linkerd-namespace {facts.namespace} " if facts.namespace != "linkerd" else ""
    fix = f"to install it, run {_INSTALL.replace('install ', f'install {within}', 1)}"
    if others:
        fix = f"it is in Namespace {', '.join(others)}: pass --linkerd-namespace {others[0]}"
    yield check.warning(f"Namespace {facts.namespace}", "", NOT_INSTALLED, fix)
