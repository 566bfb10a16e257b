"""Output of commands on a terminal: messages on standard error, and colours."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import IO, Any, Final

import click

PROGRAM: Final = "linkerd-webhook"
UNUSABLE: Final = 2
"""The exit code where an input cannot be used, or something that a command needs cannot be reached."""

INTERRUPTED: Final = 130
"""The exit code after Ctrl-C."""


def print_line(text: str) -> None:
    """Write a line to standard error without a prefix: one that begins with a file's name, or a summary."""
    click.echo(text, err=True)


def print_message(text: str) -> None:
    """Write a note or an error to standard error, each line with the program's name in front."""
    for line in text.splitlines():
        print_line(f"{PROGRAM}: {line}")


class CommandError(click.ClickException):
    """Ends a command: the message is written as `print_message` does, and `exit_code` becomes the process's."""

    def __init__(self, message: str, exit_code: int = UNUSABLE) -> None:
        """`message`: one line for each problem."""
        super().__init__(message)
        # To mypy, click has it for the class alone.
        self.exit_code = exit_code  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to standard error; click calls it."""
        print_message(self.message)


NO_COLOUR_HELP: Final = "Write no colours; so does NO_COLOR in the environment."


def without_colours(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """For click: what --no-color does."""
    if value:
        context.color = False


NO_COLOUR: Final = click.Option(
    ["--no-color"], is_flag=True, expose_value=False, callback=without_colours, help=NO_COLOUR_HELP
)
"""The option of every command."""


def coloured(wanted: str, stream: IO[Any]) -> bool:
    """Whether to write coloured text to a stream, by the value of --color: auto, always or never. --no-color goes
    before it."""
    if wanted == "always":
        return not _switched_off()
    return wanted == "auto" and colours(stream)


def _switched_off() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and context.color is False


def colours(stream: IO[Any], environment: Mapping[str, str] = os.environ) -> bool:
    """Whether to write coloured text to a stream: only if it is a terminal that supports colours.

    `NO_COLOR` switches colours off unless it is empty (https://no-color.org), and so do `TERM=dumb` and --no-color. A
    closed stream is not a terminal.
    """
    if _switched_off() or environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def log_warnings() -> None:
    """Have the log write its warnings to standard error: standard output is for what a command reports."""
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
