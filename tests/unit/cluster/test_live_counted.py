"""What a live cluster counts, and what it remembers of what is not there."""

from __future__ import annotations

import asyncio

import pytest

from tests.kube.http import FakeApiServer
from webhook.cluster.interface import ClusterError
from webhook.cluster.live import LiveCluster
from webhook.kube.errors import ApiError
from webhook.kube.objects import ObjectReference

SET = ObjectReference("apps/v1", "ReplicaSet", "demo", "web-1", "u1")
PATH = "/apis/apps/v1/namespaces/demo/replicasets/web-1"


async def test_hits_and_misses_add_up(server: FakeApiServer, cluster: LiveCluster) -> None:
    server.set_namespace("demo")
    server.objects[PATH] = {"metadata": {"name": "web-1"}}
    for _ in range(2):
        assert cluster.known_namespace("demo") is None
        assert cluster.known_owners(SET) is None
    await cluster.find_namespace("demo")
    await cluster.find_owners(SET)
    for _ in range(3):
        assert cluster.known_namespace("demo") is not None
        assert cluster.known_owners(SET) == ()
    stats = cluster.stats
    assert (stats.namespace_misses, stats.namespace_hits) == (2, 3)
    assert (stats.owner_misses, stats.owner_hits) == (2, 3)
    assert dict(stats.reads) == {("namespace", "found"): 1, ("replicaset", "found"): 1}


async def test_reads_are_counted_by_their_outcome(server: FakeApiServer, cluster: LiveCluster) -> None:
    server.failures["/api/v1/namespaces/secret"] = ApiError(403, "no")
    server.failures["/api/v1/namespaces/broken"] = ApiError(500, "no")
    for name in ("secret", "absent", "broken", "broken"):
        with pytest.raises(ClusterError):
            await cluster.find_namespace(name)
    assert {outcome: number for (_, outcome), number in cluster.stats.reads.items()} == {
        "forbidden": 1,
        "not_found": 1,
        "unavailable": 2,
    }


@pytest.mark.parametrize(("status", "reads"), [(403, 1), (404, 1), (500, 2)])
async def test_what_is_forbidden_or_absent_is_not_asked_for_again_at_once(
    server: FakeApiServer, cluster: LiveCluster, status: int, reads: int
) -> None:
    server.failures["/api/v1/namespaces/demo"] = ApiError(status, "no")
    for _ in range(2):
        with pytest.raises(ClusterError):
            await cluster.find_namespace("demo")
    assert len(server.paths()) == reads


async def test_an_answer_without_metadata_is_no_namespace(server: FakeApiServer, cluster: LiveCluster) -> None:
    server.objects["/api/v1/namespaces/demo"] = {"kind": "Namespace"}
    with pytest.raises(ClusterError) as error:
        await cluster.find_namespace("demo")
    assert (error.value.reason, error.value.message) == (
        "unavailable",
        'Namespace "demo": the API server answered without metadata; try again',
    )


async def test_two_that_ask_for_different_things_at_once_get_each_their_own(
    server: FakeApiServer, cluster: LiveCluster
) -> None:
    for name in ("one", "two"):
        server.set_namespace(name, a=name)
        server.objects[f"/apis/apps/v1/namespaces/{name}/replicasets/web"] = {
            "metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name}]}
        }
    result = await asyncio.gather(*(cluster.find_namespace(name) for name in ("one", "two")))
    assert [finding.name for finding in result] == ["one", "two"]
    sets = [ObjectReference("apps/v1", "ReplicaSet", name, "web", "u") for name in ("one", "two")]
    owners = await asyncio.gather(*(cluster.find_owners(element) for element in sets))
    assert [owner[0].name for owner in owners] == ["one", "two"]
