"""The slips that a path's pattern shows at a glance."""

from __future__ import annotations

import pytest

from webhook.policy.regex.paths import remarks


@pytest.mark.parametrize(
    "pattern",
    ["books", "^books/[^/]*$", "a", "api/v1+", "", "  ", "/books\\?id=1", "/books#top", "/new books", "/.*\\?page=.*"],
)
def test_a_pattern_that_no_path_matches_is_told(pattern: str) -> None:
    assert remarks(pattern).never


@pytest.mark.parametrize(
    "pattern",
    [
        "/",
        "/books/[^/]*",
        "^/books$",
        " /books ",
        ".*",
        "(books)?/",
        "a?/b",
        "a*/b",
        "a{0}/b",
        "[/]a",
        "(?i)books",
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
    assert remarks(pattern) == ("", "")


@pytest.mark.parametrize("pattern", ["/a|/b", "^/a|/b$", "/a$|/b", "/a|(/b|/c)", "/[|]|/b", "/[]|]|/b", "/\\(a|/b"])
def test_alternatives_that_the_added_anchors_do_not_reach_are_told(pattern: str) -> None:
    assert f'"({pattern})"'.replace("\\", "\\\\") in remarks(pattern).loose


@pytest.mark.parametrize(
    "pattern", ["(/a|/b)", "^/a$|^/b$", "/a$|^/b", "/(a|b)", "/[a|b]", "/[^]|]", "/a\\|b", "/[a[b|c]]", "(?x) /a | /b"]
)
def test_alternatives_that_are_bound_are_passed_over(pattern: str) -> None:
    assert remarks(pattern) == ("", "")


def test_the_fix_is_written_out() -> None:
    assert 'write "/books"' in remarks("books").never
