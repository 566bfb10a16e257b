"""The status page on the admin port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from certs.tls import ServedCertificate
from tests.serving import answering
from tests.unit.statuspage.pages import counts, sources
from tests.waiting import until
from webhook.diagnosis.condition import Condition
from webhook.mesh.releases import choose
from webhook.server import admin, page
from webhook.server.metrics import Metrics
from webhook.statuspage.mesh_reader import MeshReader, WorkloadRows
from webhook.statuspage.sources import StatusSources

PAGES = ("/", "/status.json", "/status.css", "/status.js", "/docs/operating")


class SlowMesh:
    """Counts that take a while; `waits` are how long readers wait for them."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.opened: list[str] = []

    async def counts(self, wait: float, client_gone: Any) -> Any:
        """Not complete before a minute has passed."""
        self.waits.append(wait)
        await asyncio.sleep(min(wait, 0.05))
        return counts(complete=False)

    async def workloads(self, namespace: str, wait: float, client_gone: Any) -> WorkloadRows:
        """None yet."""
        self.opened.append(namespace)
        return WorkloadRows(namespace, (), False, "", 0.0)


def app_of(made: StatusSources) -> FastAPI:
    """The admin port's application, with a page with these sources."""
    status = admin.Status(ServedCertificate(), [], lambda: admin.Cache(synced=True), lambda: choose("edge-26.8.3"))
    return admin.create(status, Metrics(), page=made)


def client_of(made: StatusSources, client: str = "127.0.0.1", url: str = "http://localhost:50750") -> httpx.AsyncClient:
    """A browser at this address, of a page with these sources."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app_of(made), client=(client, 40000)), base_url=url)


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """One that sees the page through a forwarded port."""
    async with client_of(sources()) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
async def test_everything_of_the_page_is_answered_and_may_load_nothing_from_elsewhere(
    browser: httpx.AsyncClient, path: str
) -> None:
    response = await browser.get(path)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "PATCH"])
async def test_nothing_but_get_is_answered(browser: httpx.AsyncClient, path: str, method: str) -> None:
    response = await browser.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", PAGES)
async def test_whoever_cannot_forward_a_port_is_told_the_command(path: str) -> None:
    for client in (client_of(sources(), "10.0.0.7"), client_of(sources(), url="http://evil.example")):
        async with client:
            response = await client.get(path)
            assert response.status_code == 403
            assert "port-forward pod/linkerd-webhook-7d9-x2v4c 50750:9995" in response.text


async def test_two_hosts_are_refused() -> None:
    async with client_of(sources()) as client:
        request = client.build_request("GET", "/", headers=[("host", "localhost"), ("host", "evil.example")])
        assert (await client.send(request)).status_code == 403


@pytest.mark.parametrize("path", ["/live", "/ready", "/ping", "/metrics", "/startup"])
async def test_probes_and_metrics_are_answered_to_all(path: str) -> None:
    async with client_of(sources(), "10.0.0.7", "http://10.0.0.9:9995") as client:
        assert (await client.get(path)).status_code in (200, 503)


async def test_the_page_waits_a_moment_for_the_counts_and_a_program_longer() -> None:
    mesh = SlowMesh()
    async with client_of(replace(sources(), mesh=cast(MeshReader, mesh))) as client:
        assert "At least 3 of 5" in (await client.get("/")).text
        assert (await client.get("/status.json")).json()["mesh"]["complete"] is False
    assert mesh.waits == [page.PATIENCE, 10.0]


@pytest.mark.parametrize("path", ["/", "/status.json"])
async def test_a_browser_gets_it_compressed_and_others_as_it_is(path: str) -> None:
    async with client_of(replace(sources(), clock=lambda: 0.0, uptime=lambda: 0.0)) as client:
        answers = [await client.get(path, headers={"accept-encoding": one}) for one in ("gzip, br", "identity")]
    assert [answer.headers.get("content-encoding") for answer in answers] == ["gzip", None]
    assert all(answer.headers["vary"] == "Accept-Encoding" for answer in answers)
    assert answers[0].text == answers[1].text
    assert len(answers[1].text) > 1000


async def test_who_ask_for_the_same_within_a_second_share_the_making() -> None:
    made = 0

    def conditions() -> list[Condition]:
        nonlocal made
        made += 1
        return []

    async with client_of(replace(sources(), conditions=conditions)) as client:
        for path in ("/", "/status.json"):
            await asyncio.gather(*(client.get(path) for _ in range(5)))
    assert made == 2


class LeftAlone:
    """Lists of Pods whose readers go: how many are waited for, and how many know that their reader has left."""

    def __init__(self) -> None:
        self.waiting = 0
        self.left = 0

    async def counts(self, wait: float, client_gone: Any) -> Any:
        """Nothing, until the reader goes."""
        self.waiting += 1
        await client_gone()
        self.left += 1
        return counts(complete=False)

    async def workloads(self, namespace: str, wait: float, client_gone: Any) -> WorkloadRows:
        """As the counts."""
        await self.counts(wait, client_gone)
        return WorkloadRows(namespace, (), False, "", 0.0)


@pytest.mark.parametrize(("query", "lists"), [("", 1), ("?namespace=shop", 2)])
async def test_the_lists_of_pods_learn_that_their_reader_goes(query: str, lists: int) -> None:
    mesh = LeftAlone()
    async with answering(app_of(replace(sources(), mesh=cast(MeshReader, mesh)))) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"GET /{query} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        await until(lambda: mesh.waiting == lists)
        await asyncio.sleep(0.05)
        assert mesh.left == 0
        writer.close()
        await until(lambda: mesh.left == lists)


async def test_a_namespace_is_opened_only_if_it_is_asked_for() -> None:
    mesh = SlowMesh()
    async with client_of(replace(sources(), mesh=cast(MeshReader, mesh))) as client:
        await client.get("/")
        assert mesh.opened == []
        assert "Workloads of shop" in (await client.get("/?namespace=shop")).text
    assert mesh.opened == ["shop"]


@pytest.mark.parametrize(
    "query",
    [
        "namespace=<script>alert(1)</script>",
        "namespace=" + "x" * 30_000,
        "page=-1&refresh=x",
        "page=" + "9" * 5000,
        "namespace=%00%ff",
        "namespace=a&namespace=b",
        "&&&=&",
    ],
)
async def test_any_query_gives_a_page(browser: httpx.AsyncClient, query: str) -> None:
    response = await browser.get(f"/?{query}")
    assert response.status_code == 200
    assert "<script>" not in response.text


async def test_a_page_of_the_manual_that_does_not_exist_is_404(browser: httpx.AsyncClient) -> None:
    for name in ("none-such", "..%2F..%2Fetc%2Fpasswd", "x" * 5000):
        assert (await browser.get(f"/docs/{name}")).status_code == 404
