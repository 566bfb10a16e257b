"""Commands that Linkerd's CLI calls as an extension: they read command lines as its library of flags does.

`linkerd webhook …` runs the program linkerd-webhook from $PATH. `linkerd check` runs `linkerd-webhook
_extension-metadata`, and then `linkerd-webhook check --as-group=[] --verbose=false --wait=5m0s --output=json` with all
of its own flags that have a value. https://github.com/linkerd/linkerd2/blob/main/EXTENSIONS.md
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import click

from webhook.cli.console import print_message
from webhook.grammar import GrammarError, parse_bool, parse_duration

# What `_extension-metadata` prints: the program's name, and that it takes part in every `linkerd check`.
METADATA: Final = '{"name": "linkerd-webhook", "checks": "always"}'


@click.command(hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def extension_metadata() -> None:
    """Print what Linkerd's CLI asks of an extension."""
    click.echo(METADATA)


class LinkerdCommand(click.Command):
    """A command of which Linkerd's CLI writes the arguments.

    Booleans take `=true` and `=false`, the last one counts; a value that is empty (`--context=`) is as none; `-o=json`
    is `-o json`. With `-o json` an unknown flag is passed over with a note on standard error, as a later Linkerd may
    have more of them, and reads standard output as JSON.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's, after these arguments were read by the rules above. Raises `click.UsageError`."""
        options = {
            flag: option for option in self.get_params(ctx) if isinstance(option, click.Option) for flag in option.opts
        }
        takes_arguments = any(isinstance(parameter, click.Argument) for parameter in self.params)
        reading = _Reading(options, ctx, takes_arguments)
        reading.read(args)
        return super().parse_args(ctx, reading.arguments())


@dataclass(slots=True)
class _Reading:
    """One command line. `read` fills `given` with pairs of a flag and its value (None for a boolean that is set), with
    "" for the flag of a plain argument, and `unknown`."""

    options: dict[str, click.Option]
    context: click.Context
    takes_arguments: bool
    given: list[tuple[str, str | None]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)

    def read(self, arguments: Iterable[str]) -> None:
        left = list(arguments)
        while left:
            argument = left.pop(0)
            if argument == "--":
                self.rest = [argument, *left]
                return
            if argument.startswith("--"):
                name, equals, value = argument.partition("=")
                self._flag(name, value if equals else None, left)
            elif argument.startswith("-") and argument != "-":
                value = argument[2:]
                self._flag(argument[:2], value.removeprefix("=") if value else None, left)
            else:
                self.given.append(("", argument))

    def arguments(self) -> list[str]:
        """What click is to read. Unknown flags stay, so that click refuses them, unless the output is JSON."""
        wanted = [*self._written(), *self.rest]
        if not self.unknown:
            return wanted
        outputs = [value for flag, value in self.given if flag == "--output"]
        if outputs[-1:] != ["json"]:
            return [*self.unknown, *wanted]
        for flag in self.unknown:
            print_message(f"unknown flag {flag.partition('=')[0]}: passed over")
        return wanted

    def _flag(self, name: str, value: str | None, left: list[str]) -> None:
        option = self.options.get(name)
        if option is None:
            self.unknown.append(name if value is None else f"{name}={value}" if name[1] == "-" else f"{name}{value}")
            if value is None and not self.takes_arguments and left and not left[0].startswith("-"):
                # There are no arguments, so this can only be its value.
                left.pop(0)
            return
        long = next((flag for flag in option.opts if flag.startswith("--")), name)
        if not option.is_flag:
            if value is None and isinstance(option.flag_value, str):
                # A flag that may have a value has it behind an equals sign.
                value = option.flag_value
            if value is None and not left:
                raise click.BadOptionUsage(long, f"{name} needs a value: {name} {option.make_metavar(self.context)}")
            self.given.append((long, left.pop(0) if value is None else value))
        elif name[1] == "-":
            self._boolean(long, value)
        else:
            # Booleans of one letter may be written together: -vo json.
            self._boolean(long, None)
            if value:
                left.insert(0, f"-{value}")

    def _boolean(self, long: str, value: str | None) -> None:
        try:
            on = value is None or parse_bool(value)
        except GrammarError:
            message = f"{long} is {value!r}: write {long}, or {long}=false"
            raise click.BadOptionUsage(long, message, self.context) from None
        opposite = self.options[long].secondary_opts
        self.given = [(flag, text) for flag, text in self.given if flag not in (long, *opposite)]
        if on or opposite:
            self.given.append((long if on else opposite[0], None))

    def _written(self) -> Iterator[str]:
        for flag, value in self.given:
            if not flag:
                yield value or ""
            elif value is None:
                yield flag
            elif value or self.options[flag].multiple:
                yield f"{flag}={value}"


def groups(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """For click: the entries of a list of Linkerd's CLI, `[a,b]` or `[]` (CSV within brackets), and plain values."""
    entries: list[str] = []
    for value in values:
        if value.startswith("[") and value.endswith("]"):
            entries += next(csv.reader([value[1:-1]]), [])
        else:
            entries.append(value)
    return tuple(dict.fromkeys(entry for entry in entries if entry))


def wait(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """For click: the seconds of a duration as Go writes it (`5m0s`, `0s`, `1h30m`). Raises `click.BadParameter`."""
    try:
        nanoseconds = parse_duration(value)
    except GrammarError:
        message = f"{value!r} is not a duration: write one such as 5m, 90s or 0s"
        raise click.BadParameter(message, context, parameter) from None
    if nanoseconds < 0:
        raise click.BadParameter(f"{value!r} is less than nothing: write 0s not to wait", context, parameter)
    return nanoseconds / 1e9
