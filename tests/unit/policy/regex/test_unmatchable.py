"""Patterns that no path matches, and alternatives of patterns."""

from __future__ import annotations

import pytest

from webhook.policy.regex.unmatchable import alternatives, cannot_match_path


@pytest.mark.parametrize(
    "pattern",
    [
        "books",
        "^books/[^/]*$",
        "(?i)books",
        "a",
        "api/v1+",
        "",
        "/books\\?id=1",
        "/books#top",
        "/new books",
        "/.*\\?page=.*",
    ],
)
def test_a_pattern_that_no_path_matches_is_told(pattern: str) -> None:
    assert cannot_match_path(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "/",
        "/books/[^/]*",
        "^/books$",
        ".*",
        "(books)?/",
        "a?/b",
        "a*/b",
        "a{0}/b",
        "[/]a",
        "/a\\??",
        "/a#*",
        "/(\\?)?",
        "/[^?#]*",
        "/(?x) a #b",
        "\\/books",
        "/a\\d",
        "/a?b",
    ],
)
def test_a_pattern_that_a_path_may_match_is_passed_over(pattern: str) -> None:
    assert cannot_match_path(pattern) == ""


@pytest.mark.parametrize("pattern", ["/a|/b", "^/a|/b$", "/a$|/b", "/a|(/b|/c)", "/[|]|/b", "/[]|]|/b", "/\\(a|/b"])
def test_a_bar_outside_of_brackets_separates_alternatives(pattern: str) -> None:
    first, second = alternatives(pattern)
    assert f"{first}|{second}" == pattern
    assert "/" in first
    assert "/" in second


@pytest.mark.parametrize(
    "pattern", ["(/a|/b)", "/(a|b)", "/[a|b]", "/[^]|]", "/a\\|b", "/[a[b|c]]", "(?x) /a | /b", "(|"]
)
def test_a_bar_within_brackets_does_not(pattern: str) -> None:
    assert alternatives(pattern) == [pattern]
