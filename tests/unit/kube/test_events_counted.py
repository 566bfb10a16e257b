"""What the recorder of Events counts, logs, and tries again: an API server that fails by script answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from structlog.testing import capture_logs

from tests.kube.store import Store
from tests.waiting import until
from webhook.kube import events
from webhook.kube.errors import ApiError
from webhook.kube.events import EventRecorder
from webhook.kube.objects import ObjectReference

WEB = ObjectReference("apps/v1", "Deployment", "demo", "web", "u1")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "RETRY_AFTER", 0.001)


def failing(fail: Callable[[int], Exception | None] = lambda number: None) -> Store:
    """An API server that fails as `fail` says (attempt number -> exception)."""
    api = Store()
    api.before = lambda method, path: fail(len(api.tried))
    return api


async def recorded(api: Store, *messages: str) -> tuple[EventRecorder, list[str]]:
    """Events of these messages, each settled before the next; and what was logged."""
    recorder = EventRecorder(api)  # type: ignore[arg-type]
    with capture_logs() as logs:
        await recorder.start()
        for number, message in enumerate(messages, 1):
            recorder.record(WEB, "Injected", message)
            await until(partial(lambda count: recorder.stats["sent"] + recorder.stats["failed"] >= count, number))
        await recorder.stop()
    return recorder, [log["error"] for log in logs if log["log_level"] == "warning"]


def test_every_count_is_there_from_the_start() -> None:
    recorder = EventRecorder(failing())  # type: ignore[arg-type]
    assert dict(recorder.stats) == {"sent": 0, "failed": 0, "dropped": 0, "aggregated": 0}


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (ApiError(0, "refused"), 2),
        (TimeoutError(), 2),
        (ApiError(429, "slow down"), 2),
        (ApiError(500, "etcd"), 2),
        (ApiError(403, "no"), 1),
        (ValueError("nonsense"), 1),
    ],
)
async def test_a_fault_of_the_api_server_is_tried_twice_and_a_refusal_once(error: Exception, tries: int) -> None:
    api = failing(lambda number: error)
    recorder, logged = await recorded(api, "one")
    assert len(api.tried) == tries
    assert (recorder.stats["failed"], recorder.stats["sent"]) == (1, 0)
    assert logged == [str(error) or "TimeoutError"]


async def test_a_streak_of_failures_is_logged_once_and_the_next_streak_again() -> None:
    api = failing(lambda number: None if number == 3 else ApiError(403, "no"))
    recorder, logged = await recorded(api, "one", "two", "three", "four", "five")
    assert (recorder.stats["failed"], recorder.stats["sent"]) == (4, 1)
    assert logged == ["no", "no"]


async def test_the_same_again_is_counted_on_the_event_that_was_posted() -> None:
    api = failing()
    recorder, _ = await recorded(api, "one", "one", "one")
    [posted], patches = api.sent("POST"), api.sent("PATCH")
    path = f"/api/v1/namespaces/demo/events/{posted['metadata']['name']}"
    assert api.writes == [("POST", "/api/v1/namespaces/demo/events"), ("PATCH", path), ("PATCH", path)]
    assert [body["count"] for body in patches] == [2, 3]
    assert api.objects[path]["count"] == 3
    assert (recorder.stats["aggregated"], recorder.stats["sent"]) == (2, 3)


async def test_an_event_that_the_api_server_has_forgotten_is_posted_anew_with_its_count() -> None:
    api = failing(lambda number: ApiError(404, "gone") if number == 2 else None)
    await recorded(api, "one", "one", "one")
    assert [method for method, _ in api.calls] == ["POST", "PATCH", "POST", "PATCH"]
    first, anew = api.sent("POST")
    assert anew["count"] == 2
    assert anew["firstTimestamp"] == first["firstTimestamp"]
    assert api.calls[3][1].endswith(anew["metadata"]["name"])


@pytest.mark.parametrize(("uid", "reference"), [("u1", {"uid": "u1"}), ("", {})])
async def test_an_owner_without_a_uid_is_referred_to_without_one(uid: str, reference: dict[str, str]) -> None:
    recorder = EventRecorder(api := failing())  # type: ignore[arg-type]
    await recorder.start()
    recorder.record(_with(uid), "Injected", "one")
    await until(lambda: recorder.stats["sent"])
    await recorder.stop()
    involved = api.sent("POST")[0]["involvedObject"]
    assert {key: value for key, value in involved.items() if key == "uid"} == reference


def _with(uid: str) -> ObjectReference:
    return ObjectReference(WEB.api_version, WEB.kind, WEB.namespace, WEB.name, uid)


async def test_a_long_name_is_cut_so_that_the_event_has_a_valid_one() -> None:
    name = "a" * 229 + "-" + "b" * 20
    recorder = EventRecorder(api := failing())  # type: ignore[arg-type]
    await recorder.start()
    recorder.record(ObjectReference("apps/v1", "Deployment", "demo", name), "Injected", "one")
    await until(lambda: recorder.stats["sent"])
    await recorder.stop()
    event = api.sent("POST")[0]["metadata"]["name"]
    assert event.startswith("a" * 229 + ".")
    assert len(event) <= 253
