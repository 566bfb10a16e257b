"""`docs/checks.md`: the lines as they are declared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from webhook.diagnosis.check.document import MARK, tables, written
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Scope, Section, line
from webhook.diagnosis.check.registry import LINES
from webhook.diagnosis.finding import Check

PAGE = Path(__file__).parents[4] / "docs" / "checks.md"


@line(Section.WEBHOOK, "a-code", "all | is well", hint="https://example.org/", awaited=True, optional=True)
def judged(_facts: ClusterFacts, _check: Check) -> Any:
    """Whether all
    is well.

    More about it.
    """
    return ()


@line(Section.WEBHOOK, "a-code", "more is well", hint="x", scopes=[Scope.PROXY], proxy_error=True)
def other(_facts: ClusterFacts, _check: Check) -> Any:
    """Shares the row."""
    return ()


def test_the_page_has_every_line_as_it_is_declared() -> None:
    """`make docs` writes it anew."""
    assert PAGE.read_text() == written(PAGE.read_text())


def test_every_code_has_a_row_in_its_section() -> None:
    tables_of_page = PAGE.read_text().partition(MARK)[2]
    sections = re.split(r"^## ", tables_of_page, flags=re.MULTILINE)
    for element in LINES:
        [section] = [text for text in sections if text.startswith(f"{element.section}\n")]
        assert f"| `{element.code}` |" in section


def test_a_row_tells_what_is_looked_at_and_how() -> None:
    text = "\n".join(tables([judged]))
    row = "| `a-code` | all \\| is well | Whether all is well. |"
    assert f"{row} is waited for; is skipped where a right is missing; [hints](https://example.org/) |" in text
    assert "Looked at with neither.\n" in text


def test_lines_of_one_code_share_a_row() -> None:
    text = "\n".join(tables([judged, other]))
    assert text.count("`a-code`") == 1
    assert "all \\| is well<br>more is well" in text


def test_what_a_line_departs_in_from_its_section_is_told() -> None:
    text = "\n".join(tables([other]))
    assert (
        "only with `--proxy`; its warnings are errors with `--proxy`; [hints](https://linkerd.io/2/checks/#x)" in text
    )


def test_a_page_without_its_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="add it where the tables are to begin"):
        written("# Checks\n")


def test_every_line_tells_what_it_looks_at() -> None:
    assert [line.code for line in LINES if not (line.judge.__doc__ or "").strip()] == []
