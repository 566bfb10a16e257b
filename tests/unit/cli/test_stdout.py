"""An output that cannot be written: every command says so in a line, and where nobody reads any more it is silent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, annotations: {linkerd.io/inject: enable}}\n"
REVIEW = Path(__file__).parents[3] / "deploy" / "samples" / "1-injected.json"
COMMANDS = {
    "validate": ["validate", "a.yaml"],
    "validate, as json": ["validate", "-o", "json", "a.yaml"],
    "review": ["review", str(REVIEW)],
    "install": ["install", "--ignore-cluster", "--image", "example.org/x:1"],
    "certs issue": ["certs", "issue", "--out", "certs"],
    "version": ["version", "--client"],
    "help": ["--help"],
    "help of a command": ["validate", "--help"],
    "the program's version": ["--version"],
}


def start(folder: Path, arguments: list[str], output: int | None, *, unbuffered: bool) -> subprocess.Popen[str]:
    """A command in a folder of its own; `output` is what it writes to, None for a closed descriptor."""
    (folder / "a.yaml").write_text(NAMESPACE)
    command = [sys.executable, "-m", "webhook.cli", *arguments]
    if output is None:
        command = ["sh", "-c", '"$@" >&-', "sh", *command]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONUNBUFFERED": "1" if unbuffered else ""},
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", [False, True], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_full_output_is_told_in_a_line(tmp_path: Path, arguments: list[str], unbuffered: bool) -> None:
    with open("/dev/full", "w") as full:
        process = start(tmp_path, arguments, full.fileno(), unbuffered=unbuffered)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.splitlines()[-1] == "linkerd-webhook: cannot write to standard output: No space left on device"
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_closed_output_is_told_in_a_line(tmp_path: Path, arguments: list[str]) -> None:
    process = start(tmp_path, arguments, None, unbuffered=False)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.splitlines()[-1] == "linkerd-webhook: cannot write to standard output: Bad file descriptor"
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_pipe_that_nobody_reads_ends_a_command_in_silence(tmp_path: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = start(tmp_path, arguments, writing, unbuffered=False)
    finally:
        os.close(writing)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGPIPE
    assert "Error" not in said


def test_a_command_that_writes_nothing_has_no_trouble_with_a_closed_output(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(NAMESPACE.replace("enable}", "enabled}"))
    process = start(tmp_path, ["validate", "good.yaml"], None, unbuffered=False)
    process.communicate(timeout=60)
    assert process.returncode == 0
