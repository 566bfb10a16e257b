"""What `repair` prints for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webhook.diagnosis.check.report import printable
from webhook.diagnosis.repair.plan import RepairPlan, Restart, Result

_MARKS: Final[dict[Result, str]] = {
    "todo": "\x1b[33;1m‼\x1b[0m",
    "done": "\x1b[32;1m√\x1b[0m",
    "failed": "\x1b[31;1m×\x1b[0m",
    "skipped": "\x1b[33;1m‼\x1b[0m",
}


def as_text(plan: RepairPlan, *, acts: bool) -> Iterator[str]:
    """The workloads and what became of each, then what no restart mends. `acts`: restarts were asked for."""
    for restart in plan.workloads:
        yield f"{_MARKS[restart.result]} {printable(f'{restart.owner.object} ({restart.why}): {_about(restart)}')}"
        if restart.result != "done":
            yield f"    {printable(restart.command)}"
    for other in plan.others:
        yield f"{_MARKS['todo']} {printable(f'{other.object}: {other.why}')}"
        yield f"    {printable(other.advice)}"
    if plan.workloads or plan.others:
        yield ""
    yield _last(plan, acts=acts)


def _about(restart: Restart) -> str:
    return restart.about if restart.result == "todo" else f"{restart.result}: {restart.message}"


def _last(plan: RepairPlan, *, acts: bool) -> str:
    if plan.mended:
        count = len(plan.workloads)
        return f"{count} workloads restarted: nothing is left to mend" if count else "there is nothing to mend"
    waiting = [restart for restart in plan.workloads if restart.result != "done"]
    parts = []
    if waiting:
        todo = "are still to be restarted" if acts else "to restart: pass --yes to have it done, one at a time"
        parts.append(f"{len(waiting)} of {len(plan.workloads)} workloads {todo}")
    if plan.others:
        parts.append(f"{len(plan.others)} that no restart mends")
    return "; ".join(parts)
