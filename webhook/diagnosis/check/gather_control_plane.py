"""Reads what the control plane is configured with, and the Namespaces."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.control_plane import CONFIG, ROOTS, mesh_of, release_line_of
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.unseen import Fact, Unseen
from webhook.kube.api import LIST
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace, namespace_of


async def with_control_plane(facts: ClusterFacts, asker: Asker) -> ClusterFacts:
    """The facts, with the ConfigMaps of the control plane and what follows from them, and all Namespaces."""
    config, roots, namespaces = await asyncio.gather(
        _config_map(asker, facts.namespace, CONFIG), _config_map(asker, facts.namespace, ROOTS), _namespaces(asker)
    )
    return replace(
        facts,
        linkerd_config=config,
        trust_roots=roots,
        mesh=mesh_of(config, roots, facts.namespace),
        release_line=release_line_of(config, facts.namespace),
        namespaces=namespaces,
    )


async def _config_map(asker: Asker, namespace: str, name: str) -> Fact[JSON | None]:
    return await asker.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}", f"configmaps/{name}", namespace)


async def _namespaces(asker: Asker) -> Fact[Mapping[str, Namespace]]:
    try:
        bodies = [body async for body in asker.pages("/api/v1/namespaces", "namespaces", accept=LIST)]
    except Unseen as unseen:
        return unseen.fact
    return {each.name: each for each in map(namespace_of, bodies) if each is not None}
