"""Verdicts on regular expressions: as the engine of each release line, and readable."""

from __future__ import annotations

import pytest

from webhook.mesh.releases import EDGE_26_8, STABLE_2_12, line
from webhook.policy.regex.judge import InlineJudge, Remembered, judge_for, judge_inline
from webhook.policy.regex.size import program_size
from webhook.policy.regex.tokens import shown
from webhook.policy.regex.unmatchable import cannot_match_anything, cannot_match_path
from webhook.policy.regex.verdict import verdict

TAKEN = [
    "",
    "/api/v[0-9]+/users/[^/]+/.*",
    r"\p{Lu}\pL\p{Greek}[[:alpha:]&&[^a-c]]",
    "(?<year>[0-9]{4})|(?P<other>x)",
    "a**",
    "(?i)abc|",
    "|",
    "(?x) a b # c",
    r"\<a\>\b{start}",
    r"\/a\-b",
    r"\x41\x{1F600}\u0041",
    r"\w{200}",
    "é+",
]


@pytest.mark.parametrize("pattern", TAKEN)
def test_taken(pattern: str) -> None:
    assert judge_inline(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("/a(?=b)", ["`/a(?=b)` is not a regular expression", "look-around", "(column 3, `(?=`)", "whole value"]),
        ("(?<!a)b", ["look-around", "column 1"]),
        (r"(a)\1", ["backreferences are not supported", "(column 4, `\\1`)"]),
        (r"\123", ["backreferences"]),
        (r"a\Z", ["unrecognized escape sequence", "`\\Z`", "write `\\z`"]),
        (r"\Qa\E", ["escape each by a backslash"]),
        (r"\y", ["leave the backslash away"]),
        ("a{,3}", ["write `{0,3}`"]),
        ("/users/{id}/x", ["column 9", "not a placeholder", "`[^/]+`", "`\\{`"]),
        ("*.example.com", ["column 1", "`.*`"]),
        ("/a(b", ["unclosed group", "column 3"]),
        ("/a)b", ["unopened group", r"`\)`"]),
        ("[a-z", ["unclosed character class", r"`\[`"]),
        ("[z-a]", ["invalid character class range", "`z-a`"]),
        ("a{3,1}", ["invalid repetition count range"]),
        (r"\pX", ["Unicode property not found"]),
        ("(?P<n>a)(?P<n>b)", ["duplicate capture group name", "column 13"]),
        ("(?z)", ["unrecognized flag", "`z`"]),
        (r"(?-u)\W", ["invalid UTF-8"]),
        ("a\n\nb(", ["line 3, column 2"]),
        ("é(", ["column 2"]),
        ("a\\", ["incomplete escape sequence"]),
        ("(" * 300 + ")" * 300, ["nest"]),
        (r"\w{300}", ["10 MiB", "`[0-9]`"]),
        ("((a{100}){100}){100}", ["10 MiB"]),
    ],
)
def test_refused(pattern: str, parts: list[str]) -> None:
    message = judge_inline(pattern)
    for part in parts:
        assert part in message
    assert "\n" not in message
    assert len(message) < 400


def test_a_message_shows_a_pattern_shortened_and_harmless() -> None:
    message = verdict("a\x1b" + "b" * 500 + "(")
    assert "\x1b" not in message
    assert r"\x1b" in message
    assert "…" in message
    assert "column 503" in message
    assert len(message) < 250
    assert shown("x" * 1000) == f"`{'x' * 72}…`"


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        (r"\/api\/.*", r"`\/` is not known: write `/`"),
        (r"[\/]", r"write `/`"),
        (r"a\@b", r"write `@`"),
        (r"\<a", r"write `\b`"),
        (r"\b{start}a", r"write `\b`"),
        ("a(?<n>b)", "(?P<n>`"),
        ("(?P<é>a)", "name"),
        ("(?R)a", "flag `R`"),
        ("[a&&b]", "no character"),
        (r"[^\s\S]", "no character"),
        ("[^\\x00-\\x{10FFFF}]", "no character"),
        (r"\P{any}", "no character"),
        (r"\p{Kawi}", "not known"),
        (r"\p{Age=15.0}", "not known"),
        (r"\p{sc}", "not known"),
        ("(?-u)é", "Unicode"),
        (r"\w{90}", "10 MiB"),
        ("[^/]{1,9000}", "10 MiB"),
    ],
)
def test_refused_by_the_older_engine_alone(pattern: str, part: str) -> None:
    assert verdict(pattern) == ""
    message = verdict(pattern, old=True)
    assert "this Linkerd version" in message
    assert part in message


@pytest.mark.parametrize(
    "pattern",
    [
        "/api/v[0-9]+/users/[^/]+/.*",
        r"[^\s]+[^\w-][a&&[a-c]]\p{Lu}\p{sc=Greek}",
        r"(?P<n>a)\.\-\&\#\~",
        r"(?x)a\ b",
        "(?-u)a(?u)é",
        r"\w{89}",
        r"[\w.-]{1,80}",
        "[a-z0-9-]{1,253}",
        "a**",
        r"\b\B\A\z",
        "(?i-s:a)|",
    ],
)
def test_taken_by_both_engines(pattern: str) -> None:
    assert verdict(pattern) == ""
    assert verdict(pattern, old=True) == ""


def test_a_line_has_its_judge() -> None:
    assert judge_for(line(EDGE_26_8)) is judge_inline
    assert judge_for(line(STABLE_2_12))("(?<n>a)") != ""
    assert InlineJudge(old=True)(r"\/") != judge_inline(r"\/") == ""


def test_what_is_remembered_is_bounded() -> None:
    known: Remembered[str] = Remembered(3)
    for pattern in "abc":
        known.put(pattern, False, pattern)
    assert known.get("a") == "a"
    known.put("d", False, "d")
    assert (known.get("a"), known.get("b"), len(known)) == ("a", None, 3)
    known.put("a" * 10_000, False, "long")
    assert known.get("a" * 10_000) == "long"
    assert known.get("a" * 10_000, old=True) is None
    known.drop("a" * 10_000)
    assert known.get("a" * 10_000) is None


def test_the_size_of_a_program() -> None:
    assert program_size("a{100}") == pytest.approx(100 * 32, rel=0.01)
    assert program_size(r"(\d+\.){1500}") <= 10 << 20 < program_size(r"(\d+\.){1600}")


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("a/^b", "stands after"),
        ("/a$/b", "stands after"),
        (r"/a\z.*x", "stands after"),
        (r"/[^\s\S]", "no character"),
    ],
)
def test_cannot_match_anything(pattern: str, part: str) -> None:
    assert part in cannot_match_anything(pattern)
    assert part in cannot_match_path(pattern)


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("api/.*", "begins with `/`"),
        ("^api", "write `^/api`"),
        (r"\.well-known/.*", r"pattern with `\.`: write `/\.well-known/.*`"),
        ("[a-z]+/.*", "begins with `/`"),
        (r"\w+", "begins with `/`"),
        ("", "never empty"),
        ("^$", "never empty"),
        (r"/search\?q=.*", "ends before `?`"),
        ("/a#b", "ends before `#`"),
        ("/a b", "no blank"),
    ],
)
def test_cannot_match_a_path(pattern: str, part: str) -> None:
    assert part in cannot_match_path(pattern)
    assert cannot_match_anything(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "/.*",
        ".*",
        "^/a$",
        "^^/a$$",
        "/a|b",
        "a?/b",
        "a*/b",
        "a{0,3}/b",
        "(a)?/b",
        "(?:/a)",
        "[^a]b",
        "[/a]b",
        "[+-9]a",
        r"\x2Fa",
        r"[\w/]",
        r"\W",
        "/a$b*",
        "/a(?:$|b)c?",
        "(?m)/a$^b",
        "(?x) /a",
        "x*^/a",
        "/a ?",
        r"/a\?*",
        "(",
        r"\y",
        "a" * 5000,
    ],
)
def test_may_match(pattern: str) -> None:
    assert cannot_match_path(pattern) == ""
    assert cannot_match_anything(pattern) == ""
