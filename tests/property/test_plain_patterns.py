"""What passes for a plain pattern is one to the engine."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.policy.regex.judge import is_plain
from webhook.policy.regex.verdict import verdict

BOUNDED = settings(max_examples=400, deadline=None)
PIECES = ["a", "/", "0", ".", ".*", r"\.", r"\d+", "[a-z]", "[^/]*", "[a-z0-9-]+", "[a", "]", "-", "(", "(?:", "|", ")"]
PIECES += ["^", "$", "*", "+", "?", "[9-a]", "[-", "{", "}", "\\", "[z.A-Z]", "(?i)", "&&", "--", " ", "_", "'"]


@BOUNDED
@given(pattern=st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join))
@pytest.mark.parametrize("old", [False, True])
def test_the_engine_takes_what_is_plain(pattern: str, old: bool) -> None:
    if is_plain(pattern):
        assert verdict(pattern, old=old) == ""


@pytest.mark.parametrize("pattern", ["/api/[^/]*/books", "/.*", r"/v1\.0/(?:a|b)+/\d+", "^/users/[a-zA-Z0-9_-]+$", "/"])
def test_what_manifests_have_is_plain(pattern: str) -> None:
    assert is_plain(pattern)


@pytest.mark.parametrize(
    "pattern", ["", "a(", "a)", "[9-0]", "a|", "(|a)", r"\K", "(?=a)", "{", "a{1,2}", "a**", "ä", "a" * 200]
)
def test_anything_else_is_left_to_the_engine(pattern: str) -> None:
    assert not is_plain(pattern)


@pytest.mark.parametrize(
    "pattern", ["a" * 127 + "{", "(a*)*" * 25 + "{", "(a|a)*" * 20 + "{", "[a-z-" * 25, ".*" * 63 + "{"]
)
def test_no_pattern_takes_long_to_be_found_out(pattern: str) -> None:
    began = time.process_time()
    assert not is_plain(pattern)
    assert time.process_time() - began < 0.1
