"""What a Pod would be if it were created now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.cluster.owners import ABOVE
from webhook.diagnosis.dataplane.causes import Situation
from webhook.diagnosis.dataplane.drift import versions
from webhook.diagnosis.dataplane.workloads import Owner, Workload
from webhook.injector.decision import Decision
from webhook.injector.inject import Injector
from webhook.injector.owner import Root, group_of
from webhook.injector.patch import applied
from webhook.injector.plan import Plan
from webhook.injector.refusal import Refusal
from webhook.injector.removal import removed
from webhook.injector.subject import Subject
from webhook.kube.fields import mapping, texts
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace
from webhook.review import Answer


@dataclass(frozen=True, slots=True)
class Expectation:
    """A Pod as it would be created, and what the injector would make of it.

    `before` is the Pod that the API server would send, without anything of Linkerd's, with `subject` read from it, and
    `after` the Pod with the injector's patch; the same where it would not be injected. `decision` is the injector's,
    `answer` all of its answer. `refused` is why it would refuse the Pod, None where it would not: also for a Pod that
    cannot be read.
    """

    before: JSON
    after: JSON
    subject: Subject | None
    decision: Decision
    answer: Answer
    refused: Refusal | None = None

    @property
    def injected(self) -> bool:
        """Whether an injector that is asked about the Pod would inject it."""
        return self.answer.decision == "injected"


def before_injection(pod: JSON, workload: Workload | None, inheritable: frozenset[str]) -> JSON:
    """The Pod as its workload would create it now: without what Linkerd has put in, and with the annotations of
    Linkerd's that the Pod template has now. `workload` is None where the template is not known."""
    if workload is None:
        return removed(pod)
    out = removed(pod, workload.template_annotations, inheritable)
    if workload.template_annotations:
        out["metadata"]["annotations"] = {**out["metadata"]["annotations"], **workload.template_annotations}
    return out


def expect(
    injector: Injector, pod: JSON, namespace: Namespace, owner: Owner | None = None, workload: Workload | None = None
) -> Expectation:
    """What a Pod would be if it were created now and an injector of this mesh were asked about it. Never raises.

    `owner` is what the Pod belongs to, and `workload` the record of what it is made from, None where that is not known.
    """
    before = before_injection(pod, workload, injector.inheritable)
    try:
        subject = Subject.of("Pod", before)
    except Refusal as refusal:
        answer = Answer(allowed=False, message=refusal.message, reason=refusal.reason)
        return Expectation(before, before, None, Decision(False), answer, refusal)
    owned = (owner.kind.lower(), owner.name) if owner is not None and owner.kind != "Pod" else None
    answer = injector.decide(subject, namespace, owned, _root(owner))
    refused = None if answer.allowed else Refusal(answer.message, answer.reason)
    injected = answer.decision == "injected"
    reasons = [] if injected or refused is not None else answer.reason.split(",")
    after = applied(before, answer.patch) if answer.patch else before
    return Expectation(before, after, subject, Decision(injected, reasons), answer, refused)


def _root(owner: Owner | None) -> Root | None:
    """The last owner as far as it is known here; None where the Pod itself names it."""
    if owner is None or owner.kind not in ABOVE:
        return None
    return Root(owner.name, owner.kind, group_of(ABOVE[owner.kind]))


def situation(
    injector: Injector, pod: JSON, expected: Expectation, namespace: Namespace, owner: Owner, plan: Plan | None = None
) -> Situation:
    """What decides about the proxy of a Pod now, to tell why it differs from the one that the Pod has."""
    if plan is None and expected.subject is not None:
        plan = injector.plan(expected.subject, namespace)
    had: Mapping[str, str] = texts(mapping(pod, "metadata"), "annotations")
    has = texts(mapping(expected.after, "metadata"), "annotations")
    return Situation(
        settings=plan.settings if plan is not None else (),
        namespace=namespace.name,
        workload="the Pod" if owner.kind == "Pod" else f"the Pod template of {owner.object}",
        lost={key: value for key, value in had.items() if key in injector.inheritable and key not in has},
        was=next(versions(pod), ""),
        would_be=next(versions(expected.after), ""),
    )
