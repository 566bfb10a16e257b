"""Has the object of a manifest meshed: its template asks for the proxy, or gets it as of the webhook. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.injector import decision, ports
from webhook.injector.inject import Injector
from webhook.injector.patch import applied
from webhook.injector.refusal import Refusal
from webhook.injector.settings import PREFIX
from webhook.injector.subject import Subject
from webhook.kube.fields import mapping, text
from webhook.meshing.kinds import KnownKind, kind_of, name_of
from webhook.meshing.outcome import DISABLED, HOST_NETWORK, NO_TOKEN, SIDECAR, UDP, Keys, Outcome, joined, unsupported
from webhook.meshing.stored import read_as_stored
from webhook.meshing.templates import PodTemplates, as_pod, placed, with_pod
from webhook.meshing.uninject import COMPONENT, has_udp, without
from webhook.review import JSON

# Reasons that no flag and no annotation mends: the workload cannot have the proxy as it is.
_PROBLEMS: Final = (decision.NO_TOKEN, decision.HOST_NETWORK, decision.SIDECAR_EXISTS)
_FIELDS: Final = {
    decision.HOST_NETWORK: ("spec", "hostNetwork"),
    decision.SIDECAR_EXISTS: ("spec",),
    decision.NO_TOKEN: ("spec", "automountServiceAccountToken"),
}
# Made once, as most workloads have no warning.
_NONE: Final[frozenset[str]] = frozenset()
_ABOUT: Final = {
    decision.HOST_NETWORK: HOST_NETWORK,
    decision.SIDECAR_EXISTS: SIDECAR,
    decision.NO_TOKEN: NO_TOKEN,
    decision.DISABLE_PRESENT: DISABLED,
}


@dataclass(frozen=True, slots=True)
class ManifestInjector:
    """Injects objects by one configuration. `annotations` are what flags ask for, by key, for Pod templates and
    Namespaces, `of_pods` for Pod templates alone, `fields` settings without an annotation, `templates` where
    other kinds have their Pod templates; `manual`: put in the proxy itself."""

    injector: Injector
    annotations: Mapping[str, str] = field(default_factory=dict)
    of_pods: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    templates: PodTemplates = field(default_factory=PodTemplates)
    manual: bool = False

    def inject(self, body: JSON, known: KnownKind | None = None) -> Outcome:
        """The object, meshed. What was injected before is taken out first, so that injecting twice is as once.

        Raises `Refusal` for a wrong type in a field that is read.
        """
        known = known or kind_of(body)
        kind, name = text(body, "kind").lower(), name_of(body)
        if known.role == "other":
            return self._of_others(kind, name, body)
        subject = Subject.of(kind, body)
        clean, was_injected = without(body, known)
        if known.role == "service":
            return self._service(kind, name, clean)
        if known.role == "namespace":
            entries = {decision.INJECT: decision.ENABLED, **self.annotations}
            return Outcome(kind, name, _annotated(clean, (), entries), "annotated")
        return self._workload(subject, name, clean, known, was_injected=was_injected)

    def _of_others(self, kind: str, name: str, body: JSON) -> Outcome:
        """A kind of somebody else's: its Pod templates as Pods, where it is known to have any."""
        outcomes = []
        for path in self.templates.within(body):
            pod = self.inject(as_pod(body, path))
            outcomes.append(pod)
            body = with_pod(body, path, pod.body)
        return joined(kind, name, body, outcomes) if outcomes else unsupported(body)

    def _service(self, kind: str, name: str, body: JSON) -> Outcome:
        """A Service gets the opaque ports that a flag names."""
        value = self.annotations.get(ports.OPAQUE_PORTS)
        if value is None:
            return Outcome(kind, name, body, "skipped", "a Service takes opaque ports alone: pass --opaque-ports")
        return Outcome(kind, name, _annotated(body, (), {ports.OPAQUE_PORTS: value}), "annotated")

    def _workload(self, subject: Subject, name: str, body: JSON, known: KnownKind, *, was_injected: bool) -> Outcome:
        kind = subject.kind
        subject = subject if not was_injected else Subject.of(kind, body)
        reasons = self._reasons(subject)
        warnings = frozenset(_ABOUT[reason] for reason in reasons) if reasons else _NONE
        if has_udp(mapping(body, *known.template, "spec")):
            warnings |= {UDP}
        is_component = COMPONENT in mapping(body, *known.template, "metadata", "labels")
        if is_component and not self.manual:
            problem = "it is a component of Linkerd's control plane: pass --manual to inject it"
            return Outcome(kind, name, body, "skipped", problem, problem, warnings)
        if reasons:
            why = ", ".join(decision.SENTENCES[reason] for reason in reasons)
            # Whoever asks not to be injected does not mind why it could not be, unless it is.
            is_meant = DISABLED in warnings and not (was_injected and warnings > {DISABLED})
            at: Keys = (*known.template, *_FIELDS.get(reasons[0], ()))
            return Outcome(kind, name, body, "skipped", why, "" if is_meant else why, warnings, at=at)
        try:
            out = self._with_proxy(body, known, subject) if self.manual else body
        except Refusal as refusal:
            at, why = _place(refusal, known), refusal.message
            return Outcome(kind, name, body, "skipped", why, why, warnings, at=at)
        out = _annotated(out, known.template, self._asked())
        return Outcome(kind, name, out, "injected", warnings=warnings)

    def _asked(self) -> dict[str, str]:
        """The annotations that a Pod template gets."""
        annotations = {**self.of_pods, **self.annotations}
        if self.manual:
            annotations.pop(decision.INJECT, None)
        else:
            annotations.setdefault(decision.INJECT, decision.ENABLED)
        return annotations

    def _reasons(self, subject: Subject) -> list[str]:
        """Why a workload is not injected, in the reference's order; what its Namespace says is not known."""
        verdict = self.injector.verdict(subject, {decision.INJECT: decision.ENABLED})
        spec = subject.spec
        # A template has no token yet: only one that refuses it is known to have none.
        has_token = spec is None or spec.automount_service_account_token is not False
        mine = [one for one in verdict.reasons if one in _ABOUT and not (one == decision.NO_TOKEN and has_token)]
        return sorted(mine, key=[*_PROBLEMS, decision.DISABLE_PRESENT].index)

    def _with_proxy(self, body: JSON, known: KnownKind, subject: Subject) -> JSON:
        """The workload with the proxy in its template. Raises `Refusal`."""
        mine = {key: value for key, value in self.annotations.items() if key != decision.INJECT}
        own = f"{PREFIX}proxy-cpu-request" in subject.pod_annotations
        patch = self.injector.inject_template(subject, {**self.of_pods, **mine}, {} if own else self.fields)
        stored = [{"path": one.path, "value": read_as_stored(bytes(one.value))} for one in patch.operations]
        return applied(body, stored)


def _place(refusal: Refusal, known: KnownKind) -> Keys:
    """The field of a workload that it was refused for."""
    if refusal.annotation:
        return (*known.template, "metadata", "annotations", refusal.annotation)
    return refusal.field


def _annotated(body: JSON, template: tuple[str, ...], entries: Mapping[str, str]) -> JSON:
    if not entries:
        return body
    path = (*template, "metadata", "annotations")
    return placed(body, path, lambda present: {**present, **entries})
