"""What makes the Pods of a workload anew, so that they come out with the proxy that they should have. Pure."""

from __future__ import annotations

from typing import NamedTuple

from webhook.diagnosis.dataplane.workloads import Owner, Remedy


class Advice(NamedTuple):
    """What to do, as a phrase, and the command to paste, "" where there is none."""

    text: str
    command: str = ""

    def line(self) -> str:
        """Both in one."""
        return f"{self.text}: {self.command}" if self.command else self.text


def advice(owner: Owner, remedy: Remedy, pod: str = "") -> Advice:
    """What makes an owner's Pods anew. `pod` is the name of one of them, for what works Pod by Pod."""
    kubectl, kind = f"kubectl -n {owner.namespace}", owner.kind.lower()
    restart = f"{kubectl} rollout restart {kind}/{owner.name}"
    delete = f"{kubectl} delete pod {pod or 'POD'}"
    match remedy:
        case Remedy.RESTART:
            return Advice("restart it", restart)
        case Remedy.PAUSED:
            return Advice(
                "it is paused, so resume it first, and then restart it",
                f"{kubectl} rollout resume {kind}/{owner.name} && {restart}",
            )
        case Remedy.ON_DELETE:
            return Advice("its update strategy is OnDelete, so delete each of its Pods to restart it", delete)
        case Remedy.PARTITION:
            return Advice(
                "a restart reaches only the Pods from its partition on, so delete each of the other Pods to restart "
                "them",
                delete,
            )
        case Remedy.DELETE:
            return Advice(f"delete each of its Pods to restart it: the {owner.kind} makes new ones", delete)
        case Remedy.BARE:
            return Advice(
                "nothing makes it anew: create it again from its manifest",
                f"{kubectl} replace --force -f FILE",
            )
        case Remedy.JOB:
            return Advice("a Job runs once: let it end, or delete it and create it again from its manifest")
        case Remedy.CRON_JOB:
            return Advice("the Pods of its next run are made anew: nothing else has to be restarted")
        case Remedy.MANUAL:
            return Advice(
                "its Pod template has the proxy itself, so a restart changes nothing: inject it anew with "
                "`linkerd inject --manual`, or take the proxy out of the template and leave it to the injector"
            )
    return Advice(f"restart it by what controls it, {owner.kind} {owner.name}")
