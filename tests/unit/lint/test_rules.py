"""The table of rules."""

from __future__ import annotations

import re
from pathlib import Path

from webhook.lint.rules import load_all, markdown

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"


def test_the_documentation_has_every_rule_as_it_is() -> None:
    """`make docs` writes it anew."""
    assert PAGE.read_text() == markdown()


def test_an_identifier_can_be_written_into_an_annotation() -> None:
    """Lower case, and no comma."""
    for identifier in load_all():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", identifier), identifier


def test_every_rule_says_in_a_sentence_what_it_is_about() -> None:
    for rule in load_all().values():
        assert rule.summary.endswith("."), rule.id
        assert rule.reason.startswith("FieldValue"), rule.id
