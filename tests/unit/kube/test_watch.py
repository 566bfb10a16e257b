"""Namespaces by list and watch."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tests.kube.fixtures import Clock, Until
from tests.kube.http import FakeApiServer
from tests.kube.store import NAMESPACES
from tests.unit.certs.virtual import run
from webhook.kube import api as api_module
from webhook.kube import keepalive, watch
from webhook.kube.api import ApiServer
from webhook.kube.client import Configuration
from webhook.kube.errors import ApiError
from webhook.kube.watch import NamespaceWatch

Said = list[tuple[str, str]]


@pytest.fixture
async def watching(api: ApiServer) -> AsyncIterator[NamespaceWatch]:
    """A started watch whose first list is through and whose watch is open."""
    subject = NamespaceWatch(api)
    task = asyncio.create_task(subject.run())
    yield subject
    assert not task.done(), "the watch must never end by itself"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class TestList:
    async def test_finds_every_namespace_with_its_annotations_and_labels(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        server.set_namespace("demo", **{"linkerd.io/inject": "enabled"})
        await until(watching.synced.is_set)
        demo = watching.namespaces["demo"]
        assert demo.annotations == {"linkerd.io/inject": "enabled"}
        assert demo.labels == {"kubernetes.io/metadata.name": "demo"}

    async def test_asks_for_metadata_only_and_for_pages(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        await until(lambda: server.watches)
        listed, watched = server.requests[:2]
        assert "as=PartialObjectMetadataList" in listed.headers["Accept"]
        assert listed.query["limit"] == "500"
        assert "as=PartialObjectMetadata;" in watched.headers["Accept"]
        assert watched.query["allowWatchBookmarks"] == "true"
        assert 240 <= int(watched.query["timeoutSeconds"]) <= 480

    async def test_follows_every_page_before_it_is_synced(
        self, server: FakeApiServer, api: ApiServer, until: Until
    ) -> None:
        for number in range(7):
            server.set_namespace(f"n{number}")
        server.page = 3
        subject = NamespaceWatch(api)
        task = asyncio.create_task(subject.run())
        await until(subject.synced.is_set)
        task.cancel()
        assert len(subject.namespaces) == 7
        assert [request.query.get("continue") for request in server.requests[:3]] == [None, "3", "6"]

    async def test_is_tried_again_until_it_is_allowed_and_says_what_to_grant(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        user = "system:serviceaccount:linkerd:linkerd-webhook"
        server.failures["/api/v1/namespaces"] = ApiError(403, f'namespaces is forbidden: User "{user}" cannot list')
        await until(lambda: watching.restarts["forbidden"] >= 2)
        assert not watching.synced.is_set()
        assert "grant list and watch on namespaces to ServiceAccount linkerd/linkerd-webhook" in watching.problem
        server.failures.clear()
        await until(watching.synced.is_set)
        await until(lambda: watching.problem == "")


class TestWatch:
    async def test_brings_new_changed_and_deleted_namespaces(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        await until(lambda: server.watches)
        server.set_namespace("demo")
        await until(lambda: "demo" in watching.namespaces)
        server.set_namespace("demo", a="b")
        await until(lambda: watching.namespaces["demo"].annotations == {"a": "b"})
        server.remove("/api/v1/namespaces/demo")
        await until(lambda: "demo" not in watching.namespaces)
        assert not watching.restarts

    async def test_starts_anew_from_the_last_bookmark(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        await until(lambda: server.watches)
        server.tell({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "777"}}})
        server.end_watches()
        await until(lambda: len(server.requests) == 3 and server.watches)
        assert server.requests[2].query["resourceVersion"] == "777"
        assert watching.restarts == {"closed": 1}

    async def test_that_expires_as_asked_goes_on_without_a_pause_or_a_list(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watch, "WATCH", (1, 1))
        server.end_watches()
        await until(lambda: server.watches)
        server.end_watches()
        await until(lambda: watching.restarts["timeout"] == 1)
        await until(lambda: server.watches)
        assert [request.query.get("watch") for request in server.requests] == [None, "true", "true"]

    async def test_that_expires_as_asked_is_the_last_that_was_heard_where_no_other_can_be_opened(
        self, server: FakeApiServer, api: ApiServer, clock: Clock, until: Until, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watch, "WATCH", (1, 1))
        subject = NamespaceWatch(api, clock)
        task = asyncio.create_task(subject.run())
        await until(lambda: server.watches)
        clock.now += 100
        server.failures[NAMESPACES] = ApiError(500, "etcd")
        server.end_watches()
        await until(lambda: subject.restarts["error"])
        assert subject.restarts["timeout"] == 1
        clock.now += 5
        assert (subject.age, subject.broken()) == (5, 5)
        task.cancel()

    @pytest.mark.parametrize("line", [b"{broken", b"[]", b'"x"', b'{"type": "ADDED"}', b'{"type":"ADDED","object":7}'])
    async def test_lists_again_after_a_line_that_makes_no_sense(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until, line: Any
    ) -> None:
        await until(lambda: server.watches)
        server.objects["/api/v1/namespaces/missed"] = {"metadata": {"name": "missed"}}
        server.tell(line)
        await until(lambda: "missed" in watching.namespaces)
        assert watching.restarts == {"malformed": 1}

    async def test_passes_over_events_of_a_type_that_it_does_not_know(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        await until(lambda: server.watches)
        server.tell({"type": "INVENTED", "object": {"metadata": {"name": "odd", "resourceVersion": "101"}}})
        server.set_namespace("demo")
        await until(lambda: "demo" in watching.namespaces)
        assert "odd" not in watching.namespaces
        assert not watching.restarts


class TestGone:
    async def test_as_an_event_leads_to_a_list_that_replaces_what_was_known(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        server.set_namespace("old")
        await until(lambda: server.watches and "old" in watching.namespaces)
        before = watching.namespaces
        del server.objects["/api/v1/namespaces/old"]
        server.objects["/api/v1/namespaces/new"] = {"metadata": {"name": "new"}}
        server.tell({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}})
        await until(lambda: "new" in watching.namespaces)
        assert set(watching.namespaces) == {"new"}
        assert set(before) == {"old"}, "a list replaces the dict, it does not empty it"
        assert watching.restarts == {"gone": 1}

    async def test_as_a_status_leads_to_a_list(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        await until(lambda: server.watches)
        server.failures["/api/v1/namespaces"] = ApiError(410, "too old resource version")
        server.end_watches()
        await until(lambda: watching.restarts["gone"])
        server.failures.clear()
        await until(lambda: server.watches)
        assert server.requests[-2].query.get("watch") is None


class TestAbsence:
    async def test_of_the_api_server_leaves_what_is_known_and_ends_by_itself(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until
    ) -> None:
        server.set_namespace("demo")
        await until(lambda: server.watches and "demo" in watching.namespaces)
        await server.stop()
        await until(lambda: watching.restarts["dropped"] >= 2)
        assert "demo" in watching.namespaces
        assert watching.problem
        await server.start()
        await until(lambda: server.watches)
        server.set_namespace("later")
        await until(lambda: "later" in watching.namespaces)
        assert watching.problem == ""

    async def test_that_nobody_announces_is_noticed_as_a_ping_gets_no_answer(
        self, server: FakeApiServer, api: ApiServer, until: Until, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watch, "QUIET", 0.05)
        monkeypatch.setattr(api_module, "PING", 0.05)
        server.hangs.add("/version")
        subject = NamespaceWatch(api)
        task = asyncio.create_task(subject.run())
        await until(lambda: subject.restarts["silent"] >= 2)
        task.cancel()
        assert sum(request.path == NAMESPACES and "watch" not in request.query for request in server.requests) == 1, (
            "a connection that died costs no list"
        )

    async def test_of_anything_to_tell_is_no_fault_while_the_api_server_answers(
        self, server: FakeApiServer, api: ApiServer, clock: Clock, until: Until, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watch, "QUIET", 0.02)
        subject = NamespaceWatch(api, clock)
        task = asyncio.create_task(subject.run())
        await until(lambda: server.watches)
        clock.now += 42
        await until(lambda: server.paths().count("/version") >= 4)
        assert subject.age == 0, "an answer is a sign of life"
        assert not subject.restarts
        server.set_namespace("late")
        await until(lambda: "late" in subject.namespaces)
        task.cancel()

    def test_is_not_asked_about_while_bytes_come(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In a time that passes at once: on a busy machine a byte of its own time may come too late."""
        pings: list[float] = []

        async def ping(fresh: float) -> None:
            pings.append(asyncio.get_running_loop().time())

        async def story() -> None:
            api, content = ApiServer(Configuration(host="http://127.0.0.1:1")), SimpleNamespace(total_bytes=0)
            monkeypatch.setattr(api, "ping", ping)
            async with asyncio.timeout(None) as bound:
                listening = asyncio.create_task(api._ping_while_silent(content, 30, lambda: None, bound))  # type: ignore[arg-type]
                for _ in range(15):
                    await asyncio.sleep(20)
                    content.total_bytes += 1
                assert pings == []
                await asyncio.sleep(61)
                assert pings, "silence is asked about"
                listening.cancel()
            await api.close()

        run(story())

    async def test_is_not_believed_after_one_lost_ping(
        self, server: FakeApiServer, api: ApiServer, until: Until, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watch, "QUIET", 0.05)
        subject = NamespaceWatch(api)
        task = asyncio.create_task(subject.run())
        await until(lambda: server.watches)
        server.failures["/version"] = ApiError(503, "busy")
        await until(lambda: "/version" in server.paths())
        server.failures.clear()
        seen = server.paths().count("/version")
        await until(lambda: server.paths().count("/version") >= seen + 2)
        task.cancel()
        assert not subject.restarts

    async def test_makes_the_pauses_grow_to_a_bound_and_never_the_same(
        self, api: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watch, "BACKOFF", (0.1, 30.0))
        tops = []
        monkeypatch.setattr(random, "uniform", lambda least, most: tops.append((least, most)) or most)
        subject = NamespaceWatch(api)
        for _ in range(2000):
            subject._pause()
        assert [round(most, 1) for _, most in tops[:10]] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
        assert tops[-1] == (0, 30.0)

    async def test_shows_in_the_age(self, server: FakeApiServer, api: ApiServer, clock: Clock, until: Until) -> None:
        subject = NamespaceWatch(api, clock)
        task = asyncio.create_task(subject.run())
        await until(lambda: server.watches)
        clock.now += 42
        assert subject.age == 42
        server.tell({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "5"}}})
        await until(lambda: subject.age == 0)
        task.cancel()


class Relay:
    """A way to the API server that swallows everything while `dead`: both ends take it for a connection still."""

    def __init__(self, port: int) -> None:
        self.dead = False
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self._port)
        for source, target in ((reader, other_writer), (other_reader, writer)):
            task = asyncio.create_task(self._pass(source, target))
            self._tasks.add(task)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self.dead:
                target.write(data)
        target.close()


async def test_a_connection_that_swallows_everything_is_given_up_and_replaced(
    server: FakeApiServer, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall that forgot the connection, or a node that hangs: nobody says a word."""
    monkeypatch.setattr(watch, "QUIET", 0.1)
    monkeypatch.setattr(api_module, "PING", 0.1)
    # What is asked meanwhile is swallowed, too.
    monkeypatch.setattr(api_module, "OPENING", 0.3)
    relay = Relay(int(server.url.rpartition(":")[2]))
    api = ApiServer(Configuration(host=await relay.start()))
    subject = NamespaceWatch(api)
    task = asyncio.create_task(subject.run())
    await until(lambda: server.watches)
    server.set_namespace("before")
    await until(lambda: "before" in subject.namespaces)
    relay.dead = True
    server.set_namespace("during")
    await until(lambda: subject.restarts["silent"] >= 1)
    assert "during" not in subject.namespaces
    relay.dead = False
    await until(lambda: subject.broken() == 0)
    server.set_namespace("after")
    await until(lambda: "after" in subject.namespaces)
    assert "before" in subject.namespaces, "what is known stays known"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await api.close()
    await relay.stop()


class TestLog:
    @pytest.fixture
    def said(self, monkeypatch: pytest.MonkeyPatch) -> Said:
        """What was logged, as (level, reason)."""
        said: Said = []

        def note(level: str, text: str, **more: str) -> None:
            said.append((level, more.get("reason", text)))

        for level in ("debug", "info", "warning"):
            monkeypatch.setattr(watch.log, level, partial(note, level))
        return said

    async def test_a_watch_that_is_closed_or_too_old_now_and_then_is_no_warning(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until, said: Said
    ) -> None:
        await until(lambda: server.watches)
        server.end_watches()
        await until(lambda: watching.restarts["closed"] == 1 and server.watches)
        watching._failures = 0
        server.tell({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}})
        await until(lambda: watching.restarts["gone"] == 1 and server.watches)
        assert said == [("debug", "closed"), ("debug", "gone")]
        assert watching.problem == ""

    async def test_a_watch_that_is_closed_again_at_once_is_one_and_so_told_once_it_is_well(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until, said: Said
    ) -> None:
        for number in (1, 2, 3):
            await until(lambda: server.watches)
            server.end_watches()
            await until(lambda number=number: watching.restarts["closed"] == number)
        await until(lambda: server.watches)
        assert ("warning", "closed") in said
        await until(lambda: said[-1][0] == "info")
        assert "open again" in said[-1][1]

    async def test_an_api_server_that_is_away_is_a_warning_once(
        self, server: FakeApiServer, watching: NamespaceWatch, until: Until, said: Said
    ) -> None:
        await until(lambda: server.watches)
        await server.stop()
        await until(lambda: watching.restarts["dropped"] >= 4)
        assert [text for text in said if text[0] == "warning"] == [("warning", "dropped")]


class TestKeepAlive:
    async def test_the_kernel_notices_on_every_connection_that_the_other_end_is_gone(
        self, server: FakeApiServer, api: ApiServer
    ) -> None:
        async with api.stream(NAMESPACES, {"watch": "true"}, total=5, quiet=5) as content:
            transport = content._protocol.transport
            assert transport is not None
            connection = transport.get_extra_info("socket")
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            if hasattr(socket, "TCP_KEEPIDLE"):
                tcp = [
                    connection.getsockopt(socket.IPPROTO_TCP, option)
                    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                ]
                assert tcp == [keepalive.IDLE, keepalive.INTERVAL, keepalive.TIMES]
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == keepalive.DEAD * 1000

    def test_a_dead_connection_is_noticed_sooner_than_a_minute(self) -> None:
        assert keepalive.DEAD < 60


async def test_no_error_of_the_client_ends_the_watch(until: Until, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(ApiServer):
        def __init__(self) -> None:
            self.errors = [RuntimeError("?"), ApiError(500, "etcd"), TimeoutError(), KeyError("x")]

        async def get(self, *_: Any, **__: Any) -> Any:
            raise self.errors.pop() if self.errors else ApiError(0, "refused")

    subject = NamespaceWatch(Odd())
    task = asyncio.create_task(subject.run())
    await until(lambda: subject.restarts["dropped"] >= 2)
    task.cancel()
    assert subject.restarts["error"] == 3
    assert subject.restarts["silent"] == 1
