"""Adopts Linkerd's webhook configurations again that were changed to point elsewhere: removes the annotation, so that
the leader adopts them as if for the first time."""

from __future__ import annotations

from dataclasses import dataclass

from webhook.install.adoption import ADOPTABLE, ADOPTED_FROM, LINKERD_CONFIGURATIONS
from webhook.kube.api import ApiServer
from webhook.kube.interface import find
from webhook.kube.webhookconfigurations import FIELD_MANAGER, ConfigurationName, ServiceReference, path, pointing


@dataclass(frozen=True, slots=True)
class AdoptedAgain:
    """A sentence about one of Linkerd's configurations, and whether it exists."""

    sentence: str
    exists: bool = True


async def adopt_again(api: ApiServer, service: ServiceReference) -> list[AdoptedAgain]:
    """Remove the annotation of each of Linkerd's configurations that was adopted and points elsewhere now.

    Raises `ApiError` and `TimeoutError`; what was done stays done, and a second run continues.
    """
    done = [(name, await _adopt_again(api, service, name)) for name in ADOPTABLE]
    # A cluster need not have the extensions.
    return [again for name, again in done if again.exists or name in LINKERD_CONFIGURATIONS]


async def _adopt_again(api: ApiServer, service: ServiceReference, name: ConfigurationName) -> AdoptedAgain:
    what = f"{name[0]} {name[1]}"
    body = await find(api, path(name))
    if body is None:
        return AdoptedAgain(f"{what}: not found", exists=False)
    if len(pointing(body, service)) == len(body.get("webhooks") or ()):
        return AdoptedAgain(f"{what}: points at {service.namespace}/{service.name}: left as it is")
    if ADOPTED_FROM not in (body["metadata"].get("annotations") or {}):
        return AdoptedAgain(f"{what}: was not adopted, or the server adopts it soon: left as it is")
    # With the resourceVersion that was read: if the object has changed since, the request fails with a conflict.
    change = {"resourceVersion": body["metadata"]["resourceVersion"], "annotations": {ADOPTED_FROM: None}}
    await api.send(
        "PATCH", path(name), {"metadata": change}, "application/merge-patch+json", {"fieldManager": FIELD_MANAGER}
    )
    return AdoptedAgain(f"{what}: annotation {ADOPTED_FROM} removed; the server adopts it within seconds")
