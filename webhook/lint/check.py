"""Checks the objects of manifest files. The findings have the file, line and column of the field that they are about.

An error in one document does not keep the others from being checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from webhook import advice
from webhook.findings.finding import Finding, Path, Rule, Severity, declare, render_path
from webhook.findings.suppression import silenced
from webhook.findings.templates import Template
from webhook.kube.objects import Namespace, namespace_of
from webhook.manifest import files, positions
from webhook.manifest.files import Problem
from webhook.manifest.positions import Located
from webhook.policy import registry, unknownkinds
from webhook.policy.routedefaults import with_defaults

if TYPE_CHECKING:
    from webhook.cluster.interface import Catalog
    from webhook.mesh.releases import Line
    from webhook.policy.regex.judge import Judge

UNREADABLE = declare(
    "manifest-unreadable", Severity.ERROR, "FieldValueInvalid", "A file or one of its documents cannot be read."
)
DUPLICATE_KEY = declare(
    "manifest-duplicate-key", Severity.ERROR, "FieldValueDuplicate", "A mapping has a key twice; the last one counts."
)

Lint = Callable[[str, Any, Path, Namespace | None], list[Finding]]
"""The findings about a workload or a Namespace. Parameters: the kind in lower case, the object, the path to its Pod
template (empty where it has none), and its Namespace (None where that is not known)."""


class ObjectIdentity(NamedTuple):
    """The apiVersion, kind, namespace and name of an object. What the manifest leaves out is empty."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


class Reported(NamedTuple):
    """A finding with its place. `line` and `column` count from 1; both are 0 where the finding is about the whole file.
    `object` is None where the document could not be read."""

    file: str
    line: int
    column: int
    rule: Rule
    severity: Severity
    field: str
    message: str
    object: ObjectIdentity | None

    @property
    def is_error(self) -> bool:
        """Whether the finding is an error: all but warnings are, so what only the CRD's schema forbids is one."""
        return self.severity is not Severity.WARNING

    @property
    def level(self) -> str:
        """`error` or `warning`."""
        return "error" if self.is_error else "warning"


class Result(NamedTuple):
    """The findings, sorted by file, line and column, and how many objects were checked or skipped (other kinds)."""

    findings: list[Reported]
    checked: int
    passed_over: int

    @property
    def errors(self) -> int:
        """The number of errors in documents that could be read."""
        return sum(reported.is_error and reported.rule is not UNREADABLE for reported in self.findings)

    @property
    def warnings(self) -> int:
        """The number of warnings."""
        return sum(not reported.is_error for reported in self.findings)

    @property
    def unreadable(self) -> int:
        """The number of files and documents that could not be read."""
        return sum(reported.rule is UNREADABLE for reported in self.findings)


class ManifestObject(NamedTuple):
    """An object of a manifest. `at` is the path to it in its document: `()`, or `("items", 0)` in a List."""

    document: Located
    at: Path
    identity: ObjectIdentity
    group: str
    body: dict[str, Any]

    @property
    def is_policy(self) -> bool:
        """Whether the policy validator or the ServiceProfile validator checks this kind."""
        return registry.knows(self.group, self.identity.kind)

    @property
    def template(self) -> Template | None:
        """Where the Pod template is; None for a kind that has none and that the injector does not read."""
        return advice.template(self.group, self.identity.kind, self.body)

    @property
    def misspelt(self) -> Finding | None:
        """The finding about an apiVersion or kind that is almost one of Linkerd's; None for any other."""
        return unknownkinds.check(self.identity.api_version, self.identity.kind)


def check(
    paths: Iterable[str],
    line: Line,
    catalog: Callable[[list[Any]], Catalog],
    judge: Judge,
    lint: Lint,
    there: Callable[[str], Namespace | None] = lambda _: None,
    cluster_domain: str = "",
) -> Result:
    """Check the objects of manifest files.

    `paths` are files, folders or `-`; `line` is the release line to check for. `catalog` makes a catalog of all objects
    of the files, by which references are checked. `judge` checks regular expressions, `lint` workloads. `there` gives a
    Namespace that is not in the files, None where it is not known. `cluster_domain` is the domain that the names of
    Services end in, empty where it is not known. Files that cannot be read become findings; nothing is raised.
    """
    order: dict[str, int] = {}
    findings: list[Reported] = []
    objects: list[ManifestObject] = []
    others: list[Any] = []
    passed_over = 0
    for file in _files(paths, findings):
        order.setdefault(file, len(order))
        for document in positions.read(file):
            if isinstance(document, Problem):
                findings.append(_unreadable(document))
                continue
            if problem := _why_not_an_object(document):
                findings.append(_unreadable(problem))
                continue
            for entry in unfold(document):
                if isinstance(entry, ManifestObject) and (entry.is_policy or entry.template or entry.misspelt):
                    objects.append(entry)
                else:
                    passed_over += 1
                    others.append(entry.body if isinstance(entry, ManifestObject) else entry)
    known = catalog([*(entry.body for entry in objects), *others])
    judged = partial(_judged, line=line, catalog=known, judge=judge, cluster_domain=cluster_domain)
    namespaces = _namespaces(objects)
    for entry in objects:
        name = entry.identity.namespace or "default"
        namespace = namespaces.get(name) or there(name)
        findings += _report(entry, _findings(entry, judged, lint, namespace))
    findings.sort(key=lambda one: (order.get(one.file, -1), one.line, one.column))
    return Result(findings, len(objects), passed_over)


def _files(paths: Iterable[str], findings: list[Reported]) -> Iterator[str]:
    """The files of `paths`, each once, in the given order. Adds a finding for each path that cannot be read."""
    problems: list[Problem] = []
    yield from dict.fromkeys(file for path in paths for file in files.expand(path, problems))
    findings += map(_unreadable, problems)


def _unreadable(problem: Problem) -> Reported:
    column = 1 if problem.line else 0
    return Reported(problem.file, problem.line, column, UNREADABLE, Severity.ERROR, "", problem.message, None)


def _why_not_an_object(document: Located) -> Problem | None:
    """The problem with a document that is not an object; None for an object, or for data that is not a manifest."""
    body = document.body
    if isinstance(body, dict):
        return None
    if not isinstance(body, list):
        what = type(body).__name__
        return Problem(document.file, document.position(()).line, f"a document of type {what}: write an object")
    if any(isinstance(item, dict) and "kind" in item and "apiVersion" in item for item in body):
        message = "a bare list of objects, which nothing applies: make it the items of a List (apiVersion: v1)"
        return Problem(document.file, document.position(()).line, message)
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


def _namespaces(objects: Iterable[ManifestObject]) -> dict[str, Namespace]:
    """The Namespaces among the objects, by name."""
    given = (
        namespace_of(namespace.body)
        for namespace in objects
        if (namespace.group, namespace.identity.kind) == ("", "Namespace")
    )
    return {namespace.name: namespace for namespace in given if namespace is not None}


def _judged(group: str, kind: str, body: Any, *, line: Line, **known: Any) -> list[Finding]:
    """The findings about an object that the API server would fill defaults in before it asks the webhook."""
    return registry.check(group, kind, with_defaults(group, kind, body, line), line=line, **known)


def _findings(
    checked: ManifestObject, judged: Callable[[str, str, Any], list[Finding]], lint: Lint, namespace: Namespace | None
) -> list[Finding]:
    """The findings about one object; `judged` gives those about a policy or a ServiceProfile."""
    kind = checked.identity.kind
    findings = [
        DUPLICATE_KEY.at(
            path[len(checked.at) :], f'"{path[-1]}" is there more than once, and the last counts: keep one'
        )
        for path in checked.document.doubles(checked.at)
    ]
    if checked.misspelt:
        findings += silenced([checked.misspelt], _annotations(checked.body))
    if checked.is_policy:
        return findings + judged(checked.group, kind, checked.body)
    template = checked.template
    if template is not None and advice.is_concerned(checked.body, template.path, namespace):
        findings += lint(template.kind, checked.body, template.path, namespace)
    return findings


def _annotations(body: Any) -> dict[str, Any]:
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    return annotations if isinstance(annotations, dict) else {}


def _report(checked: ManifestObject, findings: list[Finding]) -> Iterator[Reported]:
    for rule, path, message, severity, _ in findings:
        line, column = checked.document.position((*checked.at, *path))
        yield Reported(
            checked.document.file, line, column, rule, severity, render_path(path), message, checked.identity
        )
