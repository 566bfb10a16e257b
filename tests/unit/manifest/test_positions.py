"""Where each field of a manifest stands, in YAML and in JSON, and what becomes of a document that means trouble."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from webhook.manifest import load
from webhook.manifest.files import Problem
from webhook.manifest.positions import Located, Position, read

Read = Callable[[str], list[Located | Problem]]


@pytest.fixture
def documents(tmp_path: Path) -> Read:
    """What a file of this content holds."""

    def documents(content: str) -> list[Located | Problem]:
        file = tmp_path / "a.yaml"
        file.write_text(content)
        return list(read(str(file)))

    return documents


@pytest.fixture
def one(documents: Read) -> Callable[[str], Located]:
    """The only document of this content."""

    def one(content: str) -> Located:
        (parsed,) = documents(content)
        assert isinstance(parsed, Located), parsed
        return parsed

    return one


@pytest.fixture
def problem(documents: Read) -> Callable[[str], Problem]:
    """The only problem of this content."""

    def problem(content: str) -> Problem:
        (result,) = [document for document in documents(content) if isinstance(document, Problem)]
        return result

    return problem


One = Callable[[str], Located]
Trouble = Callable[[str], Problem]


class TestPlaceOf:
    def test_an_entry_is_its_key(self, one: One) -> None:
        document = one("# a comment\nspec:\n  port: 80\n  'quoted': {inner: 1}\n")
        assert document.position(("spec",)) == (2, 1)
        assert document.position(("spec", "port")) == (3, 3)
        assert document.position(("spec", "quoted")) == (4, 3)
        assert document.position(("spec", "quoted", "inner")) == (4, 14)

    def test_a_list_item_is_its_start(self, one: One) -> None:
        document = one("a:\n- x\n- b: 1\n  c: [2, 33]\n-   - y\n")
        assert document.position(("a", 0)) == (2, 3)
        assert document.position(("a", 1)) == (3, 3)
        assert document.position(("a", 1, "c", 1)) == (4, 10)
        assert document.position(("a", 2, 0)) == (5, 7)

    def test_what_is_missing_is_the_nearest_above_it(self, one: One) -> None:
        document = one("spec:\n  ports: [1]\n  host: x\n")
        assert document.position(("spec", "missing", "deeper")) == (1, 1)
        assert document.position(("spec", "ports", 7)) == (2, 3)
        assert document.position(("spec", "host", "x")) == (3, 3)
        assert document.position(("nothing",)) == (1, 1)

    def test_the_document_is_where_it_starts(self, documents: Read) -> None:
        places = [
            document.position(())
            for document in documents("\n\na: 1\n---\n\n# comment\n  b: 2\n")
            if isinstance(document, Located)
        ]
        assert places == [(3, 1), (7, 3)]

    def test_a_doubled_key_is_the_last_one(self, one: One) -> None:
        document = one("a: 1\nb: 2\na: 3\n")
        assert (document.body, document.position(("a",))) == ({"a": 3, "b": 2}, (3, 1))

    def test_an_alias_is_what_it_stands_for(self, one: One) -> None:
        assert one("a: &x\n  b: 1\nc: *x\n").position(("c", "b")) == (2, 3)

    def test_a_merged_entry_is_where_it_was_written(self, one: One) -> None:
        document = one("a: &a {x: 1, w: 1}\nb: &b {x: 2, z: 2}\nc:\n  <<: [*a, *b]\n  w: 3\n")
        assert document.body["c"] == {"x": 1, "w": 3, "z": 2}
        assert [document.position(("c", key)) for key in "xwz"] == [(1, 8), (5, 3), (2, 14)]

    def test_columns_count_characters(self, one: One) -> None:
        assert one('{"ä🙂": 1, b: 2}').position(("b",)) == (1, 11)

    def test_a_byte_order_mark_takes_no_column(self, one: One) -> None:
        assert one("\ufeffa: 1\n").position(("a",)) == (1, 1)

    def test_documents_after_a_broken_one_are_right(self, documents: Read) -> None:
        parsed = documents("a: 1\n---\nb: [\n---\nc:\n  d: 1\n")
        assert isinstance(parsed[2], Located)
        assert parsed[2].position(("c", "d")) == (6, 3)


class TestJson:
    def test_fields_have_places_too(self, one: One) -> None:
        document = one('{\n  "a": {"b": [1,\n {"c" : "x\\"}"}]},\n  "\\u0064": null}')
        assert document.body == {"a": {"b": [1, {"c": 'x"}'}]}, "d": None}
        places = {("a",): (2, 3), ("a", "b"): (2, 9), ("a", "b", 1): (3, 2), ("a", "b", 1, "c"): (3, 3), ("d",): (4, 3)}
        assert {path: document.position(path) for path in places} == places

    def test_lines_are_documents_each_at_its_line(self, documents: Read) -> None:
        parsed = documents('{"a": 1}\n\n{"b": {"c": 1}}\n{"d": \n{"e": 1}\n')
        assert [finding.line if isinstance(finding, Problem) else finding.position(()).line for finding in parsed] == [
            1,
            3,
            4,
            5,
        ]
        assert isinstance(parsed[1], Located)
        assert parsed[1].position(("b", "c")) == Position(3, 8)

    def test_has_the_whole_of_unicode(self, one: One) -> None:
        document = one('{"\\ud83d\\ude42": "\u2028", "b": {"x": 1}}')
        assert (document.body["🙂"], document.position(("b", "x"))) == ("\u2028", (1, 29))

    def test_numbers_may_be_long(self, one: One) -> None:
        assert one('{"a": ' + "9" * 30 + ', "b": 1.5}').position(("b",)) == (1, 39)

    def test_doubled_keys_are_found(self, one: One) -> None:
        document = one('{"a": {"b": 1, "b": 2}, "c": 1}')
        assert document.doubles() == [("a", "b")]
        assert document.position(("a", "b")) == (1, 16)


class TestValues:
    CONTENT = (
        "a: 8080\nb: -1.5\nc: yes\nd: 0x1F\ne: 0644\nf: 1e3\ng: '1'\nh: ~\ni:\nj: 1:30\nk: 2026-01-01\nl: !!str 5\n"
        "m: !!int '7'\nn: =\no: .5\np: 1_000\nq: |\n  text\nr: [on, off, <, '<<', <<]\ns: {}\nt: []\nu: ''\nv: !R x\n"
        "w: 0b11\nx: TRUE\ny: !!map {a: 1}\nz: !!seq [1]\n"
    )

    def test_are_those_that_load_gives(self, one: One, tmp_path: Path) -> None:
        document = one(self.CONTENT)
        (tmp_path / "b.yaml").write_text(self.CONTENT)
        assert [document.body] == load.load([tmp_path / "b.yaml"])[0]

    def test_keys_are_strings_as_in_json(self, one: One) -> None:
        assert one("1: a\ntrue: b\n0x10: c\n1.5: d\n").body == {"1": "a", "true": "b", "16": "c", "1.5": "d"}

    def test_an_empty_document_is_none(self, documents: Read) -> None:
        assert documents("---\n---\n# nothing\n---\nnull\n") == []


class TestDoubles:
    def test_are_told_by_path_each_once(self, one: One) -> None:
        document = one("a: 1\nb:\n- {c: 1, d: 2, c: 3, c: 4}\n- {e: 1}\na: 2\n")
        assert document.doubles() == [("a",), ("b", 0, "c")]
        assert document.doubles(("b", 0)) == [("b", 0, "c")]
        assert document.doubles(("b", 1)) == []

    def test_what_is_merged_is_no_double(self, one: One) -> None:
        assert one("a: &a {x: 1}\nb: {<<: *a, x: 2}\n").doubles() == []

    def test_beside_a_merge_are_found(self, one: One) -> None:
        assert one("a: &a {x: 1}\nb: {<<: *a, w: 2, w: 3}\n").doubles() == [("b", "w")]

    def test_1_and_its_text_are_one_key(self, one: One) -> None:
        assert one("1: a\n'1': b\n").doubles() == [("1",)]


class TestTrouble:
    @pytest.mark.parametrize(
        ("content", "line", "words"),
        [
            ("a: *nowhere\n", 1, "undefined alias"),
            ("? {a: 1}\n: 2\n", 1, "key is not a string"),
            ("a:\n  ~: 1\n", 2, "key is not a string"),
            ("a: 1\nb: !!int\n", 2, '"" cannot be read as int'),
            ("a: 1\nb: !!int x\n", 2, '"x" cannot be read as int'),
            ("a: 1\nb: .inf", 2, "JSON does not have this number"),
            ("a: 1\nb: {<<: 1}\n", 2, "<< merges"),
            ("a: &a\n- b: *a\n", 1, "contains itself"),
        ],
    )
    def test_is_told_by_line(self, problem: Trouble, content: str, line: int, words: str) -> None:
        message = problem(content)
        assert (message.line, words in message.message) == (line, True), message

    @pytest.mark.parametrize(
        "content",
        [
            "[" * 100_000,
            "{a: " * 100_000,
            "- " * 5000 + "x",
            "\n".join(" " * depth + "a:" for depth in range(400)),
            "[" * 300 + "]" * 300,
            '{"a":' * 1000 + "1" + "}" * 1000,
            '{"a":' * 300 + "1" + "}" * 300,
            "\n".join(["a: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 300))]),
        ],
        ids=range(8),
    )
    def test_any_depth_is_a_problem_and_no_crash(self, problem: Trouble, content: str) -> None:
        assert problem(content).message

    def test_aliases_of_aliases_do_not_explode(self, problem: Trouble) -> None:
        lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
        began = time.process_time()
        message = problem("\n".join(lines))
        assert time.process_time() - began < 1
        assert "more than 200000 values" in message.message

    def test_a_few_aliases_are_no_trouble(self, one: One) -> None:
        document = one("base: &base {app: x}\nuses:\n" + "- *base\n" * 1000)
        assert document.body["uses"] == [{"app": "x"}] * 1000


def test_a_dash_is_no_file_of_that_name(documents: Read, tmp_path: Path) -> None:
    contents = list(read(str(tmp_path / "missing.yaml")))
    assert contents == [Problem(str(tmp_path / "missing.yaml"), 0, "No such file or directory")]


def test_thousands_of_doubled_keys_take_no_time(one: One) -> None:
    items = [f'{{"kind": "A", "apiVersion": "v1", "n": {n}, "n": 0}}' for n in range(5000)]
    document = one('{"items": [' + ",\n".join(items) + "]}")
    assert json.dumps(document.body)
    began = time.process_time()
    assert [document.doubles(("items", n)) for n in (0, 4999)] == [[("items", 0, "n")], [("items", 4999, "n")]]
    assert document.position(("items", 4999, "n")).line == 5000
    assert time.process_time() - began < 2
