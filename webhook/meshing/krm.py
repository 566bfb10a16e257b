"""What a KRM function reads and writes: a ResourceList with items, the function's settings and its results.

The text is edited as that of every manifest, so that comments and the order of fields survive.
https://github.com/kubernetes-sigs/kustomize/blob/master/cmd/config/docs/api-conventions/functions-spec.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from webhook.injector.decision import INJECT
from webhook.injector.refusal import Refusal
from webhook.kube.fields import mapping, text
from webhook.manifest import load
from webhook.meshing import report
from webhook.meshing.kinds import Path, group_of, kind_of, name_of, within
from webhook.meshing.outcome import DISABLED, HOST_NETWORK, NO_TOKEN, SIDECAR, UDP, Outcome
from webhook.meshing.stream import Change, Document, Maker, malformed, not_an_object, with_items
from webhook.meshing.templates import has_known_templates
from webhook.review import JSON
from webhook.yaml import edit
from webhook.yaml.objects import Broken

KIND: Final = "ResourceList"
GROUP: Final = "config.kubernetes.io"
INTERNAL: Final = "internal.config.kubernetes.io"

Severity = Literal["error", "warning", "info"]

# Where what a warning is about stands in a Pod (template).
_FIELDS: Final = {
    HOST_NETWORK: "spec.hostNetwork",
    SIDECAR: "spec.containers",
    DISABLED: f'metadata.annotations["{INJECT}"]',
    UDP: "spec.containers",
    NO_TOKEN: "spec.automountServiceAccountToken",
}


class Unusable(Exception):
    """The input is not a ResourceList: the message says what to write."""


@dataclass(frozen=True, slots=True)
class Result:
    """A finding about `body`, one of the objects. `path` is the field that it is about, "" for the object."""

    message: str
    severity: Severity
    body: JSON = field(default_factory=dict)
    path: str = ""

    def as_json(self) -> JSON:
        """As an entry of `results`."""
        out: JSON = {"message": self.message, "severity": self.severity}
        reference = _reference(self.body)
        if reference:
            out["resourceRef"] = reference
            if self.path:
                out["field"] = {"path": self.path}
        file = _file(self.body)
        return out | ({"file": file} if file else {})

    def __str__(self) -> str:
        """On one line, for standard error."""
        kind, name = text(self.body, "kind"), name_of(self.body)
        file = mapping(_file(self.body)).get("path")
        where = " ".join(part for part in (f"{file}:" if file else "", f"{kind} {name}:" if kind else "") if part)
        return f"{where} {self.message}".strip()


@dataclass(frozen=True, slots=True)
class ResourceList:
    """A ResourceList that was read. `config` is the function's own object, {} where there is none."""

    text: str
    document: Document

    @classmethod
    def of(cls, stream: str) -> ResourceList:
        """By the text of standard input, YAML or JSON. Raises `Unusable`."""
        made = load.documents(stream, Maker(stream))
        for one in made:
            if isinstance(one, Broken):
                raise Unusable(f"line {one.line}: {one.message}")
        documents: list[Document] = [one.body for one in made if not isinstance(one, Broken) and one.body is not None]
        value = documents[0].value if len(documents) == 1 else None
        if not isinstance(value, dict) or text(value, "kind") != KIND or group_of(value) != GROUP:
            raise Unusable(
                f"this is not one {KIND} of {GROUP}/v1, which kustomize and kpt write: "
                "for plain manifests, run linkerd-webhook inject -"
            )
        if not isinstance(value.get("items", []), list | None):
            raise Unusable("items is not a list: write one, of Kubernetes objects")
        return cls(stream, documents[0])

    @property
    def config(self) -> JSON:
        """The object with the function's settings, {} where there is none. Raises `Unusable`."""
        config = self.document.value.get("functionConfig")
        if not isinstance(config, dict | None):
            raise Unusable("functionConfig is not an object: write a ConfigMap with the settings as its data")
        return config or {}

    def changed(self, change: Change) -> tuple[JSON, list[Result]]:
        """The list after a change of each object in it, and what there is to say; as it was where one cannot be
        changed."""
        results: list[Result] = []
        before = self.document.value
        replaced: list[tuple[Path, JSON]] = []
        for path, body in within(before):
            if not path:
                # A list without items.
                continue
            if not isinstance(body, dict):
                results.append(Result(not_an_object(path), "error"))
                continue
            outcome = _changed(body, change, results)
            if outcome is not None and outcome.body is not body:
                replaced.append((path, outcome.body))
        return (before if failed(results) else with_items(before, replaced)), results

    def written(self, value: JSON, results: list[Result]) -> str:
        """The text with another value, and with these results."""
        new = {key: entry for key, entry in value.items() if key != "results"}
        if results:
            new["results"] = [result.as_json() for result in results]
        root = self.document
        rest = self.text[root.offset :]
        return self.text[: root.offset] + edit.apply(
            rest, edit.edits(rest, root.node, root.value, new, anchored=root.anchored)
        )


def failed(results: list[Result]) -> bool:
    """Whether one of them is an error."""
    return any(result.severity == "error" for result in results)


def _changed(body: JSON, change: Change, results: list[Result]) -> Outcome | None:
    """What becomes of an object; what there is to say goes to `results`."""
    wrong = malformed(body)
    if not wrong:
        try:
            outcome = change(body)
        except Refusal as refusal:
            wrong = refusal.message
    if wrong:
        results.append(Result(wrong, "error", body))
        return None
    results += _said(body, outcome)
    return outcome


def _said(body: JSON, outcome: Outcome) -> Iterator[Result]:
    if not outcome.is_supported and not has_known_templates(body):
        return
    about = next((one for one in _FIELDS if one in outcome.warnings), "")
    path = _path(body, about)
    if outcome.problem:
        yield Result(outcome.problem, "error", body, path)
    elif outcome.verb == "skipped":
        yield Result(f"skipped: {outcome.why}", "info", body, path)
    else:
        for warning in outcome.warnings:
            yield Result(report.warning(warning, [outcome.resource]), "warning", body, _path(body, warning))
        yield Result(outcome.verb, "info", body)


def _path(body: JSON, about: str) -> str:
    known = kind_of(body)
    return ".".join((*known.template, _FIELDS[about])) if about and known.role == "workload" else ""


def _reference(body: JSON) -> JSON:
    """How a result names an object; {} if the object lacks what it is named by."""
    reference = {"apiVersion": text(body, "apiVersion"), "kind": text(body, "kind"), "name": name_of(body)}
    if not all(reference.values()):
        return {}
    namespace = text(body, "metadata", "namespace")
    return reference | ({"namespace": namespace} if namespace else {})


def _file(body: JSON) -> JSON:
    """The file that an orchestrator has read an object from, {} if it does not say."""
    annotations = mapping(body, "metadata", "annotations")

    def noted(name: str) -> str:
        return next(
            (str(annotations[key]) for key in (f"{INTERNAL}/{name}", f"{GROUP}/{name}") if key in annotations), ""
        )

    file: dict[str, Any] = {"path": noted("path")} if noted("path") else {}
    index = noted("index")
    if file and re.fullmatch("[0-9]{1,9}", index):
        file["index"] = int(index)
    return file
