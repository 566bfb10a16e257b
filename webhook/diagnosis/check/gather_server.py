"""Asks about a running server: its Services, its certificates, the self-test, and a Pod's dry run."""

from __future__ import annotations

import asyncio
from typing import Final

from webhook.diagnosis import selftest
from webhook.diagnosis.certificates import gather as certificates
from webhook.diagnosis.certificates.facts import CertificateFacts
from webhook.diagnosis.certificates.gather import GatherError
from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.dry_run import chosen_namespace, tiny_pod
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installation import Installation, InstallMode
from webhook.diagnosis.check.server_facts import DryRun, ServerFacts
from webhook.diagnosis.pod_dialer import PodDialer
from webhook.diagnosis.selftest import SelfTestResult
from webhook.diagnosis.unseen import Fact, MissingRight, NotAsked, NotRead, NotSeen, Unseen
from webhook.kube.errors import ApiError, ApiServerUnreachable, Forbidden, explain
from webhook.kube.fields import texts
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference

# Seconds: the API server may wait for several webhooks.
_DRY_RUN: Final = 30.0
_NO_SELF_TEST: Final = NotAsked(
    "the self-test belongs to what `linkerd-webhook install` prints, and the server runs in Linkerd's own Deployments: "
    "see the line webhook-injects"
)


async def gather_server(asker: Asker, facts: ClusterFacts, installation: Installation) -> ServerFacts:
    """All of it, at once. Nothing is raised, and nothing is changed in the cluster."""
    services = installation.services
    bodies, held, pods, self_test, dry_run = await asyncio.gather(
        asyncio.gather(*(_service(asker, service) for service in services)),
        asyncio.gather(*(_certificates(asker, facts, service) for service in services)),
        asyncio.gather(*(_pods(asker, installation, service) for service in services)),
        _self_test(asker, installation),
        _dry_run(asker, facts, installation),
    )
    return ServerFacts(
        services=dict(zip(services, bodies, strict=True)),
        certificates=dict(zip(services, held, strict=True)),
        self_test=self_test,
        dry_run=dry_run,
        pods=dict(zip(services, pods, strict=True)),
    )


async def _service(asker: Asker, service: ServiceReference) -> Fact[JSON | None]:
    path = f"/api/v1/namespaces/{service.namespace}/services/{service.name}"
    return await asker.get(path, f"services/{service.name}", service.namespace)


async def _pods(asker: Asker, installation: Installation, service: ServiceReference) -> Fact[tuple[JSON, ...]]:
    labels = texts(installation.deployment_of(service), "spec", "selector", "matchLabels")
    if not labels:
        return ()
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in sorted(labels.items()))}
    return await asker.list(f"/api/v1/namespaces/{service.namespace}/pods", "pods", service.namespace, query)


async def _certificates(asker: Asker, facts: ClusterFacts, service: ServiceReference) -> Fact[CertificateFacts]:
    if asker.down:
        return asker.down
    try:
        return await certificates.gather(asker.api, service, PodDialer(asker.api, service.namespace), facts.at)
    except GatherError as error:
        return NotRead(str(error))


async def _self_test(asker: Asker, installation: Installation) -> Fact[SelfTestResult]:
    if installation.mode is InstallMode.IMAGE:
        return _NO_SELF_TEST
    return asker.down or await selftest.run(asker.api, installation.service)


async def _dry_run(asker: Asker, facts: ClusterFacts, installation: Installation) -> Fact[DryRun]:
    if asker.down:
        return asker.down
    try:
        namespace = chosen_namespace(facts, installation)
    except Unseen as unseen:
        return unseen.fact
    path = f"/api/v1/namespaces/{namespace}/pods"
    pod = tiny_pod(installation, namespace)
    try:
        # Webhooks and policies are asked, and nothing is stored.
        created = await asker.api.send("POST", path, pod, query={"dryRun": "All"}, within=_DRY_RUN)
    except ApiServerUnreachable as error:
        return NotRead(f"POST {path}: {explain(error)}")
    except ApiError as error:
        # RBAC's refusal names the user; that of a webhook, policy or quota does not.
        if isinstance(error, Forbidden) and error.user and 'cannot create resource "pods"' in error.message:
            return NotSeen((MissingRight.of(error, "create", "pods", namespace),))
        return DryRun(namespace, status=error.status, message=error.message)
    except (TimeoutError, ValueError) as error:
        return NotRead(f"POST {path}: {explain(error) if isinstance(error, TimeoutError) else error}")
    return DryRun(namespace, created)
