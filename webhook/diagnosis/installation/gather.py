"""Gathers the facts about a cluster before anything is installed there: all of the I/O, one request after another."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from webhook.diagnosis.installation.facts import (
    CERTIFICATES,
    CONFIG_MAPS,
    JSON,
    LINKERD_CONFIG,
    LINKERD_CRDS,
    POD_MONITORS,
    InstallationFacts,
)
from webhook.diagnosis.installation.request import InstallRequest
from webhook.diagnosis.unseen import MissingRight, NotSeen
from webhook.install.adoption import LINKERD_CONFIGURATIONS
from webhook.install.configurations import NAME
from webhook.kube.api import LIST, PLAIN, ApiServer
from webhook.kube.errors import Forbidden
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, ConfigurationName, path

_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_METRICS: Final = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
_PRIORITY_CLASSES: Final = "/apis/scheduling.k8s.io/v1/priorityclasses"


async def gather(api: ApiServer, request: InstallRequest) -> InstallationFacts:
    """The facts that this installation depends on. Raises `ApiError` and `TimeoutError`.

    A user who installs may read all of it, so a request that is forbidden ends it; only Helm's Secrets may stay unseen.
    """
    root = f"/api/v1/namespaces/{request.namespace}"
    config_maps = {name: await api.find(f"{root}/configmaps/{name}", PLAIN) for name in CONFIG_MAPS}
    existing = frozenset(name for name, body in config_maps.items() if body is not None)
    crds = frozenset([name for name in _crds(request) if await api.find(f"{_CRDS}/{name}") is not None])
    secrets = [name for name in request.pull_secrets if await api.find(f"{root}/secrets/{name}") is not None]
    return InstallationFacts(
        at=datetime.now(UTC),
        version=await api.get("/version", accept=PLAIN),
        crds=crds,
        config_maps=existing,
        values=((config_maps[LINKERD_CONFIG] or {}).get("data") or {}).get("values"),
        linkerd_namespaces=await _linkerd_namespaces(api) if len(existing) < len(CONFIG_MAPS) else (),
        deployments=await _deployments(api),
        linkerds_configurations=await _linkerds_configurations(api),
        own_configurations=await _own_configurations(api) if request.adopt else (),
        existing_secret=await api.find(f"{root}/secrets/{request.existing_secret}", PLAIN)
        if request.existing_secret
        else None,
        certificate=await _certificate(api, request.inject_ca_from) if CERTIFICATES in crds else None,
        metrics_api=request.autoscaling and await api.find(_METRICS) is not None,
        priority_class=bool(request.priority_class)
        and await api.find(f"{_PRIORITY_CLASSES}/{request.priority_class}") is not None,
        pull_secrets=frozenset(secrets),
        namespace=await api.find(root) if request.host_network else None,
        helm_release=await _helm_release(api, request.namespace),
    )


def _crds(request: InstallRequest) -> list[str]:
    """The CustomResourceDefinitions that it needs."""
    more = {POD_MONITORS: request.pod_monitor, CERTIFICATES: bool(request.inject_ca_from)}
    return [*LINKERD_CRDS, *(name for name, needed in more.items() if needed)]


async def _linkerd_namespaces(api: ApiServer) -> tuple[str, ...]:
    query = {"fieldSelector": f"metadata.name={LINKERD_CONFIG}"}
    items = (await api.get("/api/v1/configmaps", query, PLAIN)).get("items") or ()
    return tuple(sorted(item["metadata"]["namespace"] for item in items if item["metadata"]["name"] == LINKERD_CONFIG))


async def _deployments(api: ApiServer) -> tuple[JSON, ...]:
    query = {"labelSelector": f"app.kubernetes.io/name={NAME}"}
    return tuple((await api.get("/apis/apps/v1/deployments", query, PLAIN)).get("items") or ())


async def _linkerds_configurations(api: ApiServer) -> dict[ConfigurationName, JSON]:
    bodies = [(name, await api.find(path(name))) for name in LINKERD_CONFIGURATIONS]
    return {name: body for name, body in bodies if body is not None}


async def _own_configurations(api: ApiServer) -> tuple[ConfigurationName, ...]:
    names: tuple[ConfigurationName, ...] = ((MUTATING, NAME), (VALIDATING, NAME))
    return tuple([name for name in names if await api.find(path(name)) is not None])


async def _certificate(api: ApiServer, reference: str) -> JSON | None:
    """cert-manager's Certificate, by `NAMESPACE/NAME`."""
    namespace, _, name = reference.partition("/")
    return await api.find(f"/apis/cert-manager.io/v1/namespaces/{namespace}/certificates/{name}", PLAIN)


async def _helm_release(api: ApiServer, namespace: str) -> bool | NotSeen:
    """Whether Helm keeps a release of the name that README and chart suggest: it stores each in a Secret."""
    query = {"fieldSelector": "type=helm.sh/release.v1", "labelSelector": f"owner=helm,name={NAME}"}
    try:
        return bool((await api.get(f"/api/v1/namespaces/{namespace}/secrets", query, LIST)).get("items"))
    except Forbidden as error:
        return NotSeen((MissingRight.of(error, "list", "secrets", namespace),))
