"""What there is to say about any object whose annotations the injector reads: Namespaces, Services, Pods, workloads.

Of a Pod and of a Pod template it is what the injector says when the Pod is created, at the place of the template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

from webhook.findings.finding import Finding, Path, render_path, show
from webhook.findings.suppression import silenced
from webhook.injector import decision, ports
from webhook.injector.advice import keys, namespaces, pods, rules
from webhook.injector.decision import INJECT
from webhook.injector.inject import Injector
from webhook.injector.refusal import Refusal
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh.spared import ADMISSION

_PORT_NAME: Final = re.compile(r"[a-z0-9-]*[a-z][a-z0-9-]*", re.ASCII)
_NOTHING: Final[Mapping[str, Any]] = {}


class Advisor:
    """Looks over objects for one mesh. `certain`: its values are those of the mesh that the objects are for."""

    def __init__(self, injector: Injector, *, certain: bool = True) -> None:
        self._injector = injector
        self._certain = certain

    def namespace(self, body: Mapping[str, Any]) -> list[Finding]:
        """What there is to say about a Namespace itself."""
        findings = [*_not_texts(body, ()), *self._of_namespace(body), *_labels(body, ())]
        return silenced(findings, _entries(body))

    def service(self, body: Mapping[str, Any]) -> list[Finding]:
        """What there is to say about a Service's annotations that the injector reads, or that were meant for it.

        Nothing is silenced yet: others have something to say about a Service, too."""
        return [*_not_texts(body, ()), *self._of_service(body), *_labels(body, ())]

    def pod(
        self,
        body: Mapping[str, Any],
        at: Path,
        namespace: Namespace | None,
        workload: tuple[str, str] | None,
    ) -> list[Finding]:
        """What there is to say about a Pod, or about a workload that has its Pod template at `at`.

        `namespace` is None where it is not known. `workload` is the kind (in lower case) and name of what the Pod
        belongs to; None for a Pod that stands for itself.
        """
        pod = _at(body, at)
        findings = [*_not_texts(pod, ()), *self._of_pod(pod, namespace, workload, template=bool(at))]
        if namespace is None and _entries(pod).get(INJECT) in (decision.ENABLED, decision.INGRESS):
            findings += self._left_out_by_name(body)
        findings = [finding._replace(path=(*at, *finding.path)) for finding in silenced(findings, _entries(pod))]
        if not at:
            return findings
        findings += self._of_workload(body, pod, at)
        return silenced(findings, _entries(body))

    def _left_out_by_name(self, body: Mapping[str, Any]) -> Iterator[Finding]:
        """Of a Namespace that is not known, its name may be enough."""
        name = _at(body, ("metadata",)).get("namespace")
        around = Namespace(name if isinstance(name, str) else "", {}, {})
        if sentence := namespaces.left_out(self._injector.mesh, around):
            yield rules.LEFT_OUT.at((), sentence)

    def _of_namespace(self, body: Mapping[str, Any]) -> Iterator[Finding]:
        metadata = body.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        annotations = _texts(body)
        this = Namespace(name if isinstance(name, str) else "", annotations, _texts_of(_entries(body, "labels")))
        for key, text in annotations.items():
            path: Path = (*pods.ANNOTATIONS, key)
            if key == INJECT:
                if text not in decision.VALID:
                    yield rules.VALUE.at(
                        path, f"{INJECT} is {show(text)}, so no Pod is injected; {decision.want(text)}"
                    )
            elif key == ports.OPAQUE_PORTS:
                # Names mean container ports, and those stand elsewhere.
                yield from _opaque_ports(text, path)
            elif sentence := self._injector.unknown(key):
                yield rules.UNKNOWN.at(path, sentence)
            elif key in self._injector.known:
                yield from self._injector.about_inherited(this, key)
        if annotations.get(INJECT) in decision.ENABLING:
            yield from self._around(this)

    def _around(self, namespace: Namespace) -> Iterator[Finding]:
        """What is in the way of a Namespace that asks for the injection of its Pods."""
        mesh = self._injector.mesh
        if sentence := namespaces.left_out(mesh, namespace):
            label = ADMISSION in namespace.labels
            yield rules.LEFT_OUT.at((*pods.LABELS, ADMISSION) if label else ("metadata", "name"), sentence)
        elif sentence := namespaces.refuses(mesh, namespace):
            yield rules.POD_SECURITY.at((*pods.LABELS, namespaces.ENFORCE), sentence)

    def _of_service(self, body: Mapping[str, Any]) -> Iterator[Finding]:
        for key, text in _texts(body).items():
            path: Path = (*pods.ANNOTATIONS, key)
            if key == ports.OPAQUE_PORTS:
                yield from _opaque_ports(text, path)
            elif sentence := self._injector.unknown(key):
                yield rules.UNKNOWN.at(path, sentence)
            elif key == INJECT or key in self._injector.known:
                sentence = f"{key} has no effect on a Service: write it on the Pod template or the Namespace"
                yield rules.MISPLACED.at(path, sentence)

    def _of_pod(
        self,
        pod: Mapping[str, Any],
        namespace: Namespace | None,
        workload: tuple[str, str] | None,
        *,
        template: bool,
    ) -> list[Finding]:
        try:
            subject = subject_of(pod, template=template)
        except Refusal as refusal:
            return [rules.REFUSED.at((), refusal.message)]
        return self._injector.advise(subject, namespace, workload, certain=self._certain)

    def _of_workload(self, body: Mapping[str, Any], pod: Mapping[str, Any], at: Path) -> Iterator[Finding]:
        """Annotations and labels of the workload itself, and of what stands between it and its Pod template."""
        present = _entries(pod)
        for inner in _metadata_above(at):
            owner = _at(body, inner)
            yield from _labels(owner, inner)
            what = f"the {body.get('kind')}" if not inner else "the Job"
            for key in keys.ours(_entries(owner)):
                path: Path = (*inner, *pods.ANNOTATIONS, key)
                if sentence := self._injector.unknown(key):
                    yield rules.UNKNOWN.at(path, sentence)
                elif key not in present and (key == INJECT or key in self._injector.known):
                    right = render_path((*at, *pods.ANNOTATIONS))
                    yield rules.MISPLACED.at(path, f"{key} has no effect on {what} itself: move it to {right}")


def _metadata_above(at: Path) -> Iterator[Path]:
    """Where objects stand that have a Pod template at `at` in them: a CronJob has a Job's template around it."""
    yield ()
    if len(at) > 2:
        yield at[:-2]


def subject_of(pod: Mapping[str, Any], *, template: bool = False) -> Subject:
    """A Pod as the injector gets it; from a template, as one that something owns. Raises `Refusal`."""
    metadata = pod.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    metadata["annotations"] = _texts_of(metadata.get("annotations"))
    if template:
        metadata["ownerReferences"] = [{}]
    body: Any = {"kind": "Pod", "metadata": metadata, "spec": pod.get("spec")}
    # What is nested too deeply, or has a number of too many digits, is read as it is, which takes longer.
    with suppress(orjson.JSONEncodeError):
        body = orjson.dumps(body)
    return Subject.of("Pod", body)


def _at(body: Any, path: Path) -> Mapping[str, Any]:
    for part in path:
        body = body.get(part) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else _NOTHING


def _entries(body: Mapping[str, Any], group: str = "annotations") -> Mapping[str, Any]:
    """All annotations (or labels), of whatever type."""
    return _at(body, ("metadata", group))


def _texts(body: Mapping[str, Any]) -> dict[str, str]:
    """The annotations that look like Linkerd's and are strings; null is an empty one."""
    return {key: text for key, text in _texts_of(_entries(body)).items() if key.startswith(keys.OURS)}


def _texts_of(annotations: Any) -> dict[str, str]:
    if not isinstance(annotations, dict):
        return {}
    return {key: value or "" for key, value in annotations.items() if value is None or isinstance(value, str)}


def _not_texts(body: Mapping[str, Any], at: Path) -> Iterator[Finding]:
    annotations = _entries(body)
    for key in keys.ours(annotations):
        value = annotations[key]
        if value is None or isinstance(value, str):
            continue
        fix = "write a string" if isinstance(value, dict | list) else f"put it in quotes, {show(show(value))}"
        yield rules.NOT_TEXT.at((*at, *pods.ANNOTATIONS, key), f"{key} is {show(value)}, which is not a string: {fix}")


def _opaque_ports(text: str, path: Path) -> Iterator[Finding]:
    names = {entry.strip(): 1 for entry in text.split(",") if _PORT_NAME.fullmatch(entry.strip())}
    _, refused = ports.read_opaque_ports(text, names, expand=False)
    for entry in refused:
        if entry or text:
            sentence = f"{ports.OPAQUE_PORTS} has {show(entry)}, which is not a port, a range or the name of a port"
            yield rules.SETTING.at(path, f"{sentence}: write for example 3306,5432-5440")


def _labels(body: Mapping[str, Any], at: Path) -> Iterator[Finding]:
    for key in keys.ours(_entries(body, "labels")):
        if sentence := keys.label(key):
            yield rules.MISPLACED.at((*at, *pods.LABELS, key), sentence)


def is_concerned(body: Mapping[str, Any], at: Path) -> bool:
    """Whether an object has an annotation or label that looks like Linkerd's, in itself or in its Pod template."""
    return any(
        keys.ours(_entries(_at(body, inner), group))
        for inner in (*_metadata_above(at), at)
        for group in ("annotations", "labels")
    )
