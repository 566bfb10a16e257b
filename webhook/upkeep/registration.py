"""Adds the rules to our webhook configurations, or adopts Linkerd's, once the API server has reached the server.

After an upgrade of Linkerd it adds rules for the kinds that came with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from certs.bundle import salvage
from webhook.diagnosis.fixes import outdated_rules
from webhook.install import adoption
from webhook.install.adoption import LINKERD_CONFIGURATIONS, PATHS, AdoptionStatus
from webhook.install.configurations import ADVISOR as ADVISOR_NAME
from webhook.install.configurations import NAME, REACHED_LABEL
from webhook.install.configurations import SELF_TEST as CONFIG_MAP
from webhook.install.validatedkinds import CONFIGURATION, Outdated, outdated
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
from webhook.mesh.releases import Line
from webhook.upkeep.rules import with_new_kinds, with_rules_for
from webhook.upkeep.watched_configurations import Configurations

SELF_TEST: Final[ConfigurationName] = (MUTATING, CONFIG_MAP)
INJECTORS: Final[dict[bool, ConfigurationName]] = {
    False: (MUTATING, NAME),
    True: next(name for name, where in PATHS.items() if where == "/proxy-injector"),
}
REACHED: Final = "true"
OURS: Final[tuple[ConfigurationName, ...]] = ((MUTATING, NAME), (VALIDATING, NAME), SELF_TEST)
# Our own as well, with or without --adopt. It has its rules from the start, and readiness does not depend on it.
ADVISOR: Final[ConfigurationName] = (VALIDATING, ADVISOR_NAME)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Duties:
    """What a running server manages. `identity` is the name of this replica. If the certificate is not self-managed,
    `ca` reads the CA certificates (PEM) beside it, and returns None if there are none. `line` returns Linkerd's release
    line that is in force, None where it is a guess. `extensions` are the configurations of Linkerd's extensions that
    are adopted with Linkerd's own, as the server knows what their injectors add to Pods."""

    service: ServiceReference
    identity: str
    self_managed: bool = True
    adopt: bool = False
    extensions: tuple[ConfigurationName, ...] = ()
    cluster_domain: str = "cluster.local"
    ca: Callable[[], bytes | None] = lambda: None
    line: Callable[[], Line | None] = lambda: None

    @property
    def adopts(self) -> tuple[ConfigurationName, ...]:
        """The configurations that are to be adopted, as far as they exist."""
        return (*LINKERD_CONFIGURATIONS, *self.extensions) if self.adopt else ()


class Registration:
    """Adds the rules to our own configurations, or adopts Linkerd's. Only the leader calls `write_waiting`."""

    def __init__(
        self,
        api: ApiServer,
        duties: Duties,
        configurations: Configurations,
        report: Callable[[str, str], None] = lambda *_: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`report` is called with what a problem is about and with the problem, "" once it is solved. `clock` returns
        the time in UTC."""
        self._api = api
        self._service = duties.service
        self._line = duties.line
        self._adopt = duties.adopt
        self._adopts = duties.adopts
        self._configurations = configurations
        self._report = report
        self._clock = clock
        # The release line for which this replica has added new kinds last. If another writer takes them out again,
        # they stay out: two would change the rules back and forth.
        self._added_for: str | None = None

    def waiting(self) -> list[ConfigurationName]:
        """The configurations that still lack their rules, or are not adopted yet."""
        waiting = [name for name in self._ours() if self._next(name) is not None]
        # The label of the self-test comes last, as a guard with `deny` refuses Pods from then on.
        return waiting or ([SELF_TEST] if self._marked() is not None else [])

    def _ours(self) -> tuple[ConfigurationName, ...]:
        return self._adopts if self._adopt else OURS

    def overwritten(self) -> list[ConfigurationName]:
        """Linkerd's configurations that were adopted once and point elsewhere now."""
        return [name for name in self._adopts if self._status(name) is AdoptionStatus.OVERWRITTEN]

    async def write_waiting(self) -> None:
        """Write all configurations that wait. Call it right after the API server has reached the server."""
        for name in self.waiting():
            body, what = self._next(name), "adopted" if self._adopt else "given its rules"
            if body is None and name == SELF_TEST:
                body, what = self._marked(), "marked: the API server has reached this webhook"
            old = self.outdated() if name == CONFIGURATION else None
            if old is not None:
                what = f"given rules for the kinds that came since {old.written_for}: {', '.join(old.kinds)}"
            if body is not None and await self._write(name, body, what) and old is not None:
                self._added_for = old.in_force

    def outdated(self) -> Outdated | None:
        """What the policy validator's rules lack since an upgrade of Linkerd; None for nothing, and with `--adopt`, as
        Linkerd's upgrade brings its own rules."""
        body = None if self._adopt else self._configurations.get(CONFIGURATION)
        return outdated(body, self._line()) if body is not None else None

    def report_outdated(self) -> None:
        """Report which kinds are not checked since an upgrade of Linkerd, where the leader does not add them."""
        old = self.outdated()
        adds = old is not None and old.as_written and self._may_add()
        self._report("validated kinds", outdated_rules(old) if old is not None and not adds else "")

    def report_adoption(self) -> None:
        """Report which of Linkerd's configurations are not adopted, and why."""
        for name in self._adopts:
            self._report(f"adoption of {name[1]}", _why_not(name, self._status(name)))

    def _next(self, name: ConfigurationName) -> JSON | None:
        """The configuration with its rules, or adopted; None if there is nothing to write, or not yet."""
        body = self._configurations.get(name)
        bundle = self._bundle()
        if body is None or not bundle:
            return None
        if self._adopt:
            if adoption.status(body, self._service) is not AdoptionStatus.FOREIGN:
                return None
            return adoption.adopted(body, PATHS[name], self._service, encode(bundle), self._clock())
        # The self-test succeeded with this caBundle, so requests of a configuration with the same caBundle will, too.
        if any(entry.bundle != bundle for entry in pointing(body, self._service)):
            return None
        if (changed := with_rules_for(body, self._line())) is not None:
            return changed
        return with_new_kinds(body, self._line()) if name == CONFIGURATION and self._may_add() else None

    def _may_add(self) -> bool:
        """Whether this replica has not added the kinds of the release line in force yet."""
        line = self._line()
        return self._added_for != (line.name if line is not None else "")

    def _marked(self) -> JSON | None:
        """The self-test's configuration with the label that the server has been reached; None where it has the label,
        or the injector's configuration does not hold the same CAs yet."""
        body, bundle = self._configurations.get(SELF_TEST), self._bundle()
        injector = self._configurations.get(INJECTORS[self._adopt])
        if body is None or injector is None or not bundle or _labels(body).get(REACHED_LABEL) == REACHED:
            return None
        bodies = [self._configurations.get(name) for name in self._ours()]
        entries = [entry for ours in bodies if ours is not None for entry in pointing(ours, self._service)]
        # Adopted ones hold Linkerd's CA beside it.
        if any(set(salvage(bundle)[0]) - set(salvage(entry.bundle)[0]) for entry in entries):
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

    async def _write(self, name: ConfigurationName, body: JSON, what: str) -> bool:
        try:
            await self._api.send("PUT", path(name), body, query={"fieldManager": FIELD_MANAGER})
        except Conflict:
            # It was changed since it was read; the next round reads it again.
            return False
        except (ApiError, TimeoutError) as error:
            self._report(
                name[1], f"{name[0]} {name[1]} could not be {what}, the next attempt follows: {explain(error)}"
            )
            return False
        self._report(name[1], "")
        log.info(f"the webhook configuration was {what}", kind=name[0], configuration=name[1])
        return True


def _labels(body: JSON) -> JSON:
    labels = body["metadata"].get("labels")
    return labels if isinstance(labels, dict) else {}


def _why_not(name: ConfigurationName, status: AdoptionStatus | None) -> str:
    """Why one of Linkerd's configurations is not adopted; "" where it is, or will be."""
    kind, configuration = name
    if status is AdoptionStatus.OVERWRITTEN:
        return (
            f"{kind} {configuration} was adopted and points elsewhere now, for example after an upgrade of Linkerd: "
            f"its requests do not come to this server. To adopt it again, run {adoption.AGAIN}"
        )
    if status is AdoptionStatus.CERT_MANAGER:
        return (
            f"{kind} {configuration} is not adopted: cert-manager writes its caBundle (annotation "
            "cert-manager.io/inject-…): remove the annotation first"
        )
    return ""
