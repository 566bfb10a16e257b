"""Writes the tables of `docs/checks.md`: the lines of `check`, section by section.

`make docs` runs it; a test holds the page against it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from webhook.diagnosis.check.line import SECTIONS, Line, Scope, Section
from webhook.diagnosis.check.registry import LINES

MARK: Final = "<!-- `make docs` writes what follows -->\n"

_FLAGS: Final[dict[Scope, str]] = {Scope.PRE: "`--pre`", Scope.INSTALLED: "neither", Scope.PROXY: "`--proxy`"}


def written(page: str) -> str:
    """The page with its tables written anew: they are all that comes after the mark."""
    head, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK.strip()}: add it where the tables are to begin")
    return head + mark + "\n" + "\n".join(tables(LINES))


def tables(lines: Iterable[Line]) -> Iterator[str]:
    """A table for each section, with a row for each code; lines of one code share a row."""
    by_code: dict[str, list[Line]] = {}
    for line in lines:
        by_code.setdefault(line.code, []).append(line)
    for section in Section:
        rows = [same for same in by_code.values() if same[0].section is section]
        if not rows:
            continue
        yield f"## {section}\n"
        yield f"Looked at with {_listed(_FLAGS[scope] for scope in Scope if section in SECTIONS[scope])}.\n"
        yield "| code | line | what is looked at | also |"
        yield "|---|---|---|---|"
        for same in rows:
            yield f"| `{same[0].code}` | {_descriptions(same)} | {_about(same[0])} | {_also(same[0])} |"
        yield ""


def _descriptions(lines: list[Line]) -> str:
    return "<br>".join(_cell(line.check.passes) for line in lines)


def _about(line: Line) -> str:
    """The first paragraph of what its function says of itself."""
    return _cell((line.judge.__doc__ or "").strip().partition("\n\n")[0])


def _also(line: Line) -> str:
    notes = []
    usual = {scope for scope, sections in SECTIONS.items() if line.section in sections}
    if line.scopes != usual:
        notes.append(f"only with {_listed(_FLAGS[scope] for scope in Scope if scope in line.scopes)}")
    if line.awaited:
        notes.append("is waited for")
    if line.proxy_error:
        notes.append("its warnings are errors with `--proxy`")
    if line.optional:
        notes.append("is skipped where a right is missing")
    return "; ".join([*notes, f"[hints]({line.url()})"])


def _listed(texts: Iterable[str]) -> str:
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text()))
