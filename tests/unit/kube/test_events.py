"""Events about workloads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from tests.kube.fixtures import Clock, Until
from tests.kube.http import FakeApiServer
from webhook.kube import events
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.events import EventRecorder
from webhook.kube.objects import ObjectReference

WEB = ObjectReference("apps/v1", "Deployment", "demo", "web", "u1")
PATH = "/api/v1/namespaces/demo/events"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "RETRY_AFTER", 0.001)


@pytest.fixture
async def recorder(api: ApiServer, clock: Clock) -> AsyncIterator[EventRecorder]:
    """Started."""
    recorder = EventRecorder(api, clock=clock)
    await recorder.start()
    yield recorder
    await recorder.stop()


@pytest.fixture
def waiting(api: ApiServer, clock: Clock) -> EventRecorder:
    """Not started: what is recorded stays queued."""
    return EventRecorder(api, clock=clock)


class TestEvent:
    async def test_is_what_the_reference_program_records(
        self, server: FakeApiServer, recorder: EventRecorder, until: Until
    ) -> None:
        recorder.record(WEB, "Injected", "Linkerd sidecar proxy injected")
        await until(lambda: recorder.stats["sent"] == 1)
        assert server.paths("POST") == [PATH]
        event = server.sent("POST")[0]
        name = event["metadata"].pop("name")
        assert name.startswith("web.")
        first, last = event.pop("firstTimestamp"), event.pop("lastTimestamp")
        assert first == last
        assert abs(time.time() - time.mktime(time.strptime(first, "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 5
        assert event == {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": "demo"},
            "involvedObject": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "namespace": "demo",
                "name": "web",
                "uid": "u1",
            },
            "reason": "Injected",
            "message": "Linkerd sidecar proxy injected",
            "type": "Normal",
            "source": {"component": "linkerd-proxy-injector"},
            "reportingComponent": "linkerd-proxy-injector",
            "count": 1,
        }

    async def test_is_a_warning_where_that_is_asked_for_and_counted_apart(
        self, server: FakeApiServer, recorder: EventRecorder, until: Until
    ) -> None:
        recorder.record(WEB, "InjectionSkipped", "m", "Warning")
        recorder.record(WEB, "InjectionSkipped", "m")
        await until(lambda: recorder.stats["sent"] == 2)
        assert [(event["type"], event["count"]) for event in server.sent("POST")] == [("Warning", 1), ("Normal", 1)]

    @pytest.mark.parametrize("kind", ["Deployment", "daemonset", "STATEFULSET", "ReplicaSet", "Job", "CronJob"])
    async def test_is_queued_for_kinds_that_the_reference_knows_in_any_case(
        self, waiting: EventRecorder, kind: str
    ) -> None:
        waiting.record(ObjectReference("x/v1", kind, "demo", "web"), "Injected", "m")
        assert waiting.queued == 1

    @pytest.mark.parametrize(
        "about",
        [
            ObjectReference("argoproj.io/v1alpha1", "Rollout", "demo", "web"),
            ObjectReference("v1", "Node", "demo", "web"),
            ObjectReference("apps/v1", "Deployment", "../x", "web"),
            ObjectReference("apps/v1", "Deployment", "", "web"),
            ObjectReference("apps/v1", "Deployment", "demo", "a/b"),
        ],
    )
    async def test_is_not_recorded_about_other_kinds_or_names_that_cannot_be(
        self, waiting: EventRecorder, about: ObjectReference
    ) -> None:
        waiting.record(about, "Injected", "m")
        assert waiting.queued == 0

    async def test_has_a_name_and_a_message_that_fit(
        self, server: FakeApiServer, recorder: EventRecorder, until: Until
    ) -> None:
        recorder.record(ObjectReference("apps/v1", "Deployment", "demo", "a" * 253), "Injected", "m" * 5000)
        await until(lambda: server.sent("POST"))
        assert len(server.sent("POST")[0]["metadata"]["name"]) <= 253
        assert len(server.sent("POST")[0]["message"]) == 1024


class TestRepeat:
    async def test_while_queued_only_counts_up(
        self, server: FakeApiServer, waiting: EventRecorder, until: Until
    ) -> None:
        for _ in range(5):
            waiting.record(WEB, "Injected", "m")
        assert waiting.queued == 1
        await waiting.start()
        await until(lambda: server.sent("POST"))
        await waiting.stop()
        assert [event["count"] for event in server.sent("POST")] == [5]
        assert waiting.stats["aggregated"] == 4

    async def test_after_it_was_posted_patches_the_count(
        self, server: FakeApiServer, recorder: EventRecorder, until: Until
    ) -> None:
        for number in (1, 2, 3):
            recorder.record(WEB, "Injected", "m")
            await until(partial(lambda count: recorder.stats["sent"] == count, number))
        name = server.sent("POST")[0]["metadata"]["name"]
        assert len(server.sent("POST")) == 1
        assert server.paths("PATCH") == [f"{PATH}/{name}"] * 2
        assert [patch["count"] for patch in server.sent("PATCH")] == [2, 3]
        assert set(server.sent("PATCH")[0]) == {"count", "lastTimestamp"}
        assert server.requests[-1].headers["Content-Type"] == "application/merge-patch+json"

    async def test_after_ten_minutes_is_an_event_of_its_own(
        self, server: FakeApiServer, recorder: EventRecorder, clock: Clock, until: Until
    ) -> None:
        recorder.record(WEB, "Injected", "m")
        await until(lambda: recorder.stats["sent"] == 1)
        clock.now += 600
        recorder.record(WEB, "Injected", "m")
        await until(lambda: recorder.stats["sent"] == 2)
        assert len(server.sent("POST")) == 2

    async def test_of_an_event_that_is_gone_is_posted_anew_with_the_whole_count(
        self, server: FakeApiServer, recorder: EventRecorder, until: Until
    ) -> None:
        recorder.record(WEB, "Injected", "m")
        await until(lambda: recorder.stats["sent"] == 1)
        server.remove(f"{PATH}/{server.sent('POST')[0]['metadata']['name']}")
        recorder.record(WEB, "Injected", "m")
        await until(lambda: recorder.stats["sent"] == 2)
        assert [event["count"] for event in server.sent("POST")] == [1, 2]
        assert recorder.stats["failed"] == 0

    async def test_of_another_reason_message_or_workload_is_none(self, waiting: EventRecorder) -> None:
        waiting.record(WEB, "Injected", "m")
        waiting.record(WEB, "InjectionSkipped", "m")
        waiting.record(WEB, "Injected", "n")
        waiting.record(ObjectReference("apps/v1", "Deployment", "demo", "api"), "Injected", "m")
        assert waiting.queued == 4


class TestQueue:
    async def test_drops_and_counts_what_is_too_much_but_still_aggregates(self, waiting: EventRecorder) -> None:
        for number in range(events.QUEUE + 5):
            waiting.record(WEB, "Injected", f"m{number}")
        waiting.record(WEB, "Injected", "m0")
        assert waiting.queued == events.QUEUE
        assert waiting.stats["dropped"] == 5
        assert waiting.stats["aggregated"] == 1

    async def test_is_sent_no_faster_than_the_rate_after_a_burst(
        self, server: FakeApiServer, waiting: EventRecorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "_tokens", 3.0)
        slept = []
        sleep = asyncio.sleep

        async def noted(seconds: float) -> None:
            slept.append(seconds)
            await sleep(0)

        monkeypatch.setattr(asyncio, "sleep", noted)
        for _ in range(6):
            await waiting._wait_for_rate()
        assert slept == pytest.approx([1 / 50, 2 / 50, 3 / 50]), "the clock stands still here"

    async def test_is_drained_by_stop(self, server: FakeApiServer, waiting: EventRecorder) -> None:
        for number in range(20):
            waiting.record(WEB, "Injected", f"m{number}")
        await waiting.start()
        await waiting.stop()
        assert len(server.sent("POST")) == 20
        assert waiting.stats["dropped"] == 0

    async def test_does_not_keep_stop_longer_than_a_second(self, server: FakeApiServer, waiting: EventRecorder) -> None:
        server.hangs.add(PATH)
        waiting.record(WEB, "Injected", "m")
        waiting.record(WEB, "Injected", "n")
        await waiting.start()
        start = time.perf_counter()
        await waiting.stop()
        assert 0.9 < time.perf_counter() - start < 1.5
        assert waiting.queued == 0
        assert waiting.stats["dropped"] == 2


class TestFailure:
    @pytest.mark.parametrize(("status", "requests"), [(403, 1), (404, 1), (422, 1), (429, 2), (500, 2), (503, 2)])
    async def test_is_tried_again_once_at_most_and_only_where_it_may_help(
        self, server: FakeApiServer, recorder: EventRecorder, until: Until, status: int, requests: int
    ) -> None:
        server.failures[PATH] = ApiError(status, "no")
        recorder.record(WEB, "Injected", "m")
        await until(lambda: recorder.stats["failed"] == 1)
        assert len(server.requests) == requests
        server.failures.clear()
        recorder.record(WEB, "Injected", "m")
        await until(lambda: recorder.stats["sent"] == 1)

    async def test_of_a_kind_that_nobody_thought_of_does_not_stop_the_others(
        self, server: FakeApiServer, recorder: EventRecorder, until: Until, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send = recorder._api.send

        async def broken(*arguments: Any, **options: Any) -> None:
            monkeypatch.setattr(recorder._api, "send", send)
            raise RuntimeError("?")

        monkeypatch.setattr(recorder._api, "send", broken)
        recorder.record(WEB, "Injected", "m")
        recorder.record(WEB, "Injected", "n")
        await until(lambda: recorder.stats["sent"] == 1)
        assert recorder.stats["failed"] == 1
