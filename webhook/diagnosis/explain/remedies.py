"""What to do about one object, with the commands for it: only what changes something. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from webhook.diagnosis.dataplane import podstate
from webhook.diagnosis.dataplane.callers import ShutOut
from webhook.diagnosis.dataplane.remedies import into_template, let_in
from webhook.diagnosis.dataplane.restart import Advice, advice
from webhook.diagnosis.dataplane.workloads import Owner, Workload, remedy_of
from webhook.injector import decision
from webhook.injector.decision import DISABLED, ENABLED, INJECT
from webhook.kube.objects import Namespace
from webhook.mesh.spared import SPARED

_CHECK: Final = Advice("see whether the injector is installed and reached", "linkerd-webhook check")
# A restart alone changes something.
_RESTARTS: Final = frozenset((podstate.BEFORE, podstate.REMOVED, podstate.UNREACHABLE))
_INVALID: Final = frozenset((decision.INVALID_AT_NAMESPACE, decision.INVALID_AT_WORKLOAD))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is so. `owner` is what makes the Pods anew, `workload` the record of it, None for none; `pod` is the name of
    one of them. `inject` is the value of the annotation that decides. The others are those of `Explanation`."""

    namespace: Namespace
    owner: Owner
    workload: Workload | None
    pod: str
    meshed: bool | None
    would: bool
    asked: bool
    reason: str
    inject: str
    drifted: bool
    shut_out: ShutOut | None


def advise(trouble: Trouble) -> tuple[Advice, ...]:
    """What to do, in this order; nothing where all is as asked, or where nothing would change it."""
    return tuple(_advise(trouble))


def _advise(trouble: Trouble) -> Iterator[Advice]:
    reason = trouble.reason
    if trouble.meshed and (trouble.drifted or (not trouble.would and not trouble.asked)):
        yield _restart(trouble)
    elif reason in _RESTARTS:
        if reason == podstate.UNREACHABLE:
            yield _CHECK
        yield _restart(trouble)
    elif reason == podstate.MISSING:
        yield _CHECK
        yield from _restart_after(trouble)
    elif reason == podstate.SHUT_OUT and trouble.shut_out is not None:
        yield from _let_in(trouble, trouble.shut_out)
    elif reason in _INVALID:
        yield _valid(trouble)
        yield from _restart_after(trouble)
    elif reason == decision.ENABLE_ABSENT and not trouble.meshed:
        yield from _ask(trouble)


def _let_in(trouble: Trouble, out: ShutOut) -> Iterator[Advice]:
    name = trouble.namespace.name
    if name in SPARED:
        text = "webhooks leave this Namespace alone in every installation, so remove the annotation"
        yield Advice(text, f"kubectl annotate namespace {name} {INJECT}-")
        return
    yield let_in(out, trouble.namespace)
    yield from _restart_after(trouble)


def _ask(trouble: Trouble) -> Iterator[Advice]:
    """Nobody asks. It may be meant so: this is how to ask."""
    workload, name = trouble.workload, trouble.namespace.name
    beside = workload.annotations.get(INJECT, "") if workload is not None else ""
    if workload is not None and beside not in ("", DISABLED):
        result = into_template(workload, beside)
        text = f"{INJECT}: {beside} stands on {workload.object} itself, where it does nothing: {result.text}"
        yield Advice(text, result.command)
        if workload.owner.kind in ("Job", "CronJob") or not result.command:
            yield from _restart_after(trouble)
        return
    present = INJECT in trouble.namespace.annotations
    command = f"kubectl annotate {'--overwrite ' if present else ''}namespace {name} {INJECT}={ENABLED}"
    yield Advice(f"to mesh all Pods of Namespace {name}, annotate it", command)
    yield from _restart_after(trouble)
    if workload is not None:
        result = into_template(workload, ENABLED)
        yield Advice(f"or, to mesh the Pods of {workload.object} alone, {result.text}", result.command)


def _valid(trouble: Trouble) -> Advice:
    """The annotation has a value that nobody understands."""
    wanted = decision.want(trouble.inject)
    if trouble.reason == decision.INVALID_AT_NAMESPACE:
        name = trouble.namespace.name
        return Advice(wanted, f"kubectl annotate --overwrite namespace {name} {INJECT}={ENABLED}")
    if trouble.workload is not None:
        result = into_template(trouble.workload, ENABLED)
        return Advice(f"{wanted}; to mesh its Pods, {result.text}", result.command)
    return Advice(wanted)


def _restart_after(trouble: Trouble) -> Iterator[Advice]:
    """A restart that changes something once the rest is done; none where nothing runs."""
    if trouble.meshed is not None:
        result = _restart(trouble)
        yield Advice(f"then {result.text}", result.command)


def _restart(trouble: Trouble) -> Advice:
    return advice(trouble.owner, remedy_of(trouble.owner, trouble.workload), trouble.pod)
