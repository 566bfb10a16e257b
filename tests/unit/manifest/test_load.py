"""Manifests in."""

from __future__ import annotations

import io
import json
import pathlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from webhook.manifest.load import Problem, load

Write = Callable[[str, Any], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: Any) -> str:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(file)

    return write


class TestYaml:
    def test_gives_every_document_of_a_stream_in_order(self, write: Write) -> None:
        file = write("a.yaml", "# only a comment\n---\nname: 1\n---\n---\nname: 2\n...\n---\nname: 3\n")
        assert load([file]) == ([{"name": 1}, {"name": 2}, {"name": 3}], [])

    def test_leaves_times_and_base_60_as_strings(self, write: Write) -> None:
        file = write("a.yaml", "a: 2026-01-01\nb: 2026-01-01T00:00:00Z\nc: 10:30\nd: 1:30.5\ne: =\n")
        expected = {"a": "2026-01-01", "b": "2026-01-01T00:00:00Z", "c": "10:30", "d": "1:30.5", "e": "="}
        assert load([file]) == ([expected], [])

    def test_reads_numbers_and_booleans_as_such(self, write: Write) -> None:
        file = write("a.yaml", "a: 8080\nb: -1.5\nc: true\nd: 0x1F\ne: 0644\nf: 1e3\ng: '1'\nh: ~\n")
        expected = {"a": 8080, "b": -1.5, "c": True, "d": 31, "e": 420, "f": 1000.0, "g": "1", "h": None}
        assert load([file]) == ([expected], [])

    def test_takes_the_last_of_duplicate_keys(self, write: Write) -> None:
        assert load([write("a.yaml", "a: 1\na: 2\n")]) == ([{"a": 2}], [])

    def test_reads_anchors_and_a_byte_order_mark(self, write: Write) -> None:
        file = write("a.yaml", "\ufeffa: &x {b: 1}\nc: *x\n")
        assert load([file])[0] == [{"a": {"b": 1}, "c": {"b": 1}}]

    def test_keeps_dashes_within_a_block(self, write: Write) -> None:
        file = write("a.yaml", "data: |\n  ---\n  x\n---\nb: 1\n")
        assert load([file])[0] == [{"data": "---\nx\n"}, {"b": 1}]


class TestBroken:
    def test_document_costs_only_itself_and_is_told_by_line(self, write: Write) -> None:
        file = write("a.yaml", "a: 1\n---\nb: [1\nc: 2\n---\nd: 4\n--- # last\ne: 5\n")
        objects, problems = load([file])
        assert objects == [{"a": 1}, {"d": 4}, {"e": 5}]
        assert [(problem.file, problem.line) for problem in problems] == [(file, 4)]
        assert "flow sequence" in problems[0].message

    def test_file_does_not_hide_the_next(self, write: Write) -> None:
        broken, good = write("a.yaml", "a: b: c\n"), write("b.yaml", "b: 1\n")
        objects, problems = load([broken, good])
        assert objects == [{"b": 1}]
        assert [(problem.file, problem.line) for problem in problems] == [(broken, 1)]

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            ("a: 1\n---\n- 1\n", 3),
            ("just words\n", 1),
            ("a: 1\n---\nb: !!int x\n", 3),
            ("a: *nowhere\n", 1),
            ("? {a: 1}\n: 2\n", 1),
            ("a: 1\nb: \x07\n", 2),
            (b"a: 1\nb: \xff\n", 2),
            ("[" * 5000, 1),
            ('{"a": 1,', 1),
        ],
    )
    def test_document_of_any_kind_is_a_problem_and_never_an_exception(
        self, write: Write, content: Any, line: Any
    ) -> None:
        _, problems = load([write("a.yaml", content)])
        assert [problem.line for problem in problems] == [line]
        assert problems[0].message

    def test_path_is_a_problem_of_the_file_itself(self, tmp_path: Path) -> None:
        missing = str(tmp_path / "missing.yaml")
        assert load([missing]) == ([], [Problem(missing, 0, "No such file or directory")])


class TestJson:
    def test_object_and_json_lines_are_documents(self, write: Write) -> None:
        one = write("a.json", json.dumps({"a": [1, 2]}, indent=2))
        lines = write("b.json", '{"b": 1}\n\n{"b": 2}\n')
        assert load([one, lines]) == ([{"a": [1, 2]}, {"b": 1}, {"b": 2}], [])

    def test_that_is_an_array_is_a_problem(self, write: Write) -> None:
        file = write("a.json", "[1]")
        assert load([file]) == (
            [],
            [Problem(file, 1, "this document is a list: write an object, of lines with key: value")],
        )


class TestFolder:
    def test_means_its_manifests_by_name_and_those_below(self, write: Write, tmp_path: Path) -> None:
        for name in ("b.yaml", "a/z.yml", "c.json", "a.txt", "..data/b.yaml", ".hidden.yaml"):
            write(name, json.dumps({"from": name}))
        objects, problems = load([str(tmp_path)])
        assert [body["from"] for body in objects] == ["a/z.yml", "b.yaml", "c.json"]
        assert problems == []

    def test_without_a_manifest_is_a_problem(self, tmp_path: Path) -> None:
        assert load([tmp_path]) == ([], [Problem(str(tmp_path), 0, "no *.yaml, *.yml or *.json in this folder")])


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a: 1\n---\n- 2\n")))
    assert load(["-"]) == (
        [{"a": 1}],
        [Problem("-", 3, "this document is a list: write an object, of lines with key: value")],
    )


@pytest.mark.parametrize("broken", ["", "---\nx: [\n"])
def test_thousands_of_documents_take_seconds_at_most(write: Write, broken: str) -> None:
    one = "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: demo\n  annotations: {linkerd.io/inject: enabled}\n"
    file = write("a.yaml", one * 5000 + broken)
    start = time.process_time()
    objects, problems = load([file])
    assert time.process_time() - start < 6
    assert len(objects) == 5000
    assert len(problems) == bool(broken)


def test_json_documents_set_apart_by_dashes_are_a_yaml_stream(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "stream.yaml"
    file.write_text('{"kind": "A"}\n---\n{"kind": "B",\n "n": 1}\n')
    assert load([file]) == ([{"kind": "A"}, {"kind": "B", "n": 1}], [])
