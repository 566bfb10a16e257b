"""What `check` prints: a table or its short form in the shape of `linkerd check`, or JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from webhook.diagnosis.check.run import CheckReport, LineResult
from webhook.diagnosis.finding import CheckSeverity, lines

JSON = dict[str, Any]

# Objects of a line in JSON, and findings of a line in text.
SHOWN: Final = 20

_MARKS: Final[dict[CheckSeverity | None, str]] = {
    None: "\x1b[32;1m√\x1b[0m",
    CheckSeverity.WARNING: "\x1b[33;1m‼\x1b[0m",
    CheckSeverity.ERROR: "\x1b[31;1m×\x1b[0m",
}


def as_json(report: CheckReport) -> JSON:
    """All of it. The form is that of `linkerd check -o json`, with more keys."""
    categories: list[JSON] = []
    for result in report.results:
        name = str(result.line.section)
        if not categories or categories[-1]["categoryName"] != name:
            categories.append({"categoryName": name, "checks": []})
        categories[-1]["checks"].append(_check(result, report.release_line))
    skipped = [{"code": line.code, "reason": line.reason} for line in report.skipped]
    return {"success": report.success, "categories": categories, "skipped": skipped}


def _check(result: LineResult, release_line: str) -> JSON:
    check: JSON = {
        "code": result.line.code,
        "description": result.line.check.passes,
        "result": str(result.severity) if result.severity else "success",
    }
    if result.severity is None:
        return check
    objects = list(dict.fromkeys(finding.object for finding in result.findings if finding.object))
    return check | {
        "error": "\n".join(_texts(result)),
        "hint": result.line.url(release_line),
        "objects": objects[:SHOWN],
        "count": len(objects),
    }


def as_text(report: CheckReport, *, short: bool = False, strict: bool = False) -> Iterator[str]:
    """The lines of the table; `short` has only what is wrong. With `strict`, the last line is of a failure where there
    is a warning. Marks are coloured: strip that where nobody wants it."""
    section = ""
    results = [result for result in report.results if not short or result.severity is not None]
    for result in results:
        if result.line.section != section:
            if section:
                yield ""
            section = result.line.section
            yield section
            yield "-" * len(section)
        yield f"{_MARKS[result.severity]} {result.line.check.passes}"
        if result.severity is not None:
            yield from (f"    {text}" for text in _texts(result))
            yield f"    see {result.line.url(report.release_line)} for hints"
    if report.skipped and not short:
        yield ""
        yield "not checked"
        yield "-" * len("not checked")
        yield from (f"- {line.code}: {line.reason}" for line in report.skipped)
    if results or not short:
        yield ""
    yield f"Status check results are {_MARKS[None if report.holds(strict=strict) else CheckSeverity.ERROR]}"


def _texts(result: LineResult) -> list[str]:
    texts = [printable(text) for text in lines(result.findings)]
    if len(texts) > SHOWN:
        rest = len(texts) - SHOWN
        texts = [*texts[:SHOWN], f"and {rest} more: -n NAMESPACE shows those of one Namespace, -o json their number"]
    return texts


def printable(text: str) -> str:
    """In one line, without codes that a terminal would obey: names in a cluster may hold any."""
    return "".join(character if character.isprintable() else "�" for character in " ".join(text.split()))
