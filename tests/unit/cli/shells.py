"""Real shells, in which Tab is pressed."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

# Seconds for a shell to start, and to complete: a machine may be busy.
WITHIN: Final = 20.0

_BASH: Final = """\
source {script}
_pressed() {{ _linkerd_webhook "$@"; printf '%s\\n' "${{COMPREPLY[@]}}" > {out}.part; mv {out}.part {out}; }}
complete -F _pressed linkerd-webhook
"""

# Every match goes through `compadd`; with -O, -A or -D it only sorts them out.
_ZSH: Final = """\
autoload -U compinit && compinit -u -D
source {script}
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
    local -a matches
    builtin compadd -O matches "$@"
    (($#matches)) && print -rl -- $matches >> {out}.part
    builtin compadd "$@"
}}
_pressed() {{ : > {out}.part; zle complete-word; mv {out}.part {out}; }}
zle -N _pressed
bindkey '^I' _pressed
"""


def complete(shell: str, line: str, script: Path, folder: Path, environment: dict[str, str]) -> list[str]:
    """What a shell that has sourced the script offers for a line, after Tab."""
    if shell == "fish":
        command = f"source {script}; complete -C {_quoted(line)}"
        done = subprocess.run(
            ["fish", "--no-config", "-c", command],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN,
        )
        assert done.stderr == ""
        return sorted(match.partition("\t")[0] for match in done.stdout.splitlines())
    out, setup = folder / "out", folder / "setup"
    setup.write_text({"bash": _BASH, "zsh": _ZSH}[shell].format(script=script, out=out))
    program = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}[shell]
    return sorted(set(filter(None, _pressed(program, f". {setup}", line, out, folder, environment))))


def _pressed(
    program: list[str], setup: str, line: str, out: Path, folder: Path, environment: dict[str, str]
) -> list[str]:
    """What a shell on a terminal writes to `out` after Tab."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        program,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**environment, "TERM": "xterm"},
        start_new_session=True,
        close_fds=True,
    )
    os.close(theirs)
    shown: list[bytes] = []
    threading.Thread(target=_drain, args=(ours, shown), daemon=True).start()
    ready = folder / "ready"
    try:
        os.write(ours, f"{setup} && touch {ready}\n".encode())
        _until(ready.exists, shown)
        os.write(ours, f"{line}\t".encode())
        _until(out.exists, shown)
        return out.read_text().splitlines()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _drain(terminal: int, shown: list[bytes]) -> None:
    """Read what the shell writes, so that it never waits."""
    with suppress(OSError):
        while piece := os.read(terminal, 4096):
            shown.append(piece)


def _until(happened: Callable[[], bool], shown: list[bytes]) -> None:
    end = time.monotonic() + WITHIN
    while not happened():
        assert time.monotonic() < end, b"".join(shown).decode(errors="replace")
        time.sleep(0.01)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def missing(shell: str) -> str:
    """Why a shell's tests are skipped, "" if it is there."""
    return "" if shutil.which(shell) else f"{shell} is not installed: install it to test its completion"
