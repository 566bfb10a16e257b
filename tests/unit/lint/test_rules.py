"""The table of rules, and the examples that the documentation shows for each."""

from __future__ import annotations

import gc
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from webhook.cli.validate import validate
from webhook.lint.examples import read, read_all
from webhook.lint.rules import load_all, markdown

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = read_all(DOCS / "examples")


def findings_of(manifests: str, line: str, folder: Path) -> list[dict[str, Any]]:
    """What `validate` reports of these manifests."""
    file = folder / "example.yaml"
    file.write_text(f"{manifests}\n")
    arguments = ["-o", "json", *(["--release-line", line] if line else []), str(file)]
    try:
        result = CliRunner().invoke(validate, arguments, catch_exceptions=False)
    finally:
        # The command, which ends its process, has turned it off.
        gc.enable()
    entries: list[dict[str, Any]] = json.loads(result.stdout)
    return entries


def test_the_documentation_has_every_rule_as_it_is() -> None:
    """`make docs` writes it anew."""
    assert (DOCS / "rules.md").read_text() == markdown(EXAMPLES)


def test_every_rule_has_an_example_and_every_example_a_rule() -> None:
    """A file docs/examples/RULE.yaml, whose form webhook/lint/examples.py describes."""
    rules = load_all().keys()
    assert rules - EXAMPLES.keys() == set()
    assert EXAMPLES.keys() - rules == set()


@pytest.mark.parametrize("rule", [rule for rule, example in EXAMPLES.items() if not example.none])
def test_the_wrong_example_breaks_its_rule_and_the_right_one_no_rule_that_refuses(rule: str, tmp_path: Path) -> None:
    example = EXAMPLES[rule]
    assert rule in {one["rule"] for one in findings_of(example.bad, example.line, tmp_path)}
    right = findings_of(example.good, example.line, tmp_path)
    assert [one for one in right if one["rule"] == rule or one["severity"] == "error"] == []


class TestExample:
    """The form of an example's file."""

    def test_has_a_wrong_and_a_right_part_and_may_name_a_release_line(self, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_text("# line: stable-2.12\n# bad\na: 1\n---\nb: 2\n# good\n# as it should be\na: 2\n")
        assert read(file) == ("a: 1\n---\nb: 2", "# as it should be\na: 2", "stable-2.12", "")

    def test_may_only_say_why_there_is_none(self, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_text("# none: a manifest has no request.\n")
        assert read(file) == ("", "", "", "a manifest has no request.")

    @pytest.mark.parametrize(
        "text", ["", "a: 1\n", "# bad\na: 1\n", "# good\na: 1\n", "# bad\n# good\na: 1\n", "# bad\na: 1\n# good\n\n"]
    )
    def test_is_refused_in_any_other_form_by_the_name_of_its_file(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(text)
        with pytest.raises(ValueError, match=r"a\.yaml: write "):
            read_all(tmp_path)


def test_an_identifier_can_be_written_into_an_annotation() -> None:
    """Lower case, and no comma."""
    for identifier in load_all():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", identifier), identifier


def test_every_rule_says_in_a_sentence_what_it_is_about() -> None:
    for rule in load_all().values():
        assert rule.summary.endswith("."), rule.id
        assert rule.reason.startswith("FieldValue"), rule.id
