"""The completion script for fish, 3.0 and later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webhook.cli.completions.bash import NAMES
from webhook.cli.completions.model import CommandLine, Flag, Kind, Value


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_START: Final = """\
# Completion of linkerd-webhook in fish: linkerd-webhook completion fish | source

# Runs a command for 0.3 s at most; where nothing can end it in time, it is not run.
function __linkerd_webhook_bounded
    if command -q timeout
        timeout 0.3 $argv 2>/dev/null </dev/null
    else if command -q gtimeout
        gtimeout 0.3 $argv 2>/dev/null </dev/null
    else if command -q perl
        perl -MTime::HiRes=ualarm -e 'ualarm(300000); exec @ARGV' $argv 2>/dev/null </dev/null
    end
end

# The cluster that the command line names, as flags of kubectl.
function __linkerd_webhook_cluster
    set -l words (commandline -opc)
    for number in (seq (count $words))
        switch $words[$number]
            case --kubeconfig --context
                if test $number -lt (count $words)
                    set -l value $words[(math $number + 1)]
                    echo $words[$number]=(string replace -r '^~/' "$HOME/" -- $value)
                end
            case '--kubeconfig=*' '--context=*'
                echo $words[$number]
        end
    end
end

function __linkerd_webhook_namespaces
    __linkerd_webhook_bounded kubectl (__linkerd_webhook_cluster) get namespaces -o jsonpath=NAMES
end

function __linkerd_webhook_contexts
    __linkerd_webhook_bounded kubectl (__linkerd_webhook_cluster) config get-contexts -o name
end

# Whether the words of the command line so far name this command: the first ones that are no flags.
function __linkerd_webhook_is
    set -l words
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a words $word
    end
    set -l last (count $argv)
    test (count $words) -ge $last; and test "$words[1..$last]" = "$argv"
end

# Whether no command is named yet.
function __linkerd_webhook_is_bare
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or return 1
    end
end

# Whether a command is named, and none of its sub-commands.
function __linkerd_webhook_lacks_sub_command
    __linkerd_webhook_is $argv[1]; and not __fish_seen_subcommand_from $argv[2..-1]
end

complete -c linkerd-webhook -e
complete -c linkerd-webhook -f
""".replace("NAMES", _quoted(NAMES))


def script(program: CommandLine) -> str:
    """The script that completes the command lines of a program."""
    return _START + "".join(f"complete -c linkerd-webhook {line}\n" for line in _lines(program))


def _lines(line: CommandLine) -> Iterator[str]:
    """What `complete` is told of a command, and of the commands below it."""
    if not line.path:
        condition = "__linkerd_webhook_is_bare"
    elif line.commands:
        names = " ".join(command.name for command in line.commands)
        condition = f"__linkerd_webhook_lacks_sub_command {line.name} {names}"
    else:
        condition = f"__linkerd_webhook_is {' '.join(line.path)}"
    when = f"-n {_quoted(condition)}"
    for command in line.commands:
        yield f"{when} -a {_quoted(command.name)} -d {_quoted(command.summary)}"
    for flag in line.flags:
        yield f"{when} {_flag(flag)}"
    if line.argument is not None and line.argument.kind is not Kind.NONE:
        yield f"{when} {_value(line.argument)}"
    for command in line.commands:
        yield from _lines(command)


def _flag(flag: Flag) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names)
    value = "" if flag.value is None else f" -r {_value(flag.value)}"
    return f"{names} -d {_quoted(flag.help)}{value}"


def _value(value: Value) -> str:
    match value.kind:
        case Kind.FILE:
            return "-F"
        case Kind.FOLDER:
            return "-f -a '(__fish_complete_directories)'"
        case Kind.NAMESPACE:
            return "-f -a '(__linkerd_webhook_namespaces)'"
        case Kind.CONTEXT:
            return "-f -a '(__linkerd_webhook_contexts)'"
        case Kind.WORDS:
            return f"-f -a {_quoted(' '.join(value.words))}"
    return "-f"
