"""The worker process as the server sees it: started at first need, ended when it takes too long, started anew."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

# Not imported from there: what the child imports is the child's alone.
_CHILD = "webhook.webhooks.pattern_worker.child"
_READY = b"ready\n"


class Unavailable(Exception):
    """No process can be started, or none that answers: the message says why."""


class Died(Exception):
    """The process ended before it answered."""


class Worker:
    """One process that judges one pattern after the other. Not for two callers at once."""

    def __init__(self, command: list[str] | None = None, start_seconds: float = 10.0) -> None:
        """`command`: what to start, if not the program for it."""
        self._command = command or [sys.executable, "-P", "-m", _CHILD]
        self._start_seconds = start_seconds
        self._process: Process | None = None
        # The bytes that it had in use at its last answer, 0 where that is not known.
        self.resident = 0
        # Killed, and perhaps not yet gone.
        self._ending: list[Process] = []

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""
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
            # An answer to a question that nobody waits for must not answer the next one.
            self.kill()
            raise
        if not line.endswith(b"\n"):
            await self.end()
            raise Died(f"exit status {process.returncode}")
        verdict, self.resident = json.loads(line)
        return str(verdict)

    async def start(self) -> Process:
        """The process, after it has been started if need be. Raises `Unavailable`."""
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
            raise Unavailable(f"the process does not say that it is ready (exit status {status})")
        return self._process

    async def end(self) -> None:
        """End the process, and wait until it is gone."""
        self.kill()
        while self._ending:
            process = self._ending[0]
            await process.wait()
            self._ending.remove(process)

    def kill(self) -> None:
        """End the process."""
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
    """Send a line and hand back the next, which is empty or cut off where the process has ended."""
    if process.stdin is None or process.stdout is None:
        return b""
    try:
        process.stdin.write(line)
        await process.stdin.drain()
        return await process.stdout.readline()
    except (ConnectionError, RuntimeError):
        return b""


def _environment() -> dict[str, str]:
    """The server's, and the very modules that the server has, however it came by them."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}  # noqa: PTH100
