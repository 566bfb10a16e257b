"""Objects whose verdict is another with another release: policies, routes, ServiceProfiles."""

from __future__ import annotations

from collections.abc import Iterable

from webhook.cluster.catalog import OfflineCatalog
from webhook.comparison.compare import VerdictChange
from webhook.lint.check import Reported, check_objects
from webhook.lint.objects import Manifests, read
from webhook.manifest.files import Problem
from webhook.mesh.releases import Line
from webhook.policy.regex.judge import judge_for

# File and object.
Key = tuple[str, str]


def verdicts(paths: Iterable[str], before: Line, after: Line) -> tuple[list[VerdictChange], list[Problem]]:
    """The objects of these files that one release refuses and the other does not, or for other reasons; and what could
    not be read."""
    manifests = read(paths)
    old, new = _errors(manifests, before), _errors(manifests, after)
    changed = [
        VerdictChange(
            key[1],
            key[0],
            min(one.line for one in (*old.get(key, ()), *new.get(key, ()))),
            *(tuple(map(_sentence, errors.get(key, ()))) for errors in (old, new)),
        )
        for key in dict.fromkeys((*old, *new))
        if set(map(_sentence, old.get(key, ()))) != set(map(_sentence, new.get(key, ())))
    ]
    return changed, manifests.problems


def _errors(manifests: Manifests, line: Line) -> dict[Key, list[Reported]]:
    """The errors of each object."""
    result = check_objects(manifests, line, OfflineCatalog, judge_for(line), lambda *_: [])
    errors: dict[Key, list[Reported]] = {}
    for one in result.findings:
        if one.is_error and one.object is not None:
            errors.setdefault((one.file, str(one.object)), []).append(one)
    return errors


def _sentence(one: Reported) -> str:
    return f"{one.field}: {one.message}" if one.field else one.message
