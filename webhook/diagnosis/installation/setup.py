"""Lines about whoever installs, and when: may they create all of it, and do the clocks agree? Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import OUT_OF_PLACE, Line, Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import Unseen, seen
from webhook.install.objects.all import OBJECTS

AHEAD: Final = timedelta(minutes=5)

# Kinds of all that `install` prints, with whatever settings, in the order in which they are applied.
KINDS: Final = tuple(dict.fromkeys(str(template.tree["kind"]) for template in OBJECTS))
_CLUSTER_WIDE: Final = ("ClusterRole", "ClusterRoleBinding")


def _may_create(kind: str) -> Line:
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    hint = "pre-k8s-cluster-k8s" if kind in _CLUSTER_WIDE else "pre-k8s"

    @line(Section.SETUP, "pre-create", f"can create {plural}", hint=hint)
    def may_create(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
        """Whether the user may create the objects of this kind."""
        reviews = seen(facts.setup).reviews.get(kind)
        if not reviews:
            raise Unseen(OUT_OF_PLACE)
        for review in reviews:
            if not seen(review.allowed):
                within = f" in namespace {review.namespace}" if review.namespace else ""
                fix = f"grant create on {review.resource}{within} to this user, or have an administrator apply it"
                for where in review.objects:
                    yield check.error(where, "", "this user may not create it", fix)

    return may_create


MAY_CREATE: Final[tuple[Line, ...]] = tuple(map(_may_create, KINDS))


@line(Section.SETUP, "clock-skew", "no clock skew detected", hint="pre-k8s-clock-skew")
def clock_skew(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether a Node's clock is ahead of the one here: what it signs is not yet valid for others."""
    for name, moment in seen(seen(facts.setup).heartbeats).items():
        if moment - facts.at > AHEAD:
            minutes = round((moment - facts.at).total_seconds() / 60)
            yield check.warning(
                f"Node {name}",
                "status.conditions[Ready].lastHeartbeatTime",
                f"is {minutes} minutes ahead of the clock of this machine: a certificate that is issued there is not "
                "valid here yet",
                "set both clocks by NTP",
                f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            )
