"""Finds the objects of an installation in a cluster. It uses only the API server, as our server may be gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from webhook.install.adoption import RestoreError, is_restorable, restored
from webhook.kube.api import OBJECT, PLAIN, ApiServer
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.objects import helm_release
from webhook.kube.webhookconfigurations import MUTATING
from webhook.uninstall.failures import Unreadable, by_cause
from webhook.uninstall.objects import ADOPTABLE, INSTALLED_OBJECTS, OWN_INJECTOR, InstalledObject, installed_in, is_ours

# These are read as whole objects, as they point at the Namespace of the installation that they belong to.
_WHOLE: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ClusterRoleBinding")

LINKERDS_INJECTOR: Final = next(configuration for configuration in ADOPTABLE if configuration.kind == MUTATING)


@dataclass(slots=True)
class Survey:
    """The objects in a cluster. `ours` are our objects, in the order in which they are deleted; `foreign` are objects
    with our names that are not ours.

    `adopted` are Linkerd's configurations that can be restored; `unrestorable` says why one cannot. `elsewhere` are the
    namespaces of an installation that is not the one asked about. `release` is the Helm release of ours, "" for none.
    """

    ours: list[InstalledObject] = field(default_factory=list)
    foreign: list[InstalledObject] = field(default_factory=list)
    adopted: list[InstalledObject] = field(default_factory=list)
    unrestorable: list[str] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)
    release: str = ""
    # The configuration of Linkerd's own injector as it is once our objects are gone, None where it does not exist.
    successor: JSON | None = None

    @property
    def injects(self) -> bool:
        """Whether Pods get their proxy from our server, by the webhook configurations."""
        return LINKERDS_INJECTOR in self.adopted or OWN_INJECTOR in self.ours


async def survey(api: ApiServer, namespace: str) -> Survey:
    """The objects of an installation in `namespace`. Raises `Unreadable`, which names all that could not be read."""
    objects = [*INSTALLED_OBJECTS, *ADOPTABLE]
    bodies = await asyncio.gather(*(read(api, one, namespace) for one in objects), return_exceptions=True)
    failures = [
        (one.describe(namespace), error)
        for one, error in zip(objects, bodies, strict=True)
        if isinstance(error, ApiError | TimeoutError)
    ]
    if failures:
        raise Unreadable("\n".join(by_cause("read", failures)))
    seen = Survey()
    serves: set[str] = set()
    for one, body in zip(objects, bodies, strict=True):
        if isinstance(body, BaseException):
            raise body
        if body is None:
            continue
        if one in ADOPTABLE:
            _add_linkerds(seen, one, body, namespace)
        elif is_ours(one, body):
            seen.ours.append(one)
            seen.release = seen.release or helm_release(body)
            serves |= installed_in(body)
        else:
            seen.foreign.append(one)
    seen.elsewhere = serves if namespace not in serves else set()
    return seen


async def read(api: ApiServer, one: InstalledObject, namespace: str) -> JSON | None:
    """The object, None where it, or its kind, does not exist. Raises `ApiError` and `TimeoutError`."""
    body = await api.find(one.path(namespace), PLAIN if one.kind in _WHOLE else OBJECT)
    return None if body is None else {**body, "kind": one.kind}


def _add_linkerds(seen: Survey, one: InstalledObject, body: JSON, namespace: str) -> None:
    after = body
    if is_restorable(body, namespace):
        seen.adopted.append(one)
        try:
            after = restored(body, namespace)
        except RestoreError as error:
            seen.unrestorable.append(str(error))
            return
    if one == LINKERDS_INJECTOR:
        seen.successor = after
