"""The pages of the manual."""

import re
from pathlib import Path

import pytest

from webhook.diagnosis import condition
from webhook.injector.decision import SENTENCES
from webhook.statuspage import manual
from webhook.statuspage.document import explanation

ROOT = Path(__file__).parents[3]


def conditions() -> list[str]:
    """The names of all conditions, and that of a finding of the page's own."""
    source = (ROOT / "webhook/diagnosis/condition.py").read_text()
    names = re.findall(r'(?:_optional\(f?|"name": )"([^"{]+)"', source)
    assert len(names) > 8
    return [*names, condition.SERVING, "configuration files", "certificate files", "trust anchor"]


@pytest.mark.parametrize("name", conditions())
def test_each_condition_has_a_section_that_exists(name: str) -> None:
    page, _, anchor = manual.section_about(name).removeprefix("docs/").partition("#")
    text = manual.text_of(page)
    assert text is not None
    assert anchor in {manual.anchor(heading) for heading, _ in manual.pieces(text)}


def test_no_condition_is_sent_to_a_whole_page() -> None:
    assert not [name for name in conditions() if "#" not in manual.section_about(name)]


@pytest.mark.parametrize("reason", sorted(SENTENCES))
def test_each_reason_of_the_injector_has_a_section_and_a_sentence(reason: str) -> None:
    assert manual.section_about_reason(reason) == f"docs/answers#{reason}"
    assert explanation(reason) != reason


@pytest.mark.parametrize("name", ["../README", "..", "", "answers.md", "Answers", "decisions/x", "a" * 1000])
def test_a_name_that_is_not_a_page_s_is_none(name: str) -> None:
    assert manual.text_of(name) is None


def test_a_comment_in_a_block_of_code_is_not_a_heading() -> None:
    assert manual.pieces("# A\ntext\n```sh\n# not one\n```\n## B\n") == [
        ("A", "text\n```sh\n# not one\n```"),
        ("B", ""),
    ]
