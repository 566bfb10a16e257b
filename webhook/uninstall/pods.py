"""Finds the Pods that would lose their proxy when they are recreated after the uninstallation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.endpoints import listing, ready
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference
from webhook.uninstall.failures import Unreadable, by_cause
from webhook.uninstall.gather import LINKERDS_INJECTOR, Survey
from webhook.uninstall.objects import called_service

PROXY: Final = "linkerd-proxy"
CONTROL_PLANE_NS: Final = "linkerd.io/control-plane-ns"

# Pods a page.
_PAGE: Final = 500


async def pods_in_mesh(api: ApiServer, namespace: str) -> list[str]:
    """NAMESPACE/NAME of all Pods with a proxy of the control plane in `namespace`, sorted. Raises `Unreadable`."""
    query = {"labelSelector": f"{CONTROL_PLANE_NS}={namespace}", "limit": str(_PAGE)}
    pods: list[str] = []
    while True:
        try:
            page = await api.get("/api/v1/pods", query, PLAIN)
        except (ApiError, TimeoutError) as error:
            raise Unreadable(*by_cause("list", [("Pods", error)])) from error
        pods += in_mesh(page.get("items") or (), namespace)
        following = (page.get("metadata") or {}).get("continue")
        if not following:
            return sorted(pods)
        query["continue"] = following


async def why_nobody_else_injects(api: ApiServer, survey: Survey) -> str:
    """Why no Pods are injected once our objects are deleted, "" if Linkerd's own injector injects them.

    Raises `Unreadable`.
    """
    if survey.successor is None:
        return f"{LINKERDS_INJECTOR.kind} {LINKERDS_INJECTOR.name} does not exist"
    service = _target(survey.successor)
    if service is None:
        return ""
    where, query = listing(service)
    try:
        body = await api.get(where, query, PLAIN)
    except (ApiError, TimeoutError) as error:
        what = f"EndpointSlices in namespace {service.namespace}"
        raise Unreadable(*by_cause("list", [(what, error)])) from error
    if any(True for endpoint_slice in body.get("items") or () for _ in ready(endpoint_slice)):
        return ""
    return f"Service {service.namespace}/{service.name} of Linkerd's own injector has no ready endpoint"


def in_mesh(pods: Iterable[Any], namespace: str) -> list[str]:
    """NAMESPACE/NAME of each Pod with a proxy that is not in `namespace`, Linkerd's, and has not ended. Pure."""
    return [
        f"{pod['metadata'].get('namespace')}/{pod['metadata'].get('name')}"
        for pod in pods
        if pod["metadata"].get("namespace") != namespace
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        and any(container.get("name") == PROXY for container in _containers(pod))
    ]


def _containers(pod: JSON) -> list[JSON]:
    spec = pod.get("spec") or {}
    return [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]


def _target(configuration: JSON) -> ServiceReference | None:
    """The Service that a configuration's webhooks call, None for a URL."""
    for webhook in configuration.get("webhooks") or ():
        service = called_service(webhook)
        if service:
            return ServiceReference(str(service.get("namespace")), str(service.get("name")))
    return None
