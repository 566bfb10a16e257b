"""Reconciles the certificates and the caBundles. The leader calls it.

It is level-triggered: each round starts from what is stored, so that it also finishes what an interrupted round, or
another leader, has begun.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

from cryptography import x509

from certs.bundle import read, salvage, valid
from certs.bundle_age import SETTLE, BundleAge
from certs.bundle_writer import BundleWriter
from certs.handshake import ProbeError, probe
from certs.rotation import CABundles
from webhook.kube.errors import ApiError, explain
from webhook.kube.interface import JSON, Api
from webhook.kube.webhookconfigurations import ConfigurationName, ServiceReference

# Seconds between two rounds: while a rotation is under way, and otherwise.
SOON: Final = 2.0
LATER: Final = 10.0
# The most steps of a round. More would mean that two steps undo each other.
STEPS: Final = 8

ServedCertificateProbe = Callable[[str, int, str, bytes], Awaitable[object]]


class CertificateSource(Protocol):
    """Where the certificates come from: `Authority` issues them, `CaFile` reads those that others renew.

    `problems` are messages about what has failed since the last `read`.
    """

    problems: list[str]

    async def read(self) -> None:
        """Read the certificates again."""

    def required_cas(self) -> bytes:
        """The CAs that every caBundle must hold, as PEM."""

    def serving(self) -> x509.Certificate | None:
        """The leaf that is served, None if it is not known or cannot be used."""

    def rotation_is_complete(self) -> bool:
        """Whether clients need only the required CAs to trust the stored leaf."""

    async def step(self, bundles: CABundles) -> str:
        """Take the next step and describe it; "" if there is none."""

    def state(self) -> dict[str, str]:
        """A description of the certificates, for logs and the admin page."""


@dataclass(frozen=True, slots=True)
class Round:
    """The result of a round.

    `pause` is the seconds until the next round, `steps` what was done, `problems` what has failed, `state` a
    description of the certificates.
    """

    pause: float
    steps: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    state: dict[str, str] = field(default_factory=dict)


class Reconciler:
    """Keeps the certificates of a source and the caBundles of the owned configurations consistent."""

    def __init__(
        self,
        api: Api,
        source: CertificateSource,
        service: ServiceReference,
        owned: Callable[[], Collection[ConfigurationName]],
        endpoints: Callable[[], Awaitable[Sequence[tuple[str, int]]]],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        probe: ServedCertificateProbe = probe,
        settle: float = SETTLE,
        beside: Callable[[JSON], bytes] = lambda _: b"",
    ) -> None:
        """`owned` returns the names of the configurations whose caBundles are to be written.

        `endpoints` returns address and port of every ready replica; it may raise `ApiError` and `TimeoutError`. `probe`
        checks that a replica's leaf is trusted. `settle` is the time in seconds until every API server has read a
        changed caBundle. `clock` returns the time in UTC, `monotonic` seconds.

        `beside` returns the CAs (PEM) that the caBundles of a configuration hold beside the required ones, whatever is
        rotated, as somebody else needs them; those that are not valid now are left out.
        """
        self._source = source
        self._service = service
        self._endpoints = endpoints
        self._monotonic = monotonic
        self._probe = probe
        self._settle = settle
        self._clock = clock
        self._beside = beside
        self._writer = BundleWriter(api, service, owned, monotonic, self._needed_beside)
        self._ages = BundleAge(settle, clock, monotonic)
        # When the rotation was first seen to be complete; None while it is not.
        self._complete_since: float | None = None

    @property
    def restored(self) -> Counter[str]:
        """By configuration, how often its caBundle was restored after another client had overwritten it."""
        return self._writer.restored

    async def round(self, configurations: Sequence[JSON]) -> Round:
        """Take the steps that are due. `configurations` are the webhook configurations as a watch delivered them.

        A failed request to the API server is a problem in the result, not an exception.
        """
        steps: list[str] = []
        problems: list[str] = []
        busy = True
        self._writer.begin()
        try:
            busy = await self._work(self._writer.current(configurations), steps, problems)
        except (ApiError, TimeoutError) as error:
            problems.append(f"{explain(error)}; the next attempt follows")
        problems += [*self._source.problems, *self._writer.problems]
        pause = SOON if busy else LATER
        if self._writer.retry_in is not None:
            pause = min(pause, self._writer.retry_in)
        return Round(pause, steps, problems, self._source.state())

    async def _work(self, configurations: list[JSON], steps: list[str], problems: list[str]) -> bool:
        """Take the steps that are due, and return whether a rotation is still under way."""
        await self._source.read()
        for _ in range(STEPS):
            configurations = await self._add_required_cas(configurations)
            step = await self._source.step(self._ages)
            if not step:
                break
            self._complete_since = None
            steps.append(step)
        problems += self._lacking_in_cert_managers(configurations)
        return await self._remove_old_cas(configurations, steps, problems)

    async def _add_required_cas(self, configurations: list[JSON]) -> list[JSON]:
        """Write the required CAs into every caBundle, and note what the caBundles hold then."""
        before = self._writer.entries(configurations)
        configurations = await self._writer.write(configurations, self._source.required_cas())
        self._ages.note(before, self._writer.entries(configurations), self._writer.blocked)
        self._ages.serve(self._source.serving())
        return configurations

    def _lacking_in_cert_managers(self, configurations: list[JSON]) -> list[str]:
        """A message for each caBundle that lacks a required CA and that cert-manager writes."""
        required = read(self._source.required_cas())
        return [
            f"{entry.field} lacks a CA of the serving certificate, and cert-manager writes this caBundle (annotation "
            f"{entry.cert_manager}): remove the annotation, or install with --inject-ca-from"
            for entry in self._writer.not_ours(configurations)
            if set(required) - set(salvage(entry.bundle)[0])
        ]

    async def _remove_old_cas(self, configurations: list[JSON], steps: list[str], problems: list[str]) -> bool:
        """Remove replaced CAs from the caBundles, once every ready replica was probed with the required ones alone.

        Returns whether a rotation is still under way.
        """
        required = self._source.required_cas()
        if not required:
            return False
        if not self._source.rotation_is_complete():
            self._complete_since = None
            return True
        now = self._monotonic()
        self._complete_since = self._complete_since if self._complete_since is not None else now
        if not self._others_hold(configurations, required):
            return False
        if now - self._complete_since < self._settle:
            return True
        why_not = await self._why_others_are_needed(required)
        if why_not:
            problems.append(f"replaced CAs stay in the caBundles: {why_not}")
            return True
        configurations = await self._writer.write(configurations, required, exactly=True)
        if self._others_hold(configurations, required):
            return True
        steps.append("removed replaced CAs from the caBundles, as every ready replica's certificate is trusted without")
        return False

    def _others_hold(self, configurations: list[JSON], required: bytes) -> bool:
        """Whether a caBundle holds a CA that is neither required nor needed by somebody else."""
        needed = set(read(required))
        return any(
            set(salvage(entry.bundle)[0]) - needed - set(self._needed_beside(configuration))
            for configuration in configurations
            for entry in self._writer.entries([configuration])
        )

    def _needed_beside(self, configuration: JSON) -> tuple[x509.Certificate, ...]:
        """The CAs that the caBundles of a configuration hold beside the required ones."""
        return valid(self._beside(configuration), self._clock())

    async def _why_others_are_needed(self, required: bytes) -> str:
        """Why clients that trust only the required CAs may not trust every ready replica; "" if they do."""
        service = f"Service {self._service.namespace}/{self._service.name}"
        try:
            endpoints = await self._endpoints()
        except (ApiError, TimeoutError) as error:
            return f"cannot list the replicas of {service}: {explain(error)}"
        if not endpoints:
            return f"{service} has no ready replica that could be probed"
        outcomes = await asyncio.gather(
            *(self._probe(host, port, self._service.dns_name, required) for host, port in endpoints),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, ProbeError):
                return f"a replica does not serve the new certificate yet: {outcome.message}"
            if isinstance(outcome, BaseException):
                raise outcome
        return ""
