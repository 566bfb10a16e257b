"""The process that judges regular expressions: one a line on standard input, one verdict a line on standard output.

A line in is a JSON array of the pattern and whether the older engine judges; a line out one of the verdict and the
bytes of memory in use. It ends with its standard input, so with the server.
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

# What an expression at the engine's limit of 10 MiB needs fits, and a hostile one cannot take the container's memory:
# the kernel would end the server with it.
_ADDRESS_SPACE = 160 << 20
_NICE = 5


def main() -> None:
    """Judge until the input ends."""
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
    """The memory in use, in bytes; 0 where the system does not say."""
    # The peak that `getrusage` knows of is inherited from the server, and `pathlib` is large.
    try:
        statm = os.open("/proc/self/statm", os.O_RDONLY)
        try:
            return int(os.read(statm, 100).split()[1]) * resource.getpagesize()
        finally:
            os.close(statm)
    except (OSError, ValueError, IndexError):
        return 0


def _confine() -> None:
    """Take little, and leave Ctrl-C to the server. What the system refuses is done without."""
    with contextlib.suppress(OSError, ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        os.nice(_NICE)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
