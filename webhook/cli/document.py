"""Writes `docs/commands.md`: every command with its flags, exit codes and examples, from the commands themselves.

`make docs` runs it; a test holds the page against it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Final

import click

from webhook.cli.console import INTERRUPTED, UNUSABLE
from webhook.cli.examples import EXAMPLES
from webhook.cli.main import COMMANDS, load
from webhook.cli.unexpected import UNEXPECTED

_HEAD: Final = f"""\
# Commands

<!-- `make docs` writes this page from the commands -->

`linkerd-webhook COMMAND --help` shows the same. Colours are written to a terminal only, and neither with `--no-color`
nor with `NO_COLOR` in the environment. Progress is shown on standard error, on a terminal, from the second second on.
[json.md](json.md) describes what `-o json` prints. `linkerd-webhook completion` prints a script by which a shell
completes all of this.

Of every command:

| exit code | means |
|---|---|
| {UNUSABLE} | the command line cannot be read, or standard output cannot be written |
| {UNEXPECTED} | an unexpected error: it says what to report, and where the traceback is |
| {INTERRUPTED} | interrupted by Ctrl-C, but where that is how a command ends |

"""

_CODES: Final = re.compile(r"Exit code: (.+)", re.DOTALL)


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for name in COMMANDS:
        for path, command in leaves(name, load(name)):
            parts.append("\n".join(_section(path, command)))
    return "\n".join(parts)


def leaves(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """The commands that do something, with their paths: `certs issue`."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, sub_command in command.commands.items():
        yield from leaves(f"{path} {name}", sub_command)


def exit_codes(command: click.Command) -> dict[int, str]:
    """The exit codes that a command's help names, and what each means."""
    match = _CODES.search(_help(command))
    if match is None:
        return {}
    # What stands behind the list is another sentence.
    listed = re.split(r"\.\s", f"{match[1]} ")[0]
    codes = {}
    for part in re.split(r"[,;] (?=\d+ )", listed):
        number, _, meaning = part.partition(" ")
        codes[int(number)] = meaning.strip()
    return codes


def _help(command: click.Command) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)[ ]*", " ", (command.help or "").replace("\b", ""))


def _section(path: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"linkerd-webhook {path}")
    first, _, _ = _help(command).partition("\n\n")
    yield f"## {path}\n"
    yield f"{_plain(first)}\n"
    yield "```text"
    yield f"{context.command_path} {' '.join(command.collect_usage_pieces(context))}"
    yield "```\n"
    yield "| exit code | means |"
    yield "|---|---|"
    yield from (f"| {code} | {_plain(meaning)} |" for code, meaning in exit_codes(command).items())
    yield "\n| flag | what it does |"
    yield "|---|---|"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and not record[0].endswith("--help"):
            yield f"| `{_cell(record[0])}` | {_plain(record[1])} |"
    yield "\n<!-- not run: a test of its own runs them, with files of these names -->"
    yield "```sh"
    for example in EXAMPLES[path]:
        yield f"# {example.about}"
        yield example.line
    yield "```\n"


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is, in a cell of a table too."""
    return re.sub(r"([*<>\[\]])", r"\\\1", _cell(text))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
