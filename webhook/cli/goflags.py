"""Command lines of Linkerd's own programs, as ours.

A Deployment of Linkerd's starts `proxy-injector -log-level=info -enable-pprof=false`: the program's name first, then
flags by the rules of Go's `flag` package (one dash or two, `-flag value` or `-flag=value`, booleans without a value).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Which webhook a reference program's name means; `injector` is what both extensions call theirs.
PROGRAMS = {"proxy-injector": "proxy-injector", "sp-validator": "sp-validator", "injector": None}

# Where a reference program serves operators, if that is not where `serve` does.
ADMIN_ADDRESSES = {"sp-validator": ":9997"}

# Flags of the reference programs that are called otherwise here.
RENAMED = {"metrics-addr": "admin-addr"}

# Flags of the reference programs, and of the logging library in them, that have no meaning here: name, and whether it
# is a boolean.
UNUSED = {
    "enable-pprof": True,
    "trace-collector": False,
    "add_dir_header": True,
    "alsologtostderr": True,
    "log_backtrace_at": False,
    "log_dir": False,
    "log_file": False,
    "log_file_max_size": False,
    "logtostderr": True,
    "one_output": True,
    "skip_headers": True,
    "skip_log_headers": True,
    "stderrthreshold": False,
    "v": False,
    "vmodule": False,
}

# As Go's strconv.ParseBool has them.
TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class FlagError(ValueError):
    """A flag that nobody knows, or one without its value."""


@dataclass(slots=True)
class Translation:
    """Arguments for `serve`, what to say in the log, and whether only the version (or the help) was asked for."""

    arguments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    version: bool = False


def is_ours(arguments: Sequence[str]) -> bool:
    """Whether a command line is one of our own commands', and none that `translate` has to read."""
    if not arguments or arguments[0] in ("--help", "--version"):
        return True
    return arguments[0] != "serve" and arguments[0] not in PROGRAMS and not arguments[0].startswith("-")


def translate(arguments: Sequence[str], own: Mapping[str, bool]) -> Translation:
    """Read a reference program's command line, or `serve`'s own.

    `own`: the flags of `serve` without dashes, and whether each is a boolean. Raises `FlagError`.
    """
    rest = list(arguments)
    program = rest.pop(0) if rest and not rest[0].startswith("-") else ""
    result = Translation()
    while rest:
        argument = rest.pop(0)
        if argument == "--" and not rest:
            break
        if not argument.startswith("-") or argument in ("-", "--"):
            raise FlagError(f'unexpected argument "{argument}": flags are -name=value')
        name, equals, value = argument.removeprefix("-").removeprefix("-").partition("=")
        if name in ("h", "help"):
            result.arguments.append("--help")
        elif name == "version":
            result.version = not equals or _boolean(name, value)
        else:
            _flag(result, name, value if equals else None, rest, own)
    _choose(result, program)
    return result


def _flag(result: Translation, name: str, value: str | None, rest: list[str], own: Mapping[str, bool]) -> None:
    """Read one flag, with its value from `rest` where it was not given with `=`."""
    ours = RENAMED.get(name, name)
    boolean = own.get(ours, UNUSED.get(name))
    if boolean is None:
        raise FlagError(f'unknown flag "-{name}"{_closest(name, own)}')
    if value is None and not boolean:
        if not rest:
            raise FlagError(f'flag "-{name}" needs a value: -{name}=VALUE')
        value = rest.pop(0)
    if ours not in own:
        result.notes.append(f"flag -{name} has no use here and is ignored")
    elif boolean:
        if value is None or _boolean(name, value):
            result.arguments.append(f"--{ours}")
    elif value or ours != "kubeconfig":
        # An empty -kubeconfig means the cluster that the Pod is in, as the default does.
        result.arguments.append(f"--{ours}={value}")


def _boolean(name: str, value: str) -> bool:
    if value not in TRUE | FALSE:
        raise FlagError(f'flag "-{name}" is "{value}", want true or false')
    return value in TRUE


def _closest(name: str, own: Mapping[str, bool]) -> str:
    close = difflib.get_close_matches(name, [*own, *RENAMED, *UNUSED, "version"], n=1)
    return f": did you mean --{close[0]}?" if close else ": see linkerd-webhook serve --help"


def _choose(result: Translation, program: str) -> None:
    """Say which webhook "/" is, and where operators find the program, where its name or its flags tell."""
    given = {argument.partition("=")[0] for argument in result.arguments}
    if program in ADMIN_ADDRESSES and "--admin-addr" not in given:
        result.arguments.append(f"--admin-addr={ADMIN_ADDRESSES[program]}")
    if "--webhook" in given or program == "serve":
        return
    chosen = PROGRAMS.get(program)
    if chosen is None and given & {"--collector-svc-addr", "--collector-svc-account"}:
        chosen = "jaeger-injector"
    elif chosen is None and "--tap-service-name" in given:
        chosen = "tap-injector"
    if chosen is not None:
        result.arguments.append(f"--webhook={chosen}")
    elif program == "injector":
        raise FlagError("injector: want -tap-service-name or -collector-svc-addr, which tell the two injectors apart")
