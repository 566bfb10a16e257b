"""Checks the objects of manifest files. The findings have the file, line and column of the field that they are about.

An error in one document does not keep the others from being checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from webhook import advice
from webhook.findings.finding import Finding, Path, Rule, Severity, declare, render_path
from webhook.findings.suppression import UNKNOWN_RULE, silenced
from webhook.kube.objects import Namespace, namespace_of
from webhook.lint import mistakes
from webhook.lint.objects import ManifestObject, Manifests, ObjectIdentity, read
from webhook.manifest.files import Problem
from webhook.manifest.mistakes import about_tag, about_unseen
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
    return check_objects(read(paths), line, catalog, judge, lint, there, cluster_domain)


def check_objects(
    manifests: Manifests,
    line: Line,
    catalog: Callable[[list[Any]], Catalog],
    judge: Judge,
    lint: Lint,
    there: Callable[[str], Namespace | None] = lambda _: None,
    cluster_domain: str = "",
) -> Result:
    """As `check`, of files that were read; they are left as they are."""
    objects = [entry for entry in manifests.objects if _is_policy(entry) or entry.template or _misspelt(entry)]
    known = catalog([*(entry.body for entry in manifests.objects), *manifests.others])
    judged = partial(_judged, line=line, catalog=known, judge=judge, cluster_domain=cluster_domain)
    namespaces = _namespaces(objects)
    findings = [*map(_unreadable, manifests.problems)]
    for entry in objects:
        name = entry.identity.namespace or "default"
        namespace = namespaces.get(name) or there(name)
        findings += _report(entry, _findings(entry, judged, lint, namespace))
    order = {file: index for index, file in enumerate(manifests.files)}
    findings.sort(key=lambda one: (order.get(one.file, -1), one.line, one.column))
    passed_over = len(manifests.objects) - len(objects) + len(manifests.others)
    return Result(findings, len(objects), passed_over)


def _is_policy(entry: ManifestObject) -> bool:
    """Whether the policy validator or the ServiceProfile validator checks this kind."""
    return registry.knows(entry.group, entry.identity.kind)


def _misspelt(entry: ManifestObject) -> Finding | None:
    """The finding about an apiVersion or kind that is almost one of Linkerd's; None for any other."""
    return unknownkinds.check(entry.identity.api_version, entry.identity.kind)


def _unreadable(problem: Problem) -> Reported:
    column = problem.column or (1 if problem.line else 0)
    return Reported(problem.file, problem.line, column, UNREADABLE, Severity.ERROR, "", problem.message, None)


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
    if misspelt := _misspelt(checked):
        findings += silenced([misspelt], _annotations(checked.body))
    is_policy, template = _is_policy(checked), checked.template
    mine = [
        *(mistakes.TAG.at(path[len(checked.at) :], about_tag(tag)) for path, tag in checked.document.tags(checked.at)),
        *(
            mistakes.UNSEEN.at(path[len(checked.at) :], about_unseen(character))
            for path, character in checked.document.unseen(checked.at)
        ),
        *mistakes.find(checked.body, template, is_policy=is_policy),
    ]
    if mine:
        # What the annotation names wrongly is told with the other findings.
        mine = [one for one in silenced(mine, _annotations(checked.body)) if one.rule is not UNKNOWN_RULE]
    others: list[Finding] = []
    if is_policy:
        others = judged(checked.group, kind, checked.body)
    elif template is not None and advice.is_concerned(checked.body, template.path, namespace):
        others = lint(template.kind, checked.body, template.path, namespace)
    # A placeholder is no value that something else could be said of.
    unfilled = {one.path for one in mine if one.rule is mistakes.NOT_RENDERED}
    return [
        *findings,
        *mine,
        *(one for one in others if one.severity is not Severity.WARNING or one.path not in unfilled),
    ]


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
