"""The cluster of manifests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kube.http import FakeApiServer
from webhook.cluster.interface import ClusterError
from webhook.cluster.live import LiveCluster
from webhook.cluster.offline import OfflineCluster
from webhook.kube.objects import Namespace, ObjectReference


def namespace(name: str, **annotations: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "annotations": annotations, "labels": {"l": "1"}},
    }


def replicaset(name: str = "web-1", within: str | None = "demo", owner: str = "web") -> dict[str, Any]:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": owner, "uid": "d1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": within, "ownerReferences": [reference]},
    }


REPLICASET = ObjectReference("apps/v1", "ReplicaSet", "demo", "web-1")
DEPLOYMENT = ObjectReference("apps/v1", "Deployment", "demo", "web", "d1")


class TestNamespace:
    def test_is_known_at_once(self) -> None:
        assert OfflineCluster([namespace("demo", a="b")]).known_namespace("demo") == Namespace(
            "demo", {"a": "b"}, {"l": "1"}
        )

    def test_that_is_given_twice_is_the_last(self) -> None:
        cluster = OfflineCluster([namespace("demo", a="1"), namespace("demo", a="2")])
        known = cluster.known_namespace("demo")
        assert known is not None
        assert known.annotations == {"a": "2"}

    @pytest.mark.parametrize("kind", ["List", "NamespaceList"])
    def test_is_found_in_a_list_and_in_a_list_of_lists(self, kind: str) -> None:
        inner = {"kind": kind, "items": [namespace("demo"), None]}
        cluster = OfflineCluster([{"kind": "List", "items": [inner]}])
        assert cluster.known_namespace("demo") is not None

    def test_in_a_typed_list_needs_no_kind_of_its_own(self) -> None:
        cluster = OfflineCluster([{"kind": "NamespaceList", "items": [{"metadata": {"name": "demo"}}]}])
        assert cluster.known_namespace("demo") == Namespace("demo", {}, {})

    async def test_that_is_not_given_is_not_found_and_says_where_to_add_it(self) -> None:
        with pytest.raises(ClusterError) as error:
            await OfflineCluster([]).find_namespace("demo")
        assert error.value.reason == "not_found"
        assert error.value.message.startswith("namespace demo is not among the given manifests: ")

    @pytest.mark.parametrize(
        "body",
        [{}, {"kind": "Namespace"}, {"kind": "Namespace", "metadata": {"name": 7}}, {"kind": ["List"]}, [], None],
    )
    def test_that_is_malformed_is_passed_over(self, body: Any) -> None:
        assert OfflineCluster([body, namespace("demo")]).known_namespace("demo") is not None


class TestOwners:
    async def test_are_found_by_namespace_kind_and_name_whatever_the_group(self) -> None:
        cluster = OfflineCluster([replicaset()])
        assert cluster.known_owners(REPLICASET) == (DEPLOYMENT,)
        assert await cluster.find_owners(ObjectReference("other/v9", "ReplicaSet", "demo", "web-1", "x")) == (
            DEPLOYMENT,
        )
        assert cluster.known_owners(ObjectReference("apps/v1", "Job", "demo", "web-1")) is None
        assert cluster.known_owners(ObjectReference("apps/v1", "ReplicaSet", "other", "web-1")) is None

    def test_of_an_object_without_namespace_are_in_default(self) -> None:
        cluster = OfflineCluster([replicaset(within=None)])
        assert cluster.known_owners(ObjectReference("apps/v1", "ReplicaSet", "default", "web-1")) is not None

    async def test_that_are_not_given_are_not_found(self) -> None:
        with pytest.raises(ClusterError, match="ReplicaSet demo/web-1 is not among the given manifests") as error:
            await OfflineCluster([]).find_owners(REPLICASET)
        assert error.value.reason == "not_found"

    async def test_of_other_kinds_are_none(self) -> None:
        rollout = ObjectReference("argoproj.io/v1alpha1", "Rollout", "demo", "web")
        assert OfflineCluster([]).known_owners(rollout) == ()
        assert await OfflineCluster([]).find_owners(rollout) == ()

    def test_of_a_workload_are_those_in_its_group(self) -> None:
        made = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "demo"}}
        assert OfflineCluster([made | {"apiVersion": "apps/v1"}]).known_owners(DEPLOYMENT) == ()
        assert OfflineCluster([made | {"apiVersion": "example.org/v1"}]).known_owners(DEPLOYMENT) is None


class TestLikeLive:
    """The same facts, the same answers."""

    async def test_about_namespaces(self, server: FakeApiServer, cluster: LiveCluster) -> None:
        body = namespace(
            "demo", **{"linkerd.io/inject": "enabled", "kubectl.kubernetes.io/last-applied-configuration": ""}
        )
        server.objects["/api/v1/namespaces/demo"] = body
        offline = OfflineCluster([body])
        direct = await cluster.find_namespace("demo")
        await cluster.start()
        await cluster.wait_synced()
        assert offline.known_namespace("demo") == direct == cluster.known_namespace("demo")
        assert direct.annotations == {"linkerd.io/inject": "enabled"}

    async def test_about_owners(self, server: FakeApiServer, cluster: LiveCluster) -> None:
        body = replicaset()
        server.objects["/apis/apps/v1/namespaces/demo/replicasets/web-1"] = body
        assert await cluster.find_owners(REPLICASET) == await OfflineCluster([body]).find_owners(REPLICASET)

    @pytest.mark.parametrize("name", ["", "A", "..", "missing"])
    async def test_about_what_is_not_there(self, cluster: LiveCluster, name: str) -> None:
        for either in (cluster, OfflineCluster([])):
            with pytest.raises(ClusterError) as error:
                await either.find_namespace(name)
            assert error.value.reason == "not_found"
            with pytest.raises(ClusterError) as error:
                await either.find_owners(ObjectReference("batch/v1", "Job", "demo", name))
            assert error.value.reason == "not_found"
