"""Whatever a pattern is, there is a verdict on it, and the same from all who judge."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import SchemaValidator, ValidationError, core_schema

from webhook.policy.regex.unmatchable import cannot_match_anything, cannot_match_path
from webhook.policy.regex.verdict import verdict
from webhook.webhooks.pattern_worker.process import Worker

PIECES = st.sampled_from(
    [
        *(
            "a",
            "/",
            "b",
            "é",
            "-",
            " ",
            ".",
            ".*",
            "^",
            "$",
            "|",
            "(",
            "(?:",
            "(?P<n>",
            "(?<m>",
            ")",
            "(?i)",
            "(?x)",
            "#",
        ),
        *(
            "[^/]+",
            "[a-z0-9]",
            "[",
            "]",
            "[^",
            "&&",
            r"\w",
            r"\d",
            r"\s",
            r"\pL",
            r"\b",
            r"\z",
            r"\A",
            r"\/",
            r"\.",
            "\\",
        ),
        *(
            "*",
            "+",
            "?",
            "{2}",
            "{1,3}",
            "{,3}",
            "{0}",
            "{",
            "}",
            "(?=",
            r"\1",
            r"\x41",
            r"\x{1F600}",
            r"\<",
            "\n",
            "(?-u)",
        ),
        *("[a&&b]", r"[^\s\S]", r"[\w.-]+", "[/a]", r"\?", "(a|b)"),
    ]
)
PATTERNS = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=20))
PATHS = st.text(st.sampled_from("/ab.-é09AZ:"), max_size=6).map("/".__add__)


@settings(deadline=None)
@given(PATTERNS)
def test_every_pattern_has_a_verdict_of_one_line(pattern: str) -> None:
    for old in (False, True):
        message = verdict(pattern, old=old)
        assert message == "" or message.isprintable()
        assert len(message) < 600
    assert verdict(pattern) == "" or verdict(pattern, old=True) != ""


def matches(pattern: str, value: str) -> bool:
    """Whether the engine matches the whole of a value."""
    schema = core_schema.str_schema(pattern=rf"\A(?:{pattern})\z", regex_engine="rust-regex")
    try:
        SchemaValidator(schema).validate_python(value)
    except ValidationError:
        return False
    return True


@settings(deadline=None)
@given(PATTERNS, st.lists(PATHS, min_size=1, max_size=5))
def test_what_cannot_match_a_path_matches_none(pattern: str, paths: list[str]) -> None:
    if verdict(pattern) == "" and cannot_match_path(pattern) and "(?x)" not in pattern:
        assert not any(matches(pattern, path) for path in paths)


@settings(deadline=None)
@given(PATTERNS, st.lists(st.text(max_size=4), max_size=5))
def test_what_cannot_match_anything_matches_nothing(pattern: str, values: list[str]) -> None:
    if verdict(pattern) == "" and cannot_match_anything(pattern):
        assert cannot_match_path(pattern)
        assert not any(matches(pattern, value) for value in ["", "/", "a", "ab", *values])


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def worker(runner: asyncio.Runner) -> Iterator[Worker]:
    worker = Worker()
    yield worker
    runner.run(worker.end())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(PATTERNS, st.booleans())
def test_the_worker_agrees(runner: asyncio.Runner, worker: Worker, pattern: str, old: bool) -> None:
    assert runner.run(worker.judge(pattern, old, 20)) == verdict(pattern, old=old)


@given(st.from_regex(re.compile(r"(?:/[a-z.]{1,5}|/\[a-z0-9\]\+|/\.\*|/\(a\|b\)){1,5}"), fullmatch=True))
def test_common_patterns_are_fine(pattern: str) -> None:
    assert verdict(pattern) == verdict(pattern, old=True) == cannot_match_path(pattern) == ""
