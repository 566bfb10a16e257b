"""What a shell has to know of a command line: the commands, their flags, and what stands behind each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import click


class Kind(Enum):
    """What a value may be, as far as a shell can complete it."""

    NONE = "nothing that a shell knows"
    WORDS = "one of some words"
    FILE = "a file or folder"
    FOLDER = "a folder"
    NAMESPACE = "a Namespace of the cluster"
    CONTEXT = "a context of the kubeconfig"


@dataclass(frozen=True, slots=True)
class Value:
    """A value. `words` are the first of many where `more` may follow, such as `pod/`."""

    kind: Kind = Kind.NONE
    words: tuple[str, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag by its names, `-o` and `--output`. `value` is None where it takes none behind a blank."""

    names: tuple[str, ...]
    help: str
    value: Value | None = None
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command: its path (`("certs", "issue")`, empty for the program), its flags, and its sub-commands or its
    arguments. Each of the arguments may be an `argument`, None where there are none."""

    path: tuple[str, ...]
    summary: str
    flags: tuple[Flag, ...]
    argument: Value | None = None
    commands: tuple[CommandLine, ...] = ()

    @property
    def name(self) -> str:
        """The last word of its path."""
        return self.path[-1] if self.path else ""

    def leaves(self) -> Iterator[CommandLine]:
        """The commands below it that have no sub-commands, itself included."""
        if not self.commands:
            yield self
        for command in self.commands:
            yield from command.leaves()


_HELP: Final = Flag(("-h", "--help"), "Show this message and exit.")
_FILE: Final = Value(Kind.FILE)
_NAMESPACE: Final = Value(Kind.NAMESPACE)
_BY_FLAG: Final = {
    "--namespace": _NAMESPACE,
    "--linkerd-namespace": _NAMESPACE,
    "--exclude-namespace": _NAMESPACE,
    "--context": Value(Kind.CONTEXT),
    "--tls-dir": Value(Kind.FOLDER),
    "--address": Value(Kind.WORDS, ("localhost", "127.0.0.1")),
}
_FILES: Final = ("FILE", "PATH", "PATH...", "[FILE]...")


def command_line(command: click.Command, path: tuple[str, ...] = (), summary: str = "") -> CommandLine:
    """Read a command and all that are below it."""
    context = click.Context(command, info_name=path[-1] if path else None)
    flags = [flag for option in command.get_params(context) for flag in _flags(option)]
    if _HELP not in flags and not any("--help" in flag.names for flag in flags):
        flags.append(_HELP)
    if isinstance(command, click.Group):
        below = []
        for name in command.list_commands(context):
            sub_command = command.get_command(context, name)
            if sub_command is not None and not sub_command.hidden:
                below.append(command_line(sub_command, (*path, name), _sentence(name, sub_command)))
        return CommandLine(path, summary, tuple(flags), commands=tuple(below))
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    return CommandLine(path, summary, tuple(flags), _argument(arguments))


def _sentence(name: str, command: click.Command) -> str:
    """What a command does, in one line, as `--help` has it."""
    from webhook.cli.main import COMMANDS

    return COMMANDS[name][1] if name in COMMANDS else command.get_short_help_str(limit=100)


def _flags(option: click.Parameter) -> Iterator[Flag]:
    if not isinstance(option, click.Option) or option.hidden:
        return
    if option.is_eager and "--help" in option.opts:
        yield _HELP
        return
    # A value that may be left out stands behind an equals sign: to a shell, there is none.
    optional = not option.is_flag and isinstance(option.flag_value, str)
    value = None if option.is_flag or option.count or optional else _value(option)
    # Short ones first, as in `--help`.
    names = tuple(sorted(option.opts, key=lambda name: name.startswith("--")))
    yield Flag(names, option.help or "", value, option.multiple)
    if option.secondary_opts:
        yield Flag(tuple(option.secondary_opts), option.help or "")


def _value(option: click.Option) -> Value:
    for name in option.opts:
        if name in _BY_FLAG:
            return _BY_FLAG[name]
    if isinstance(option.type, click.Choice):
        return Value(Kind.WORDS, tuple(map(str, option.type.choices)))
    if isinstance(option.type, click.Path):
        return Value(Kind.FILE if option.type.file_okay else Kind.FOLDER)
    if option.metavar in _FILES:
        return _FILE
    if option.metavar == "LINE":
        return Value(Kind.WORDS, _lines())
    if option.metavar == "CODE[=NAMESPACE[/NAME]]":
        return Value(Kind.WORDS, _codes())
    return Value()


def _argument(arguments: Sequence[click.Argument]) -> Value | None:
    if not arguments:
        return None
    first = arguments[0]
    if isinstance(first.type, click.Choice):
        return Value(Kind.WORDS, tuple(map(str, first.type.choices)))
    match first.metavar:
        case "[KIND/NAME]":
            return Value(Kind.WORDS, _kinds(), more=True)
        case "FROM":
            return Value(Kind.WORDS, ("cluster", *_lines()))
        case metavar if metavar in _FILES:
            return _FILE
    return Value()


def _lines() -> tuple[str, ...]:
    from webhook.mesh.releases import LINES

    return tuple(LINES)


def _codes() -> tuple[str, ...]:
    from webhook.diagnosis.check.registry import LINES

    return tuple(sorted({line.code for line in LINES}))


def _kinds() -> tuple[str, ...]:
    from webhook.diagnosis.explain.target import KINDS

    return tuple(f"{(kind.short or (kind.kind.lower(),))[0]}/" for kind in KINDS.values())
