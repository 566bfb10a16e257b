"""Webhook configurations that get their rules, or are adopted, once the API server has reached our server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from webhook.install import adoption
from webhook.install.adoption import LINKERD_CONFIGURATIONS, PATHS, AdoptionStatus
from webhook.install.configurations import ADVISOR as ADVISOR_NAME
from webhook.install.configurations import NAME, REACHED_LABEL
from webhook.install.configurations import SELF_TEST as CONFIG_MAP
from webhook.kube.api import ApiServer
from webhook.kube.base64_fields import encode
from webhook.kube.errors import ApiError, Conflict, explain
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import (
    FIELD_MANAGER,
    MUTATING,
    VALIDATING,
    ConfigurationName,
    ServiceReference,
    path,
    pointing,
)
from webhook.upkeep.rules import Rules, with_rules
from webhook.upkeep.watched_configurations import Configurations

SELF_TEST: Final[ConfigurationName] = (MUTATING, CONFIG_MAP)
INJECTORS: Final[dict[bool, ConfigurationName]] = {
    False: (MUTATING, NAME),
    True: next(name for name, where in PATHS.items() if where == "/proxy-injector"),
}
REACHED: Final = "true"
OURS: Final[tuple[ConfigurationName, ...]] = ((MUTATING, NAME), (VALIDATING, NAME), SELF_TEST)
# Ours as well, in every way to be installed. It has its rules from the start, and no replica has to wait for it.
ADVISOR: Final[ConfigurationName] = (VALIDATING, ADVISOR_NAME)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Duties:
    """What a running server looks after. `identity` names this replica; where the certificate is not self-managed, `ca`
    reads the CA certificates (PEM) beside it, None where there are none."""

    service: ServiceReference
    identity: str
    rules: Rules
    self_managed: bool = True
    adopt: bool = False
    cluster_domain: str = "cluster.local"
    ca: Callable[[], bytes | None] = lambda: None


class Registration:
    """Gives our own configurations their rules, or adopts Linkerd's. Only the leader calls `put_into_force`."""

    def __init__(
        self,
        api: ApiServer,
        duties: Duties,
        configurations: Configurations,
        say: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        """`say` is told of a problem by what it is about, and of "" once that is solved."""
        self._api = api
        self._service = duties.service
        self._rules = duties.rules
        self._adopt = duties.adopt
        self._configurations = configurations
        self._say = say

    def waiting(self) -> list[ConfigurationName]:
        """The configurations that still lack their rules, or are not adopted yet."""
        waiting = [name for name in self._ours() if self._next(name) is not None]
        # The label of the self-test comes last: from then on, a guard that refuses Pods does so.
        return waiting or ([SELF_TEST] if self._marked() is not None else [])

    def _ours(self) -> tuple[ConfigurationName, ...]:
        return LINKERD_CONFIGURATIONS if self._adopt else OURS

    def overwritten(self) -> list[ConfigurationName]:
        """Linkerd's configurations that were adopted once and point elsewhere now."""
        return (
            [name for name in LINKERD_CONFIGURATIONS if self._status(name) is AdoptionStatus.OVERWRITTEN]
            if self._adopt
            else []
        )

    async def put_into_force(self) -> None:
        """Write each configuration that waits. The API server must just have reached our server."""
        for name in self.waiting():
            body, what = self._next(name), "adopted" if self._adopt else "put into force"
            if body is None and name == SELF_TEST:
                body, what = self._marked(), "marked: the API server has reached this webhook"
            if body is not None:
                await self._write(name, body, what)

    def tell(self) -> None:
        """Report which of Linkerd's configurations are not adopted, and why."""
        if self._adopt:
            for name in LINKERD_CONFIGURATIONS:
                self._say(f"adoption of {name[1]}", _why_not(name, self._status(name)))

    def _next(self, name: ConfigurationName) -> JSON | None:
        """What is to be written to a configuration, None for nothing, or not yet."""
        body = self._configurations.get(name)
        bundle = self._bundle()
        if body is None or not bundle:
            return None
        if self._adopt:
            if adoption.status(body, self._service) is not AdoptionStatus.FOREIGN:
                return None
            return adoption.adopted(body, PATHS[name], self._service, encode(bundle))
        # With the caBundle by which the self-test succeeded, requests of this configuration will succeed as well.
        if any(entry.bundle != bundle for entry in pointing(body, self._service)):
            return None
        return with_rules(body, self._rules)

    def _marked(self) -> JSON | None:
        """The self-test's configuration with the label that the server has been reached; None where it has the label,
        or the injector's configuration does not have the same caBundle yet."""
        body, bundle = self._configurations.get(SELF_TEST), self._bundle()
        injector = self._configurations.get(INJECTORS[self._adopt])
        if body is None or injector is None or not bundle or _labels(body).get(REACHED_LABEL) == REACHED:
            return None
        bodies = [self._configurations.get(name) for name in self._ours()]
        entries = [entry for ours in bodies if ours is not None for entry in pointing(ours, self._service)]
        if any(entry.bundle != bundle for entry in entries):
            return None
        return {**body, "metadata": {**body["metadata"], "labels": {**_labels(body), REACHED_LABEL: REACHED}}}

    def _status(self, name: ConfigurationName) -> AdoptionStatus | None:
        body = self._configurations.get(name) if self._adopt else None
        return adoption.status(body, self._service) if body is not None else None

    def _bundle(self) -> bytes:
        """The caBundle of the self-test's configuration."""
        body = self._configurations.get(SELF_TEST)
        entries = pointing(body, self._service) if body is not None else []
        return entries[0].bundle if entries else b""

    async def _write(self, name: ConfigurationName, body: JSON, what: str) -> None:
        try:
            await self._api.send("PUT", path(name), body, query={"fieldManager": FIELD_MANAGER})
        except Conflict:
            # It was changed since it was read, and is read again.
            return
        except (ApiError, TimeoutError) as error:
            self._say(name[1], f"{name[0]} {name[1]} could not be {what}, tried again: {explain(error)}")
            return
        self._say(name[1], "")
        log.info(f"the webhook configuration was {what}", kind=name[0], configuration=name[1])


def _labels(body: JSON) -> JSON:
    labels = body["metadata"].get("labels")
    return labels if isinstance(labels, dict) else {}


def _why_not(name: ConfigurationName, status: AdoptionStatus | None) -> str:
    """Why one of Linkerd's configurations is not adopted; "" where it is, or will be."""
    kind, configuration = name
    if status is AdoptionStatus.OVERWRITTEN:
        return (
            f"{kind} {configuration} was adopted and points elsewhere now: somebody, such as an upgrade of Linkerd, "
            f"has written it since, and requests go there. To adopt it again, run {adoption.AGAIN}"
        )
    if status is AdoptionStatus.CERT_MANAGER:
        return (
            f"{kind} {configuration} is not adopted: cert-manager writes its caBundle (annotation "
            "cert-manager.io/inject-…): remove the annotation first"
        )
    return ""
