"""The data plane is read where it matters, and else there is a reason why it was not."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from tests.kube.store import Store
from tests.unit.diagnosis.check.installed_cluster import AT
from tests.unit.diagnosis.dataplane.plane import CONFIGURATION, deployment, namespace, plain
from tests.unit.injector.builders import mesh
from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.gather_data_plane import read_plane, with_pods
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.dataplane.facts import PlaneFacts
from webhook.diagnosis.unseen import NotAsked, NotRead, seen
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.webhookconfigurations import MUTATING

ANNOTATED = {
    "managedFields": [
        {
            "time": "2026-06-01T00:00:00Z",
            "fieldsV1": {"f:metadata": {"f:annotations": {"f:linkerd.io/inject": {}}}},
        }
    ]
}


@pytest.fixture
def cluster() -> Store:
    """A Namespace that was annotated after its Pod was made."""
    store = Store()
    body = {"metadata": {"name": "shop", "annotations": {"linkerd.io/inject": "enabled"}, **ANNOTATED}}
    store.put("/api/v1/namespaces/shop", body)
    store.put("/apis/apps/v1/namespaces/shop/deployments/cart", deployment())
    store.put("/api/v1/namespaces/shop/pods/cart-1", plain())
    return store


async def gathered(store: Store, scope: Scope = Scope.PROXY, **more: object) -> PlaneFacts:
    """The facts about the data plane."""
    asker = Asker(cast("ApiServer", store))
    facts = ClusterFacts(
        at=AT,
        scope=scope,
        namespace="linkerd",
        mesh=mesh(),
        namespaces={"shop": namespace()},
        configurations={(MUTATING, "linkerd-proxy-injector-webhook-config"): CONFIGURATION},
        plane=await read_plane(asker, scope, ""),
    )
    return await with_pods(asker, replace(facts, **more))  # type: ignore[arg-type]


async def test_pods_are_judged_and_their_age_is_told(cluster: Store) -> None:
    (plight,) = seen((await gathered(cluster)).pods).unmeshed
    assert (plight.owner.object, plight.reason) == ("Deployment shop/cart", "created_before_annotation")


async def test_without_the_right_to_see_when_it_was_annotated_the_age_is_not_told(cluster: Store) -> None:
    cluster.failures["/api/v1/namespaces/shop"] = ApiError(403, "no")
    (plight,) = seen((await gathered(cluster)).pods).unmeshed
    assert plight.reason == "webhook_unreachable"


async def test_before_the_installation_nothing_is_read(cluster: Store) -> None:
    facts = await gathered(cluster, Scope.PRE)
    assert isinstance(facts.pods, NotAsked) and isinstance(facts.workloads, NotAsked)


async def test_where_nothing_is_installed_pods_are_not_looked_at(cluster: Store) -> None:
    facts = await gathered(cluster, installation=None)
    assert isinstance(facts.pods, NotAsked) and "not installed" in facts.pods.reason


async def test_what_the_pods_need_and_is_not_known_is_the_reason(cluster: Store) -> None:
    unread = NotRead("GET: etcd is away")
    assert (await gathered(cluster, configurations=unread)).pods == unread
    assert (await gathered(cluster, namespaces=unread)).pods == unread
