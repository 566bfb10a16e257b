"""The Pods of manifests: Pods, and those that workloads will create."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from webhook.comparison.compare import asking
from webhook.comparison.sides import Given
from webhook.injector.owner import Root
from webhook.injector.refusal import Refusal
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace, namespace_of
from webhook.lint import objects as manifests
from webhook.lint.objects import ManifestObject
from webhook.manifest.files import Problem
from webhook.review import JSON


def read(paths: Iterable[str]) -> tuple[list[Given], list[Problem]]:
    """The Pods of these files and folders (`-` is standard input), and what could not be read.

    A Pod lives in the Namespace of its name among the manifests; where that is not there, in one that asks for
    injection.
    """
    _, objects, _, problems = manifests.read(paths)
    namespaces = {space.name: space for space in map(_namespace, objects) if space is not None}
    given: list[Given] = []
    for one in objects:
        try:
            given += _pods(one, namespaces)
        except Refusal as refusal:
            place = one.document.position(one.at)
            problems.append(Problem(one.document.file, place.line, f"{one.identity}: {refusal.message}"))
    return given, problems


def _namespace(one: ManifestObject) -> Namespace | None:
    return namespace_of(one.body) if one.identity.kind == "Namespace" and not one.group else None


def _pods(one: ManifestObject, namespaces: Mapping[str, Namespace]) -> Iterator[Given]:
    template = one.template
    kind, name = one.identity.kind, one.identity.name
    if template is None or (not template.path and kind != "Pod"):
        return
    within = one.identity.namespace or "default"
    namespace = namespaces.get(within) or asking(within)
    shown = f"{kind} {within}/{name or '(without a name)'}"
    if not template.path:
        yield Given(shown, one.body, _subject(one.body), namespace, _owner(one.body))
        return
    body: Any = one.body
    for part in template.path:
        body = body.get(part) if isinstance(body, dict) else None
    pod = _of_template(body, name, within)
    owner = "job" if template.kind == "cronjob" else template.kind
    yield Given(shown, pod, _subject(pod), namespace, (owner, name), Root(name, kind, one.group))


def _subject(pod: JSON) -> Subject:
    """From text: that is a tenth of the time. Raises `Refusal`."""
    return Subject.of("Pod", orjson.dumps(pod))


def _of_template(template: Any, name: str, namespace: str) -> JSON:
    """A Pod as a controller creates it."""
    if template is not None and not isinstance(template, dict):
        raise Refusal("the Pod template is not an object: write one with metadata and spec")
    given = template or {}
    metadata = given.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise Refusal("the metadata of the Pod template are not an object: write one with labels and annotations")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": f"{name}-", "namespace": namespace, **(metadata or {})},
        "spec": given.get("spec"),
    }


def _owner(body: JSON) -> tuple[str, str] | None:
    metadata = body.get("metadata")
    owners = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
    if not isinstance(owners, list) or not owners or not isinstance(owners[0], dict):
        return None
    return str(owners[0].get("kind", "")).lower(), str(owners[0].get("name", ""))
