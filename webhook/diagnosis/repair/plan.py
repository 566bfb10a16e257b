"""Which workloads a restart mends, and what none does: of what `check` tells as `unmeshed` and `outdated`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from webhook.diagnosis.dataplane.survey import DataPlane, Plight
from webhook.diagnosis.dataplane.workloads import Owner, Remedy

JSON = dict[str, Any]

Result = Literal["todo", "done", "failed", "skipped"]

# Why a workload is restarted, as JSON names it.
_WHY: Final = {"unmeshed": "unmeshed", "outdated": "drifted"}


@dataclass(slots=True)
class Restart:
    """A workload to restart. `pods` is how many of its Pods are concerned, `about` what is wrong with them; `message`
    says what became of it, "" where there is nothing to say."""

    owner: Owner
    why: str
    pods: int
    about: str
    command: str
    result: Result = "todo"
    message: str = ""

    def as_json(self) -> JSON:
        """All of it, for programs."""
        return {
            "object": self.owner.object,
            "why": self.why,
            "pods": self.pods,
            "command": self.command,
            "result": self.result,
            "message": self.message or self.about,
        }


@dataclass(frozen=True, slots=True)
class Other:
    """What no restart mends, and what to do about it."""

    object: str
    why: str
    advice: str

    def as_json(self) -> JSON:
        """All of it, for programs."""
        return {"object": self.object, "why": self.why, "advice": self.advice}


@dataclass(slots=True)
class RepairPlan:
    """What is to be mended: `workloads` by restarts, in this order, `others` by somebody."""

    workloads: list[Restart] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)

    @property
    def mended(self) -> bool:
        """Whether there is nothing left to mend."""
        return not self.others and all(restart.result == "done" for restart in self.workloads)

    def as_json(self) -> JSON:
        """All of it, for programs."""
        return {
            "workloads": [restart.as_json() for restart in self.workloads],
            "others": [other.as_json() for other in self.others],
        }

    def skip(self, message: str) -> None:
        """Leave what is still to be done, for this reason."""
        for restart in self.workloads:
            if restart.result == "todo":
                restart.result, restart.message = "skipped", message


def plan(pods: DataPlane, spared: Collection[str] = ()) -> RepairPlan:
    """What is to be mended of these Pods, each workload once: without a proxy counts more than with another one.

    `spared` are Namespaces in which nothing is restarted, such as Linkerd's own.
    """
    by_owner: dict[Owner, list[Plight]] = {}
    for plight in (*pods.unmeshed, *pods.outdated):
        by_owner.setdefault(plight.owner, []).append(plight)
    out = RepairPlan()
    for owner in sorted(by_owner, key=lambda owner: (owner.namespace, owner.name, owner.kind)):
        plights = by_owner[owner]
        first = plights[0]
        about = "; ".join(plight.message for plight in plights)
        if owner.namespace in spared:
            advice = f"nothing is restarted in Namespace {owner.namespace}: do it yourself, {first.advice.line()}"
            out.others.append(Other(owner.object, about, advice))
        elif first.remedy is Remedy.RESTART:
            count = sum(plight.pods for plight in plights)
            out.workloads.append(Restart(owner, _WHY[first.why], count, about, first.advice.command))
        else:
            out.others.append(Other(owner.object, about, first.advice.line()))
    if pods.more:
        message = f"{pods.more} more workloads have Pods without a proxy, or with another one than they would get now"
        out.others.append(
            Other("workloads that are not listed", message, "run repair again, or look with -n NAMESPACE")
        )
    return out


def names(restarts: Iterable[Restart]) -> str:
    """The workloads, for a sentence."""
    return ", ".join(restart.owner.object for restart in restarts)
