"""Gathers the facts that the lines of `check` judge. All I/O is here and in the modules that this one calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.gather_control_plane import with_control_plane, with_mesh
from webhook.diagnosis.check.gather_data_plane import read_plane, with_pods
from webhook.diagnosis.check.gather_installation import InstalledObjects, gather_installation
from webhook.diagnosis.check.gather_server import gather_server
from webhook.diagnosis.check.installation import Installation
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.check.progress import Progress
from webhook.diagnosis.check.server_facts import ServerFacts
from webhook.diagnosis.dataplane.facts import PlaneFacts
from webhook.diagnosis.installation.facts import CERTIFICATES, POD_MONITORS, PROMETHEUS_RULES, SetupFacts
from webhook.diagnosis.installation.gather import gather as gather_setup
from webhook.diagnosis.installation.request import InstallRequest
from webhook.diagnosis.internal import internal_error
from webhook.diagnosis.unseen import Fact, NotAsked, NotRead, NotSeen, seen
from webhook.install.render import render
from webhook.install.settings import defaults
from webhook.kube.api import ApiServer, ConfigurationError

_NO_CLIENT: Final = "there is no client to ask it with: do first what the line before this one says"
_LOOK: Final = "see whether it runs and can be reached from here, or pass another --kubeconfig or --context"

T = TypeVar("T")

Connect = Callable[[], Awaitable[ApiServer]]


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is to be checked. `namespace` is that of Linkerd's control plane, `only` the Namespace to which Pods are
    bounded, "" for all. `install` is what is to be installed: by default what is installed already, or else what
    `install` does without any flag."""

    scope: Scope
    namespace: str
    only: str = ""
    install: InstallRequest | None = None


async def gather(request: CheckRequest, connect: Connect, progress: Progress | None = None) -> ClusterFacts:
    """The facts at this moment. Raises nothing: what cannot be read is a fact about it. `progress` is kept up to date
    meanwhile."""
    facts = _nothing(request)
    try:
        api = await connect()
    except ConfigurationError as error:
        return replace(facts, client=str(error), problem=_NO_CLIENT)
    except Exception as error:
        return replace(facts, client=internal_error(error), problem=_NO_CLIENT)
    try:
        return await of_cluster(request, api, progress)
    except Exception as error:
        return replace(facts, host=api.host, problem=internal_error(error))
    finally:
        await api.close()


def _nothing(request: CheckRequest) -> ClusterFacts:
    return ClusterFacts(at=datetime.now(UTC), scope=request.scope, namespace=request.namespace, only=request.only)


async def of_cluster(request: CheckRequest, api: ApiServer, progress: Progress | None = None) -> ClusterFacts:
    """As `gather`, by a client that exists, which the caller closes."""
    asker = Asker(api, progress)
    facts = replace(_nothing(request), host=api.host)
    version = await asker.get("/version", "version")
    if isinstance(version, NotSeen):
        return replace(facts, problem=f"{'; '.join(version.texts())}", version=version)
    if not isinstance(version, dict):
        reason = version.reason if version is not None and not isinstance(version, NotAsked) else "it has no /version"
        where_to_look = f": {_LOOK}" if asker.down else ""
        return replace(facts, problem=f"{reason.removeprefix('GET /version: ')}{where_to_look}")
    facts = replace(facts, version=seen(version))
    facts, installed, plane = await asyncio.gather(
        _guarded(with_control_plane(facts, asker, _crds(request)), partial(_no_control_plane, facts)),
        _guarded(gather_installation(asker, facts.namespace, facts.scope), InstalledObjects.unread),
        _guarded(read_plane(asker, facts.scope, facts.only), PlaneFacts.unread),
    )
    facts = with_mesh(
        replace(
            facts,
            configurations=installed.configurations,
            installation=installed.installation,
            rights=installed.rights,
            guards=installed.guards,
            plane=plane,
        )
    )
    server, plane, setup = await asyncio.gather(
        _guarded(_server(asker, facts), _itself),
        _guarded(with_pods(asker, facts), lambda why: replace(facts.plane, pods=why)),
        _guarded(_setup(asker, facts, request.install), _itself),
    )
    return replace(facts, server=server, plane=plane, setup=setup)


async def _guarded(work: Awaitable[T], otherwise: Callable[[NotRead], T]) -> T:
    """What a part has found; or else, where there is a mistake in it, what stands for that it was not read. The other
    parts go on."""
    try:
        return await work
    except Exception as error:
        return otherwise(NotRead(internal_error(error)))


def _itself(why: NotRead) -> Fact[Any]:
    return why


def _no_control_plane(facts: ClusterFacts, why: NotRead) -> ClusterFacts:
    return replace(facts, linkerd_config=why, trust_roots=why, namespaces=why, crds=why, linkerd_namespaces=why)


async def _server(asker: Asker, facts: ClusterFacts) -> Fact[ServerFacts]:
    if facts.scope is Scope.INSTALLED and isinstance(facts.installation, Installation):
        return await gather_server(asker, facts, facts.installation)
    return facts.server


async def _setup(asker: Asker, facts: ClusterFacts, wanted: InstallRequest | None) -> Fact[SetupFacts]:
    if facts.scope is not Scope.PRE:
        return facts.setup
    return await gather_setup(asker, wanted or _by_default(facts), setup=wanted is None)


def _by_default(facts: ClusterFacts) -> InstallRequest:
    installation = facts.installation
    values = installation.values if isinstance(installation, Installation) else defaults()
    return InstallRequest.of(values, facts.namespace, render(values, facts.namespace))


def _crds(request: CheckRequest) -> tuple[str, ...]:
    """The CustomResourceDefinitions that settings may need, beside Linkerd's."""
    return (POD_MONITORS, PROMETHEUS_RULES, CERTIFICATES) if request.scope is Scope.PRE else ()
