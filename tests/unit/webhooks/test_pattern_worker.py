"""Regular expressions judged beside the event loop: whatever a pattern costs, nobody else waits for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from tests.waiting import until
from webhook.mesh.releases import EDGE_26_8, line
from webhook.policy.regex.verdict import verdict
from webhook.webhooks.pattern_worker.judge import Bounds, PatternJudge
from webhook.webhooks.pattern_worker.process import Died, Unavailable, Worker

LINE = line(EDGE_26_8)

# Each takes the worker a hundred milliseconds or more.
HOSTILE = [rf"\w{{{times}}}" for times in range(180, 200)]
# And this far longer than its time, yet it is legal.
ENDLESS = "[" + r"\w" * 400_000 + "]"
# As long as a test may be slow for, where nothing is said about time.
PATIENT = Bounds(request=30, pattern=20)


@pytest.fixture
async def judge() -> AsyncIterator[PatternJudge]:
    judge = PatternJudge()
    yield judge
    await judge.close()


@pytest.fixture
async def patient() -> AsyncIterator[PatternJudge]:
    judge = PatternJudge(PATIENT, Worker(start_seconds=60))
    yield judge
    await judge.close()


async def settled(judge: PatternJudge, *patterns: str) -> list[str | None]:
    """What a request hears about these patterns in the end."""
    asking = judge.for_request(LINE)
    for pattern in patterns:
        asking(pattern)
    if asking.unknown:
        await asking.settle()
    return [asking(pattern) for pattern in patterns]


async def started(judge: PatternJudge) -> int:
    """The worker's process, once there is one."""
    await judge._worker.start()
    assert judge._worker.pid is not None
    return judge._worker.pid


async def test_a_plain_pattern_is_judged_at_once(judge: PatternJudge) -> None:
    asking = judge.for_request(LINE)
    assert asking("/api/v[0-9]+/users/[^/]+/.*") == ""
    assert not asking.unknown
    assert judge._worker.pid is None


async def test_any_other_pattern_is_judged_by_the_worker_and_remembered(patient: PatternJudge) -> None:
    asking = patient.for_request(LINE)
    patterns = [r"\w+@\w+", "(", "(?=é)", r"\w{1000}", "a\nb\n(", "\ud800(", "/a{3,1}", ""]
    assert [asking(pattern) for pattern in patterns] == [None] * 8
    await asking.settle()
    assert [asking(pattern) for pattern in patterns] == [verdict(pattern) for pattern in patterns]
    again = patient.for_request(LINE)
    assert [again(pattern) for pattern in patterns] == [verdict(pattern) for pattern in patterns]


async def test_requests_share_nothing_but_verdicts(patient: PatternJudge) -> None:
    one, other = patient.for_request(LINE), patient.for_request(LINE)
    assert one(r"\w1") is None
    assert not other.unknown
    assert other(r"\w2") is None
    await asyncio.gather(one.settle(), other.settle())
    assert (one(r"\w1"), other(r"\w2")) == ("", "")


async def test_one_pattern_is_judged_once_for_all_who_ask(
    patient: PatternJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    judging = Worker.judge

    async def counted(self: Worker, pattern: str, old: bool, seconds: float) -> str:
        calls.append(pattern)
        return await judging(self, pattern, old, seconds)

    monkeypatch.setattr(Worker, "judge", counted)
    result = await asyncio.gather(*[settled(patient, r"\w{20}", "(") for _ in range(20)])
    assert result == [["", verdict("(")]] * 20
    assert sorted(calls) == ["(", r"\w{20}"]


async def test_the_loop_stays_responsive(judge: PatternJudge) -> None:
    await started(judge)
    delays: list[float] = []
    spent: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter(), time.process_time()
            # What is measured is how much later than asked for this goes on.
            await asyncio.sleep(0.005)
            delays.append(time.perf_counter() - before[0])
            spent.append(time.process_time() - before[1])

    ticker = asyncio.create_task(tick())
    await asyncio.gather(*[settled(judge, pattern) for pattern in HOSTILE])
    ticker.cancel()
    # What this process does between two ticks is what holds up the loop; a busy machine does so now and then too.
    assert max(spent) < 0.1
    assert sorted(delays)[len(delays) * 9 // 10] < 0.1


async def test_the_bound_of_a_request_holds(judge: PatternJudge) -> None:
    await started(judge)
    before = time.monotonic()
    result = await settled(judge, ENDLESS, *HOSTILE)
    assert time.monotonic() - before < 1
    assert result[0] is None
    assert set(result) <= {"", None}


async def test_the_cheapest_is_judged_first(patient: PatternJudge) -> None:
    await started(patient)
    slow = asyncio.create_task(settled(patient, *HOSTILE))
    await until(lambda: len(patient._queue) == len(HOSTILE) - 1)
    assert await settled(patient, r"\w") == [""]
    assert not slow.done()
    slow.cancel()


async def test_a_late_pattern_costs_one_worker_only() -> None:
    judge = PatternJudge(Bounds(request=2, pattern=0.2))
    first = await started(judge)
    assert await settled(judge, ENDLESS) == [None]
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert await settled(judge, r"\w") == [""]
    second = judge._worker.pid
    asking = judge.for_request(LINE)
    assert asking(ENDLESS) is None
    assert not asking.unknown
    assert list(asking.late) == [ENDLESS]
    assert second == judge._worker.pid != first
    await judge.close()


async def test_the_worker_is_there_before_it_is_needed(patient: PatternJudge) -> None:
    patient.start()
    assert await settled(patient, r"\w1") == [""], "who comes meanwhile waits for the same one"
    pid = patient._worker.pid
    patient.start()
    assert await settled(patient, r"\w2") == [""]
    assert patient._worker.pid == pid


async def test_a_worker_that_cannot_be_started_ahead_is_no_end_of_the_judging() -> None:
    judge = PatternJudge(PATIENT, Worker(["/nonexistent"]))
    judge.start()
    assert await settled(judge, r"\w", "(") == ["", verdict("(")]
    await judge.close()


async def test_a_late_pattern_is_tried_again_after_a_while() -> None:
    judge = PatternJudge(Bounds(request=2, pattern=0.1, refrain=0))
    assert await settled(judge, ENDLESS) == [None]
    asking = judge.for_request(LINE)
    assert asking(ENDLESS) is None
    assert (list(asking.unknown), list(asking.late)) == ([ENDLESS], [])
    await judge.close()


async def test_a_killed_worker_is_replaced(patient: PatternJudge) -> None:
    assert await settled(patient, r"\w1") == [""]
    assert patient._worker.pid is not None
    os.kill(patient._worker.pid, signal.SIGKILL)
    assert await settled(patient, r"\w2") == [""]


async def test_a_worker_that_took_much_memory_is_replaced(patient: PatternJudge) -> None:
    first = await started(patient)
    assert await settled(patient, "a{300000}") == [""]
    assert await settled(patient, r"\w") == [""]
    assert patient._worker.pid != first
    assert patient._worker.resident < 32 << 20


async def test_memory_is_bounded(patient: PatternJudge) -> None:
    # Legal, and its program would fit; what it takes to get there would not.
    result = await settled(patient, "|".join(f"{index:x}" for index in range(400_000)))
    assert result == [None]
    assert await settled(patient, r"\w") == [""]


async def test_too_many_do_not_wait() -> None:
    judge = PatternJudge(Bounds(request=5, pattern=5, waiting=2))
    result = await settled(judge, r"\w1", r"\w2", r"\w3")
    assert result[:2] == ["", ""]
    assert result[2] is None
    assert await settled(judge, r"\w3") == [""]
    await judge.close()


async def test_closing_ends_the_worker() -> None:
    judge = PatternJudge()
    pid = await started(judge)
    waiting = asyncio.create_task(settled(judge, ENDLESS))
    await until(lambda: judge._jobs and not judge._queue)
    await judge.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert await waiting == [None]


async def test_the_worker_ends_with_the_server() -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "webhook.webhooks.pattern_worker.child"],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    process.stdin.write(b'["\\\\w", false]\n')
    message, resident = json.loads(await process.stdout.readline())
    assert message == ""
    assert 0 < resident < 64 << 20
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.parametrize("command", [["/nonexistent"], ["/bin/false"], ["/bin/echo", "hello"]])
async def test_without_a_process_a_thread_judges(command: list[str]) -> None:
    judge = PatternJudge(PATIENT, Worker(command))
    with structlog.testing.capture_logs() as logs:
        assert await settled(judge, r"\w1", "(") == ["", verdict("(")]
        assert await settled(judge, r"\w2") == [""]
    assert [log["log_level"] for log in logs] == ["error"]
    assert "cannot start the process" in logs[0]["event"]
    await judge.close()


async def test_a_process_that_never_answers_is_none() -> None:
    worker = Worker(["/bin/sleep", "100"], start_seconds=0.1)
    with pytest.raises(Unavailable, match="ready"):
        await worker.judge("a", False, 1)
    assert worker.pid is None


async def test_a_process_that_ends_before_it_answers() -> None:
    worker = Worker([sys.executable, "-c", "print('ready', flush=True); input()"])
    with pytest.raises(Died):
        await worker.judge("a", False, 10)
    assert worker.pid is None
