"""Reads the workloads and the Pods of a cluster, a page at a time, and folds them into what there is to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.dataplane.callers import InjectorWebhook, injector_webhooks
from webhook.diagnosis.dataplane.facts import ByNamespace, PlaneFacts
from webhook.diagnosis.dataplane.podstate import PodJudge, annotated_at
from webhook.diagnosis.dataplane.survey import DataPlane, Survey
from webhook.diagnosis.dataplane.workloads import LISTED, Workloads
from webhook.diagnosis.unseen import Fact, NotSeen, Unseen, known, missing_rights, seen
from webhook.injector.inject import Injector
from webhook.kube.api import OBJECT
from webhook.kube.fields import text
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace
from webhook.kube.webhookconfigurations import MUTATING, ConfigurationName
from webhook.mesh.config import Mesh

# Of so many Namespaces with Pods without a proxy it is read when they were annotated.
_DATED: Final = 50


async def read_workloads(asker: Asker, only: str = "") -> Fact[Workloads]:
    """All workloads, or those of the Namespace `only`. Where a right is missing, that is what comes back: a Pod cannot
    be judged without its template."""
    workloads = Workloads()
    failed = [fact for fact in await asyncio.gather(*(_list(asker, kind, workloads, only) for kind in LISTED)) if fact]
    if not failed:
        return workloads
    missing = missing_rights(*failed)
    return NotSeen(missing) if missing else failed[0]


async def _list(asker: Asker, kind: str, into: Workloads, only: str) -> Fact[None]:
    *_, group, _, plural = LISTED[kind].split("/")
    resource = f"{plural}.{group}"
    try:
        async for body in asker.pages(within(LISTED[kind], only), resource, only):
            into.add(kind, body)
    except Unseen as unseen:
        return unseen.fact
    return None


def within(path: str, namespace: str) -> str:
    """The path of a list, bounded to a Namespace unless that is ""."""
    root, _, resource = path.rpartition("/")
    return f"{root}/namespaces/{namespace}/{resource}" if namespace else path


async def by_namespace(asker: Asker, resource: str, only: str = "") -> Fact[ByNamespace]:
    """The objects of a kind of the core group, by their Namespaces."""
    result: dict[str, tuple[JSON, ...]] = {}
    try:
        async for body in asker.pages(within(f"/api/v1/{resource}", only), resource, only):
            name = text(body, "metadata", "namespace")
            result[name] = (*result.get(name, ()), body)
    except Unseen as unseen:
        return unseen.fact
    return result


async def read_lists(asker: Asker, only: str = "") -> PlaneFacts:
    """All of the data plane but the Pods, which take the mesh to be judged."""
    workloads, quotas, limit_ranges = await asyncio.gather(
        read_workloads(asker, only),
        by_namespace(asker, "resourcequotas", only),
        by_namespace(asker, "limitranges", only),
    )
    return PlaneFacts(workloads=workloads, quotas=quotas, limit_ranges=limit_ranges)


def webhooks_of(
    configurations: Fact[Mapping[ConfigurationName, JSON]], namespace: str
) -> Fact[tuple[InjectorWebhook, ...]]:
    """The webhooks that inject, by all webhook configurations. `namespace` is that of Linkerd's control plane."""
    try:
        bodies = [body for (kind, _), body in seen(configurations).items() if kind == MUTATING]
    except Unseen as unseen:
        return unseen.fact
    return injector_webhooks(bodies, namespace)


async def survey_pods(
    asker: Asker,
    facts: PlaneFacts,
    mesh: Fact[Mesh],
    namespaces: Fact[Mapping[str, Namespace]],
    webhooks: Fact[tuple[InjectorWebhook, ...]],
    only: str = "",
) -> Fact[DataPlane]:
    """What the Pods are like, those of the Namespace `only` or all. What is needed first and is not known is why they
    are not."""
    try:
        judge = PodJudge(Injector(seen(mesh)), seen(webhooks))
        survey = Survey(judge, seen(namespaces), seen(facts.workloads), known(facts.limit_ranges, {}))
        async for pod in asker.pages(within("/api/v1/pods", only), "pods", only):
            survey.add(pod)
    except Unseen as unseen:
        return unseen.fact
    result = survey.result()
    return result.dated(await _annotated(asker, result.namespaces()[:_DATED]))


async def _annotated(asker: Asker, names: tuple[str, ...]) -> Mapping[str, datetime | None]:
    """When these Namespaces got the annotation to inject, as far as that can be read."""

    async def read(name: str) -> datetime | None:
        value: Fact[JSON | None] = await asker.get(f"/api/v1/namespaces/{name}", f"namespaces/{name}", accept=OBJECT)
        return annotated_at(known(value, None))

    return dict(zip(names, await asyncio.gather(*map(read, names)), strict=True))
