"""Ends a command whose output cannot be written: with a message, or by SIGPIPE if the reader has gone away."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from webhook.cli.console import UNUSABLE, print_message


class _Output(io.FileIO):
    """Standard output that keeps its error: code that catches an `OSError` does not know which file it is about."""

    problem: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.problem = error
            raise


@contextmanager
def guarded() -> Iterator[None]:
    """Run a command. If standard output is full or closed, print that and end the process with exit code 2.

    If the reader has gone away (`| head`), the process ends by SIGPIPE as other programs do.
    """
    if sys.stdout is not sys.__stdout__:
        # A test or an embedding program has replaced standard output.
        yield
        return
    output, text = _reopened()
    before, sys.stdout = sys.stdout, text
    try:
        yield
    except (SystemExit, OSError):
        _flush(text)
        if output.problem:
            _end(output)
        raise
    finally:
        sys.stdout = before


def _reopened() -> tuple[_Output, io.TextIOWrapper]:
    now = sys.stdout
    if now is None:
        # Closed from the start. What is written to this one fails, as it would there.
        return _over(_Output(os.open(os.devnull, os.O_RDONLY), "w"), "utf-8", None)
    return _over(_Output(now.fileno(), "w", closefd=False), now.encoding, now.errors)


def _over(output: _Output, encoding: str, errors: str | None) -> tuple[_Output, io.TextIOWrapper]:
    buffer = io.BufferedWriter(output)
    return output, io.TextIOWrapper(buffer, encoding, errors, line_buffering=output.isatty())


def _flush(text: io.TextIOWrapper) -> None:
    try:
        text.flush()
    except OSError:
        # The output has kept it.
        return


def _end(output: _Output) -> None:
    problem = output.problem
    if isinstance(problem, BrokenPipeError):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    # Discard the rest of the output: the interpreter would try to write it at its end, and print an error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
    why = problem.strerror if problem else ""
    print_message(f"cannot write to standard output: {why}")
    sys.exit(UNUSABLE)
