"""Objects whose verdict is another with another release: policies, routes, ServiceProfiles."""

from __future__ import annotations

from collections.abc import Iterable

from webhook.cluster.catalog import OfflineCatalog
from webhook.comparison.compare import VerdictChange
from webhook.lint.check import UNREADABLE, Reported, check
from webhook.manifest.files import Problem
from webhook.mesh.releases import Line
from webhook.policy.regex.judge import judge_for

Key = tuple[str, int, str]


def verdicts(paths: Iterable[str], before: Line, after: Line) -> tuple[list[VerdictChange], list[Problem]]:
    """The objects of these files that one release refuses and the other does not, or for other reasons; and what could
    not be read."""
    names = tuple(paths)
    old, problems = _errors(names, before)
    new, _ = _errors(names, after)
    changed = [
        VerdictChange(key[2], key[0], key[1], *(tuple(errors.get(key, ())) for errors in (old, new)))
        for key in dict.fromkeys((*old, *new))
        if set(old.get(key, ())) != set(new.get(key, ()))
    ]
    return changed, problems


def _errors(paths: tuple[str, ...], line: Line) -> tuple[dict[Key, list[str]], list[Problem]]:
    """The errors of each object, with the line of the first; and what could not be read."""
    result = check(paths, line, OfflineCatalog, judge_for(line), lambda *_: [])
    errors: dict[Key, list[str]] = {}
    for one in result.findings:
        if one.rule is not UNREADABLE and one.is_error and one.object is not None:
            errors.setdefault((one.file, one.line, str(one.object)), []).append(_sentence(one))
    problems = [Problem(one.file, one.line, one.message) for one in result.findings if one.rule is UNREADABLE]
    return errors, problems


def _sentence(one: Reported) -> str:
    return f"{one.field}: {one.message}" if one.field else one.message
