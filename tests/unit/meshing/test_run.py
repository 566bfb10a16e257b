"""Files, folders and addresses, and what is written back."""

from __future__ import annotations

import io
import stat
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from tests.unit.meshing.texts import DEPLOYMENT, injecting
from webhook.manifest.files import Problem
from webhook.meshing import stream
from webhook.meshing.run import Worked, concatenated, difference, put_back, work

ANNOTATED = "linkerd.io/inject: enabled"


def worked(*paths: object, as_json: bool = False) -> tuple[list[Worked], list[Problem]]:
    """What has become of these files, and which of them cannot be read."""
    problems: list[Problem] = []
    return list(work([str(path) for path in paths], injecting(), problems, as_json=as_json)), problems


def put_out(results: list[Worked], *, as_json: bool = False) -> str:
    """The texts, one after the other."""
    out = io.BytesIO()
    concatenated(results, out, as_json=as_json)
    return out.getvalue().decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a Deployment."""
    path = tmp_path / "web.yaml"
    path.write_text(DEPLOYMENT)
    return path


def test_a_folder_stands_for_its_manifests_by_name(file: Path) -> None:
    (file.parent / "README.md").write_text("# no: [yaml")
    (file.parent / "a.json").write_text("{}")
    results, problems = worked(file.parent)
    assert ([Path(one.file).name for one in results], problems) == (["a.json", "web.yaml"], [])


def test_a_path_that_cannot_be_read_is_a_problem_and_the_others_are_worked_on(file: Path) -> None:
    results, problems = worked("/nowhere/a.yaml", file)
    assert [one.changed for one in results] == [True]
    assert problems == [Problem("/nowhere/a.yaml", 0, "No such file or directory")]


def test_the_report_keeps_no_objects(file: Path) -> None:
    ((one,), _) = worked(file)
    assert [(outcome.verb, outcome.body) for outcome in one.outcomes] == [("injected", {})]


def test_what_is_not_utf8_stays_as_it_is(file: Path) -> None:
    file.write_bytes(b"\xff\n")
    ((one,), _) = worked(file)
    assert (one.changed, one.text.read()) == (False, b"\xff\n")
    assert one.problems == [Problem(str(file), 1, "not UTF-8: the byte 0xFF stands here: save the file as UTF-8", 1)]


def test_a_file_in_utf16_is_told_by_its_name(file: Path) -> None:
    file.write_text(DEPLOYMENT, encoding="utf-16")
    ((one,), _) = worked(file)
    assert not one.changed
    assert one.problems == [Problem(str(file), 1, "not UTF-8 but UTF-16: save the file as UTF-8")]


def test_json_is_one_document_a_line(file: Path) -> None:
    results, _ = worked(file, file, as_json=True)
    lines = put_out(results, as_json=True).splitlines()
    assert len(lines) == 2
    assert all(line.startswith('{"apiVersion":"apps/v1"') for line in lines)


@pytest.mark.parametrize(
    ("first", "second", "between"),
    [("a: 1\n", "b: 1\n", "---\n"), ("a: 1", "b: 1\n", "\n---\n"), ("a: 1\n", "---\nb: 1\n", "")],
)
def test_two_streams_have_one_separator_between_them(tmp_path: Path, first: str, second: str, between: str) -> None:
    (tmp_path / "a.yaml").write_text(first)
    (tmp_path / "b.yaml").write_text(second)
    assert put_out(worked(tmp_path)[0]) == f"{first}{between}{second}"


def test_the_difference_has_the_lines_that_were_added(file: Path) -> None:
    ((one,), _) = worked(file)
    lines = list(difference(one, file.read_bytes()))
    assert [line for line in lines if line[:1] == "+" and ANNOTATED in line]
    assert not [line for line in lines[2:] if line[:1] == "-"]


def test_the_difference_marks_a_last_line_without_a_line_break(file: Path) -> None:
    file.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}")
    ((one,), _) = worked(file)
    lines = "".join(difference(one, file.read_bytes())).splitlines()
    assert [line for line in lines if line.startswith("\\")] == ["\\ No newline at end of file"] * 2


def test_a_file_is_replaced_as_a_whole_with_its_mode_and_through_its_link(file: Path) -> None:
    file.chmod(0o640)
    link = file.with_name("link.yaml")
    link.symlink_to(file)
    ((one,), _) = worked(link)
    put_back(one)
    assert link.is_symlink()
    assert ANNOTATED in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(path.name for path in file.parent.iterdir()) == ["link.yaml", "web.yaml"]


def test_a_file_stays_whole_where_it_cannot_be_replaced(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ((one,), _) = worked(file)

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        put_back(one)
    assert file.read_text() == DEPLOYMENT
    assert [path.name for path in file.parent.iterdir()] == ["web.yaml"]


def test_a_document_that_is_too_large_is_not_read_on_and_named_with_its_line(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LARGEST", len(DEPLOYMENT) + 10)
    file.write_text(f"{DEPLOYMENT}---\n{DEPLOYMENT}---\n{DEPLOYMENT}{DEPLOYMENT}")
    results, problems = worked(file)
    assert results == []
    assert [(one.file, one.line) for one in problems] == [(str(file), 2 * DEPLOYMENT.count("\n") + 2)]
    assert "pass fewer objects" in problems[0].message


class TestAddresses:
    def _answer(self, monkeypatch: pytest.MonkeyPatch, answer: Any) -> tuple[list[Worked], list[Problem]]:
        def urlopen(address: str, timeout: float) -> Any:
            assert (address, timeout) == ("https://run.example.org/web.yml", 30.0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(urllib.request, "urlopen", urlopen)
        return worked("https://run.example.org/web.yml")

    def test_an_address_is_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        results, problems = self._answer(monkeypatch, io.BytesIO(DEPLOYMENT.encode()))
        assert ANNOTATED in put_out(results)
        assert problems == []

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (urllib.error.HTTPError("", 404, "Not Found", Message(), None), "the server answers 404 Not Found"),
            (urllib.error.URLError("timed out"), "cannot be fetched: timed out"),
        ],
    )
    def test_an_address_that_cannot_be_fetched_says_why(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
    ) -> None:
        results, problems = self._answer(monkeypatch, error)
        assert (results, problems) == ([], [Problem("https://run.example.org/web.yml", 0, message)])

    def test_an_address_without_tls_is_refused(self) -> None:
        _, problems = worked("http://run.example.org/web.yml")
        assert "only addresses that begin with https://" in problems[0].message
