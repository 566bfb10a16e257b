"""Lists of Pods, when somebody asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from tests.kube.fixtures import Clock, Until
from tests.kube.http import FakeApiServer
from tests.unit.diagnosis.dataplane.plane import plain
from tests.unit.injector.builders import injector
from webhook.diagnosis.dataplane.podstate import PodJudge
from webhook.injector.decision import INJECT
from webhook.injector.names import CONTROL_PLANE
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.objects import Namespace
from webhook.statuspage import podlist
from webhook.statuspage.mesh_counts import Configured
from webhook.statuspage.mesh_reader import OPEN, MeshReader
from webhook.statuspage.podlist import KEPT, ClientGone
from webhook.statuspage.turns import Turns
from webhook.statuspage.workload_rows import WorkloadTable

PODS = "/api/v1/pods"
NAMESPACES = {"shop": Namespace("shop", {INJECT: "enabled"}, {})}


async def there() -> None:
    """A client that waits."""
    await asyncio.Event().wait()


async def gone() -> None:
    """A client that went away."""


def put_pods(server: FakeApiServer, count: int, namespace: str = "shop", **fields: Any) -> None:
    """Running Pods, every other one of them meshed."""
    for number in range(count):
        labels = {CONTROL_PLANE: "linkerd"} if number % 2 else {}
        body = {"metadata": {"labels": labels}, "status": {"phase": "Running"}, **fields}
        server.put(f"/api/v1/namespaces/{namespace}/pods/{namespace}-{number:04}", body)


def fail_at(number: int, error: ApiError, server: FakeApiServer) -> None:
    """Answer one request with an error."""
    server.before = lambda method, path: error if len(server.requests) == number else None


@pytest.fixture
async def reader(api: ApiServer, clock: Clock) -> AsyncIterator[MeshReader]:
    """A reader that gives up after half a second."""
    made = MeshReader(
        api,
        lambda: NAMESPACES,
        lambda: Configured("edge-26.8.3", "aa"),
        lambda namespace: WorkloadTable(PodJudge(injector(), None), namespace),
        turns=Turns(),
        longest=0.5,
        clock=clock,
    )
    yield made
    await made.close()


async def test_pods_are_counted_by_namespace_and_page(
    server: FakeApiServer, reader: MeshReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podlist, "PAGE", 7)
    put_pods(server, 20)
    put_pods(server, 4, "kitchen")
    counts = await reader.counts(5, there)
    assert (counts.complete, counts.problem) == (True, "")
    assert abs(counts.at - time.time()) < 60
    assert {name: (count.meshed, count.pods) for name, count in counts.namespaces.items()} == {
        "shop": (10, 20),
        "kitchen": (2, 4),
    }
    requests = [request for request in server.requests if request.path == PODS]
    assert len(requests) == 4
    assert all("PartialObjectMetadataList" in request.accept for request in requests)
    assert all(request.query["fieldSelector"] == "status.phase=Running" for request in requests)


async def test_what_was_counted_is_kept_for_ten_seconds(
    server: FakeApiServer, reader: MeshReader, clock: Clock
) -> None:
    """However many look at the page."""
    put_pods(server, 3)
    for _ in range(5):
        await reader.counts(5, there)
    assert len(server.paths()) == 1
    clock.now += KEPT
    await reader.counts(5, there)
    assert len(server.paths()) == 2


async def test_those_who_ask_at_the_same_time_share_one_list(server: FakeApiServer, reader: MeshReader) -> None:
    put_pods(server, 3)
    await asyncio.gather(*(reader.counts(5, there) for _ in range(20)))
    assert len(server.paths()) == 1


async def test_a_list_that_breaks_off_says_why_and_what_was_counted(
    server: FakeApiServer, reader: MeshReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podlist, "PAGE", 5)
    put_pods(server, 12)
    fail_at(3, ApiError(500, "etcd is away"), server)
    counts = await reader.counts(5, there)
    assert (counts.complete, counts.namespaces["shop"].pods) == (False, 10)
    assert "etcd is away" in counts.problem


async def test_a_list_that_the_api_server_forgets_is_begun_anew_and_counts_no_pod_twice(
    server: FakeApiServer, reader: MeshReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podlist, "PAGE", 5)
    put_pods(server, 12)
    fail_at(2, ApiError(410, "expired"), server)
    counts = await reader.counts(5, there)
    assert (counts.complete, counts.namespaces["shop"].pods) == (True, 12)


async def test_an_api_server_that_always_forgets_is_given_up(server: FakeApiServer, reader: MeshReader) -> None:
    server.failures[PODS] = ApiError(410, "expired")
    assert "expired" in (await reader.counts(5, there)).problem
    assert len(server.paths()) == 3


async def test_a_missing_right_is_named(server: FakeApiServer, reader: MeshReader) -> None:
    user = "system:serviceaccount:linkerd:linkerd-webhook"
    server.failures[PODS] = ApiError(403, f'pods is forbidden: User "{user}" cannot list resource "pods"')
    counts = await reader.counts(5, there)
    assert not counts.complete
    assert counts.problem == (
        "may not list Pods: apply what `linkerd-webhook install --status-page` prints, or grant list on pods to "
        "ServiceAccount linkerd/linkerd-webhook"
    )


async def test_an_api_server_that_hangs_is_given_up_and_the_reader_does_not_wait_for_it(
    server: FakeApiServer, reader: MeshReader, clock: Clock
) -> None:
    server.hangs.add(PODS)
    waiting = asyncio.create_task(reader.counts(0.2, there))
    await asyncio.sleep(0.05)
    clock.now += 1
    async with asyncio.timeout(2):
        counts = await waiting
        assert (counts.complete, counts.problem) == (False, "")
        while not counts.problem:
            counts = await reader.counts(1, there)
    assert counts.problem == "the API server did not list all Pods within 0.5 s"


async def test_a_list_for_which_nobody_waits_is_given_up_and_begun_anew_for_the_next(
    server: FakeApiServer, reader: MeshReader
) -> None:
    server.hangs.add(PODS)
    counts = await reader.counts(5, gone)
    assert (counts.complete, counts.problem) == (
        False,
        "the list of Pods was given up, as nobody waited for it: load the page again",
    )
    server.hangs.clear()
    put_pods(server, 2)
    assert (await reader.counts(5, there)).complete


async def test_a_list_goes_on_while_somebody_else_waits(
    server: FakeApiServer, reader: MeshReader, until: Until
) -> None:
    server.hangs.add(PODS)
    other = asyncio.create_task(reader.counts(5, there))
    await until(lambda: server.requests)
    await reader.counts(5, gone)
    assert not other.done()
    assert len(server.requests) == 1
    # It ends as the list is given up after half a second.
    assert "within 0.5 s" in (await other).problem


async def test_the_last_who_waits_and_goes_ends_the_list(
    server: FakeApiServer, reader: MeshReader, until: Until
) -> None:
    """However many went before."""
    server.hangs.add(PODS)
    end = asyncio.Event()
    last = asyncio.create_task(reader.counts(5, cast(ClientGone, end.wait)))
    await until(lambda: server.requests)
    for _ in range(3):
        assert (await reader.counts(5, gone)).problem == ""
    end.set()
    assert "as nobody waited for it" in (await last).problem


async def test_at_the_end_of_the_replica_no_list_goes_on(
    server: FakeApiServer, reader: MeshReader, until: Until
) -> None:
    server.hangs.update((PODS, "/api/v1/namespaces/shop/pods"))
    waiting = asyncio.gather(reader.counts(5, there), reader.workloads("shop", 5, there))
    await until(lambda: server.requests)
    assert len(lists()) == 2
    await reader.close()
    assert lists() == []
    assert {shown.problem for shown in await waiting} == {
        "the list of Pods was given up, as the replica ends: load the page again"
    }


def lists() -> list[str]:
    """The tasks that read lists."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "list of Pods for the status page"]


async def test_the_pods_of_one_namespace_are_read_whole(server: FakeApiServer, reader: MeshReader) -> None:
    server.put("/api/v1/namespaces/shop/pods/cart-1", plain("cart-1"))
    rows = await reader.workloads("shop", 5, there)
    assert (rows.complete, [row.workload for row in rows.rows]) == (True, ["Deployment/cart"])
    [request] = server.requests
    assert request.path == "/api/v1/namespaces/shop/pods"
    assert "PartialObjectMetadata" not in request.accept


async def test_what_a_namespace_asks_for_is_the_reason_of_its_pods(server: FakeApiServer, reader: MeshReader) -> None:
    """A Namespace that is not known asks for nothing."""
    reasons = []
    for name in ("shop", "kitchen"):
        server.put(f"/api/v1/namespaces/{name}/pods/cart-1", plain("cart-1", within=name))
        [row] = (await reader.workloads(name, 5, there)).rows
        reasons += [reason.reason for reason in row.reasons]
    assert reasons == ["webhook_unreachable", "injection_enable_annotation_absent"]


async def test_who_opens_a_namespace_waits_as_long_as_was_said(server: FakeApiServer, reader: MeshReader) -> None:
    server.hangs.add("/api/v1/namespaces/shop/pods")
    rows = await reader.workloads("shop", 0.01, there)
    assert (rows.complete, rows.problem) == (False, "")
    assert abs(rows.at - time.time()) < 60


async def test_the_api_server_is_asked_not_to_compress_pods(server: FakeApiServer, reader: MeshReader) -> None:
    """Unpacking a page of them at once would hold up reviews."""
    await asyncio.gather(reader.counts(5, there), reader.workloads("shop", 5, there))
    assert [request.headers["Accept-Encoding"] for request in server.requests] == ["identity"] * 2


async def test_the_pods_of_one_namespace_are_read_anew_where_the_api_server_forgets_the_list(
    server: FakeApiServer, reader: MeshReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podlist, "PAGE", 5)
    put_pods(server, 12)
    fail_at(2, ApiError(410, "expired"), server)
    rows = await reader.workloads("shop", 5, there)
    assert (rows.complete, sum(row.pods for row in rows.rows)) == (True, 12)


async def test_those_who_open_different_namespaces_do_not_take_them_from_each_other(
    server: FakeApiServer, reader: MeshReader
) -> None:
    server.put("/api/v1/namespaces/shop/pods/cart-1", plain("cart-1"))
    shop, kitchen = await asyncio.gather(reader.workloads("shop", 5, there), reader.workloads("kitchen", 5, there))
    assert (shop.complete, [row.workload for row in shop.rows]) == (True, ["Deployment/cart"])
    assert (kitchen.namespace, kitchen.rows, kitchen.complete) == ("kitchen", (), True)
    for name in ("shop", "kitchen"):
        await reader.workloads(name, 5, there)
    assert len(server.requests) == 2


async def test_so_many_namespaces_are_open_at_a_time(server: FakeApiServer, reader: MeshReader) -> None:
    """And the one that was opened the longest time ago makes room."""
    for number in range(OPEN):
        await reader.workloads(f"ns-{number}", 5, there)
    await reader.workloads("ns-0", 5, there)
    await reader.workloads("another", 5, there)
    assert len(server.requests) == OPEN + 1
    await reader.workloads("ns-0", 5, there)
    assert len(server.requests) == OPEN + 1
    await reader.workloads("ns-1", 5, there)
    assert len(server.requests) == OPEN + 2


async def test_who_waits_for_a_namespace_that_makes_room_is_told(server: FakeApiServer, reader: MeshReader) -> None:
    server.hangs.update(f"/api/v1/namespaces/ns-{number}/pods" for number in range(OPEN + 1))
    waiting = [asyncio.create_task(reader.workloads(f"ns-{number}", 5, there)) for number in range(OPEN + 1)]
    assert (await waiting[0]).problem == (
        "the list of Pods was given up, as 8 other Namespaces were opened after it: load the page again"
    )
    # They are read one at a time; whether read or not, each is given up after half a second.
    assert {(await task).problem for task in waiting[1:]} == {"the API server did not list all Pods within 0.5 s"}


async def test_a_name_cannot_become_another_path(server: FakeApiServer, reader: MeshReader) -> None:
    await reader.workloads("../../secrets", 5, there)
    assert [request.raw_path.partition("?")[0] for request in server.requests] == [
        "/api/v1/namespaces/..%2F..%2Fsecrets/pods"
    ]


async def test_an_answer_that_is_not_a_list_is_told(server: FakeApiServer, reader: MeshReader) -> None:
    server.objects[PODS] = {"items": "none"}
    assert "is not a list of Pods" in (await reader.counts(5, there)).problem
