"""What is read of the data plane, and what becomes of failures."""

from __future__ import annotations

from typing import cast

import pytest

from tests.kube.store import Store
from tests.unit.diagnosis.dataplane.plane import deployment, namespace, plain, webhooks
from tests.unit.injector.builders import INJECT, mesh
from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.dataplane.gather import read_lists, survey_pods, within
from webhook.diagnosis.unseen import NotAsked, NotSeen, seen
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError

NAMESPACES = {"shop": namespace(), "other": namespace("other")}


@pytest.fixture
def cluster() -> Store:
    """A cluster with Pods without a proxy in two Namespaces."""
    store = Store()
    for name in NAMESPACES:
        store.set_namespace(name, **{INJECT: "enabled"})
        store.put(f"/apis/apps/v1/namespaces/{name}/deployments/cart", deployment(within=name))
        store.put(f"/api/v1/namespaces/{name}/pods/cart-1", plain(within=name))
    quota = {"metadata": {"namespace": "shop", "name": "q"}}
    store.put("/api/v1/namespaces/shop/resourcequotas/q", quota)
    return store


def asker(store: Store) -> Asker:
    """Who asks it."""
    return Asker(cast("ApiServer", store))


async def test_workloads_and_bounds_are_read(cluster: Store) -> None:
    facts = await read_lists(asker(cluster))
    assert [workload.object for workload in seen(facts.workloads)] == ["Deployment other/cart", "Deployment shop/cart"]
    assert list(seen(facts.quotas)) == ["shop"] and seen(facts.limit_ranges) == {}


@pytest.mark.parametrize(("only", "objects"), [("", 2), ("shop", 1), ("nowhere", 0)])
async def test_pods_are_folded_those_of_one_namespace_or_all(cluster: Store, only: str, objects: int) -> None:
    facts = await read_lists(asker(cluster), only)
    workloads = seen(await survey_pods(asker(cluster), facts, mesh(), NAMESPACES, webhooks(), only))
    assert (workloads.pods, len(workloads.unmeshed)) == (objects, objects)


async def test_the_missing_rights_are_named_together(cluster: Store) -> None:
    for kind in ("deployments", "daemonsets"):
        cluster.failures[f"/apis/apps/v1/{kind}"] = ApiError(403, 'User "jane" cannot list resource')
    facts = await read_lists(asker(cluster))
    assert isinstance(facts.workloads, NotSeen)
    assert {right.resource for right in facts.workloads.missing} == {"deployments.apps", "daemonsets.apps"}
    assert await survey_pods(asker(cluster), facts, mesh(), NAMESPACES, webhooks()) == facts.workloads


async def test_without_a_mesh_no_pod_is_read(cluster: Store) -> None:
    facts, why = await read_lists(asker(cluster)), NotAsked("there is no mesh")
    cluster.failures["/api/v1/pods"] = ApiError(500, "not to be asked")
    assert await survey_pods(asker(cluster), facts, why, NAMESPACES, webhooks()) == why


async def test_a_failure_amid_the_pods_is_the_fact(cluster: Store) -> None:
    facts = await read_lists(asker(cluster))
    cluster.failures["/api/v1/pods"] = ApiError(403, 'User "jane" cannot list resource "pods"')
    assert isinstance(await survey_pods(asker(cluster), facts, mesh(), NAMESPACES, webhooks()), NotSeen)


def test_the_path_of_a_list_in_one_namespace() -> None:
    assert within("/apis/apps/v1/deployments", "shop") == "/apis/apps/v1/namespaces/shop/deployments"
    assert within("/api/v1/pods", "") == "/api/v1/pods"
