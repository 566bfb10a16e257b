"""What is read of an installation, and what becomes of failures."""

from __future__ import annotations

from typing import cast

import pytest

from tests.kube.store import Store
from tests.unit.diagnosis.check.installed_cluster import InstalledCluster
from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.gather_installation import InstalledObjects, gather_installation
from webhook.diagnosis.check.installation import Installation, InstallMode
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.unseen import NotAsked, NotSeen, seen
from webhook.install.configurations import NAME
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.webhookconfigurations import ROOT

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATHS = {
    "ServiceAccount": "/api/v1/namespaces/linkerd/serviceaccounts",
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "Role": f"{RBAC}/namespaces/linkerd/roles",
    "RoleBinding": f"{RBAC}/namespaces/linkerd/rolebindings",
    "Service": "/api/v1/namespaces/linkerd/services",
    "Deployment": "/apis/apps/v1/namespaces/linkerd/deployments",
    "MutatingWebhookConfiguration": f"{ROOT}/mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": f"{ROOT}/validatingwebhookconfigurations",
    "ValidatingAdmissionPolicy": f"{ROOT}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{ROOT}/validatingadmissionpolicybindings",
}


@pytest.fixture
def store() -> Store:
    """An API server with an adopting installation."""
    store = Store()
    for (kind, name), body in InstalledCluster(adopt=True, guard="deny").objects.items():
        if kind in PATHS:
            store.put(f"{PATHS[kind]}/{name}", body)
    return store


async def gathered(store: Store, scope: Scope = Scope.INSTALLED) -> InstalledObjects:
    return await gather_installation(Asker(cast("ApiServer", store)), "linkerd", scope)


async def test_all_that_belongs_to_it_is_read(store: Store) -> None:
    result = await gathered(store)
    installation = seen(result.installation)
    assert installation is not None
    assert installation.mode is InstallMode.ADOPTED
    assert installation.values["guard"] == "deny"
    assert all(seen(body) is not None for body in result.rights.values())
    assert len(seen(result.guards)) == 3
    configurations = seen(result.configurations)
    assert configurations["MutatingWebhookConfiguration", "linkerd-proxy-injector-webhook-config"]["kind"]


async def test_where_nothing_is_there_nothing_is_installed() -> None:
    result = await gathered(Store())
    assert result.installation is None
    assert set(result.rights.values()) == {None}
    assert (result.guards, result.configurations) == ({}, {})


async def test_missing_rights_are_facts_that_take_nothing_else_along(store: Store) -> None:
    refused = ApiError(403, 'User "jane" cannot get resource')
    store.failures[f"{PATHS['Role']}/{NAME}"] = refused
    store.failures[PATHS["MutatingWebhookConfiguration"]] = refused
    store.failures[f"{PATHS['ValidatingAdmissionPolicy']}/linkerd-webhook-guard"] = refused
    result = await gathered(store)
    role = result.rights["Role"]
    assert isinstance(role, NotSeen)
    assert "get on roles.rbac.authorization.k8s.io/linkerd-webhook in namespace linkerd" in role.texts()[0]
    assert isinstance(result.configurations, NotSeen)
    assert "list on mutatingwebhookconfigurations" in result.configurations.texts()[0]
    assert isinstance(result.guards, NotSeen)
    assert isinstance(result.installation, Installation)


async def test_for_pods_alone_rights_and_guard_are_not_asked_for(store: Store) -> None:
    result = await gathered(store, Scope.PROXY)
    assert isinstance(result.rights["Role"], NotAsked)
    assert isinstance(result.guards, NotAsked)
    assert isinstance(result.installation, Installation)
