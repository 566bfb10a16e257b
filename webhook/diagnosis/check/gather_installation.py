"""Gathers what the cluster has of an installation: its webhook configurations, workloads, rights and guard."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, NamedTuple

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.installation import BINDING, GUARDS, POLICY, Configurations, Installation, Traces, read
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.unseen import Fact, NotAsked, NotRead, NotSeen, missing_rights
from webhook.install.configurations import NAME
from webhook.kube.fields import text
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import RESOURCES, ROOT, ConfigurationName

# The objects of the server's rights, by kind: the path of the kind, its name for RBAC, and whether it is namespaced.
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
RIGHTS: Final = {
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "ClusterRole": (_RBAC, "clusterroles", False),
    "ClusterRoleBinding": (_RBAC, "clusterrolebindings", False),
    "Role": (_RBAC, "roles", True),
    "RoleBinding": (_RBAC, "rolebindings", True),
}
_POLICIES: Final = {POLICY: "validatingadmissionpolicies", BINDING: "validatingadmissionpolicybindings"}

_SCOPE: Final = NotAsked("only the Pods are looked at")

Guards = Mapping[tuple[str, str], JSON]


class InstalledObjects(NamedTuple):
    """The facts about the installation: those of the same names of `ClusterFacts`."""

    configurations: Fact[Configurations]
    installation: Fact[Installation | None]
    rights: Mapping[str, Fact[JSON | None]]
    guards: Fact[Guards]

    @classmethod
    def unread(cls, fact: NotRead) -> InstalledObjects:
        """Nothing of it is known, as reading it failed."""
        return cls(fact, fact, dict.fromkeys(RIGHTS, fact), fact)


async def gather_installation(asker: Asker, namespace: str, scope: Scope) -> InstalledObjects:
    """All of it, of an installation in this Namespace. Nothing is raised."""
    whole = scope is Scope.INSTALLED
    configurations, deployments, service, rights, guards = await asyncio.gather(
        _configurations(asker),
        asker.list(f"/apis/apps/v1/namespaces/{namespace}/deployments", "deployments.apps", namespace),
        asker.get(f"/api/v1/namespaces/{namespace}/services/{NAME}", f"services/{NAME}", namespace),
        _rights(asker, namespace) if whole else _no_rights(),
        _guards(asker) if whole else _no_guards(),
    )
    installation = read(
        Traces(
            namespace=namespace,
            configurations=configurations,
            deployments=deployments,
            service=service,
            cluster_role=rights["ClusterRole"],
            guards=guards,
        )
    )
    return InstalledObjects(configurations, installation, rights, guards)


async def _configurations(asker: Asker) -> Fact[Configurations]:
    """The webhook configurations of every kind, whoever installed them."""
    result: dict[ConfigurationName, JSON] = {}
    paths = {kind: (f"{ROOT}/{plural}", f"{plural}.admissionregistration.k8s.io") for kind, plural in RESOURCES.items()}
    listed = await asyncio.gather(*(asker.list(path, resource) for path, resource in paths.values()))
    missing = missing_rights(*listed)
    for kind, bodies in zip(paths, listed, strict=True):
        if isinstance(bodies, NotSeen):
            return NotSeen(missing)
        if isinstance(bodies, NotRead | NotAsked):
            return bodies
        # An item of a list does not name its kind.
        result |= {(kind, text(body, "metadata", "name")): {**body, "kind": kind} for body in bodies}
    return result


async def _rights(asker: Asker, namespace: str) -> Mapping[str, Fact[JSON | None]]:
    async def one(root: str, plural: str, namespaced: bool) -> Fact[JSON | None]:
        within = f"/namespaces/{namespace}" if namespaced else ""
        group = root.split("/")[2] if root.startswith("/apis/") else ""
        resource = f"{plural}{f'.{group}' if group else ''}/{NAME}"
        return await asker.get(f"{root}{within}/{plural}/{NAME}", resource, namespace if namespaced else "")

    return dict(zip(RIGHTS, await asyncio.gather(*(one(*place) for place in RIGHTS.values())), strict=True))


async def _no_rights() -> Mapping[str, Fact[JSON | None]]:
    return dict.fromkeys(RIGHTS, _SCOPE)


async def _guards(asker: Asker) -> Fact[Guards]:
    """The objects of the guard that exist, by kind and name."""
    result: dict[tuple[str, str], JSON] = {}
    resources = [
        (f"{ROOT}/{_POLICIES[kind]}/{name}", f"{_POLICIES[kind]}.admissionregistration.k8s.io/{name}")
        for kind, name in GUARDS
    ]
    bodies = await asyncio.gather(*(asker.get(path, resource) for path, resource in resources))
    missing = missing_rights(*bodies)
    for name, body in zip(GUARDS, bodies, strict=True):
        if isinstance(body, NotSeen):
            return NotSeen(missing)
        if isinstance(body, NotRead | NotAsked):
            return body
        if body is not None:
            result[name] = body
    return result


async def _no_guards() -> Fact[Guards]:
    return _SCOPE
