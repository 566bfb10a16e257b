"""A real HTTPS server on a loopback port, in the test's own event loop, around a webhook that the test scripts."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvloop
from starlette.types import ASGIApp

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from certs.tls import ServedCertificate
from webhook.review import AdmissionRequest, Answer
from webhook.server import log as logs
from webhook.server.admission import Admission, AdmissionApp
from webhook.server.connection import Policy
from webhook.server.listen import Address, bind
from webhook.server.metrics import Metrics
from webhook.server.run import Server, Times
from webhook.webhooks.registry import Registry

JSON = {"content-type": "application/json"}


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that `serve` runs on: TLS is done by it, so tests on another would test another server."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def ca() -> CertificateAndKey:
    """An authority that the clients of these tests trust."""
    return issue_ca("test")


@pytest.fixture(scope="session")
def leaf(ca: CertificateAndKey) -> CertificateAndKey:
    """What the server shows."""
    return issue_leaf(ca, ["localhost", "127.0.0.1"])


def trust(ca: CertificateAndKey) -> ssl.SSLContext:
    """A client's TLS settings that trust this authority alone."""
    return ssl.create_default_context(cadata=ca.certificate.decode())


def review(uid: str | None = "uid-1", **request: Any) -> bytes:
    """An AdmissionReview about a Pod."""
    body: dict[str, Any] = {
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "emojivoto",
        "operation": "CREATE",
        "object": {"metadata": {"generateName": "web-"}},
        **request,
    }
    if uid is not None:
        body["uid"] = uid
    return orjson.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": body})


class FakeWebhook:
    """Answers what `respond` returns; `gate`, while it is cleared, holds the answers back."""

    name = "proxy-injector"
    path = "/proxy-injector"

    def __init__(self) -> None:
        self.requests: list[AdmissionRequest] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.respond: Callable[[AdmissionRequest], Answer] = lambda request: Answer(decision="injected")

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Decide about one request."""
        self.requests.append(request)
        await self.gate.wait()
        return self.respond(request)


class FakeAdvisor(FakeWebhook):
    """Answers as another webhook does, at the path of the one that only advises."""

    name = "workload-advisor"
    path = "/workload-advisor"

    def __init__(self, other: FakeWebhook) -> None:
        super().__init__()
        self.respond = lambda request: other.respond(request)


class LogFile:
    """The log's lines, through the same writer that `serve` has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND)
        self.lines = logs.configure("debug", "json", logs.Writer(self._fd))

    async def events(self) -> list[dict[str, Any]]:
        """All lines so far, parsed."""
        self.lines.flush()
        return [orjson.loads(line) for line in self._path.read_bytes().splitlines()]

    def close(self) -> None:
        """Write what is left."""
        self.lines.flush()
        os.close(self._fd)


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[LogFile]:
    """A log of the test's own."""
    import logging

    import structlog

    root, level = logging.getLogger().handlers, logging.getLogger().level
    file = LogFile(tmp_path / "log")
    yield file
    structlog.reset_defaults()
    logging.getLogger().handlers = root
    logging.getLogger().setLevel(level)
    file.close()


@dataclass
class Site:
    """A running server, and ways to talk to it."""

    server: Server
    endpoint: Admission
    webhook: FakeWebhook
    metrics: Metrics
    certificate: ServedCertificate
    ca: CertificateAndKey
    _clients: list[httpx.AsyncClient] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.server.port}"

    def client(self) -> httpx.AsyncClient:
        """An HTTP client that keeps its connections, and closes them with the site."""
        client = httpx.AsyncClient(base_url=self.url, verify=trust(self.ca), timeout=5)
        self._clients.append(client)
        return client

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare TLS connection."""
        return await asyncio.open_connection("127.0.0.1", self.server.port, ssl=trust(self.ca))

    async def post(self, path: str = "/", body: bytes | None = None, **headers: str) -> httpx.Response:
        """One POST over a new client."""
        return await self.client().post(path, content=review() if body is None else body, headers=JSON | headers)

    @property
    def pending(self) -> int:
        """Bytes of bodies that are coming in."""
        return self.endpoint.pending

    def sample(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels)

    async def close(self) -> None:
        """End it."""
        for client in self._clients:
            await client.aclose()
        await self.server.stop(1)


Serving = Callable[..., Awaitable[Site]]


@pytest.fixture
async def serving(ca: CertificateAndKey, leaf: CertificateAndKey, log_file: LogFile) -> AsyncIterator[Serving]:
    """Start a site: `policy` and `times` of the test's own, anything else goes to the endpoint."""
    sites: list[Site] = []

    async def start(policy: Policy | None = None, times: Times | None = None, **settings: Any) -> Site:
        webhook, metrics, certificate = FakeWebhook(), Metrics(), ServedCertificate()
        certificate.serve(certificate.check(leaf.certificate, leaf.key))
        registry = Registry([webhook, FakeAdvisor(webhook)])
        endpoint = Admission(registry, metrics, log_file.lines, **settings)
        app = AdmissionApp(registry, endpoint, metrics)
        policy = policy or Policy()
        policy.rejected, policy.hung_up = metrics.reject, metrics.hang_ups.inc
        times = times or Times(shutdown_delay=0, sweep=0.02)
        server = Server(app, bind(Address("127.0.0.1", 0), "--addr"), policy, times, certificate.context)
        await server.start()
        sites.append(Site(server, endpoint, webhook, metrics, certificate, ca))
        return sites[-1]

    yield start
    for site in sites:
        site.webhook.gate.set()
        await site.close()


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Fail where the block takes longer."""
    async with asyncio.timeout(seconds):
        yield


@asynccontextmanager
async def answering(application: ASGIApp, policy: Policy | None = None) -> AsyncIterator[Server]:
    """A server of any application, without TLS."""
    times = Times(shutdown_delay=0, sweep=0.02)
    server = Server(application, bind(Address("127.0.0.1", 0), "--addr"), policy or Policy(), times)
    await server.start()
    yield server
    await server.stop(1)


def request_bytes(body: bytes, path: str = "/", *headers: str, length: int | None = None) -> bytes:
    """A POST as it goes over the wire."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: x",
        "content-type: application/json",
        f"content-length: {len(body) if length is None else length}",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def read_response(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """The next response on a bare connection: status, headers, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))
