"""The injector: one object in, one answer out. Pure: no I/O, no clock, no framework."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from webhook.findings.finding import Finding
from webhook.findings.suppression import ANNOTATION as SILENCE
from webhook.findings.suppression import silenced
from webhook.injector import decision, memo, owner, patch, ports, resources
from webhook.injector import workload_events as told
from webhook.injector.advice import keys, pods, rules, starting
from webhook.injector.advice.facts import Facts
from webhook.injector.assembly import Assembly
from webhook.injector.decision import Decision
from webhook.injector.effective import Settings
from webhook.injector.encoded import with_mount
from webhook.injector.memo import Injection, Memo
from webhook.injector.names import CONTROL_PLANE
from webhook.injector.owner import Root
from webhook.injector.plan import Plan, settings_of
from webhook.injector.refusal import Refusal
from webhook.injector.resolve import Resolved, Resolver
from webhook.injector.settings import CLOSE_WAIT
from webhook.injector.subject import Subject, read
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.pod import ObjectMeta, PodSpec
from webhook.review import JSON, AdmissionRequest, Answer, Patch, deny


class Injector:
    """Decides about objects with one configuration.

    `refusal` is why every injection is refused, if that is so. `labels_root` tells whether Pods are labelled with the
    root of their owners, so that `decide` should be told.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.refusal: Refusal | None = None
        self._assembly: Assembly | None = None
        self._memo = Memo()
        has, values = mesh.line.has, mesh.values
        self._projection = bool(values.identity and values.identity.service_account_token_projection)
        self._native_names = has("rule/sidecars-among-init-containers")
        self._init_ports = has("rule/init-container-ports")
        self.labels_root = has("rule/root-parent-labels")
        self._default_ports = ports.single_ports(values.proxy.opaque_ports if values.proxy else "")
        self._resolver = Resolver(mesh)
        try:
            self._assembly = Assembly(mesh, self._resolver.defaults)
        except Refusal as refusal:
            self.refusal = refusal

    def decide(
        self, subject: Subject, namespace: Namespace, workload: tuple[str, str] | None, root: Root | None = None
    ) -> Answer:
        """The answer for one object. Never raises.

        `namespace` is the one that the object lives in. `workload` is the kind (in lower case) and name of what owns a
        Pod, None when the Pod stands for itself. `root` is the last of a Pod's owners, None where only the Pod is
        known; it counts where `labels_root`.
        """
        facts: dict[str, str] = {}
        try:
            verdict = self._verdict(subject, namespace.annotations)
            kind = (workload[0] if workload else "pod") if subject.is_pod else ""
            facts["owner_kind"] = kind if kind in owner.OWNER_KINDS else ""
            facts["annotation_at"] = verdict.annotation_at
            if verdict.inject:
                answer = self._inject(subject, namespace, workload, verdict, self._root(subject, root))
            else:
                answer = self._skip(subject, namespace, verdict)
        except Refusal as refusal:
            answer = _refuse(refusal)
            answer.facts = facts
            return answer
        changes = bool(answer.patch)
        if subject.is_pod or changes:
            facts["skip"] = "false" if changes else "true"
            facts["skip_reason"] = "" if changes else answer.reason
        answer.facts = facts
        return answer

    @property
    def defaults(self) -> Settings:
        """The settings of a Pod without annotations."""
        return self._resolver.defaults

    @property
    def known(self) -> frozenset[str]:
        """The annotations that set something at this mesh's release line."""
        return self._resolver.known

    @property
    def inheritable(self) -> frozenset[str]:
        """The annotations that Pods take over from their Namespace at this mesh's release line."""
        return self._resolver.inheritable

    def unknown(self, key: str) -> str:
        """What is wrong with an annotation's key, as a sentence; empty where nothing is."""
        return keys.unknown(key, self._resolver.known, self.mesh.line)

    def verdict(self, subject: Subject, namespace: Mapping[str, str]) -> Decision:
        """Whether a Pod is injected, and why; `namespace` are the annotations of its Namespace."""
        return self._verdict(subject, namespace)

    def inject_template(
        self, subject: Subject, annotations: Mapping[str, str], fields: Mapping[str, Any] = MappingProxyType({})
    ) -> Patch:
        """The patch that puts the proxy into a workload (its Pod template), whoever asks for it. Raises `Refusal`.

        `annotations` are asked for, too, and give way to the workload's own, as a Namespace's would. `fields` are
        settings with a value that no annotation gives them.
        """
        if self._assembly is None:
            raise self.refusal or Refusal("the configuration can inject nothing", code=500)
        around = Namespace(subject.metadata.namespace or "", {}, {})
        inherited = {key: value for key, value in annotations.items() if key not in subject.pod_annotations}
        resolved = self._resolver.resolve(subject, around, inherited)
        for name, value in fields.items():
            setattr(resolved.settings, name, value)
        root = owner.root_of_template(subject) if self.labels_root else None
        labels = owner.labels(subject, around.name, None, root)
        pieces = self._assembly.patch(subject, resolved.settings, inherited, labels)
        return Patch.of(with_mount(pieces, subject.service_account_mount))

    def plan(
        self,
        subject: Subject,
        namespace: Namespace | None = None,
        workload: tuple[str, str] | None = None,
        *,
        certain: bool = True,
    ) -> Plan:
        """What becomes of a Pod or of a template's Pods: whether it is injected, with which settings and warnings.

        The findings are those of the answer, and besides why the Pod is refused, if it is. `namespace` is None where it
        is not known: then what it asks for and what Pods inherit from it are not known either. `workload` is as for
        `decide`. `certain`: the configuration is that of the mesh in which the Pod is to run.
        """
        annotations = namespace.annotations if namespace is not None else {}
        verdict = self._verdict(subject, annotations)
        if subject.spec is None:
            return Plan(verdict, (), (), {})
        inherited = self._resolver.inherit(subject, annotations)
        resolved = self._resolve(subject, namespace or _UNKNOWN, inherited)
        resolver = self._resolver
        return Plan(
            verdict,
            settings_of(resolver.rows, resolver.inheritable, resolver.defaults, resolved, subject, annotations),
            tuple(self._findings(subject, namespace, workload, verdict, resolved, certain)),
            subject.pod_annotations,
            self._refusal(subject, resolved) if verdict.inject else None,
        )

    def rules(self, subject: Subject, namespace: Namespace) -> list[tuple[str, bool]]:
        """Each reason against an injection, in the order in which they are asked for, and whether it holds."""
        return decision.rules(
            subject, namespace.annotations, token_projection=self._projection, native_names=self._native_names
        )

    def advise(
        self, subject: Subject, namespace: Namespace | None, workload: tuple[str, str] | None, *, certain: bool = True
    ) -> list[Finding]:
        """The findings of `plan` alone."""
        annotations = namespace.annotations if namespace is not None else {}
        verdict = self._verdict(subject, annotations)
        resolved = None
        if verdict.inject:
            inherited = self._resolver.inherit(subject, annotations)
            resolved = self._resolve(subject, namespace or _UNKNOWN, inherited)
        return self._findings(subject, namespace, workload, verdict, resolved, certain)

    def _findings(
        self,
        subject: Subject,
        namespace: Namespace | None,
        workload: tuple[str, str] | None,
        verdict: Decision,
        resolved: Resolved | None,
        certain: bool,
    ) -> list[Finding]:
        if not verdict.inject or resolved is None:
            return [*self._about_skipped(subject, namespace, verdict), *self._refusals(subject, namespace, certain)]
        findings = self._about_injected(subject, namespace, workload, resolved)
        return [*findings, *self._refused(subject, resolved, certain)]

    def about_inherited(self, namespace: Namespace, key: str) -> list[Finding]:
        """What becomes of a Namespace's annotation in a Pod without any. Paths lead from the Namespace's root."""
        path = (*pods.ANNOTATIONS, key)
        texts = namespace.annotations
        together = (name for name in (key, resources.PARTNERS.get(key, "")) if name in texts)
        alone = Namespace(namespace.name, {name: texts[name] for name in together}, {})
        inherited = self._resolver.inherit(_EMPTY, alone.annotations)
        resolved = self._resolver.resolve(_EMPTY, alone, inherited)
        facts = Facts(self.mesh, _EMPTY, alone, None, resolved.settings, resolved.sources)
        findings = [
            finding._replace(path=path)
            for finding in (*resolved.findings, *starting.check(facts))
            if finding.annotation == key
        ]
        refusal = self._refusal(_EMPTY, resolved)
        if refusal is not None and refusal.annotation == key:
            findings.append(rules.REFUSED.at(path, refusal.message, key))
        return findings

    def _verdict(self, subject: Subject, namespace: Mapping[str, str]) -> Decision:
        return decision.decide(subject, namespace, token_projection=self._projection, native_names=self._native_names)

    def _about_injected(
        self, subject: Subject, namespace: Namespace | None, workload: tuple[str, str] | None, resolved: Resolved
    ) -> list[Finding]:
        facts = Facts(self.mesh, subject, namespace, workload, resolved.settings, resolved.sources)
        return [
            *pods.about_keys(subject, namespace, self._resolver.known, self.mesh.line),
            *resolved.findings,
            *pods.about_injected(facts),
        ]

    def _about_skipped(self, subject: Subject, namespace: Namespace | None, verdict: Decision) -> list[Finding]:
        """Also whether its own annotations can be read: one day it may be injected."""
        if subject.spec is None or _is_seen_again(subject, verdict):
            return []
        findings = [
            *pods.about_skipped(subject, namespace, verdict),
            *pods.about_keys(subject, namespace, self._resolver.known, self.mesh.line),
        ]
        if not self._resolver.known.isdisjoint(subject.pod_annotations):
            findings += self._resolver.resolve(subject, _UNKNOWN, {}).findings
        return findings

    def _refusals(self, subject: Subject, namespace: Namespace | None, certain: bool) -> list[Finding]:
        """Why a Pod would be refused, in a Namespace that is not known and may ask for its injection."""
        if namespace is not None or subject.pod_annotations.get(decision.INJECT) == decision.DISABLED:
            return []
        if self._resolver.known.isdisjoint(subject.pod_annotations):
            return []
        return self._refused(subject, self._resolver.resolve(subject, _UNKNOWN, {}), certain)

    def _refused(self, subject: Subject, resolved: Resolved, certain: bool) -> list[Finding]:
        """Why the Pod is refused: the injector answers so as well."""
        refusal = self._refusal(subject, resolved)
        annotation = refusal.annotation if refusal is not None else ""
        own = annotation in subject.pod_annotations
        if refusal is None or not (own or annotation in resolved.inherited):
            return []
        # That one depends on the values.
        unsure = annotation == CLOSE_WAIT and not certain
        path = (*pods.ANNOTATIONS, annotation) if own else ()
        return [(rules.UNSURE if unsure else rules.REFUSED).at(path, refusal.message, annotation)]

    def _refusal(self, subject: Subject, resolved: Resolved) -> Refusal | None:
        if self._assembly is None:
            return None
        try:
            self._assembly.patch(subject, resolved.settings, {}, {})
        except Refusal as refusal:
            return refusal if refusal.code < 500 else None
        return None

    def _skip(self, subject: Subject, namespace: Namespace, verdict: Decision) -> Answer:
        reason = ",".join(verdict.reasons)
        answer = Answer(reason=reason, message=f"Linkerd sidecar proxy injection skipped: {verdict.sentence}")
        answer.patch = self._annotate(subject, namespace.annotations)
        skipped = "skipped" if subject.spec is not None else "unchanged"
        answer.decision = "annotated" if answer.patch else skipped
        answer.audit = {"decision": answer.decision, "reason": f"{reason}: {verdict.sentence}"}
        findings = silenced(self._about_skipped(subject, namespace, verdict), subject.pod_annotations)
        answer.warnings = [finding.warning for finding in findings]
        if subject.is_pod and not _is_seen_again(subject, verdict):
            of_skip = [finding for finding in findings if finding.rule in pods.OF_SKIPPED]
            others = [finding.warning for finding in findings if finding.rule not in pods.OF_SKIPPED]
            event = told.skipped(verdict, subject, namespace.annotations, namespace.name, wanted=bool(of_skip))
            answer.events = [event, *told.warned(others)]
        return answer

    def _annotate(self, subject: Subject, namespace: Mapping[str, str]) -> list[JSON] | None:
        """What is not injected still gets its opaque ports: its Namespace's, or the default ones that it exposes."""
        if ports.OPAQUE_PORTS in subject.pod_annotations or ports.OPAQUE_PORTS in subject.annotations:
            return None
        value = namespace.get(ports.OPAQUE_PORTS)
        if value is None:
            value = ",".join(self._default_opaque_ports(subject))
            if not value:
                return None
        entries = {ports.OPAQUE_PORTS: value}
        if not subject.has_metadata:
            return [patch.add("/metadata", {"annotations": entries})]
        return patch.add_entries("/metadata/annotations", subject.annotations, entries)

    def _default_opaque_ports(self, subject: Subject) -> list[str]:
        if subject.is_pod:
            return ports.default_pod_ports(subject, self._default_ports, init_containers=self._init_ports)
        return ports.default_service_ports(subject.service_ports, self._default_ports)

    def _inject(
        self,
        subject: Subject,
        namespace: Namespace,
        workload: tuple[str, str] | None,
        verdict: Decision,
        root: Root | None,
    ) -> Answer:
        """The answer that injects. Pods of one template get what was worked out for the first of them."""
        key = memo.key(subject, namespace, workload, root)
        injection = self._memo.get(key)
        if injection is None:
            injection = self._work_out(subject, namespace, workload, verdict, root)
            self._memo.put(key, injection)
        return Answer(
            patch=Patch.of(with_mount(injection.patch, subject.service_account_mount)),
            decision="injected",
            message=told.INJECTED.message,
            warnings=list(injection.warnings),
            audit=dict(injection.audit),
            events=list(injection.events),
        )

    def _work_out(
        self,
        subject: Subject,
        namespace: Namespace,
        workload: tuple[str, str] | None,
        verdict: Decision,
        root: Root | None,
    ) -> Injection:
        if self._assembly is None:
            raise self.refusal or Refusal("the configuration can inject nothing", code=500)
        inherited = self._resolver.inherit(subject, namespace.annotations)
        resolved = self._resolve(subject, namespace, inherited, root)
        encoded = self._assembly.patch(
            subject,
            resolved.settings,
            inherited,
            owner.labels(subject, namespace.name, workload, root),
        )
        audit = {"decision": "injected", "reason": verdict.sentence}
        if resolved.sources:
            audit["settings"] = "; ".join([f"{key}={value} ({at})" for key, (value, at) in resolved.sources.items()])
        warnings = _texts(self._about_injected(subject, namespace, workload, resolved), subject)
        return Injection(encoded, tuple(warnings), audit, (told.INJECTED, *told.warned(warnings)))

    def _root(self, subject: Subject, root: Root | None) -> Root | None:
        """The root that the Pod is labelled with; None where this release does not do that."""
        if not self.labels_root:
            return None
        if not subject.is_pod:
            return owner.root_of_template(subject)
        return root or owner.root_as_written(subject)

    def _resolve(
        self, subject: Subject, namespace: Namespace, inherited: dict[str, str], root: Root | None = None
    ) -> Resolved:
        """The settings of a Pod that is injected. Its default opaque ports become part of what it inherits."""
        by_default = self._add_opaque_ports(subject, inherited)
        resolved = self._resolver.resolve(subject, namespace, inherited, root.name if root and subject.is_pod else None)
        if by_default:
            resolved.sources.pop(ports.OPAQUE_PORTS, None)
        return resolved

    def _add_opaque_ports(self, subject: Subject, inherited: dict[str, str]) -> bool:
        """Write the default opaque ports that a Pod exposes on it, where nobody said otherwise; whether that was so."""
        key = ports.OPAQUE_PORTS
        if key in inherited or key in subject.pod_annotations or key in subject.annotations:
            return False
        defaults = ports.default_pod_ports(subject, self._default_ports, init_containers=self._init_ports)
        if defaults:
            inherited[key] = ",".join(defaults)
        return bool(defaults)


# A Pod without anything.
_EMPTY = Subject("pod", ObjectMeta(), True, {}, pod_metadata=ObjectMeta(), spec=PodSpec())

# What stands for a Namespace that is not known.
_UNKNOWN = Namespace("", {}, {})


def _is_seen_again(subject: Subject, verdict: Decision) -> bool:
    """Whether it was injected already: a second call is nobody's mistake."""
    return bool(subject.pod_labels.get(CONTROL_PLANE)) and decision.SIDECAR_EXISTS in verdict.reasons


def _texts(findings: list[Finding], subject: Subject) -> list[str]:
    """The warnings, without those that the Pod silences."""
    if not findings and SILENCE not in subject.pod_annotations:
        return []
    return [finding.warning for finding in silenced(findings, subject.pod_annotations)]


def read_or_answer(request: AdmissionRequest) -> Subject | Answer:
    """The subject of a request; or the answer, where there is no object or it cannot be read."""
    if not request.has_object:
        return Answer(reason="no_object", message="there is no object to change", audit={"decision": "unchanged"})
    try:
        return read(request)
    except Refusal as refusal:
        return _refuse(refusal)


def _refuse(refusal: Refusal) -> Answer:
    answer = deny(
        refusal.message,
        code=refusal.code,
        status_reason="BadRequest" if refusal.code < 500 else "InternalError",
        reason=refusal.reason,
    )
    answer.audit = {"decision": answer.decision, "reason": f"{refusal.reason}: {refusal.message}"}
    return answer
