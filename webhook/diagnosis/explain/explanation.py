"""Why one Pod, or the Pods of a workload, are meshed or are not, and what to do. Pure: facts in, `Explanation` out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook.diagnosis.dataplane.callers import injector_webhooks
from webhook.diagnosis.dataplane.drift import Drift
from webhook.diagnosis.dataplane.expectation import Expectation, expect
from webhook.diagnosis.dataplane.podstate import PodJudge, PodState, Spared
from webhook.diagnosis.dataplane.restart import Advice
from webhook.diagnosis.dataplane.workloads import Owner, Workload, controller
from webhook.diagnosis.explain import remedies
from webhook.diagnosis.explain.facts import ExplainFacts
from webhook.diagnosis.explain.rules import RuleVerdict, rules
from webhook.diagnosis.explain.settings import ExplainedSetting, explained
from webhook.diagnosis.explain.webhooks import WebhookCall, calls
from webhook.injector.decision import INJECT, VALID
from webhook.injector.inject import Injector
from webhook.injector.subject import SERVICE_ACCOUNT_PATH
from webhook.kube.fields import mapping, sequence, text, texts
from webhook.kube.interface import JSON

_EVENTS: Final = 10
_TOKEN: Final = {"name": "kube-api-access", "mountPath": SERVICE_ACCOUNT_PATH, "readOnly": True}


@dataclass(frozen=True, slots=True)
class Inject:
    """The annotation that decides: its value ("" for none), where it stands (`pod`, `template`, `namespace`, or
    `default` for nowhere), and on which object."""

    value: str
    source: str
    object: str

    def as_json(self) -> JSON:
        """All of it."""
        return {"value": self.value, "source": self.source, "object": self.object}


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An Event of the Pod or of what it belongs to."""

    object: str
    reason: str
    message: str

    def as_json(self) -> JSON:
        """All of it."""
        return {"object": self.object, "reason": self.reason, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that there is to tell of one object.

    `meshed` is None where nothing runs; of a workload it is whether all of its Pods that run are. `pods` are these, by
    name. `asked` is whether somebody asks for a proxy, `over` why nobody does any more ("" for nothing). `reason` is an
    identifier, `message` the same as a sentence. `before` and `after` are the Pod without and with the patch.
    """

    object: str
    meshed: bool | None
    would: bool
    asked: bool
    over: str
    reason: str
    message: str
    inject: Inject
    rules: tuple[RuleVerdict, ...]
    settings: tuple[ExplainedSetting, ...]
    warnings: tuple[str, ...]
    webhooks: tuple[WebhookCall, ...]
    drift: tuple[Drift, ...]
    patch: tuple[JSON, ...]
    advice: tuple[Advice, ...]
    events: tuple[ToldEvent, ...]
    notes: tuple[str, ...]
    pods: Mapping[str, bool]
    before: JSON
    after: JSON

    @property
    def as_asked(self) -> bool:
        """Whether it is as somebody asked for."""
        has = self.would if self.meshed is None else self.meshed
        return bool(self.over) or (has == self.asked and not self.drift)

    def as_json(self) -> JSON:
        """What programs get; the contract of `docs/explain.md`."""
        return {
            "object": self.object,
            "meshed": self.meshed,
            "would": self.would,
            "asked": self.asked,
            "reason": self.reason,
            "message": self.message,
            "inject": self.inject.as_json(),
            "rules": [rule.as_json() for rule in self.rules],
            "settings": [setting.as_json() for setting in self.settings],
            "warnings": list(self.warnings),
            "webhooks": [webhook.as_json() for webhook in self.webhooks],
            "drift": [difference.as_json() for difference in self.drift],
            "patch": list(self.patch),
            "advice": [{"text": advice.text, "command": advice.command} for advice in self.advice],
            "events": [event.as_json() for event in self.events],
            "pods": [{"name": name, "meshed": meshed} for name, meshed in self.pods.items()],
            "notes": list(self.notes),
        }


def explain(facts: ExplainFacts, *, every: bool = False) -> Explanation:
    """The explanation of one object. `every`: the settings that are the mesh's, too. Never raises for what an object
    may hold."""
    is_pod = facts.kind.kind == "Pod"
    injector = Injector(facts.mesh)
    webhooks = None
    if facts.configurations is not None:
        webhooks = injector_webhooks(facts.configurations, facts.mesh.linkerd_namespace)
    judge = PodJudge(injector, webhooks)
    owner, workload = _belongs(facts)
    pod = facts.body if is_pod else pod_of_template(facts)
    expected = expect(injector, pod, facts.namespace, owner, workload if is_pod else None)
    state = judge.state(
        pod,
        expected,
        facts.namespace,
        owner,
        annotated=facts.annotated,
        limit_ranges=facts.limit_ranges,
    )
    running = {} if not facts.runs else {facts.name: state} if is_pod else _running(facts, judge)
    meshed = all(state.meshed for state in running.values()) if running else None
    reason, message = _reason(state, running, meshed)
    inject = _inject(facts, expected, workload)
    plan = injector.plan(expected.subject, facts.namespace) if expected.subject is not None else None
    differs = _drift(running.values()) if facts.mesh_known else ()
    own = texts(pod, "metadata", "annotations")
    situation = remedies.Trouble(
        namespace=facts.namespace,
        owner=owner,
        workload=facts.workloads.get(owner) or workload,
        pod=next((name for name, state in running.items() if not state.meshed or state.drift), facts.name),
        meshed=meshed,
        would=state.would,
        asked=state.asked,
        reason=reason,
        inject=inject.value,
        drifted=bool(differs),
        shut_out=state.shut_out,
    )
    over = _over(state) if is_pod else ""
    return Explanation(
        object=facts.object,
        meshed=meshed,
        would=state.would,
        asked=state.asked,
        over=over,
        reason=reason,
        message=message,
        inject=inject,
        rules=rules(injector, expected.subject, facts.namespace) if expected.subject is not None else (),
        settings=tuple(explained(plan.settings, own, "pod" if is_pod else "template", every=every)) if plan else (),
        warnings=tuple(plan.warnings) if plan is not None else (),
        webhooks=_webhooks(facts, expected),
        drift=differs,
        patch=tuple(expected.answer.patch or ()),
        advice=() if over else remedies.advise(situation),
        events=_events(facts, reason, meshed),
        notes=facts.notes,
        pods={} if is_pod else {name: state.meshed for name, state in running.items()},
        before=expected.before,
        after=expected.after,
    )


def _belongs(facts: ExplainFacts) -> tuple[Owner, Workload | None]:
    """What restarts the Pods, and what they are made from."""
    if facts.kind.kind == "Pod":
        return facts.workloads.owner(facts.body), facts.workloads.template_of(facts.body)
    own = Owner(facts.kind.kind, facts.namespace.name, facts.name)
    workload = facts.workloads.get(own)
    reference = controller(facts.body)
    above = Owner(text(reference, "kind"), own.namespace, text(reference, "name"))
    return (above if facts.workloads.get(above) is not None else own), workload


def pod_of_template(facts: ExplainFacts) -> JSON:
    """The Pod that a workload's controller would create, as the API server shows it to webhooks."""
    path = ("spec", "jobTemplate", "spec", "template") if facts.kind.kind == "CronJob" else ("spec", "template")
    template = mapping(facts.body, *path)
    spec = dict(mapping(template, "spec"))
    if spec.get("automountServiceAccountToken") is not False:
        # The API server has put it in before webhooks are called.
        for key in ("containers", "initContainers"):
            if isinstance(spec.get(key), list):
                spec[key] = [_with_token(mapping) for mapping in sequence(spec, key)]
    metadata = {**mapping(template, "metadata"), "generateName": f"{facts.name}-", "namespace": facts.namespace.name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _with_token(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    mounts = container.get("volumeMounts") or []
    if not isinstance(mounts, list) or any(text(mount, "mountPath") == SERVICE_ACCOUNT_PATH for mount in mounts):
        return container
    return {**container, "volumeMounts": [*mounts, dict(_TOKEN)]}


def _running(facts: ExplainFacts, judge: PodJudge) -> dict[str, PodState]:
    """The Pods of a workload that run, by name."""
    result = {}
    for pod in facts.pods:
        owner, workload = facts.workloads.owner(pod), facts.workloads.template_of(pod)
        state = judge.judge(
            pod, facts.namespace, owner, workload, annotated=facts.annotated, limit_ranges=facts.limit_ranges
        )
        if state.spared not in (Spared.FINISHED, Spared.TERMINATING):
            result[text(pod, "metadata", "name")] = state
    return result


def _reason(state: PodState, running: Mapping[str, PodState], meshed: bool | None) -> tuple[str, str]:
    """Why there is no proxy, or would be none."""
    if not state.would:
        return state.reason, state.message
    if meshed is False:
        bare = next(state for state in running.values() if not state.meshed)
        return bare.reason, bare.message
    return "", ""


def _inject(facts: ExplainFacts, expected: Expectation, workload: Workload | None) -> Inject:
    subject = expected.subject
    value = subject.pod_annotations.get(INJECT, "") if subject is not None else ""
    above = facts.namespace.annotations.get(INJECT, "")
    of_namespace = Inject(above, "namespace", f"Namespace {facts.namespace.name}")
    if above not in VALID:
        return of_namespace
    if value and facts.kind.kind != "Pod":
        return Inject(value, "template", facts.object)
    if value and texts(facts.body, "metadata", "annotations").get(INJECT) != value and workload is not None:
        return Inject(value, "template", workload.object)
    if value:
        return Inject(value, "pod", facts.object)
    return of_namespace if above else Inject("", "default", "")


def _drift(states: Iterable[PodState]) -> tuple[Drift, ...]:
    """What differs, each field once."""
    result: dict[str, Drift] = {}
    for state in states:
        for difference in state.drift:
            result.setdefault(difference.path, difference)
    return tuple(result.values())


def _webhooks(facts: ExplainFacts, expected: Expectation) -> tuple[WebhookCall, ...]:
    if facts.configurations is None:
        return ()
    metadata = mapping(expected.before, "metadata")
    labels, annotations = texts(metadata, "labels"), texts(metadata, "annotations")
    return tuple(calls(facts.configurations, facts.services, facts.namespace, labels, annotations))


def _over(state: PodState) -> str:
    return _OVER_BECAUSE.get(state.spared, "") if state.spared is not None else ""


_OVER_BECAUSE: Final = {
    Spared.FINISHED: "it has finished",
    Spared.TERMINATING: "it is being deleted",
    Spared.MIRROR: "the kubelet runs it from a file, and no webhook decides about it",
    Spared.CONTROL_PLANE: "it belongs to Linkerd's control plane, which no webhook injects",
}


def _events(facts: ExplainFacts, reason: str, meshed: bool | None) -> tuple[ToldEvent, ...]:
    """What the injector and the controllers told, the last one first; nothing where all is well."""
    if meshed and not reason:
        return ()
    told: dict[ToldEvent, None] = {}
    for event in sorted(facts.events, key=_moment, reverse=True):
        if text(event, "reason") not in _TELLING:
            continue
        about = mapping(event, "involvedObject")
        name = f"{text(about, 'kind')} {text(about, 'namespace')}/{text(about, 'name')}"
        told.setdefault(ToldEvent(name, text(event, "reason"), text(event, "message")))
    return tuple(told)[:_EVENTS]


def _moment(event: JSON) -> str:
    return text(event, "lastTimestamp") or text(event, "eventTime") or text(event, "metadata", "creationTimestamp")


_TELLING: Final = frozenset(("InjectionSkipped", "InjectionWarning", "Injected", "FailedCreate"))
