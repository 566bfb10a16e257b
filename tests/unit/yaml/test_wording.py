"""What is wrong with a YAML text is said in plain words, at the place of the mistake."""

from __future__ import annotations

import time
from typing import NamedTuple

import pytest

from webhook.manifest import files
from webhook.manifest.load import VALUES, documents
from webhook.yaml.objects import Broken
from webhook.yaml.wording import undecodable


class Case(NamedTuple):
    """A text with a mistake; the place and the beginning of the message."""

    text: str
    line: int
    column: int
    message: str


CASES = {
    "tab as indentation": Case("a:\n\tb: 1", 2, 1, "a tab indents this line, and YAML allows spaces only"),
    "tab below a value": Case("a:\n  b: 1\n\tc: 2", 3, 1, "a tab indents this line, and YAML allows spaces only"),
    "tab after a dash": Case("a:\n  -\tb: 1", 2, 4, "a tab stands here, and YAML allows spaces only"),
    "tab in a block": Case("a: |\n\ttext", 2, 1, "a tab indents this line"),
    "NUL": Case("a: b\nc: d\0", 2, 5, "the control character U+0000 (NUL) is not allowed in YAML"),
    "BEL after letters of several bytes": Case("é: 😀\nü: ü\x07", 2, 5, "the control character U+0007 (BEL)"),
    "colours": Case("a: \x1b[31m", 1, 4, "the control character U+001B (ESC, as in colours of a terminal)"),
    "UTF-16 without a mark": Case("a\0:\0 \0b\0", 1, 2, "every other byte is NUL, as in UTF-16: save the file as"),
    "byte order mark within": Case("a: 1\n\ufeffb: 2", 2, 1, "a byte order mark (U+FEFF, which editors do not show)"),
    "byte order mark after ---": Case("a: 1\n---\n\ufeffb: 2\nc: 3", 3, 1, "a byte order mark (U+FEFF"),
    "lone CR": Case("a: b\rc\nd: 1", 2, 1, "a lone carriage return (CR, U+000D) begins a line here"),
    "HTML": Case("<!DOCTYPE html>\n<p>a: b: c</p>", 1, 1, "this is a page of HTML or XML, not YAML"),
    "two colons": Case("a:\n  image: x: y", 2, 10, '": " stands twice in this line, and a value with ": " needs quo'),
    "two colons and a quote": Case('a: say "b": c', 1, 4, '": " stands twice in this line, and a value with'),
    "colon in an indented line": Case(
        "name: web\n   kind: x", 2, 4, 'this line continues the value of line 1, "name: web'
    ),
    "colon below an item": Case(
        "- name: web\n    image: x", 2, 5, 'this line continues the value of line 1, "- name: web'
    ),
    "dash without a space": Case(
        "a:\n  -name: x\n   image: y", 2, 3, 'a list item needs a space after "-": write - name'
    ),
    "text after ---": Case("a: 1\n--- kind: x", 2, 1, "text stands after ---: write it in a line of its own below"),
    "text after --- and below": Case("--- foo\nkind: x", 1, 1, "text stands after ---"),
    "text glued to ---": Case("a: 1\n---foo\nb: 1", 2, 1, "--- needs a line of its own"),
    "no colon": Case("kind Deployment\nb: 1", 1, 1, 'this line is neither "key: value" nor "- item": write a colon'),
    "no space after a colon": Case(
        "a: 1\nkind:Pod\nb: 1", 2, 1, 'this line is neither "key: value" nor "- item": write a s'
    ),
    "words": Case("a: 1\nno colon here\nb: 1", 2, 1, 'this line is neither "key: value" nor "- item": write it as one'),
    "block not indented": Case(
        "a:\n  b: |\n  text\n  c: 1", 3, 3, 'this line is neither "key: value" nor "- item": if it b'
    ),
    "at": Case("a: @b", 1, 4, 'a text must not begin with @: put it in quotes: "@b"'),
    "backtick": Case("a: `b` # c", 1, 4, 'a text must not begin with `: put it in quotes: "`b`"'),
    "alias of nothing": Case("a: 1\nb: *nowhere", 2, 4, "*nowhere repeats the value that &nowhere marks, and no &n"),
    "wildcard": Case("a: [*.example.org]", 1, 5, 'a text that begins with * needs quotes: write "*.example.org"'),
    "ampersand": Case("a: & b", 1, 4, 'a text that begins with & needs quotes: write "&"'),
    "open double quote": Case('a: 1\nb: "c\nd: 1', 2, 4, 'this quote is never closed: write another "'),
    "open single quote": Case("a: 1\nb: 'c\nd: 1", 2, 4, "this quote is never closed: write another '"),
    "open quote and ---": Case('a: 1\n---\nb: "c\n---\nd: 1', 3, 4, 'this quote is never closed: write another "'),
    "text after a quote": Case('a: "b" c', 1, 8, "text stands after a closing quote: put the whole value within the"),
    "apostrophe": Case(
        "a: 'it's'", 1, 8, "text stands after a closing quote: put the whole value within the quotes (a '"
    ),
    "quote of a line above": Case('a: "b\nc: "d"', 2, 4, 'the " before this closes one of a line above'),
    "open list": Case("a: [b, c\n", 1, 4, '"[" is never closed: write "]" where it ends'),
    "open list above a key": Case("a: [b, c\nd: [e]", 2, 1, 'a "," or the "]" to the "[" of line 1 is missing before'),
    "open mapping": Case('{"a": 1,\n "b": 2', 1, 1, '"{" is never closed: write "}" where it ends'),
    "open mapping after a comma": Case('{"a": 1,\n', 1, 1, '"{" is never closed'),
    "wrong bracket": Case("a: {b: c]", 1, 9, '"]" does not close the "{" of line 1: write "}"'),
    "no comma": Case('{"a": 1\n"b": 2}', 2, 1, 'a "," or the "}" to the "{" of line 1 is missing before this'),
    "comment of JavaScript": Case('{"a": 1, // x\n "b": 2}', 1, 10, "// does not begin a comment: write"),
    "bracket too many": Case("a: {b: c}}", 1, 10, '"}" closes nothing'),
    "no value in a list": Case("a: [,]", 1, 5, 'a value is missing before ","'),
    "indented between": Case(
        "a:\n    b: 1\n  c: 2", 3, 3, "this line is indented by 2 spaces, and no line that it could be"
    ),
    "item indented between": Case(
        "a:\n    - b\n   - c", 3, 4, "this line is indented by 3 spaces, and no line that it could"
    ),
    "key in a list": Case("a:\n- b\n- c\nd: 1\n- e", 5, 1, "a list item stands here among keys: write key: value"),
    "line without a dash": Case(
        "- a\nb: c", 2, 1, 'this line stands in the list that begins in line 1 and has no "- "'
    ),
    "list in the line of its key": Case("a: - b", 1, 4, "a list cannot begin in the line of its key"),
    "text after a pipe": Case("a: | b", 1, 4, "text stands after |, which begins a text of several lines"),
    "text that begins with >": Case("a: >b", 1, 4, "text stands after >, which begins a text of several lines"),
    "backslash": Case(r'a: "C:\data"', 1, 7, r"\d is not an escape that YAML knows: write \\ for a backslash"),
    "short code": Case(r'a: "\u12"', 1, 5, r"\u needs the code of one character in hexadecimal digits"),
    "half of a character": Case(r'a: "\ud83d\ude00"', 1, 5, r"\ud83d is not the code of a character"),
    "directive": Case(
        "%YAML 2.0\n---\na: 1", 1, 1, 'a line that begins with "%" is a directive, and this one is not kn'
    ),
    "directive without a version": Case("%YAML 9\n---\na: 1", 1, 1, 'a line that begins with "%" is a directive'),
    "directive of nothing": Case("%\na: 1", 1, 1, 'a line that begins with "%" is a directive'),
    "exclamation marks": Case(
        "a: !<b c", 1, 4, 'a text must not begin with !, which begins a tag: put it in quotes: "!<b"'
    ),
    "colon within braces": Case("a: {b:,c: d}", 1, 6, 'within brackets, a ":" needs a space after it'),
    "tag of nothing": Case("a: !x!y z", 1, 4, "!x!y is a tag that nothing declares, and Kubernetes knows none"),
    "second object": Case(
        "a: 1\n...\nb: 2\n", 3, 1, "text stands after the end of the document: begin another with ---"
    ),
    "merge conflict": Case(
        "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> branch\n", 2, 1, '"<<<<<<< HEAD" is left over from a merge'
    ),
    "merge conflict in a list": Case(
        "a:\n- b\n<<<<<<< HEAD\n- c\n=======\n- d\n>>>>>>> x\n",
        3,
        1,
        '"<<<<<<< HEAD" is left over from a merge conflict',
    ),
    "Jinja": Case("a: 1\n{% if b %}\nc: 1", 2, 1, "a template (Jinja), not YAML: render it first"),
    "Helm": Case("a: 1\n{{ if .b }}\nc: 1", 2, 1, "a template, not YAML: render it first"),
    "Helm in a value": Case("a: {{ .Values.b }}\n", 1, 4, "a template, not YAML: render it first"),
    "cycle": Case("a: &a\n  b: *a", 1, 4, "this contains itself by its own alias"),
    "deep": Case("[" * 5000, 1, 1001, "lists and mappings are nested too deeply here: write fewer levels"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_mistake_is_told_with_its_place(case: Case) -> None:
    told = [one for one in documents(case.text, VALUES) if isinstance(one, Broken)]
    assert [(one.line, one.column) for one in told] == [(case.line, case.column)]
    assert told[0].message.startswith(case.message)


def test_the_words_of_the_parser_follow_for_a_search() -> None:
    (told,) = documents("a: b: c", VALUES)
    assert isinstance(told, Broken)
    assert told.message.endswith('write a: "b: c" (YAML: mapping values are not allowed in this context)')


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("a: say \"b\": 'c'\n", "write a: 'say \"b\": ''c''' ("),
        ("name: web\n   kind: x", "indent it by 0 spaces as the key of that line ("),
        ("- name: web\n    image: x", "indent it by 2 spaces as the key of that line ("),
        ("a:\n    b: 1\n  c: 2", "indent it by 4 spaces as line 2, or by 0 spaces as line 1 ("),
        ("a:\n- b: 1\n c: 2", "indent it by 2 spaces as line 2, or by 0 spaces as line 1 ("),
        ("kind Deployment\nb: 1", "write a colon after the key: kind: Deployment ("),
        ("a: 1\nkind:Pod\nb: 1", "write a space after the colon: kind: Pod ("),
        ("a:\n  b: |\n  text\n  c: 1", "the text that begins in line 2, indent it deeper than that line ("),
    ],
)
def test_the_advice_is_what_to_write(text: str, advice: str) -> None:
    (told,) = documents(text, VALUES)
    assert isinstance(told, Broken)
    assert advice in told.message


def test_a_mistake_does_not_hide_those_of_other_documents() -> None:
    text = "a: 1\n---\nb: [1\n---\nc: 3\n---\nd: *e\n---\nf: 6\n"
    told = documents(text, VALUES)
    assert [one.line for one in told] == [1, 3, 5, 7, 9]
    assert [isinstance(one, Broken) for one in told] == [False, True, False, True, False]


def test_a_long_line_is_not_repeated_as_a_whole() -> None:
    (told,) = documents(f"a: b: {'c' * 10_000}", VALUES)
    assert isinstance(told, Broken)
    assert len(told.message) < 300


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("a: b".encode("utf-16"), (1, 0, "not UTF-8 but UTF-16: save the file as UTF-8")),
        ("a: b".encode("utf-32"), (1, 0, "not UTF-8 but UTF-32: save the file as UTF-8")),
        (b"\x1f\x8b\x08\0", (1, 0, "not UTF-8 but compressed by gzip: unpack it first")),
        ("a: é\nb: é".encode() + b"\xfc", (2, 5, "not UTF-8: the byte 0xFC stands here: save the file as UTF-8")),
    ],
    ids=["UTF-16", "UTF-32", "gzip", "Latin-1"],
)
def test_what_is_not_utf_8_is_named(data: bytes, place: tuple[int, int, str]) -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode("utf-8")
    assert undecodable(caught.value) == place


def test_a_line_of_json_is_told_with_its_column(tmp_path: object) -> None:
    (_, told) = documents('{"a": 1}\n{"a" 2}\n', VALUES)
    assert isinstance(told, Broken)
    assert (told.line, told.column) == (2, 6)
    assert told.message.startswith("not JSON: ")
    assert files.Problem("a.json", told.line, told.message, told.column).place == "a.json:2:6"


@pytest.mark.parametrize(
    "text",
    [
        "a:\n" + "    - b\n" * 200_000 + "  - c\n",
        "a: b\n" + "\n" * 1_000_000 + "   c: d\n",
        "a: " + "b " * 500_000 + "c: d\n",
        "a: [" + "b, " * 300_000 + "\n",
        "\r" * 500_000 + "a\n\u2028b: c\n  d: e: f\n",
        "- " * 150 + "x: 'y" + " z" * 500_000,
    ],
    ids=["long list", "empty lines", "long line", "open list", "other breaks", "open quote"],
)
def test_a_long_text_is_explained_in_time(text: str) -> None:
    start = time.process_time()
    assert any(isinstance(one, Broken) for one in documents(text, VALUES))
    assert time.process_time() - start < 5
