"""The annotations that the injector reads, before there is a Pod: on Namespaces, Services, Pods and workloads.

Each annotation is put to the injector's own `Resolver` and `Assembly` alone, so that whatever these say is about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import orjson

from webhook.findings.finding import Finding, Path, Rule, Severity, declare, render_path, show, suggest
from webhook.injector import decision, ports
from webhook.injector.assembly import Assembly
from webhook.injector.decision import INJECT
from webhook.injector.effective import Settings
from webhook.injector.inject import CONTROL_PLANE
from webhook.injector.refusal import Refusal
from webhook.injector.resolve import Resolver
from webhook.injector.settings import OTHERS, PREFIXES, SETTINGS
from webhook.injector.subject import TEMPLATES, Subject, read
from webhook.mesh.config import Mesh
from webhook.review import AdmissionRequest, GroupVersionKind

_INVALID, _NOT_SUPPORTED, _FORBIDDEN = "FieldValueInvalid", "FieldValueNotSupported", "FieldValueForbidden"

NOT_TEXT = declare(
    "inject-annotation-not-text", Severity.ERROR, "FieldValueTypeInvalid", "An annotation's value is no string."
)
REFUSED = declare(
    "inject-pod-refused", Severity.ERROR, _INVALID, "With this annotation the injector refuses every Pod."
)
UNSURE = declare(
    "inject-pod-maybe-refused",
    Severity.WARNING,
    _INVALID,
    "With this annotation the injector refuses every Pod, unless the mesh's values allow it.",
)
VALUE = declare(
    "inject-value",
    Severity.WARNING,
    _NOT_SUPPORTED,
    "linkerd.io/inject is none of enabled, disabled and ingress, so nothing is injected.",
)
SETTING = declare(
    "inject-setting",
    Severity.WARNING,
    _INVALID,
    "An annotation's value cannot be read and is ignored, or is hardly what was meant.",
)
UNKNOWN = declare(
    "inject-unknown-annotation",
    Severity.WARNING,
    _NOT_SUPPORTED,
    "The injector does not know this annotation of its own prefix.",
)
NOT_INHERITED = declare(
    "inject-not-inherited",
    Severity.WARNING,
    _FORBIDDEN,
    "An annotation on a Namespace that its Pods do not inherit.",
)
MISPLACED = declare(
    "inject-misplaced", Severity.WARNING, _FORBIDDEN, "An annotation or label where the injector does not look for it."
)
SKIPPED = declare(
    "inject-skipped", Severity.WARNING, _INVALID, "A Pod asks for injection, and cannot be injected as it is."
)

# What people write in place of the values that there are.
_MEANT = {
    **dict.fromkeys(("true", "yes", "on", "1"), "enabled"),
    **dict.fromkeys(("false", "no", "off", "0"), "disabled"),
}
_PORT_NAME = re.compile(r"[a-z0-9-]*[a-z][a-z0-9-]*", re.ASCII)
_SETTINGS = {row.annotation: row for row in SETTINGS}
_REASON_AT: dict[str, Path] = {
    decision.HOST_NETWORK: ("spec", "hostNetwork"),
    decision.SIDECAR_EXISTS: ("spec", "containers"),
    decision.NO_TOKEN: ("spec", "automountServiceAccountToken"),
}


class Linter:
    """Looks over objects for one mesh. `certain`: its values are those of the mesh that the manifests are for."""

    def __init__(self, mesh: Mesh, *, certain: bool) -> None:
        self._certain = certain
        self._resolver = Resolver(mesh)
        self._known = {key: row for key, row in _SETTINGS.items() if mesh.line.has(f"annotation/{key}")}
        self._native_names = mesh.line.has("rule/sidecars-among-init-containers")
        self._projection = bool(mesh.values.identity and mesh.values.identity.service_account_token_projection)
        self._assembly: Assembly | None = None
        try:
            self._assembly = Assembly(mesh)
        except Refusal:
            # These values refuse every Pod, whatever its annotations are.
            self._assembly = None

    def check(self, kind: str, body: Mapping[str, Any]) -> list[Finding]:
        """What there is to say about an object of a kind (in lower case) of which `read_of` knows."""
        if kind == "namespace":
            return [*_texts(body, ()), *self._namespace(body), *_labels(body, ())]
        if kind == "service":
            return [*_texts(body, ()), *_service(body)]
        at = _template(kind)
        pod = _at(body, at)
        findings = [*_texts(pod, at), *self._pod(pod, at), *_labels(pod, at)]
        if at:
            findings += _misplaced(body, (), pod, f"the {body.get('kind')}", at)
            findings += _labels(body, ())
        if len(at) > 2:
            job = _at(body, at[:-2])
            findings += _misplaced(job, at[:-2], pod, "the Job", at)
        return findings

    def _namespace(self, body: Mapping[str, Any]) -> Iterator[Finding]:
        for key, text in _own(body).items():
            path: Path = ("metadata", "annotations", key)
            if key == INJECT:
                yield from _inject(text, path, "no Pod of the Namespace is injected")
            elif key == ports.OPAQUE_PORTS:
                # Names mean container ports, and those stand elsewhere.
                yield from _opaque_ports(text, path)
            elif key not in OTHERS:
                yield from self._inherited(_EMPTY, key, text, path)

    def _inherited(self, pod: Subject, key: str, text: str, path: Path) -> Iterator[Finding]:
        """What becomes of a Namespace's annotation in a Pod without any."""
        given = {key: text}
        inherited = self._resolver.inherit(pod, given)
        resolved = self._resolver.resolve(pod, given, inherited)
        rule = self._rule(key) if inherited or key not in self._known else NOT_INHERITED
        for warning in resolved.warnings:
            yield rule.at(path, _said(warning))
        yield from self._refused(pod, resolved.settings, path)

    def _pod(self, pod: Mapping[str, Any], at: Path) -> Iterator[Finding]:
        """What concerns a Pod or a template of one."""
        annotations = _own(pod)
        if not annotations:
            return
        try:
            subject = _subject(pod, annotations)
        except Refusal as refusal:
            yield REFUSED.at(at, refusal.message)
            return
        disabled = annotations.get(INJECT) == decision.DISABLED
        for key, text in annotations.items():
            path: Path = (*at, "metadata", "annotations", key)
            if key == INJECT:
                yield from _inject(text, path, "the Pod is not injected")
                yield from self._skipped(subject, at)
            elif key not in OTHERS:
                yield from self._setting(subject, key, text, path, refuses=not disabled)

    def _setting(self, subject: Subject, key: str, text: str, path: Path, *, refuses: bool) -> Iterator[Finding]:
        alone = {key: text}
        subject = replace(subject, annotations=alone, pod_annotations=alone)
        resolved = self._resolver.resolve(subject, {}, {})
        for warning in resolved.warnings:
            yield self._rule(key).at(path, _said(warning))
        if refuses:
            yield from self._refused(subject, resolved.settings, path)

    def _refused(self, subject: Subject, settings: Settings, path: Path) -> Iterator[Finding]:
        """Whether a Pod with these settings is refused for a reason of its own."""
        if self._assembly is None:
            return
        try:
            self._assembly.operations(subject, settings, {}, {})
        except Refusal as refusal:
            if refusal.code < 500:
                # That one depends on the values.
                unsure = refusal.reason == "close_wait_needs_root" and not self._certain
                yield (UNSURE if unsure else REFUSED).at(path, refusal.message)

    def _skipped(self, subject: Subject, at: Path) -> Iterator[Finding]:
        # What was injected already is in order.
        if subject.pod_annotations[INJECT] not in decision.ENABLING or subject.pod_labels.get(CONTROL_PLANE):
            return
        verdict = decision.decide(subject, {}, token_projection=self._projection, native_names=self._native_names)
        for reason in verdict.reasons:
            if reason in _REASON_AT:
                message = f"the Pod asks for injection and is not injected: {decision.SENTENCES[reason]}"
                yield SKIPPED.at((*at, *_REASON_AT[reason]), message)

    def _rule(self, key: str) -> Rule:
        return SETTING if key in self._known else UNKNOWN


def _subject(pod: Mapping[str, Any], annotations: Mapping[str, str]) -> Subject:
    """The Pod as the injector would get it. Raises `Refusal`."""
    metadata = {**pod["metadata"], "annotations": annotations}
    raw = msgspec.Raw(orjson.dumps({"kind": "Pod", "metadata": metadata, "spec": pod.get("spec")}))
    kind = GroupVersionKind("", "v1", "Pod")
    return read(AdmissionRequest("", "", kind, kind, object=raw))


_EMPTY = _subject({"metadata": {}}, {})


def _template(kind: str) -> Path:
    return tuple(TEMPLATES[kind].split("/")[1:])


def _at(body: Any, path: Path) -> Mapping[str, Any]:
    for part in path:
        body = body.get(part) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else {}


def _all(body: Mapping[str, Any], group: str = "annotations") -> dict[str, Any]:
    """The annotations (or labels) that are the injector's, of whatever type."""
    metadata = body.get("metadata")
    found = metadata.get(group) if isinstance(metadata, dict) else None
    return {key: value for key, value in found.items() if _is_ours(key)} if isinstance(found, dict) else {}


def _own(body: Mapping[str, Any]) -> dict[str, str]:
    """Those that are strings; null is an empty one."""
    return {key: value or "" for key, value in _all(body).items() if value is None or isinstance(value, str)}


def _is_ours(key: str) -> bool:
    return key.startswith((INJECT, *PREFIXES))


def _texts(body: Mapping[str, Any], at: Path) -> Iterator[Finding]:
    for key, value in _all(body).items():
        if value is not None and not isinstance(value, str):
            fix = (
                "want a string"
                if isinstance(value, dict | list)
                else f"want a string: put it in quotes, {show(show(value))}"
            )
            yield NOT_TEXT.at((*at, "metadata", "annotations", key), f"is {show(value)}, {fix}")


def _inject(text: str, path: Path, consequence: str) -> Iterator[Finding]:
    if text in decision.VALID:
        return
    meant = _MEANT.get(text.strip().lower())
    hint = f' (did you mean "{meant}"?)' if meant else suggest(text, sorted(decision.VALID - {""}))
    yield VALUE.at(path, f"{show(text)} is none of enabled, disabled and ingress{hint}, so {consequence}")


def _opaque_ports(text: str, path: Path) -> Iterator[Finding]:
    names = {entry.strip(): 1 for entry in text.split(",") if _PORT_NAME.fullmatch(entry.strip())}
    _, refused = ports.read_opaque_ports(text, names, expand=False)
    for entry in refused:
        if entry or text:
            yield SETTING.at(path, f"{show(entry)} is no port, range or port name: want such as 3306,5432-5440")


def _service(body: Mapping[str, Any]) -> Iterator[Finding]:
    for key, text in _own(body).items():
        path: Path = ("metadata", "annotations", key)
        if key == ports.OPAQUE_PORTS:
            yield from _opaque_ports(text, path)
        elif key not in OTHERS:
            yield MISPLACED.at(path, "has no effect on a Service: put it on the Pod template or the Namespace")


def _misplaced(body: Mapping[str, Any], here: Path, pod: Mapping[str, Any], what: str, at: Path) -> Iterator[Finding]:
    """Annotations of a workload itself that its template does not have."""
    right = render_path((*at, "metadata", "annotations"))
    present = _all(pod)
    for key in _all(body):
        if key not in present and key not in OTHERS:
            yield MISPLACED.at(
                (*here, "metadata", "annotations", key), f"has no effect on {what} itself: put it into {right}"
            )


def _labels(body: Mapping[str, Any], at: Path) -> Iterator[Finding]:
    for key in _all(body, "labels"):
        if key == INJECT or key in _SETTINGS:
            right = render_path((*at, "metadata", "annotations"))
            yield MISPLACED.at((*at, "metadata", "labels", key), f"has no effect as a label: put it into {right}")


def _said(warning: str) -> str:
    """A warning without the annotation that it starts with."""
    return warning.partition(": ")[2] or warning
