"""Reads what the control plane is configured with, Linkerd's CustomResourceDefinitions, and the Namespaces."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from webhook.diagnosis.check import crds
from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.control_plane import mesh_of, release_line_of
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installation import Installation
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.unseen import Fact, NotAsked, NotRead, NotSeen, Unseen, missing_rights
from webhook.kube.api import LIST
from webhook.kube.fields import mappings, text
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace, namespace_of
from webhook.mesh.configmaps import CONFIG, ROOTS, path


async def with_control_plane(facts: ClusterFacts, asker: Asker, more_crds: Iterable[str] = ()) -> ClusterFacts:
    """The facts, with the ConfigMaps of the control plane, the CustomResourceDefinitions, and all Namespaces.
    `more_crds` are names of others' definitions that matter."""
    config, roots, namespaces, served = await asyncio.gather(
        _config_map(asker, facts.namespace, CONFIG),
        _config_map(asker, facts.namespace, ROOTS),
        _namespaces(asker),
        _crds(asker, () if facts.scope is Scope.PROXY else (*crds.LINKERD_CRDS, *more_crds)),
    )
    missing = config is None or roots is None
    return replace(
        facts,
        linkerd_config=config,
        trust_roots=roots,
        namespaces=namespaces,
        crds=served,
        linkerd_namespaces=await _linkerd_namespaces(asker) if missing else (),
    )


def with_mesh(facts: ClusterFacts) -> ClusterFacts:
    """The facts, with what follows from the ConfigMaps, and from what the server was told in their place."""
    installation = facts.installation
    told = installation.release_line or None if isinstance(installation, Installation) else None
    return replace(
        facts,
        mesh=mesh_of(facts.linkerd_config, facts.trust_roots, facts.namespace, told),
        release_line=release_line_of(facts.linkerd_config, facts.namespace, told),
    )


async def _config_map(asker: Asker, namespace: str, name: str) -> Fact[JSON | None]:
    return await asker.get(path(namespace, name), f"configmaps/{name}", namespace)


async def _crds(asker: Asker, names: Iterable[str]) -> Fact[Mapping[str, frozenset[str]]]:
    """The versions that these CustomResourceDefinitions serve: of each, no more is kept."""
    names = tuple(names)
    answers = await asyncio.gather(*(_served(asker, name) for name in names))
    missing = missing_rights(*answers)
    if missing:
        return NotSeen(missing)
    result: dict[str, frozenset[str]] = {}
    for name, served in zip(names, answers, strict=True):
        if isinstance(served, NotSeen | NotRead | NotAsked):
            return served
        if served is not None:
            result[name] = served
    return result


async def _served(asker: Asker, name: str) -> Fact[frozenset[str] | None]:
    resource = "customresourcedefinitions.apiextensions.k8s.io"
    body = await asker.get(f"{crds.ROOT}/{name}", resource)
    if body is None or isinstance(body, NotSeen | NotRead | NotAsked):
        return body
    versions = mappings(body, "spec", "versions")
    return frozenset(text(version, "name") for version in versions if version.get("served") is True)


async def _linkerd_namespaces(asker: Asker) -> Fact[tuple[str, ...]]:
    """The Namespaces that hold a ConfigMap of that name."""
    query = {"fieldSelector": f"metadata.name={CONFIG}"}
    result = await asker.list("/api/v1/configmaps", "configmaps", query=query, accept=LIST)
    if isinstance(result, NotSeen | NotRead | NotAsked):
        return result
    named = (body for body in result if text(body, "metadata", "name") == CONFIG)
    return tuple(sorted(text(body, "metadata", "namespace") for body in named))


async def _namespaces(asker: Asker) -> Fact[Mapping[str, Namespace]]:
    try:
        bodies = [body async for body in asker.pages("/api/v1/namespaces", "namespaces", accept=LIST)]
    except Unseen as unseen:
        return unseen.fact
    return {body.name: body for body in map(namespace_of, bodies) if body is not None}
