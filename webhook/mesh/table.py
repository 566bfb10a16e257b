"""Writes the tables of `docs/release-lines.md`: the release lines, and what came and went with which release.

`make docs` runs it; a test holds the page against it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from webhook.mesh.releases import LINES, ROWS, Release, Span, at, came_with, line, went_with

MARK: Final = "<!-- `make docs` writes what follows -->\n"

_KINDS: Final = {
    "value": "Keys of the values",
    "env": "Variables of the proxy",
    "flag": "Flags of the init container",
    "field": "Fields of containers",
    "annotation": "Annotations",
    "rule": "Behaviour",
    "policy": "Policies",
    "extension": "Injectors of the extensions",
}


def written(page: str) -> str:
    """The page with its tables written anew: they are all that comes after the mark."""
    head, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK.strip()}: add it where the tables are to begin")
    return head + mark + "\n" + "\n".join(_tables())


def _tables() -> Iterator[str]:
    yield "## The lines\n"
    yield "| line | is | the same from | until |"
    yield "|---|---|---|---|"
    for name in LINES:
        first, other = _reach(name)
        yield f"| `{name}` | {line(name).release.name} | {first} | {other} |"
    for kind, title in _KINDS.items():
        yield f"\n## {title}\n"
        yield "| what | from | until |"
        yield "|---|---|---|"
        for names in _by_span(kind).values():
            row = f"{kind}/{names[0]}"
            shown = ", ".join(f"`{name}`" for name in names)
            yield f"| {shown} | {_from(row)} | {_until(row)} |"
    yield ""


def _by_span(kind: str) -> dict[Span, list[str]]:
    """The rows of a kind, together where they begin and end with the same releases; the first to begin are first."""
    result: dict[Span, list[str]] = {}
    for row, span in ROWS.items():
        if row.startswith(f"{kind}/"):
            result.setdefault(span, []).append(row.partition("/")[2])
    return dict(sorted(result.items(), key=lambda item: _order(item[0].since or item[0].until)))


def _order(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _from(row: str) -> str:
    span = ROWS[row]
    # What no edge release has was a stable branch's own.
    return f"stable-{span.stable_since}" if span.since == span.until else came_with(row)


def _until(row: str) -> str:
    span = ROWS[row]
    if span.since != span.until:
        return went_with(row)
    branch = int(span.stable_since.split(".")[1])
    return f"stable-2.{branch + 1}"


def _reach(name: str) -> tuple[str, str]:
    """The first release that has all that a line has, and nothing else; the first later one that is otherwise."""
    of_line = line(name)
    releases = _releases(of_line.release)
    first = next(release for release in releases if at(release).name == name)
    others = (release.name for release in releases if release > first and at(release).name != name)
    return first.name, next(others, "")


def _releases(of: Release) -> list[Release]:
    """The releases that are told apart: those of its stable branch, or the edge releases at which something changes."""
    if of.branch:
        return [of._replace(patch=patch) for patch in range(max(of.patch, 10) + 1)]
    versions = {version for span in ROWS.values() for version in (span.since, span.until) if version}
    edges = {(int(year), int(month), int(patch)) for year, month, patch in (version.split(".") for version in versions)}
    return sorted(Release(edge) for edge in edges | {of.edge})


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text()))
