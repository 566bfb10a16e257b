"""What commands write to a terminal: errors in one form, and colours where it wants them."""

from __future__ import annotations

import errno
import io
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

import click
import pytest
from click.testing import CliRunner

from webhook.cli.console import CommandError, colours
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
