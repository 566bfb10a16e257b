"""The tables of the release lines are those of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from webhook.mesh.releases import LINES, ROWS
from webhook.mesh.table import MARK, written

PAGE = Path(__file__).parents[3] / "docs" / "release-lines.md"


def test_the_page_is_up_to_date() -> None:
    """`make docs` writes it anew."""
    assert PAGE.read_text() == written(PAGE.read_text())


def test_every_line_and_every_row_is_in_a_table() -> None:
    tables = written(MARK)
    for name in (*LINES, *(row.partition("/")[2] for row in ROWS)):
        assert f"`{name}`" in tables


def test_a_page_without_a_place_for_them_is_refused() -> None:
    with pytest.raises(ValueError, match="add it where the tables are to begin"):
        written("# Title\n")
