"""Starts and ends the worker process: it starts when it is needed, and is killed when a pattern takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

# Repeated here, so that the server does not import the child's modules.
_CHILD = "webhook.webhooks.pattern_worker.child"
_READY = b"ready\n"


class Unavailable(Exception):
    """The process cannot be started, or does not answer: the message says why."""


class Died(Exception):
    """The process ended before it answered."""


class Worker:
    """One process that judges one pattern after the other. Not for two callers at once."""

    def __init__(self, command: list[str] | None = None, start_seconds: float = 10.0) -> None:
        """`command`: the command line of the process, by default that of the worker."""
        self._command = command or [sys.executable, "-P", "-m", _CHILD]
        self._start_seconds = start_seconds
        self._process: Process | None = None
        # The memory in use at its last answer, in bytes; 0 if that is not known.
        self.resident = 0
        # Killed processes that have perhaps not ended yet.
        self._ending: list[Process] = []

    @property
    def pid(self) -> int | None:
        """The process ID, None if no process runs."""
        return self._process.pid if self._process else None

    async def judge(self, pattern: str, old: bool, seconds: float) -> str:
        """The verdict of `webhook.policy.regex.verdict`.

        Raises `TimeoutError` after `seconds` (which do not count the start of a process), `Died` and `Unavailable`;
        there is no process after these.
        """
        process = await self.start()
        try:
            async with asyncio.timeout(seconds):
                line = await _exchange(process, json.dumps([pattern, old]).encode() + b"\n")
        except TimeoutError:
            await self.end()
            raise
        except asyncio.CancelledError:
            # Its answer, for which no caller waits any more, must not be taken for the next one.
            self.kill()
            raise
        if not line.endswith(b"\n"):
            await self.end()
            raise Died(f"exit status {process.returncode}")
        verdict, self.resident = json.loads(line)
        return str(verdict)

    async def start(self) -> Process:
        """The process, which is started if none runs. Raises `Unavailable`."""
        if self._process is not None and self._process.returncode is None:
            return self._process
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_environment(), cwd="/"
            )
        except OSError as error:
            raise Unavailable(str(error)) from error
        line = b""
        try:
            async with asyncio.timeout(self._start_seconds):
                line = await _exchange(self._process, b"")
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            self.kill()
            raise
        if line != _READY:
            status = self._process.returncode
            await self.end()
            raise Unavailable(f"the process did not report that it is ready (exit status {status})")
        return self._process

    async def end(self) -> None:
        """Kill the process, and wait until it has ended."""
        self.kill()
        while self._ending:
            process = self._ending[0]
            await process.wait()
            self._ending.remove(process)

    def kill(self) -> None:
        """Kill the process, without waiting until it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        self.resident = 0
        self._ending.append(process)
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def _exchange(process: Process, line: bytes) -> bytes:
    """Send a line and return the next line of output, which is empty or incomplete if the process has ended."""
    if process.stdin is None or process.stdout is None:
        return b""
    try:
        process.stdin.write(line)
        await process.stdin.drain()
        return await process.stdout.readline()
    except (ConnectionError, RuntimeError):
        return b""


def _environment() -> dict[str, str]:
    """The server's environment, with PYTHONPATH set so that the process imports the same modules as the server."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}  # noqa: PTH100
