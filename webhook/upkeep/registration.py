"""Who is sent here: configurations that wait for the API server to reach us, and are put into force once it does."""

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
from webhook.kube.webhookconfigurations import FIELD_MANAGER, MUTATING, VALIDATING, Name, Service, path, pointing
from webhook.upkeep.rules import Rules, with_rules
from webhook.upkeep.watched_configurations import Configurations

SELF_TEST: Final[Name] = (MUTATING, CONFIG_MAP)
INJECTORS: Final[dict[bool, Name]] = {
    False: (MUTATING, NAME),
    True: next(name for name, where in PATHS.items() if where == "/proxy-injector"),
}
REACHED: Final = "true"
OURS: Final[tuple[Name, ...]] = ((MUTATING, NAME), (VALIDATING, NAME), SELF_TEST)
# Ours as well, in every way to be installed. It has its rules from the start, and no replica has to wait for it.
ADVISOR: Final[Name] = (VALIDATING, ADVISOR_NAME)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Duties:
    """What is to be looked after. `identity` names this replica; `ca` reads the CA certificates (PEM) that somebody
    else keeps beside the certificate, for where it is not self-managed."""

    service: Service
    identity: str
    rules: Rules
    self_managed: bool = True
    adopt: bool = False
    cluster_domain: str = "cluster.local"
    ca: Callable[[], bytes | None] = lambda: None


class Registration:
    """Gives our own configurations their rules, or points Linkerd's here. Only the leader calls `put_into_force`."""

    def __init__(
        self,
        api: ApiServer,
        duties: Duties,
        configurations: Configurations,
        say: Callable[[str, str], None] = lambda *_: None,
    ) -> None:
        """`say` is told what stands in the way, by what it is about; "" where nothing does any more."""
        self._api = api
        self._service = duties.service
        self._rules = duties.rules
        self._adopt = duties.adopt
        self._configurations = configurations
        self._say = say

    def waiting(self) -> list[Name]:
        """The configurations that are yet to be put into force."""
        found = [name for name in self._ours() if self._next(name) is not None]
        # The mark last: a guard that refuses Pods counts from then on.
        return found or ([SELF_TEST] if self._marked() is not None else [])

    def _ours(self) -> tuple[Name, ...]:
        return LINKERD_CONFIGURATIONS if self._adopt else OURS

    def overwritten(self) -> list[Name]:
        """Linkerd's configurations that were adopted once and point elsewhere now."""
        return (
            [name for name in LINKERD_CONFIGURATIONS if self._status(name) is AdoptionStatus.OVERWRITTEN]
            if self._adopt
            else []
        )

    async def put_into_force(self) -> None:
        """Whatever waits, each in one write. The API server must have been seen to reach us just now."""
        for name in self.waiting():
            body, what = self._next(name), "adopted" if self._adopt else "put into force"
            if body is None and name == SELF_TEST:
                body, what = self._marked(), "marked: the API server has reached this webhook"
            if body is not None:
                await self._write(name, body, what)

    def tell(self) -> None:
        """Say which of Linkerd's configurations are not adopted, and why."""
        if self._adopt:
            for name in LINKERD_CONFIGURATIONS:
                self._say(f"adoption of {name[1]}", _why_not(name, self._status(name)))

    def _next(self, name: Name) -> JSON | None:
        """What a configuration is to be, None where it is that, or cannot be written yet."""
        body = self._configurations.get(name)
        bundle = self._bundle()
        if body is None or not bundle:
            return None
        if self._adopt:
            if adoption.status(body, self._service) is not AdoptionStatus.FOREIGN:
                return None
            return adoption.adopted(body, PATHS[name], self._service, encode(bundle))
        # Only what has the caBundle that the self-test came through with will be answered as that was.
        if any(entry.bundle != bundle for entry in pointing(body, self._service)):
            return None
        return with_rules(body, self._rules)

    def _marked(self) -> JSON | None:
        """The self-test's configuration with the mark that the server has been reached; None where it has it, or where
        the injector is not reached in the same way yet."""
        body, bundle = self._configurations.get(SELF_TEST), self._bundle()
        injector = self._configurations.get(INJECTORS[self._adopt])
        if body is None or injector is None or not bundle or _labels(body).get(REACHED_LABEL) == REACHED:
            return None
        others = [found for name in self._ours() if (found := self._configurations.get(name)) is not None]
        if any(entry.bundle != bundle for each in others for entry in pointing(each, self._service)):
            return None
        return {**body, "metadata": {**body["metadata"], "labels": {**_labels(body), REACHED_LABEL: REACHED}}}

    def _status(self, name: Name) -> AdoptionStatus | None:
        body = self._configurations.get(name) if self._adopt else None
        return adoption.status(body, self._service) if body is not None else None

    def _bundle(self) -> bytes:
        """The caBundle of the self-test's configuration."""
        body = self._configurations.get(SELF_TEST)
        entries = pointing(body, self._service) if body is not None else []
        return entries[0].bundle if entries else b""

    async def _write(self, name: Name, body: JSON, what: str) -> None:
        try:
            await self._api.send("PUT", path(name), body, query={"fieldManager": FIELD_MANAGER})
        except Conflict:
            # It was changed since it was read, and is looked at again.
            return
        except (ApiError, TimeoutError) as error:
            self._say(name[1], f"{name[0]} {name[1]} could not be {what}, tried again: {explain(error)}")
            return
        self._say(name[1], "")
        log.info(f"the webhook configuration was {what}", kind=name[0], configuration=name[1])


def _labels(body: JSON) -> JSON:
    found = body["metadata"].get("labels")
    return found if isinstance(found, dict) else {}


def _why_not(name: Name, status: AdoptionStatus | None) -> str:
    """What to say about one of Linkerd's configurations that is not adopted; "" where there is nothing to say."""
    kind, configuration = name
    if status is AdoptionStatus.OVERWRITTEN:
        return (
            f"{kind} {configuration} was adopted and points elsewhere now: somebody (a Linkerd upgrade?) has written "
            f"it, and admission goes on there. To adopt it again: {adoption.AGAIN}"
        )
    if status is AdoptionStatus.CERT_MANAGER:
        return (
            f"{kind} {configuration} is not adopted: cert-manager writes its caBundle (annotation "
            "cert-manager.io/inject-…): take the annotation away first"
        )
    return ""
