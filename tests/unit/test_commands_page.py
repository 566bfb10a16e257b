"""`docs/commands.md`, which is written from the commands."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from webhook.cli.document import exit_codes, leaves, page
from webhook.cli.main import COMMANDS, load

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
EVERY = {path: command for name in COMMANDS for path, command in leaves(name, load(name))}


def test_the_page_is_what_the_commands_say() -> None:
    """Where it is not, `make docs` writes it anew."""
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("path", EVERY)
def test_every_command_tells_its_exit_codes(path: str) -> None:
    codes = exit_codes(EVERY[path])
    assert {0, 2} <= set(codes)
    assert all(codes.values())


def test_exit_codes_are_read_from_a_sentence() -> None:
    @click.command()
    def command() -> None:
        """It works.

        Exit code: 0 fine (with --strict, or none), 1 wrong, or worse; 2 a
        flag. More.
        """

    assert exit_codes(command) == {0: "fine (with --strict, or none)", 1: "wrong, or worse", 2: "a flag"}
