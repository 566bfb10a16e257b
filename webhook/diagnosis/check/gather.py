"""Gathers the facts that the lines of `check` judge. All I/O is here and in the modules that this one calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.gather_control_plane import with_control_plane
from webhook.diagnosis.check.gather_data_plane import read_plane, with_pods
from webhook.diagnosis.check.gather_installation import gather_installation
from webhook.diagnosis.check.gather_server import gather_server
from webhook.diagnosis.check.installation import Installation
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.check.progress import Progress
from webhook.diagnosis.check.server_facts import ServerFacts
from webhook.diagnosis.internal import internal_error
from webhook.diagnosis.unseen import Fact, NotAsked, NotSeen, seen
from webhook.kube.api import ApiServer, ConfigurationError

_NO_CLIENT: Final = "there is no client to ask it with"

Connect = Callable[[], Awaitable[ApiServer]]


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is to be checked. `namespace` is that of Linkerd's control plane, `only` the Namespace to which Pods are
    bounded, "" for all."""

    scope: Scope
    namespace: str
    only: str = ""


async def gather(request: CheckRequest, connect: Connect, progress: Progress | None = None) -> ClusterFacts:
    """The facts at this moment. Raises nothing: what cannot be read is a fact about it. `progress` is kept up to date
    meanwhile."""
    facts = ClusterFacts(at=datetime.now(UTC), scope=request.scope, namespace=request.namespace, only=request.only)
    try:
        api = await connect()
    except ConfigurationError as error:
        return replace(facts, client=str(error), problem=_NO_CLIENT)
    except Exception as error:
        return replace(facts, client=internal_error(error), problem=_NO_CLIENT)
    try:
        return await _of_cluster(facts, api, progress)
    except Exception as error:
        return replace(facts, host=api.host, problem=internal_error(error))
    finally:
        await api.close()


async def _of_cluster(facts: ClusterFacts, api: ApiServer, progress: Progress | None) -> ClusterFacts:
    asker = Asker(api, progress)
    facts = replace(facts, host=api.host)
    version = await asker.get("/version", "version")
    if isinstance(version, NotSeen):
        return replace(facts, problem=f"{'; '.join(version.texts())}", version=version)
    if not isinstance(version, dict):
        reason = version.reason if version is not None and not isinstance(version, NotAsked) else "it has no /version"
        return replace(facts, problem=reason)
    facts, installed, plane = await asyncio.gather(
        with_control_plane(replace(facts, version=seen(version)), asker),
        gather_installation(asker, facts.namespace, facts.scope),
        read_plane(asker, facts.scope, facts.only),
    )
    facts = replace(
        facts,
        configurations=installed.configurations,
        installation=installed.installation,
        rights=installed.rights,
        guards=installed.guards,
        plane=plane,
    )
    server, plane = await asyncio.gather(_server(asker, facts), with_pods(asker, facts))
    return replace(facts, server=server, plane=plane)


async def _server(asker: Asker, facts: ClusterFacts) -> Fact[ServerFacts]:
    if facts.scope is Scope.INSTALLED and isinstance(facts.installation, Installation):
        return await gather_server(asker, facts, facts.installation)
    return facts.server
