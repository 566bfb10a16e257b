"""The completion script for bash, 3.2 (macOS) and later."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from webhook.cli.completions.model import CommandLine, Flag, Kind, Value

BOUNDED: Final = """\
# Runs a command for 0.3 s at most; where nothing can end it in time, it is not run.
_linkerd_webhook_bounded() {
    if command -v timeout >/dev/null 2>&1; then
        timeout 0.3 "$@" 2>/dev/null </dev/null
    elif command -v gtimeout >/dev/null 2>&1; then
        gtimeout 0.3 "$@" 2>/dev/null </dev/null
    elif command -v perl >/dev/null 2>&1; then
        perl -MTime::HiRes=ualarm -e 'ualarm(300000); exec @ARGV' "$@" 2>/dev/null </dev/null
    fi
}
"""
"""A function of bash and zsh: it goes before what asks kubectl."""

NAMES: Final = '{range .items[*]}{.metadata.name}{"\\n"}{end}'
"""kubectl's template for the names of a list."""

_START: Final = """\
# Completion of linkerd-webhook in bash: source <(linkerd-webhook completion bash)

"""

_ASKING: Final = """\
# The cluster that the words before the last name, as flags of kubectl, in the array `cluster`.
_linkerd_webhook_cluster() {
    local number word
    cluster=()
    for ((number = 1; number < ${#words[@]} - 1; number++)); do
        word=${words[number]}
        case "$word" in
        --kubeconfig | --context)
            if ((number + 1 < ${#words[@]} - 1)); then
                cluster+=("$word=$(_linkerd_webhook_plain "${words[number + 1]}")")
            fi
            ;;
        --kubeconfig=* | --context=*) cluster+=("${word%%=*}=$(_linkerd_webhook_plain "${word#*=}")") ;;
        esac
    done
}

# A word as the shell would pass it: without quotes, and with the home folder.
_linkerd_webhook_plain() {
    local word=$1
    case "$word" in
    "~/"*) word=$HOME/${word#"~/"} ;;
    esac
    word=${word//[\\"\\']/}
    printf '%s' "$word"
}

_linkerd_webhook_namespaces() {
    local cluster
    _linkerd_webhook_cluster
    _linkerd_webhook_bounded kubectl "${cluster[@]}" get namespaces -o jsonpath=NAMES
}

_linkerd_webhook_contexts() {
    local cluster
    _linkerd_webhook_cluster
    _linkerd_webhook_bounded kubectl "${cluster[@]}" config get-contexts -o name
}

# Completes with those of the given lines that begin with $current. Nothing in them is expanded.
_linkerd_webhook_words() {
    local line
    while IFS= read -r line; do
        [ -n "$line" ] || continue
        case "$line" in
        "$current"*)
            printf -v line %q "$line"
            COMPREPLY+=("$line")
            ;;
        esac
    done <<<"$1"
}

_linkerd_webhook_files() {
    local line
    type compopt >/dev/null 2>&1 && compopt -o filenames 2>/dev/null
    while IFS= read -r line; do
        [ -n "$line" ] && COMPREPLY+=("$line")
    done <<<"$(compgen "$1" -- "$current")"
}

# The words up to the cursor, in the array `words`: what bash has parted at : or = is one again.
_linkerd_webhook_line() {
    local number word apart rest=$COMP_LINE
    words=()
    for ((number = 0; number <= COMP_CWORD; number++)); do
        word=${COMP_WORDS[number]}
        apart=
        while [[ $rest == [[:space:]]* ]]; do
            rest=${rest#?}
            apart=yes
        done
        rest=${rest#"$word"}
        if [ -n "$apart" ] || [ "$number" -eq 0 ]; then
            words+=("$word")
        else
            words[${#words[@]} - 1]+=$word
        fi
    done
}
""".replace("NAMES", shlex.quote(NAMES))

_MAIN: Final = """\
_linkerd_webhook() {
    local words current previous command= flags= prefix= number word last head
    COMPREPLY=()
    _linkerd_webhook_line
    last=${COMP_WORDS[COMP_CWORD]}
    current=${words[${#words[@]} - 1]}
    previous=${words[${#words[@]} - 2]}
    # What bash leaves as it is, as it lies before the last : or =.
    case "$last" in
    [:=]*) head=$current ;;
    *) head=${current%"$last"} ;;
    esac
    if [[ $current == --*=* ]]; then
        previous=${current%%=*}
        prefix=$previous=
        current=${current#*=}
    fi
    for ((number = 1; number < ${#words[@]} - 1; number++)); do
        word=${words[number]}
        case "$command $word" in
        *" -"*) ;;
FIND
        esac
    done
    case "$command" in
CASES
    esac
    if [ -n "$flags" ]; then
        _linkerd_webhook_words "$flags"
    fi
    for ((number = 0; number < ${#COMPREPLY[@]}; number++)); do
        word=$prefix${COMPREPLY[number]}
        COMPREPLY[number]=${word#"$head"}
    done
}

complete -F _linkerd_webhook linkerd-webhook
"""


def script(program: CommandLine) -> str:
    """The script that completes the command lines of a program."""
    commands = "\n".join(_indented(_found(program), 8))
    cases = "\n".join(_indented(_cases(program), 4))
    return _START + BOUNDED + "\n" + _ASKING + "\n" + _MAIN.replace("FIND", commands).replace("CASES", cases)


def _indented(lines: Iterable[str], by: int) -> Iterator[str]:
    return (f"{' ' * by}{line}" for line in lines)


def _found(program: CommandLine) -> Iterator[str]:
    """Cases that tell the command by the words before."""
    for command in program.commands:
        yield f'" {command.name}") command={command.name} ;;'
        for sub_command in command.commands:
            path = " ".join(sub_command.path)
            yield f'"{path}") command={shlex.quote(path)} ;;'


def _cases(line: CommandLine) -> Iterator[str]:
    """The case of a command, and those of the commands below it."""
    yield f'"{" ".join(line.path)}")'
    with_value = [flag for flag in line.flags if flag.value is not None]
    if with_value:
        yield '    case "$previous" in'
        for flag in with_value:
            yield f"    {' | '.join(flag.names)}) {_completed(flag.value or Value())} ;;"
        yield "    *)"
        yield from _indented(_words(line), 8)
        yield "        ;;"
        yield "    esac"
    else:
        yield from _indented(_words(line), 4)
    yield "    ;;"
    for command in line.commands:
        yield from _cases(command)


def _words(line: CommandLine) -> Iterator[str]:
    """What to do where no value of a flag is awaited."""
    flags = "\\n".join(name for flag in line.flags for name in _listed(flag))
    yield 'case "$current" in'
    yield f"-*) flags=$'{flags}' ;;"
    if line.commands:
        names = "\\n".join(command.name for command in line.commands)
        yield f"*) _linkerd_webhook_words $'{names}' ;;"
    elif line.argument is not None:
        yield f"*) {_completed(line.argument)} ;;"
    yield "esac"


def _listed(flag: Flag) -> tuple[str, ...]:
    """The long names of a flag, else the short one."""
    return tuple(name for name in flag.names if name.startswith("--")) or flag.names


def _completed(value: Value) -> str:
    match value.kind:
        case Kind.FILE:
            return "_linkerd_webhook_files -f"
        case Kind.FOLDER:
            return "_linkerd_webhook_files -d"
        case Kind.NAMESPACE:
            return '_linkerd_webhook_words "$(_linkerd_webhook_namespaces)"'
        case Kind.CONTEXT:
            return '_linkerd_webhook_words "$(_linkerd_webhook_contexts)"'
        case Kind.WORDS:
            words = "\\n".join(value.words)
            more = "type compopt >/dev/null 2>&1 && compopt -o nospace 2>/dev/null; " if value.more else ""
            return f"{more}_linkerd_webhook_words $'{words}'"
    return ":"
