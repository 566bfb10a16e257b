"""The list of 20,000 Pods, as `bench/status_page.py` measures it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from bench.status_page import NAMESPACES, PODS, api_server, page
from webhook.kube.api import ApiServer
from webhook.kube.client import Configuration
from webhook.statuspage.mesh_counts import Configured
from webhook.statuspage.mesh_reader import MeshReader
from webhook.statuspage.podlist import LONGEST
from webhook.statuspage.turns import Turns


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where the API server of the benchmark listens."""
    with api_server() as (port, _):
        yield f"http://127.0.0.1:{port}"


async def there() -> None:
    """A client that waits."""
    await asyncio.Event().wait()


async def test_all_pods_are_counted_in_time(url: str) -> None:
    api = ApiServer(Configuration(host=url))
    reader = MeshReader(
        api, dict, lambda: Configured("edge-26.8.3", "1" * 64), lambda _: pytest.fail("not opened"), turns=Turns()
    )
    began = time.monotonic()
    counts = await reader.counts(LONGEST, there)
    assert time.monotonic() - began < LONGEST
    assert (counts.complete, counts.problem) == (True, "")
    meshed = sum(number % 3 > 0 for number in range(PODS))
    assert len(counts.namespaces) == NAMESPACES
    assert sum(count.pods for count in counts.namespaces.values()) == PODS
    assert sum(count.meshed for count in counts.namespaces.values()) == meshed
    assert sum(count.other_version for count in counts.namespaces.values()) == 0
    assert sum(count.other_anchors for count in counts.namespaces.values()) == meshed
    await reader.close()
    await api.close()


async def test_a_page_of_the_list_comes_in_small_pieces(url: str) -> None:
    api = ApiServer(Configuration(host=url))
    pieces = [len(piece) async for piece in api.pieces("/api/v1/pods", {})]
    assert sum(pieces) == len(page(0))
    assert max(pieces) <= 32 * 1024
    await api.close()
