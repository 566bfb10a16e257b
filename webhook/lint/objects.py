"""The objects of manifest files, a List's items in place of the List, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from webhook import advice
from webhook.findings.finding import Path, show
from webhook.findings.templates import Template
from webhook.manifest import files, positions
from webhook.manifest.files import Problem
from webhook.manifest.positions import Located


class ObjectIdentity(NamedTuple):
    """The apiVersion, kind, namespace and name of an object. What the manifest leaves out is empty."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


class ManifestObject(NamedTuple):
    """An object of a manifest. `at` is the path to it in its document: `()`, or `("items", 0)` in a List."""

    document: Located
    at: Path
    identity: ObjectIdentity
    group: str
    body: dict[str, Any]

    @property
    def template(self) -> Template | None:
        """Where the Pod template is; None for a kind that has none and that the injector does not read."""
        return advice.template(self.group, self.identity.kind, self.body)


class Manifests(NamedTuple):
    """What files hold: the files in their order, the objects, other values, and what could not be read."""

    files: list[str]
    objects: list[ManifestObject]
    others: list[Any]
    problems: list[Problem]


def read(paths: Iterable[str]) -> Manifests:
    """Read files and folders (`-` is standard input), each once. An error in one document does not keep the others from
    being read."""
    problems: list[Problem] = []
    result = Manifests(
        [*dict.fromkeys(file for path in paths for file in files.expand(path, problems))], [], [], problems
    )
    for file in result.files:
        for document in positions.read(file):
            problem = document if isinstance(document, Problem) else _why_not_an_object(document)
            if problem is not None:
                problems.append(problem)
            elif isinstance(document, Located):
                for entry in unfold(document):
                    (result.objects if isinstance(entry, ManifestObject) else result.others).append(entry)
    return result


def _why_not_an_object(document: Located) -> Problem | None:
    """The problem with a document that is not an object; None for an object, or for data that is not a manifest."""
    body = document.body
    if isinstance(body, dict):
        return _why_not_of_a_kind(document, body)
    if not isinstance(body, list):
        return files.not_an_object(document.file, document.position(()).line, body)
    if any(isinstance(item, dict) and "kind" in item and "apiVersion" in item for item in body):
        message = "a bare list of objects, which nothing applies: make it the items of a List (apiVersion: v1)"
        return Problem(document.file, document.position(()).line, message)
    return None


def _why_not_of_a_kind(document: Located, body: dict[str, Any]) -> Problem | None:
    """The problem with an object whose apiVersion or kind is not text; None without both, as that is other data."""
    if "apiVersion" not in body or "kind" not in body:
        return None
    for key, example in (("apiVersion", "apps/v1"), ("kind", "Deployment")):
        if not isinstance(body[key], str):
            line, column = document.position((key,))
            message = f"{key} is {show(body[key])}, and must be a string: write {key}: {example}, for example"
            return Problem(document.file, line, message, column)
    return None


def unfold(document: Located) -> Iterator[ManifestObject | Any]:
    """The objects of a document, with the items of a List in place of the List. A value that is not a Kubernetes object
    is yielded unchanged."""
    yield from _unfold(document, (), document.body)


def _unfold(document: Located, at: Path, body: Any) -> Iterator[ManifestObject | Any]:
    version = body.get("apiVersion") if isinstance(body, dict) else None
    kind = body.get("kind") if isinstance(body, dict) else None
    if not isinstance(kind, str) or not isinstance(version, str):
        yield body
        return
    items = body.get("items")
    if kind.endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            yield from _unfold(document, (*at, "items", index), _item(item, version, kind.removesuffix("List")))
        return
    metadata = body.get("metadata")
    name, namespace = (metadata.get("name"), metadata.get("namespace")) if isinstance(metadata, dict) else ("", "")
    if isinstance(metadata, dict) and not name:
        name = metadata.get("generateName")
    identity = ObjectIdentity(version, kind, _text(namespace), _text(name))
    yield ManifestObject(document, at, identity, version.rpartition("/")[0], body)


def _item(item: Any, version: str, kind: str) -> Any:
    """An item of a typed list such as a PodList, with the apiVersion and kind that it may leave out there."""
    if not kind or not isinstance(item, dict) or ("kind" in item and "apiVersion" in item):
        return item
    return {"apiVersion": version, "kind": kind, **item}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
