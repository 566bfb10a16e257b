"""What is read of the control plane, and what becomes of failures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from tests.kube.store import Store
from tests.unit.diagnosis.check.test_control_plane import ROOTS, config
from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.gather_control_plane import with_control_plane, with_mesh
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.unseen import NotRead, NotSeen, seen
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError

CONFIG_MAPS = "/api/v1/namespaces/linkerd/configmaps"


@pytest.fixture
def cluster() -> Store:
    """A cluster with a control plane and a Namespace of somebody's."""
    store = Store()
    store.put(f"{CONFIG_MAPS}/linkerd-config", config())
    store.put(f"{CONFIG_MAPS}/linkerd-identity-trust-roots", ROOTS)
    store.set_namespace("shop", **{"linkerd.io/inject": "enabled"})
    return store


async def gathered(store: Store) -> ClusterFacts:
    """The facts about it."""
    facts = ClusterFacts(at=datetime(2026, 1, 1, tzinfo=UTC), scope=Scope.INSTALLED, namespace="linkerd")
    return with_mesh(await with_control_plane(facts, Asker(cast("ApiServer", store))))


async def test_the_mesh_and_all_namespaces_are_known(cluster: Store) -> None:
    facts = await gathered(cluster)
    assert (seen(facts.mesh).line.name, facts.release_line) == ("edge-26.8", "edge-26.8")
    assert seen(facts.namespaces)["shop"].annotations == {"linkerd.io/inject": "enabled"}


async def test_what_does_not_exist_is_none(cluster: Store) -> None:
    cluster.remove(f"{CONFIG_MAPS}/linkerd-config")
    facts = await gathered(cluster)
    assert (facts.linkerd_config, facts.release_line) == (None, "")
    assert seen(facts.trust_roots)


async def test_a_failure_takes_nothing_else_along(cluster: Store) -> None:
    cluster.failures[f"{CONFIG_MAPS}/linkerd-config"] = ApiError(403, 'User "jane" cannot get resource')
    cluster.failures["/api/v1/namespaces"] = ApiError(500, "etcd is away")
    facts = await gathered(cluster)
    assert isinstance(facts.linkerd_config, NotSeen)
    (text,) = facts.linkerd_config.texts()
    assert text.endswith('grant get on configmaps/linkerd-config in namespace linkerd to user "jane"')
    assert isinstance(facts.namespaces, NotRead)
    assert seen(facts.trust_roots)
