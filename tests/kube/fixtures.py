"""Fixtures of an API server, its client, and time; a conftest.py imports those that its tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests import waiting
from tests.kube.http import FakeApiServer
from webhook.cluster import live
from webhook.cluster.live import LiveCluster
from webhook.kube import watch
from webhook.kube.api import ApiServer
from webhook.kube.client import Configuration

Until = Callable[[Callable[..., Any]], Awaitable[None]]


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def until() -> Until:
    """Wait until a condition holds."""
    return waiting.until


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off in milliseconds."""
    monkeypatch.setattr(watch, "BACKOFF", (0.001, 0.02))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads may take their time on a busy machine, but where a test is about the limit."""
    monkeypatch.setattr(live, "WAIT", 20.0)


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """An empty API server that listens."""
    server = FakeApiServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def api(server: FakeApiServer) -> AsyncIterator[ApiServer]:
    """A client of it."""
    api = ApiServer(Configuration(host=server.url))
    yield api
    await api.close()


@pytest.fixture
async def cluster(api: ApiServer, clock: Clock) -> AsyncIterator[LiveCluster]:
    """Not started: only direct reads."""
    cluster = LiveCluster(api, clock)
    yield cluster
    await cluster.stop()
