"""An error that nobody expected: what is printed, and that it is no traceback."""

from __future__ import annotations

import re
import stat
import tempfile
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook import __version__
from webhook.cli import main as program
from webhook.cli.main import cli, main
from webhook.cli.unexpected import written

SECRET = "hunter2"


@click.command()
@click.option("--token")
@click.option("-o", "--output", type=click.Choice(("text", "json")))
@click.option("--verbose", is_flag=True)
def broken(token: str, output: str, verbose: bool) -> None:
    """It never works."""
    raise KeyError(token or "metadata")


@pytest.fixture(autouse=True)
def a_command_that_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It stands among the others; files go to a folder of the test."""
    monkeypatch.setitem(program.COMMANDS, "broken", (f"{__name__}:broken", ""))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Standard error of a command that ends with 70."""
    with pytest.raises(SystemExit) as end:
        main(["broken", *arguments])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (70, "")
    return err


def test_it_says_what_to_report_without_values_and_where_the_traceback_is(capsys: pytest.CaptureFixture[str]) -> None:
    err = ended(capsys, "-o", "json")
    assert all(line.startswith("linkerd-webhook: ") for line in err.splitlines())
    assert "an unexpected error: KeyError: 'metadata'" in err
    assert "please report it" in err
    assert f"version {__version__}, Python 3." in err
    assert "command: linkerd-webhook broken -o json (values are left out)" in err
    assert "Traceback" not in err
    path = re.search(r"the traceback, in (\S+)", err)
    assert path is not None
    file = Path(path[1])
    assert "KeyError: 'metadata'" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("arguments", [[f"--token={SECRET}"], ["--token", SECRET]])
def test_a_value_is_repeated_neither_with_the_command_nor_with_the_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    err = ended(capsys, *arguments)
    assert "KeyError: '…'" in err
    assert SECRET not in err


@given(st.lists(st.sampled_from(["install", "explain", "--set", "-n", "-f", "--token"])), st.text(min_size=1))
def test_no_value_of_a_command_line_is_ever_in_what_is_repeated(words: list[str], value: str) -> None:
    """Wherever it stands, and whatever stands before it."""
    marked = f"§{value}§"
    for arguments in ([*words, marked], [*words, f"--set={marked}"], [*words, f"-n{marked}"], [*words, f"--{marked}"]):
        assert "§" not in "".join(written(arguments, cli))


def test_with_verbose_the_traceback_is_printed_and_no_file_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    err = ended(capsys, "--verbose")
    assert "linkerd-webhook: Traceback (most recent call last):" in err
    assert list(tmp_path.iterdir()) == []


def test_where_no_file_can_be_written_the_places_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    err = ended(capsys)
    assert "Traceback" not in err
    assert re.search(rf"{re.escape(__file__)}:\d+ broken$", err, re.MULTILINE)


def test_a_command_that_cannot_be_imported_is_such_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(program.COMMANDS, "broken", ("webhook.nowhere:broken", ""))
    assert "ModuleNotFoundError: No module named 'webhook.nowhere'" in ended(capsys, SECRET)


def test_ctrl_c_while_modules_are_imported_is_no_error_of_ours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webhook.cli.goflags.is_ours", interrupted)
    with pytest.raises(SystemExit) as end:
        main(["broken"])
    assert (end.value.code, capsys.readouterr().err) == (130, "linkerd-webhook: interrupted\n")


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("certs issue --out /home/jane", "certs issue --out …"),
        ("install --set image.pullSecret=a -f values.yaml -ojson", "install --set … -f … -ojson"),
        ("explain pod/cart -nshop", "explain … -n…"),
        ("jane check", "… …"),
        ("check -- --jane", "check -- --…"),
        ("explain --jane -j", "explain --… -…"),
    ],
)
def test_of_a_command_line_the_names_of_flags_and_choices_are_repeated(line: str, seen: str) -> None:
    assert " ".join(written(line.split(), cli)) == seen
