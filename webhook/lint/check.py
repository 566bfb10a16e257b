"""Files in, findings with their places out: every object of every document, whatever is wrong with the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from webhook import advice
from webhook.findings.finding import Finding, Path, Rule, Severity, declare, render_path
from webhook.findings.silence import silenced
from webhook.findings.templates import Template
from webhook.kube.objects import Namespace, namespace_of
from webhook.manifest import files, positions
from webhook.manifest.files import Problem
from webhook.manifest.positions import Located
from webhook.policy import kinds, registry

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
"""What there is to say about an object of a kind (in lower case) that has its Pod template there (empty for none), in a
Namespace (None where it is not known)."""


class Identity(NamedTuple):
    """Which object it is; what it does not say is empty."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


class Reported(NamedTuple):
    """A finding and where it is. Line and column count from 1; line 0 is the file itself. `object` is None for what
    could not be read."""

    file: str
    line: int
    column: int
    rule: Rule
    severity: Severity
    field: str
    message: str
    object: Identity | None

    @property
    def is_error(self) -> bool:
        """Whether it is more than a warning: what only the schema forbids never gets into a cluster either."""
        return self.severity is not Severity.WARNING

    @property
    def level(self) -> str:
        """`error` or `warning`."""
        return "error" if self.is_error else "warning"


class Result(NamedTuple):
    """All that was found, by file and place, and how many objects were checked and passed over."""

    found: list[Reported]
    checked: int
    passed_over: int

    @property
    def errors(self) -> int:
        """How many errors there are in what could be read."""
        return sum(each.is_error and each.rule is not UNREADABLE for each in self.found)

    @property
    def warnings(self) -> int:
        """How many warnings there are."""
        return sum(not each.is_error for each in self.found)

    @property
    def unreadable(self) -> int:
        """How many files and documents could not be read."""
        return sum(each.rule is UNREADABLE for each in self.found)


class Object(NamedTuple):
    """An object, and its place in a document."""

    document: Located
    at: Path
    identity: Identity
    group: str
    body: dict[str, Any]

    @property
    def is_policy(self) -> bool:
        """Whether the validators check it."""
        return registry.knows(self.group, self.identity.kind)

    @property
    def template(self) -> Template | None:
        """Where its Pod template is; None for what neither the injector reads nor has one."""
        return advice.template(self.group, self.identity.kind, self.body)

    @property
    def misspelt(self) -> Finding | None:
        """What is to say about a type that is almost one of Linkerd's."""
        return kinds.check(self.identity.api_version, self.identity.kind)


def check(
    paths: Iterable[str],
    line: Line,
    catalog: Callable[[list[Any]], Catalog],
    judge: Judge,
    lint: Lint,
    there: Callable[[str], Namespace | None] = lambda _: None,
    cluster_domain: str = "",
) -> Result:
    """Check the objects of these files. `catalog` is made of all of them; `there` knows the Namespaces that are not
    among them, None for those that it does not know. `cluster_domain` is what the names of Services end in, empty where
    that is not known."""
    order: dict[str, int] = {}
    found: list[Reported] = []
    objects: list[Object] = []
    others: list[Any] = []
    passed_over = 0
    for file in _files(paths, found):
        order.setdefault(file, len(order))
        for document in positions.read(file):
            if isinstance(document, Problem):
                found.append(_unreadable(document))
                continue
            if problem := _no_object(document):
                found.append(_unreadable(problem))
                continue
            for each in unfold(document):
                if isinstance(each, Object) and (each.is_policy or each.template or each.misspelt):
                    objects.append(each)
                else:
                    passed_over += 1
                    others.append(each.body if isinstance(each, Object) else each)
    known = catalog([*(each.body for each in objects), *others])
    judged = partial(registry.check, line=line, catalog=known, judge=judge, cluster_domain=cluster_domain)
    namespaces = _namespaces(objects)
    for each in objects:
        name = each.identity.namespace or "default"
        namespace = namespaces.get(name) or there(name)
        found += _report(each, _findings(each, judged, lint, namespace))
    found.sort(key=lambda one: (order.get(one.file, -1), one.line, one.column))
    return Result(found, len(objects), passed_over)


def _files(paths: Iterable[str], found: list[Reported]) -> Iterator[str]:
    """Each file once, in the order in which they were given."""
    problems: list[Problem] = []
    yield from dict.fromkeys(file for path in paths for file in files.expand(path, problems))
    found += map(_unreadable, problems)


def _unreadable(problem: Problem) -> Reported:
    column = 1 if problem.line else 0
    return Reported(problem.file, problem.line, column, UNREADABLE, Severity.ERROR, "", problem.message, None)


def _no_object(document: Located) -> Problem | None:
    """Why a document that is not an object is a mistake; None where it may be there for something else."""
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


def unfold(document: Located) -> Iterator[Object | Any]:
    """The objects of a document, those in Lists each for itself; what is no object at all comes as it is."""
    yield from _unfold(document, (), document.body)


def _unfold(document: Located, at: Path, body: Any) -> Iterator[Object | Any]:
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
    identity = Identity(version, kind, _text(namespace), _text(name))
    yield Object(document, at, identity, version.rpartition("/")[0], body)


def _item(item: Any, version: str, kind: str) -> Any:
    """An item of a typed list may leave out what the list's type says."""
    if not kind or not isinstance(item, dict) or ("kind" in item and "apiVersion" in item):
        return item
    return {"apiVersion": version, "kind": kind, **item}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _namespaces(objects: Iterable[Object]) -> dict[str, Namespace]:
    """The Namespaces that were given, by name."""
    found = (namespace_of(each.body) for each in objects if (each.group, each.identity.kind) == ("", "Namespace"))
    return {each.name: each for each in found if each is not None}


def _findings(
    each: Object, judged: Callable[[str, str, Any], list[Finding]], lint: Lint, namespace: Namespace | None
) -> list[Finding]:
    """What there is to say about one object; `judged` says it of policies."""
    kind = each.identity.kind
    found = [
        DUPLICATE_KEY.at(path[len(each.at) :], f'"{path[-1]}" is there more than once, and the last counts: keep one')
        for path in each.document.doubles(each.at)
    ]
    if each.misspelt:
        found += silenced([each.misspelt], _annotations(each.body))
    if each.is_policy:
        return found + judged(each.group, kind, each.body)
    template = each.template
    if template is not None and advice.is_concerned(each.body, template.path, namespace):
        found += lint(template.kind, each.body, template.path, namespace)
    return found


def _annotations(body: Any) -> dict[str, Any]:
    metadata = body.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def _report(each: Object, findings: list[Finding]) -> Iterator[Reported]:
    for rule, path, message, severity, _ in findings:
        line, column = each.document.position((*each.at, *path))
        yield Reported(each.document.file, line, column, rule, severity, render_path(path), message, each.identity)
