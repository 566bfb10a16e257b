"""Adopting again what somebody else has written since: the old mark goes, and the leader adopts anew."""

from __future__ import annotations

from dataclasses import dataclass

from webhook.install.linkerd import ADOPTED_FROM, LINKERDS
from webhook.kube.api import ApiServer
from webhook.kube.interface import find
from webhook.kube.webhookconfigurations import FIELD_MANAGER, Name, Service, path, pointing


@dataclass(frozen=True, slots=True)
class Again:
    """A sentence about one of Linkerd's configurations, and whether it is there."""

    sentence: str
    there: bool = True


async def adopt_again(api: ApiServer, service: Service) -> list[Again]:
    """Take the annotation off each of Linkerd's configurations that points elsewhere.

    Raises `ApiError` and `TimeoutError`; what was done stays done, and a second run goes on.
    """
    return [await _one(api, service, name) for name in LINKERDS]


async def _one(api: ApiServer, service: Service, name: Name) -> Again:
    what = f"{name[0]} {name[1]}"
    body = await find(api, path(name))
    if body is None:
        return Again(f"{what} is not there", there=False)
    if len(pointing(body, service)) == len(body.get("webhooks") or ()):
        return Again(f"{what}: points at {service.namespace}/{service.name}: left as it is")
    if ADOPTED_FROM not in (body["metadata"].get("annotations") or {}):
        return Again(f"{what}: was not adopted, or is about to be: left as it is")
    # With the version that was looked at: what has been written since is looked at again.
    change = {"resourceVersion": body["metadata"]["resourceVersion"], "annotations": {ADOPTED_FROM: None}}
    await api.send(
        "PATCH", path(name), {"metadata": change}, "application/merge-patch+json", {"fieldManager": FIELD_MANAGER}
    )
    return Again(f"{what}: annotation {ADOPTED_FROM} removed; the server adopts it within seconds")
