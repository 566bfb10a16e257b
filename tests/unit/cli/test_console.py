"""What commands write to a terminal: errors in one form, and colours where it wants them."""

from __future__ import annotations

import errno
import importlib
import io
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import IO

import click
import pytest
from click.testing import CliRunner

from webhook.cli import main as program
from webhook.cli.console import CommandError, coloured, colours
from webhook.cli.demo import demo


@pytest.mark.parametrize("code", [1, 2])
def test_an_error_ends_a_command_with_its_exit_code_and_the_programs_name_before_each_line(code: int) -> None:
    @click.command()
    def broken() -> None:
        raise CommandError("one\ntwo", code)

    result = CliRunner().invoke(broken)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "linkerd-webhook: one\nlinkerd-webhook: two\n"


@pytest.fixture
def terminal() -> Iterator[IO[str]]:
    """A stream to a terminal."""
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as stream:
        yield stream
    os.close(reader)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"TERM": "xterm-256color"}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_a_terminal_gets_colours_unless_the_environment_says_no(
    terminal: IO[str], environment: dict[str, str], expected: bool
) -> None:
    assert colours(terminal, environment) is expected


def test_a_file_a_closed_stream_and_a_missing_one_get_none() -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (io.StringIO(), closed, None):
        assert not colours(stream, {})  # type: ignore[arg-type]


def shown(**environment: str) -> str:
    """What `demo` writes to a terminal."""
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "webhook.cli", "demo", "--once", "--addr", "127.0.0.1:0"]
    inherited = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen(
        [*command, "--admin-addr", "127.0.0.1:0"], stdout=writer, env={**inherited, **environment}, close_fds=True
    )
    os.close(writer)
    result = b""
    try:
        while piece := os.read(reader, 4096):
            result += piece
    except OSError:
        # Linux ends a terminal so whose writer is gone.
        pass
    finally:
        os.close(reader)
    assert process.wait(30) == 0
    return result.decode()


def test_the_demo_is_coloured_on_a_terminal_and_plain_where_that_is_asked_for() -> None:
    assert "\x1b[" in shown(TERM="xterm")
    for environment in ({"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}):
        text = shown(**environment)
        assert "Pod shop/cart" in text and "\x1b[" not in text


def test_the_demo_asks_for_a_folder_where_none_can_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the image, whose file system is read-only."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    result = CliRunner().invoke(demo, ["--once"])
    assert result.exit_code == 2
    assert "set TMPDIR to one that can" in result.stderr


class TestNoColor:
    """The flag, before a command's name and behind it."""

    @pytest.mark.parametrize("line", [["--no-color", "probe"], ["probe", "--no-color"]])
    def test_it_goes_before_the_terminal_and_before_color_always(
        self, line: list[str], terminal: IO[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)

        @click.command()
        def probe() -> None:
            click.echo(f"{colours(terminal)} {coloured('auto', terminal)} {coloured('always', terminal)}")

        monkeypatch.setitem(program.COMMANDS, "probe", ("", ""))
        monkeypatch.setattr(importlib, "import_module", lambda _: SimpleNamespace(**{"": probe}))
        assert CliRunner().invoke(program.cli, line).output == "False False False\n"
        assert CliRunner().invoke(program.cli, ["probe"]).output == "True True True\n"

    @pytest.mark.parametrize("name", sorted(set(program.COMMANDS) - {"serve"}))
    def test_every_command_takes_it(self, name: str) -> None:
        command = program.load(name)
        commands = list(command.commands.values()) if isinstance(command, click.Group) else [command]
        assert all("--no-color" in [flag for option in one.params for flag in option.opts] for one in commands)

    def test_always_colours_what_is_no_terminal_and_never_nothing(self, terminal: IO[str]) -> None:
        assert coloured("always", io.StringIO())
        assert not coloured("never", terminal)
