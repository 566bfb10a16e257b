"""The examples at the end of each `--help`: they work as they stand there."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.unit.cli.example_files import run, write_files
from webhook.cli.document import exit_codes, leaves
from webhook.cli.examples import EXAMPLES, Example
from webhook.cli.main import COMMANDS, cli, load

EVERY = {path: command for name in COMMANDS for path, command in leaves(name, load(name))}
LINES = [pytest.param(path, example, id=example.line) for path, listed in EXAMPLES.items() for example in listed]


def test_every_command_has_some_and_help_ends_in_them() -> None:
    assert set(EXAMPLES) == set(EVERY)
    for path, examples in EXAMPLES.items():
        shown = CliRunner().invoke(cli, [*path.split(), "--help"]).stdout
        assert shown.rstrip().endswith(examples[-1].line), path
        assert all(f"    {example.line}\n" in shown for example in examples)


def arguments(example: Example) -> list[str]:
    """The arguments of the example's own program."""
    words = shlex.split(example.line, comments=False)
    words = words[words.index("linkerd-webhook") + 1 :]
    end = next((number for number, word in enumerate(words) if word in ("|", ">", "<") or word.endswith(")")), None)
    return words[:end]


@pytest.mark.parametrize(("path", "example"), LINES)
def test_click_reads_each(path: str, example: Example) -> None:
    """And each is of the command under which it stands."""
    if "(" in example.line:
        # A shell's substitution: the test that runs it is enough.
        return
    given = arguments(example)
    depth = len(path.split())
    assert given[:depth] == path.split()
    with EVERY[path].make_context(path, given[depth:]) as context:
        assert isinstance(context, click.Context)


@pytest.mark.parametrize(
    ("path", "example"),
    [parameters for parameters in LINES if not parameters.values[1].cluster],  # type: ignore[union-attr]
)
def test_those_that_need_no_cluster_work(path: str, example: Example, tmp_path: Path) -> None:
    write_files(tmp_path)
    if "--force" in example.line:
        (tmp_path / "new").mkdir()
    code, out, err = run(example, tmp_path)
    assert code == example.code, f"{out[-500:]}{err[-500:]}"
    assert code in exit_codes(EVERY[path])
    if "kubectl" in example.line:
        assert (tmp_path / "kubectl.in").read_text()
