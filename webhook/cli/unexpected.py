"""Ends a command after an error that nobody expected: says what to report, with the traceback in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import click

from webhook import __version__
from webhook.cli.console import INTERRUPTED, PROGRAM, print_message

UNEXPECTED: Final = 70
"""The exit code after an unexpected error: EX_SOFTWARE of sysexits.h."""

HIDDEN: Final = "…"
# Characters of an error's text that are repeated.
_SHOWN: Final = 300
# Characters of a value that is taken out of an error's text.
_SHORTEST: Final = 4


@contextmanager
def reported(arguments: Sequence[str], command: click.Command) -> Iterator[None]:
    """Run a command. After an exception that it did not expect, print what to report, and end the process with exit
    code 70. `command` is the group that reads the arguments."""
    try:
        yield
    except KeyboardInterrupt:
        # While modules were imported: a command that runs says what was interrupted.
        print_message("interrupted")
        sys.exit(INTERRUPTED)
    except Exception as error:
        # The report must not fail as well.
        with suppress(OSError):
            print_message("\n".join(_report(error, arguments, command)))
        sys.exit(UNEXPECTED)


def _report(error: Exception, arguments: Sequence[str], command: click.Command) -> Iterator[str]:
    # Not imported above, as every command would take the time for it.
    import platform
    import traceback

    text = " ".join(f"{type(error).__name__}: {error}".split())
    for value in sorted(_values(arguments), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    yield f"an unexpected error: {text if len(text) <= _SHOWN else text[:_SHOWN] + HIDDEN}"
    yield "this is a mistake in linkerd-webhook; please report it with these lines:"
    yield f"  version {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield f"  command: {' '.join([PROGRAM, *written(arguments, command)])} (values are left out)"
    lines = traceback.format_exception(error)
    if "--verbose" in arguments:
        yield from "".join(lines).splitlines()
        return
    try:
        yield f"  the traceback, in {_stored(lines)} (read it before you pass it on: it may name your objects)"
    except OSError:
        # On a read-only file system the places are better than nothing.
        for frame in traceback.extract_tb(error.__traceback__)[-8:]:
            yield f"  {frame.filename}:{frame.lineno} {frame.name}"


def _stored(lines: Sequence[str]) -> str:
    """Write the traceback to a file that nobody else can read; returns its path. Raises `OSError`."""
    import tempfile

    descriptor, path = tempfile.mkstemp(prefix=f"{PROGRAM}-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(lines)
    return path


def written(arguments: Sequence[str], command: click.Command) -> Iterator[str]:
    """A command line without its values, which may be secret: names of commands and flags stay, and choices such as
    `json`."""
    left = list(arguments)
    context = click.Context(command)
    while isinstance(command, click.Group) and left and (sub_command := _sub_command(command, context, left[0])):
        command = sub_command
        yield left.pop(0)
    choices = {
        str(choice)
        for parameter in command.params
        if isinstance(parameter.type, click.Choice)
        for choice in parameter.type.choices
    }
    flags = {"--help", "-h", "--version", "--"} | {
        flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    for argument in left:
        name, equals, value = argument.partition("=")
        if argument.startswith("--"):
            yield f"{name if name in flags else f'--{HIDDEN}'}{equals}{_seen(value, choices)}"
        elif argument.startswith("-"):
            name, value = argument[:2], argument[2:].removeprefix("=")
            yield f"{name if name in flags else f'-{HIDDEN}'}{_seen(value, choices)}"
        else:
            yield _seen(argument, choices)


def _values(arguments: Sequence[str]) -> set[str]:
    """The values of a command line that an error's text may repeat; what is shorter is a part of many words."""
    values = {argument.partition("=")[2] if argument.startswith("-") else argument for argument in arguments}
    return {value for value in values if len(value) >= _SHORTEST}


def _sub_command(group: click.Group, context: click.Context, name: str) -> click.Command | None:
    try:
        return group.get_command(context, name)
    except Exception:
        # The module of the command may be what cannot be imported.
        return None


def _seen(value: str, choices: set[str]) -> str:
    return value if not value or value in choices else HIDDEN
