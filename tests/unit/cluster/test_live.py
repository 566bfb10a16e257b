"""Direct reads of Namespaces and owners, and what keeps them few."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.kube.fixtures import Clock, Until
from tests.kube.http import FakeApiServer
from webhook.cluster import live
from webhook.cluster.interface import ClusterError
from webhook.cluster.live import LiveCluster
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.objects import Namespace, ObjectReference

REPLICASET = ObjectReference("apps/v1", "ReplicaSet", "demo", "web-1", "u1")
PATH = "/apis/apps/v1/namespaces/demo/replicasets/web-1"
DEPLOYMENT = ObjectReference("apps/v1", "Deployment", "demo", "web", "d1")


# How long a read may take, and seconds after which the test of it knows that it has no such limit.
LIMIT = live.WAIT
LONG = 10.0


def owned(*owners: ObjectReference) -> dict[str, Any]:
    result = [{"apiVersion": o.api_version, "kind": o.kind, "name": o.name, "uid": o.uid} for o in owners]
    return {"metadata": {"name": "web-1", "namespace": "demo", "ownerReferences": result}}


class TestNamespace:
    async def test_that_was_never_seen_is_read_once_and_then_known(
        self, server: FakeApiServer, cluster: LiveCluster
    ) -> None:
        server.objects["/api/v1/namespaces/demo"] = {"metadata": {"name": "demo", "annotations": {"a": "b"}}}
        assert cluster.known_namespace("demo") is None
        assert await cluster.find_namespace("demo") == Namespace("demo", {"a": "b"}, {})
        assert cluster.known_namespace("demo") == Namespace("demo", {"a": "b"}, {})
        await cluster.find_namespace("demo")
        assert server.direct_reads() == ["/api/v1/namespaces/demo"]
        assert "as=PartialObjectMetadata;" in server.requests[0].headers["Accept"]
        assert (cluster.stats.namespace_hits, cluster.stats.namespace_misses) == (1, 1)

    async def test_that_was_read_directly_is_read_again_when_the_watch_does_not_bring_it(
        self, server: FakeApiServer, cluster: LiveCluster, clock: Clock
    ) -> None:
        server.set_namespace("demo", a="old")
        await cluster.find_namespace("demo")
        server.set_namespace("demo", a="new")
        clock.now += live.FOUND_AGE
        assert cluster.known_namespace("demo") is None
        assert (await cluster.find_namespace("demo")).annotations == {"a": "new"}

    async def test_that_the_watch_knows_costs_no_request(
        self, server: FakeApiServer, cluster: LiveCluster, until: Until
    ) -> None:
        server.set_namespace("demo")
        await cluster.start()
        await cluster.wait_synced()
        assert cluster.synced
        assert cluster.namespaces == 1
        assert (await cluster.find_namespace("demo")).name == "demo"
        assert server.direct_reads() == []

    async def test_of_the_watch_counts_more_than_the_one_that_was_read_directly(
        self, server: FakeApiServer, cluster: LiveCluster, until: Until
    ) -> None:
        server.set_namespace("demo", a="old")
        await cluster.find_namespace("demo")
        server.set_namespace("demo", a="new")
        await cluster.start()
        await cluster.wait_synced()
        known = cluster.known_namespace("demo")
        assert known is not None
        assert known.annotations == {"a": "new"}

    @pytest.mark.parametrize(
        "name", ["", "..", ".", "a/b", "a%2fb", "-a", "a-", "A", "a.b", "ä", "a" * 64, "a\n", "a?x=1", "default\x00"]
    )
    async def test_of_a_name_that_cannot_be_is_not_found_without_a_request(
        self, server: FakeApiServer, cluster: LiveCluster, name: str
    ) -> None:
        with pytest.raises(ClusterError) as error:
            await cluster.find_namespace(name)
        assert error.value.reason == "not_found"
        assert server.requests == []


class TestProblem:
    async def failing(self, cluster: LiveCluster) -> ClusterError:
        with pytest.raises(ClusterError) as error:
            await cluster.find_namespace("demo")
        return error.value

    async def test_not_found_says_to_create_it(self, cluster: LiveCluster) -> None:
        error = await self.failing(cluster)
        assert error.reason == "not_found"
        assert error.message == 'Namespace "demo" does not exist: create it, or try again if it is new'

    async def test_forbidden_says_what_to_grant_and_to_whom(self, server: FakeApiServer, cluster: LiveCluster) -> None:
        message = 'namespaces "demo" is forbidden: User "system:serviceaccount:linkerd:injector" cannot get'
        server.failures["/api/v1/namespaces/demo"] = ApiError(403, message)
        error = await self.failing(cluster)
        assert error.reason == "forbidden"
        assert '"demo"' in error.message
        assert "grant get on namespaces to ServiceAccount linkerd/injector" in error.message

    async def test_forbidden_by_nobody_in_particular_still_says_what_to_grant(
        self, server: FakeApiServer, cluster: LiveCluster
    ) -> None:
        server.failures["/api/v1/namespaces/demo"] = ApiError(403, "no")
        assert "grant get on namespaces to the ServiceAccount of this webhook" in (await self.failing(cluster)).message

    async def test_timed_out_comes_after_half_a_second(
        self, server: FakeApiServer, cluster: LiveCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "WAIT", LIMIT)
        server.hangs.add("/api/v1/namespaces/demo")
        start = time.perf_counter()
        error = await self.failing(cluster)
        assert error.reason == "timed_out"
        assert 0.45 < time.perf_counter() - start < LONG
        assert '"demo"' in error.message
        assert "500 ms" in error.message

    async def test_unavailable_says_which_api_server(self, server: FakeApiServer, cluster: LiveCluster) -> None:
        await server.stop()
        error = await self.failing(cluster)
        assert error.reason == "unavailable"
        assert '"demo"' in error.message
        assert server.url in error.message

    @pytest.mark.parametrize("status", [401, 429, 500, 503])
    async def test_of_any_other_status_is_unavailable(
        self, server: FakeApiServer, cluster: LiveCluster, status: int
    ) -> None:
        server.failures["/api/v1/namespaces/demo"] = ApiError(status, "the words of the API server")
        error = await self.failing(cluster)
        assert error.reason == "unavailable"
        assert "the words of the API server" in error.message

    async def test_of_an_answer_that_is_no_json_is_unavailable(
        self, server: FakeApiServer, cluster: LiveCluster
    ) -> None:
        server.objects["/api/v1/namespaces/demo"] = ["no object"]
        assert (await self.failing(cluster)).reason == "unavailable"

    async def test_is_counted_by_kind_and_outcome(self, server: FakeApiServer, cluster: LiveCluster) -> None:
        await self.failing(cluster)
        server.set_namespace("other")
        await cluster.find_namespace("other")
        assert cluster.stats.reads == {("namespace", "not_found"): 1, ("namespace", "found"): 1}


class TestFlood:
    async def test_for_one_namespace_is_one_request(self, server: FakeApiServer, cluster: LiveCluster) -> None:
        server.set_namespace("demo")
        result = await asyncio.gather(*(cluster.find_namespace("demo") for _ in range(100)))
        assert {namespace.name for namespace in result} == {"demo"}
        assert len(server.requests) == 1

    async def test_for_what_is_not_there_is_one_request_a_second(
        self, server: FakeApiServer, cluster: LiveCluster, clock: Clock
    ) -> None:
        for _ in range(5):
            with pytest.raises(ClusterError, match="does not exist"):
                await cluster.find_namespace("demo")
        assert len(server.requests) == 1
        server.set_namespace("demo")
        clock.now += 1
        assert (await cluster.find_namespace("demo")).name == "demo"

    @pytest.mark.parametrize("status", [0, 503])
    async def test_does_not_make_a_passing_failure_last(
        self, server: FakeApiServer, cluster: LiveCluster, status: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = "/api/v1/namespaces/demo"
        server.set_namespace("demo")
        if status:
            server.failures[path] = ApiError(status, "later")
        else:
            server.hangs.add(path)
            monkeypatch.setattr(live, "WAIT", 0.05)
        with pytest.raises(ClusterError):
            await cluster.find_namespace("demo")
        monkeypatch.setattr(live, "WAIT", LONG)
        server.failures.clear()
        server.hangs.clear()
        assert (await cluster.find_namespace("demo")).name == "demo"

    async def test_survives_the_caller_that_began_it(
        self, server: FakeApiServer, cluster: LiveCluster, until: Until, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "WAIT", 2.0)
        server.set_namespace("demo")
        server.hangs.add("/api/v1/namespaces/demo")
        first = asyncio.create_task(cluster.find_namespace("demo"))
        second = asyncio.create_task(cluster.find_namespace("demo"))
        await until(lambda: server.requests)
        first.cancel()
        with pytest.raises(ClusterError) as error:
            await second
        assert error.value.reason == "timed_out"
        assert first.cancelled()
        assert len(server.requests) == 1

    async def test_of_many_names_takes_a_bounded_number_of_connections(
        self, server: FakeApiServer, cluster: LiveCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "WAIT", 2.0)
        names = [f"n{number}" for number in range(live.SLOTS * 2)]
        server.hangs.update(f"/api/v1/namespaces/{name}" for name in names)
        result = await asyncio.gather(*map(cluster.find_namespace, names), return_exceptions=True)
        assert {getattr(error, "reason", error) for error in result} == {"timed_out"}
        assert len(server.requests) < len(names), "waiting for a slot counts: nobody gets the whole time once more"
        assert 0 < server.most_running <= live.SLOTS


class TestOwners:
    async def test_are_read_once_and_then_known(self, server: FakeApiServer, cluster: LiveCluster) -> None:
        server.objects[PATH] = owned(DEPLOYMENT)
        assert cluster.known_owners(REPLICASET) is None
        assert await cluster.find_owners(REPLICASET) == (DEPLOYMENT,)
        assert cluster.known_owners(REPLICASET) == (DEPLOYMENT,)
        await cluster.find_owners(REPLICASET)
        assert server.paths() == [PATH]
        assert "as=PartialObjectMetadata;" in server.requests[0].headers["Accept"]
        assert (cluster.stats.owner_hits, cluster.stats.owner_misses, cluster.owners) == (1, 1, 1)

    async def test_of_a_job_are_read_in_batch(self, server: FakeApiServer, cluster: LiveCluster) -> None:
        server.objects["/apis/batch/v1/namespaces/demo/jobs/tick-1"] = owned()
        assert await cluster.find_owners(ObjectReference("batch/v1", "Job", "demo", "tick-1")) == ()

    @pytest.mark.parametrize(
        ("version", "kind", "path"),
        [
            ("apps/v1", "Deployment", "/apis/apps/v1/namespaces/demo/deployments/web"),
            ("apps/v1", "StatefulSet", "/apis/apps/v1/namespaces/demo/statefulsets/web"),
            ("apps/v1", "DaemonSet", "/apis/apps/v1/namespaces/demo/daemonsets/web"),
            ("batch/v1", "CronJob", "/apis/batch/v1/namespaces/demo/cronjobs/web"),
            ("v1", "ReplicationController", "/api/v1/namespaces/demo/replicationcontrollers/web"),
        ],
    )
    async def test_of_a_workload_are_read_in_its_group(
        self, server: FakeApiServer, cluster: LiveCluster, version: str, kind: str, path: str
    ) -> None:
        server.objects[path] = owned(DEPLOYMENT)
        assert await cluster.find_owners(ObjectReference(version, kind, "demo", "web")) == (DEPLOYMENT,)
        server.failures[path.replace("web", "db")] = ApiError(403, 'User "x" cannot get resource')
        with pytest.raises(ClusterError, match="grant get on " + path.split("/")[-2]):
            await cluster.find_owners(ObjectReference(version, kind, "demo", "db"))

    @pytest.mark.parametrize(
        ("version", "kind"),
        [("v1", "Node"), ("argoproj.io/v1alpha1", "Rollout"), ("apps/v1", ""), ("example.org/v1", "Deployment")],
    )
    async def test_of_other_kinds_are_none_without_a_request(
        self, server: FakeApiServer, cluster: LiveCluster, version: str, kind: str
    ) -> None:
        reference = ObjectReference(version, kind, "demo", "web")
        assert cluster.known_owners(reference) == ()
        assert await cluster.find_owners(reference) == ()
        assert server.requests == []

    @pytest.mark.parametrize(
        ("namespace", "name"),
        [
            ("demo", "../../x"),
            ("demo", ".."),
            ("demo", ""),
            ("demo", "A"),
            ("demo", "a" * 254),
            ("a/b", "x"),
            ("", "x"),
        ],
    )
    async def test_of_a_name_that_cannot_be_are_not_found_without_a_request(
        self, server: FakeApiServer, cluster: LiveCluster, namespace: str, name: str
    ) -> None:
        with pytest.raises(ClusterError) as error:
            await cluster.find_owners(ObjectReference("apps/v1", "ReplicaSet", namespace, name))
        assert error.value.reason == "not_found"
        assert server.requests == []

    async def test_of_an_object_that_was_created_anew_are_read_anew(
        self, server: FakeApiServer, cluster: LiveCluster
    ) -> None:
        server.objects[PATH] = owned(DEPLOYMENT)
        await cluster.find_owners(REPLICASET)
        assert cluster.known_owners(ObjectReference("apps/v1", "ReplicaSet", "demo", "web-1", "u2")) is None

    async def test_that_are_not_there_are_asked_for_once_a_second(
        self, server: FakeApiServer, cluster: LiveCluster, clock: Clock
    ) -> None:
        for _ in range(3):
            with pytest.raises(ClusterError, match='ReplicaSet "demo/web-1" does not exist'):
                await cluster.find_owners(REPLICASET)
        assert len(server.requests) == 1
        clock.now += 1
        server.objects[PATH] = owned(DEPLOYMENT)
        assert await cluster.find_owners(REPLICASET) == (DEPLOYMENT,)

    async def test_are_forgotten_after_ten_minutes(
        self, server: FakeApiServer, cluster: LiveCluster, clock: Clock
    ) -> None:
        server.objects[PATH] = owned(DEPLOYMENT)
        await cluster.find_owners(REPLICASET)
        clock.now += 599
        assert cluster.known_owners(REPLICASET) == (DEPLOYMENT,)
        clock.now += 1
        assert cluster.known_owners(REPLICASET) is None

    async def test_are_never_more_than_the_bound(
        self, server: FakeApiServer, api: ApiServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "OWNERS", 3)
        cluster = LiveCluster(api)
        for number in range(5):
            name = f"web-{number}"
            server.objects[f"/apis/apps/v1/namespaces/demo/replicasets/{name}"] = owned(DEPLOYMENT)
            await cluster.find_owners(ObjectReference("apps/v1", "ReplicaSet", "demo", name))
        assert cluster.owners == 3
        assert cluster.known_owners(ObjectReference("apps/v1", "ReplicaSet", "demo", "web-0")) is None

    async def test_that_are_forbidden_name_the_resource_to_grant(
        self, server: FakeApiServer, cluster: LiveCluster
    ) -> None:
        server.failures[PATH] = ApiError(403, 'User "kubernetes-admin" cannot get resource')
        with pytest.raises(ClusterError, match=r'grant get on replicasets\.apps to user "kubernetes-admin"'):
            await cluster.find_owners(REPLICASET)


async def test_stop_ends_the_watch_and_every_read(server: FakeApiServer, api: ApiServer, until: Until) -> None:
    cluster = LiveCluster(api)
    server.hangs.add("/api/v1/namespaces/demo")
    await cluster.start()
    await until(lambda: server.watches)
    reading = asyncio.create_task(cluster.find_namespace("demo"))
    await until(lambda: server.direct_reads())
    await cluster.stop()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await until(lambda: not server.watches)
