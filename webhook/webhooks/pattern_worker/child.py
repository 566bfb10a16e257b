"""The worker process: reads one regular expression per line from standard input, and writes one verdict per line.

A line of input is a JSON array of the pattern and whether the older engine judges it. A line of output is a JSON array
of the verdict and the memory in use, in bytes. The process ends when its standard input is closed, as when the server
ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys

from webhook.policy.regex.verdict import verdict

READY = b"ready\n"

# Enough for an expression at the engine's limit of 10 MiB. A hostile one must not use up the container's memory, as the
# kernel would kill the server, too.
_ADDRESS_SPACE = 160 << 20
_NICE = 5


def main() -> None:
    """Judge expressions until standard input is closed."""
    _confine()
    out = sys.stdout.buffer
    out.write(READY)
    out.flush()
    for line in sys.stdin.buffer:
        pattern, old = json.loads(line)
        message = verdict(pattern, old=old)
        out.write(json.dumps([message, _resident()]).encode() + b"\n")
        out.flush()


def _resident() -> int:
    """The memory in use, in bytes; 0 if the system does not report it."""
    # `getrusage` reports a peak that is inherited from the server, and `pathlib` would enlarge the process.
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
        try:
            return int(os.read(statm, 100).split()[1]) * resource.getpagesize()
        finally:
            os.close(statm)
    except (OSError, ValueError, IndexError):
        return 0


def _confine() -> None:
    """Limit memory and priority, and ignore Ctrl-C, which the server handles. Failures are ignored."""
    with contextlib.suppress(OSError, ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        os.nice(_NICE)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
