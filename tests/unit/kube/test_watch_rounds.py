"""A round of a watch at a time, against a scripted API server: what it asks, why it ends, when the next follows."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from webhook.kube import watch
from webhook.kube.errors import ApiError
from webhook.kube.watch import Ended, Resource, Watch

SUBJECT = Resource("/api/v1/things", "Things", "things")
PAGE = {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a", "resourceVersion": "3"}}]}


class Things:
    """Keeps names, and chokes on one of them."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def put(self, body: Any) -> None:
        if body["metadata"]["name"] == "poison":
            raise RuntimeError("choked")
        self.names.append(body["metadata"]["name"])

    def remove(self, body: Any) -> None:
        self.names.remove(body["metadata"]["name"])


class Scripted:
    """An API server that answers each list with `page` and each watch with `lines`, or fails with `error`."""

    def __init__(self) -> None:
        self.page: Any = PAGE
        self.lines: list[bytes] = []
        self.error: Exception | None = None
        self.listed: list[Mapping[str, str]] = []
        self.watched: list[tuple[Mapping[str, str], float]] = []
        self.seconds = 0.0
        self.clock = 1000.0

    async def get(self, path: str, query: Mapping[str, str], accept: str) -> Any:
        self.listed.append(dict(query))
        if self.error is not None:
            raise self.error
        return self.page

    @contextlib.asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str], **more: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        self.watched.append((dict(query), more["total"]))
        yield self._lines(int(query["timeoutSeconds"]))

    async def _lines(self, seconds: int) -> AsyncIterator[bytes]:
        for line in self.lines:
            yield line
        self.clock += self.seconds if self.seconds >= 0 else seconds


def of(server: Scripted, subject: Resource = SUBJECT, *, optional: bool = False) -> Watch[Things]:
    """A watch of Things."""
    return Watch(server, subject, Things, lambda: server.clock, optional=optional)  # type: ignore[arg-type]


class TestAsking:
    """What a list and a watch ask."""

    async def test_one_object_is_chosen_by_its_field_and_all_by_nothing(self) -> None:
        for chosen, expected in (("metadata.name=a", {"fieldSelector": "metadata.name=a"}), ("", {})):
            server = Scripted()
            await of(server, Resource("/api/v1/things", "Things", "things", field_selector=chosen))._round()
            listed, (watched, _) = server.listed[0], server.watched[0]
            assert {key: value for key, value in listed.items() if key == "fieldSelector"} == expected
            assert {key: value for key, value in watched.items() if key == "fieldSelector"} == expected

    async def test_the_client_waits_longer_than_the_api_server_was_asked_to(self) -> None:
        server = Scripted()
        await of(server)._round()
        query, total = server.watched[0]
        assert total == int(query["timeoutSeconds"]) + watch.GRACE
        assert query["resourceVersion"] == "7"

    async def test_a_watch_that_ended_as_asked_goes_on_where_it_was(self) -> None:
        server = Scripted()
        server.seconds = -1
        server.lines = [b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n']
        looking = of(server)
        assert await looking._round() == Ended("timeout")
        assert await looking._round() == Ended("timeout")
        assert len(server.listed) == 1
        assert server.watched[1][0]["resourceVersion"] == "9"


class TestEnds:
    """Why a round is over."""

    @pytest.mark.parametrize(
        ("page", "says"),
        [
            ({"metadata": None, "items": []}, "the API server's response is not a list of Things"),
            ({"metadata": {"resourceVersion": "7"}, "items": "x"}, "the API server's response is not a list of Things"),
            ({"metadata": {}, "items": []}, "the API server's list of Things has no resourceVersion"),
            ({"metadata": {"resourceVersion": ""}}, "the API server's list of Things has no resourceVersion"),
            ({"metadata": {"resourceVersion": 7}}, "the API server's list of Things has no resourceVersion"),
        ],
    )
    async def test_a_list_that_makes_no_sense_is_malformed(self, page: Any, says: str) -> None:
        server = Scripted()
        server.page = page
        looking = of(server)
        assert await looking._round() == Ended("malformed", says, relist=True)
        assert not looking.synced.is_set()

    async def test_a_line_that_makes_no_sense_is_malformed_and_shown(self) -> None:
        server = Scripted()
        server.lines = [b"nonsense\n"]
        ended = await of(server)._round()
        assert (ended.reason, ended.relist) == ("malformed", True)
        assert ended.message == "the API server sent a line that is not a watch event: b'nonsense\\n'"

    async def test_what_a_store_chokes_on_is_an_error_that_lists_anew(self) -> None:
        server = Scripted()
        server.page = {**PAGE, "items": [{"metadata": {"name": "poison"}}]}
        assert await of(server)._round() == Ended("error", "choked", relist=True)

    async def test_an_api_server_that_does_not_answer_is_silent(self) -> None:
        server = Scripted()
        server.error = TimeoutError()
        assert await of(server)._round() == Ended("silent", "the API server does not respond")

    @pytest.mark.parametrize(("short", "reason"), [(0.5, "timeout"), (1.5, "closed")])
    async def test_a_second_too_early_is_as_asked_and_more_is_closed(self, short: float, reason: str) -> None:
        server = Scripted()
        looking = of(server)
        await looking._round()
        query = server.watched[0][0]
        server.seconds = int(query["timeoutSeconds"]) - short
        # The same length again.
        watch_was = watch.WATCH
        try:
            watch.WATCH = (float(query["timeoutSeconds"]), float(query["timeoutSeconds"]))
            assert (await looking._round()).reason == reason
        finally:
            watch.WATCH = watch_was


class TestPauses:
    """When the next attempt follows."""

    async def pauses(self, error: Exception, optional: bool, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        server, waits = Scripted(), list[float]()
        server.error = error

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 12:
                raise asyncio.CancelledError

        monkeypatch.setattr(random, "uniform", lambda least, most: most)
        monkeypatch.setattr(asyncio, "sleep", sleep)
        monkeypatch.setattr(watch, "BACKOFF", (0.1, 30.0))
        with pytest.raises(asyncio.CancelledError):
            await of(server, optional=optional).run()
        return waits

    async def test_they_double_up_to_thirty_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waits = await self.pauses(ApiError(500, "no"), False, monkeypatch)
        assert waits[:4] == [0.1, 0.2, 0.4, 0.8]
        assert waits[-1] == 30.0

    async def test_what_is_optional_and_forbidden_is_asked_for_seldom(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It doubles on, up to five minutes."""
        assert (await self.pauses(ApiError(403, "no"), True, monkeypatch))[-1] > 30.0
        assert (await self.pauses(ApiError(403, "no"), False, monkeypatch))[-1] == 30.0
        assert (await self.pauses(ApiError(500, "no"), True, monkeypatch))[-1] == 30.0

    async def test_a_healthy_watch_makes_the_next_pause_short_again(self) -> None:
        server = Scripted()
        looking = of(server)
        looking._failures = 9
        server.seconds = watch.HEALTHY - 1
        await looking._round()
        assert looking._failures == 9
        server.seconds = watch.HEALTHY
        await looking._round()
        assert looking._failures == 0
