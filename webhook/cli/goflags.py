"""Translates command lines of Linkerd's own programs into ours.

A Deployment of Linkerd's starts `proxy-injector -log-level=info -enable-pprof=false`: the program's name first, then
flags by the rules of Go's `flag` package (one dash or two, `-flag value` or `-flag=value`, booleans without a value).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# The webhook of each of Linkerd's programs; both extensions call their program `injector`.
PROGRAMS = {"proxy-injector": "proxy-injector", "sp-validator": "sp-validator", "injector": None}

# The default admin address of Linkerd's programs that do not use the one of `serve`.
ADMIN_ADDRESSES = {"sp-validator": ":9997"}

# Flags of Linkerd's programs that have another name here.
RENAMED = {"metrics-addr": "admin-addr"}

# Flags of Linkerd's programs, and of their logging library, that have no effect here, and whether they are booleans.
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

# The values that Go's strconv.ParseBool accepts: https://pkg.go.dev/strconv#ParseBool
TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class FlagError(ValueError):
    """An unknown flag, or a flag without its value: the message names it and says what to write."""


@dataclass(slots=True)
class Translation:
    """Arguments for `serve`, notes for its log, and whether only the version was requested."""

    arguments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    version: bool = False


def is_ours(arguments: Sequence[str]) -> bool:
    """Whether a command line names one of our own commands other than `serve`, so that `translate` is not needed."""
    if not arguments or arguments[0] in ("--help", "--version", "--no-color"):
        return True
    return arguments[0] != "serve" and arguments[0] not in PROGRAMS and not arguments[0].startswith("-")


def translate(arguments: Sequence[str], own: Mapping[str, bool]) -> Translation:
    """Translate the command line of one of Linkerd's programs, or of `serve`, into arguments for `serve`.

    `own`: the flags of `serve` without dashes, and whether each is a boolean. Raises `FlagError`.
    The rules are those of Go's flag package: https://pkg.go.dev/flag#hdr-Command_line_flag_syntax
    """
    rest = list(arguments)
    program = rest.pop(0) if rest and not rest[0].startswith("-") else ""
    result = Translation()
    while rest:
        argument = rest.pop(0)
        if argument == "--" and not rest:
            break
        if not argument.startswith("-") or argument in ("-", "--"):
            raise FlagError(f'unexpected argument "{argument}": write flags as -name=value')
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
        result.notes.append(f"flag -{name} has no effect here and is ignored")
    elif boolean:
        if value is None or _boolean(name, value):
            result.arguments.append(f"--{ours}")
    elif value or ours != "kubeconfig":
        # An empty -kubeconfig means the cluster that the Pod is in, as the default does.
        result.arguments.append(f"--{ours}={value}")


def _boolean(name: str, value: str) -> bool:
    if value not in TRUE | FALSE:
        raise FlagError(f'flag "-{name}" is "{value}": write true or false')
    return value in TRUE


def _closest(name: str, own: Mapping[str, bool]) -> str:
    close = difflib.get_close_matches(name, [*own, *RENAMED, *UNUSED, "version"], n=1)
    return f": did you mean --{close[0]}?" if close else ": see linkerd-webhook serve --help"


def _choose(result: Translation, program: str) -> None:
    """Add --webhook and --admin-addr if the program's name or its flags determine them."""
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
        raise FlagError(
            "injector: pass -tap-service-name for the tap injector, or -collector-svc-addr to run the jaeger injector"
        )
