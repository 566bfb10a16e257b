"""The completion script for zsh."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final

from webhook.cli.completions.bash import BOUNDED, NAMES
from webhook.cli.completions.model import CommandLine, Flag, Kind, Value

_START: Final = """\
#compdef linkerd-webhook
# Completion of linkerd-webhook in zsh: source <(linkerd-webhook completion zsh), or a file _linkerd-webhook in $fpath.

"""

_ASKING: Final = """\
# The cluster that the command line names, as flags of kubectl, in the array `cluster`.
_linkerd_webhook_cluster() {
    local number word
    cluster=()
    for ((number = 1; number < CURRENT; number++)); do
        word=$words[number]
        case $word in
            --kubeconfig|--context)
                if ((number + 1 < CURRENT)); then cluster+=("$word=${(Q)words[number+1]/#\\~\\//$HOME/}"); fi ;;
            --kubeconfig=*|--context=*) cluster+=("${(Q)word}") ;;
        esac
    done
}

_linkerd_webhook_namespaces() {
    local -a cluster names
    _linkerd_webhook_cluster
    names=(${(f)"$(_linkerd_webhook_bounded kubectl $cluster get namespaces -o jsonpath=NAMES)"})
    (($#names)) && compadd -a names
}

_linkerd_webhook_contexts() {
    local -a cluster names
    _linkerd_webhook_cluster
    names=(${(f)"$(_linkerd_webhook_bounded kubectl $cluster config get-contexts -o name)"})
    (($#names)) && compadd -a names
}
""".replace("NAMES", shlex.quote(NAMES))

_END: Final = """
if [[ $funcstack[1] == _linkerd_webhook || $funcstack[1] == _linkerd-webhook ]]; then
    _linkerd_webhook "$@"
elif (($+functions[compdef])); then
    compdef _linkerd_webhook linkerd-webhook
fi
"""


def script(program: CommandLine) -> str:
    """The script that completes the command lines of a program."""
    return _START + BOUNDED + "\n" + _ASKING + "\n" + "\n".join(_function(program)) + "\n" + _END


def _named(line: CommandLine) -> str:
    return "_".join(["_linkerd_webhook", *(word.replace("-", "_") for word in line.path)])


def _function(line: CommandLine) -> Iterator[str]:
    """The function of a command, and those of the commands below it."""
    for command in line.commands:
        yield from _function(command)
    yield f"{_named(line)}() {{"
    if not line.commands:
        yield "    _arguments -S \\"
        yield from (f"        {spec} \\" for flag in line.flags for spec in _specs(flag))
        yield f"        {_argument(line.argument)}" if line.argument is not None else "        && return"
        yield "}\n"
        return
    yield "    local curcontext=$curcontext state line"
    yield "    local -a commands"
    yield "    _arguments -C \\"
    yield from (f"        {spec} \\" for flag in line.flags for spec in _specs(flag))
    yield "        '1: :->command' '*:: :->arguments' && return"
    yield "    case $state in"
    yield "        command)"
    yield "            commands=("
    for command in line.commands:
        yield f"                {_quoted(f'{command.name}:{_colons(command.summary)}')}"
    yield "            )"
    yield "            _describe -t commands command commands ;;"
    yield "        arguments)"
    yield "            case $line[1] in"
    for command in line.commands:
        yield f"                {command.name}) {_named(command)} ;;"
    yield "            esac ;;"
    yield "    esac"
    yield "}\n"


def _specs(flag: Flag) -> Iterator[str]:
    """What `_arguments` takes for a flag, one for each of its names."""
    others = "" if flag.repeatable or len(flag.names) < 2 else f"({' '.join(flag.names)})"
    star = "*" if flag.repeatable else ""
    for name in flag.names:
        # A value stands behind a blank, behind = or, of a short flag, right behind it.
        ending = "" if flag.value is None else "=" if name.startswith("--") else "+"
        text = flag.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
        value = "" if flag.value is None else f":value:{_action(flag.value)}"
        yield _quoted(f"{others}{star}{name}{ending}[{_colons(text)}]{value}")


def _argument(value: Value) -> str:
    return _quoted(f"*:argument:{_action(value)}")


def _action(value: Value) -> str:
    match value.kind:
        case Kind.FILE:
            return "_files"
        case Kind.FOLDER:
            return "_files -/"
        case Kind.NAMESPACE:
            return "_linkerd_webhook_namespaces"
        case Kind.CONTEXT:
            return "_linkerd_webhook_contexts"
        case Kind.WORDS if value.more:
            return f"compadd -S '' -- {' '.join(value.words)}"
        case Kind.WORDS:
            return f"({' '.join(value.words)})"
    return " "


def _colons(text: str) -> str:
    return text.replace(":", "\\:")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
