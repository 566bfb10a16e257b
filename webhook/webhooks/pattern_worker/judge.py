"""Verdicts on regular expressions for requests: at once for plain ones, else from memory, else from the worker.

The event loop never compiles a pattern: what is neither plain nor remembered waits for the worker process, within a
bound.

asking = judge.ask(line)
findings = check(…, judge=asking)
if asking.unknown:
    await asking.settle()
    findings = check(…, judge=asking)
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import structlog

from webhook.mesh.releases import Line
from webhook.policy.regex.judge import ROW, Remembered, is_plain
from webhook.policy.regex.size import effort
from webhook.policy.regex.tokens import shown
from webhook.policy.regex.verdict import verdict
from webhook.webhooks.pattern_worker.process import Died, Unavailable, Worker

log = structlog.get_logger(__name__)

# A process does not give memory back. From so many bytes on another takes its place, when nobody waits, or in any case.
_LARGE = 40 << 20
_TOO_LARGE = 96 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds: for all patterns of a request; for one in the worker, less, so that who waits behind a hostile one still
    gets an answer; how long a pattern that took too long is not tried again, and no process where none would start.
    `waiting`: how many patterns may wait at once."""

    request: float = 0.5
    pattern: float = 0.3
    refrain: float = 60.0
    waiting: int = 256


class _Job:
    """A pattern that the worker is to judge, once for all who wait."""

    __slots__ = ("effort", "old", "pattern", "verdict", "waiters")

    def __init__(self, pattern: str, old: bool) -> None:
        self.pattern = pattern
        self.old = old
        self.effort = effort(pattern)
        # None for one that could not be found in time.
        self.verdict: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.waiters = 0


class PatternJudge:
    """What is known about patterns, and the worker that finds out the rest. Lives in one event loop until `close`."""

    def __init__(self, bounds: Bounds | None = None, worker: Worker | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._worker = worker or Worker()
        self._known: Remembered[str] = Remembered()
        # Until when a pattern is not tried again.
        self._late: Remembered[float] = Remembered(256)
        self._jobs: dict[tuple[str, bool], _Job] = {}
        # The cheapest first: a hostile pattern does not hold up the others for longer than it is judged.
        self._queue: list[tuple[float, int, _Job]] = []
        self._numbers = count()
        self._runner: asyncio.Task[None] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._no_process_until = 0.0
        self._complained = False

    def ask(self, line: Line) -> PatternRequestJudge:
        """A `Judge` for one request to an injector of this release line."""
        return PatternRequestJudge(self, old=not line.has(ROW))

    def start(self) -> None:
        """Start the worker before it is needed: a busy machine may take longer for that than a request can wait."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._begin(), name="judging of patterns")

    async def _begin(self) -> None:
        await self._renew()
        await self._run()

    async def close(self) -> None:
        """End the worker. Who still waits hears that there was no time."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        await self._worker.end()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def known(self, pattern: str, old: bool) -> str | None:
        """A verdict from memory."""
        return self._known.get(pattern, old)

    def is_late(self, pattern: str, old: bool) -> bool:
        """Whether a pattern took too long, and is not tried again yet."""
        until = self._late.get(pattern, old)
        if until is None:
            return False
        if time.monotonic() >= until:
            self._late.drop(pattern, old)
            return False
        return True

    async def settle(self, patterns: Iterable[str], old: bool) -> dict[str, str | None]:
        """Verdicts on all these patterns within the bound of a request: None for what takes longer."""
        answers: dict[str, str | None] = {}
        jobs: dict[str, _Job] = {}
        for pattern in patterns:
            known = self.known(pattern, old)
            job = self._join(pattern, old) if known is None else None
            if job is not None:
                jobs[pattern] = job
            else:
                answers[pattern] = known
        try:
            if jobs:
                await asyncio.wait([job.verdict for job in jobs.values()], timeout=self._bounds.request)
        finally:
            for job in jobs.values():
                self._leave(job)
        for pattern, job in jobs.items():
            answers[pattern] = job.verdict.result() if job.verdict.done() else None
        return answers

    def _join(self, pattern: str, old: bool) -> _Job | None:
        """Wait for a pattern, together with others who do. None where too many wait."""
        job = self._jobs.get((pattern, old))
        if job is None:
            if len(self._jobs) >= self._bounds.waiting:
                return None
            job = self._jobs[pattern, old] = _Job(pattern, old)
            heapq.heappush(self._queue, (job.effort, next(self._numbers), job))
        job.waiters += 1
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run(), name="judging of patterns")
        return job

    def _leave(self, job: _Job) -> None:
        job.waiters -= 1
        if not job.waiters and self._jobs.get((job.pattern, job.old)) is job:
            # If it is being judged now, it is judged to the end, and remembered.
            del self._jobs[job.pattern, job.old]

    async def _run(self) -> None:
        """Have one pattern after the other judged, until none is left for which somebody waits."""
        while self._queue:
            job = heapq.heappop(self._queue)[2]
            if job.waiters:
                message = await self._judge(job.pattern, job.old)
                self._jobs.pop((job.pattern, job.old), None)
                job.verdict.set_result(message)
                await self._renew()

    async def _renew(self) -> None:
        """Start the process anew where it had to be ended or is too large, so that nobody waits for the start."""
        if self._worker.resident > (_TOO_LARGE if self._jobs else _LARGE):
            await self._worker.end()
        if self._worker.pid is None and time.monotonic() >= self._no_process_until:
            with contextlib.suppress(Unavailable):
                await self._worker.start()

    async def _judge(self, pattern: str, old: bool) -> str | None:
        """The verdict on one pattern, which never fails, and what is to be remembered of it."""
        known = self.known(pattern, old)
        if known is not None or self.is_late(pattern, old):
            return known
        try:
            message = await self._have_judged(pattern, old)
        except (TimeoutError, Died) as error:
            log.warning("a regular expression was not judged", pattern=shown(pattern), reason=str(error) or "no time")
            self._late.put(pattern, old, time.monotonic() + self._bounds.refrain)
            return None
        except Exception as error:
            log.error("judging a regular expression failed: this is a bug", pattern=shown(pattern), exc_info=error)
            return None
        self._known.put(pattern, old, message)
        return message

    async def _have_judged(self, pattern: str, old: bool) -> str:
        if time.monotonic() < self._no_process_until:
            return await self._in_thread(pattern, old)
        try:
            return await self._in_process(pattern, old)
        except Unavailable as error:
            self._no_process_until = time.monotonic() + self._bounds.refrain
            if not self._complained:
                self._complained = True
                log.error(
                    "no process can be started to judge regular expressions: a costly one will hold up all requests",
                    error=str(error),
                )
            return await self._in_thread(pattern, old)

    async def _in_process(self, pattern: str, old: bool) -> str:
        try:
            return await self._worker.judge(pattern, old, self._bounds.pattern)
        except Died:
            # It may have been ended by anybody while it was idle: only the second time it is the pattern's fault.
            return await self._worker.judge(pattern, old, self._bounds.pattern)

    async def _in_thread(self, pattern: str, old: bool) -> str:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, "patterns")
        judging = asyncio.get_running_loop().run_in_executor(self._threads, lambda: verdict(pattern, old=old))
        async with asyncio.timeout(self._bounds.pattern):
            return await judging


class PatternRequestJudge:
    """The `Judge` of one request: it answers at once, and collects what it does not know in `unknown`.

    `late` are the patterns that nobody could judge in time: about these it does not know, and goes on not knowing.
    """

    def __init__(self, judge: PatternJudge, old: bool) -> None:
        self._judge = judge
        self._old = old
        self._answers: dict[str, str] = {}
        self.unknown: dict[str, None] = {}
        self.late: dict[str, None] = {}

    def __call__(self, pattern: str) -> str | None:
        """The verdict, or None where that takes a `settle`."""
        if is_plain(pattern):
            return ""
        if pattern in self.late:
            return None
        answer = self._answers.get(pattern)
        if answer is None:
            answer = self._judge.known(pattern, self._old)
            if answer is None and self._judge.is_late(pattern, self._old):
                self.late[pattern] = None
                return None
            if answer is None:
                self.unknown[pattern] = None
            else:
                self._answers[pattern] = answer
        return answer

    async def settle(self) -> None:
        """Find out what is unknown, within a bound: after this each pattern has a verdict, or is late."""
        unknown, self.unknown = self.unknown, {}
        for pattern, answer in (await self._judge.settle(unknown, self._old)).items():
            if answer is None:
                self.late[pattern] = None
            else:
                self._answers[pattern] = answer
