"""Judges the regular expressions of requests: plain ones at once, known ones from memory, others by the worker process.

The event loop never compiles a pattern. A request waits for the worker for a bounded time only:

judge = patterns.for_request(line)
findings = check(…, judge=judge)
if judge.unknown:
    await judge.settle()
    findings = check(…, judge=judge)
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

# A process does not return memory. Above so many bytes it is replaced: if no request waits, and in any case.
_LARGE = 40 << 20
_TOO_LARGE = 96 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits. `request`: seconds for all patterns of a request. `pattern`: seconds for one pattern in the worker; less,
    so that a request that waits behind a hostile pattern still gets an answer. `refrain`: seconds for which a pattern
    that took too long is not judged again, and for which no process is started after that failed. `waiting`: the number
    of patterns that may wait."""

    request: float = 0.5
    pattern: float = 0.3
    refrain: float = 60.0
    waiting: int = 256


class _Job:
    """A pattern that waits for the worker. All requests with this pattern share the job."""

    __slots__ = ("effort", "old", "pattern", "verdict", "waiters")

    def __init__(self, pattern: str, old: bool) -> None:
        self.pattern = pattern
        self.old = old
        self.effort = effort(pattern)
        # The verdict is None if the pattern could not be judged in time.
        self.verdict: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.waiters = 0


class PatternJudge:
    """Remembers verdicts, and has the worker judge new patterns. Use it in one event loop, and `close` it."""

    def __init__(self, bounds: Bounds | None = None, worker: Worker | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._worker = worker or Worker()
        self._known: Remembered[str] = Remembered()
        # Patterns that took too long, and the time until which they are not judged again.
        self._late: Remembered[float] = Remembered(256)
        self._jobs: dict[tuple[str, bool], _Job] = {}
        # The cheapest pattern comes first, so that a hostile one delays few others.
        self._queue: list[tuple[float, int, _Job]] = []
        self._numbers = count()
        self._runner: asyncio.Task[None] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._no_process_until = 0.0
        self._failure_logged = False

    def for_request(self, line: Line) -> PatternRequestJudge:
        """The `Judge` for one request, by the engine of this release line."""
        return PatternRequestJudge(self, old=not line.has(ROW))

    def start(self) -> None:
        """Start the worker before it is needed: on a busy machine that may take longer than a request can wait."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._begin(), name="judging of patterns")

    async def _begin(self) -> None:
        await self._renew()
        await self._run()

    async def close(self) -> None:
        """End the worker. Patterns that still wait are not judged."""
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
        """Whether a pattern took too long to judge, and is not judged again yet."""
        until = self._late.get(pattern, old)
        if until is None:
            return False
        if time.monotonic() >= until:
            self._late.drop(pattern, old)
            return False
        return True

    async def settle(self, patterns: Iterable[str], old: bool) -> dict[str, str | None]:
        """The verdicts on all these patterns within `Bounds.request` seconds, None for those that take longer."""
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
        """The job of a pattern, shared with other requests; None if too many patterns wait."""
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
            # A pattern that is being judged is judged to the end, and its verdict remembered.
            del self._jobs[job.pattern, job.old]

    async def _run(self) -> None:
        """Have one pattern after the other judged, until none is left for which a request waits."""
        while self._queue:
            job = heapq.heappop(self._queue)[2]
            if job.waiters:
                message = await self._judge(job.pattern, job.old)
                self._jobs.pop((job.pattern, job.old), None)
                job.verdict.set_result(message)
                await self._renew()

    async def _renew(self) -> None:
        """Replace a process that was ended or is too large, so that no request waits for its start."""
        if self._worker.resident > (_TOO_LARGE if self._jobs else _LARGE):
            await self._worker.end()
        if self._worker.pid is None and time.monotonic() >= self._no_process_until:
            with contextlib.suppress(Unavailable):
                await self._worker.start()

    async def _judge(self, pattern: str, old: bool) -> str | None:
        """The verdict on one pattern, which is remembered; None if it could not be judged. Never raises."""
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
            if not self._failure_logged:
                self._failure_logged = True
                log.error(
                    "cannot start the process that judges regular expressions: a costly expression delays all requests",
                    error=str(error),
                )
            return await self._in_thread(pattern, old)

    async def _in_process(self, pattern: str, old: bool) -> str:
        try:
            return await self._worker.judge(pattern, old, self._bounds.pattern)
        except Died:
            # The process may have been killed while it was idle. If it dies a second time, the pattern is the cause.
            return await self._worker.judge(pattern, old, self._bounds.pattern)

    async def _in_thread(self, pattern: str, old: bool) -> str:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, "patterns")
        judging = asyncio.get_running_loop().run_in_executor(self._threads, lambda: verdict(pattern, old=old))
        async with asyncio.timeout(self._bounds.pattern):
            return await judging


class PatternRequestJudge:
    """The `Judge` of one request. It answers at once, and collects the patterns without a verdict in `unknown`.

    `late` are the patterns that could not be judged in time; they never get a verdict in this request.
    """

    def __init__(self, judge: PatternJudge, old: bool) -> None:
        self._judge = judge
        self._old = old
        self._answers: dict[str, str] = {}
        self.unknown: dict[str, None] = {}
        self.late: dict[str, None] = {}

    def __call__(self, pattern: str) -> str | None:
        """The verdict on a pattern, None if it is not known: `settle` finds it out."""
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
        """Have the unknown patterns judged, in bounded time. Afterwards each of them has a verdict, or is in `late`."""
        unknown, self.unknown = self.unknown, {}
        for pattern, answer in (await self._judge.settle(unknown, self._old)).items():
            if answer is None:
                self.late[pattern] = None
            else:
                self._answers[pattern] = answer
