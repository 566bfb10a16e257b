"""One look at everything that has to do with certificates, and what it takes to put it right. The leader calls it.

Level-triggered: each round starts from what is stored, so that a round that was cut short, or a leader that died,
leaves nothing behind that the next one does not finish.
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

from certs.bundle import read, salvage
from certs.bundle_age import SETTLE, Standing
from certs.decision import CABundles
from certs.handshake import ProbeError, probe
from certs.writer import BundleWriter
from webhook.kube.errors import ApiError, explain
from webhook.kube.interface import JSON, Api
from webhook.kube.webhookconfigurations import Name, Service

# Seconds between two rounds: while something is under way, and when all is well.
SOON: Final = 2.0
LATER: Final = 10.0
# A round takes so many steps at most: more would be two that undo each other.
STEPS: Final = 8

Probe = Callable[[str, int, str, bytes], Awaitable[object]]


class Source(Protocol):
    """Where certificates come from: our own `Authority`, or files that somebody else keeps (`CaFile`)."""

    problems: list[str]

    async def look(self) -> None:
        """Read what there is."""

    def wanted(self) -> bytes:
        """The CAs that every caBundle has to hold, as PEM."""

    def serving(self) -> x509.Certificate | None:
        """The leaf that is served, None where that is not known or no good."""

    def resting(self) -> bool:
        """Whether the leaf that is stored needs nothing but the wanted CAs."""

    async def step(self, bundles: CABundles) -> str:
        """Take the next step, if there is one, and say it."""

    def state(self) -> dict[str, str]:
        """How things stand, for people."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to: seconds until the next is wanted, what was done, what stands in the way, and the state."""

    pause: float
    steps: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    state: dict[str, str] = field(default_factory=dict)


class Keeper:
    """Keeps a source's certificates and the caBundles of the owned configurations together."""

    def __init__(
        self,
        api: Api,
        source: Source,
        service: Service,
        owned: Callable[[], Collection[Name]],
        endpoints: Callable[[], Awaitable[Sequence[tuple[str, int]]]],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        probe: Probe = probe,
        settle: float = SETTLE,
    ) -> None:
        """`endpoints`: the address and port of every ready replica. `settle`: seconds."""
        self._source = source
        self._service = service
        self._endpoints = endpoints
        self._monotonic = monotonic
        self._probe = probe
        self._settle = settle
        self._writer = BundleWriter(api, service, owned, monotonic)
        self._standing = Standing(settle, clock, monotonic)
        # Since when every replica could have heard of the leaf that is stored, which needs the wanted CAs alone.
        self._resting: float | None = None

    @property
    def restored(self) -> Counter[str]:
        """How often each configuration's caBundle was put back after somebody else had written it."""
        return self._writer.restored

    async def round(self, configurations: Sequence[JSON]) -> Round:
        """Take a look, and put right what is not. Never raises for what the API server says or does not say."""
        steps: list[str] = []
        problems: list[str] = []
        busy = True
        self._writer.begin()
        try:
            busy = await self._work(self._writer.current(configurations), steps, problems)
        except (ApiError, TimeoutError) as error:
            problems.append(f"{explain(error)}; tried again")
        problems += [*self._source.problems, *self._writer.problems]
        pause = SOON if busy else LATER
        if self._writer.retry_in is not None:
            pause = min(pause, self._writer.retry_in)
        return Round(pause, steps, problems, self._source.state())

    async def _work(self, configurations: list[JSON], steps: list[str], problems: list[str]) -> bool:
        """Whether something is still under way."""
        await self._source.look()
        for _ in range(STEPS):
            configurations = await self._spread(configurations)
            said = await self._source.step(self._standing)
            if not said:
                break
            self._resting = None
            steps.append(said)
        problems += self._foreign(configurations)
        return await self._narrow(configurations, steps, problems)

    async def _spread(self, configurations: list[JSON]) -> list[JSON]:
        """See that every caBundle holds the wanted CAs, and take note of it."""
        before = self._writer.entries(configurations)
        configurations = await self._writer.write(configurations, self._source.wanted())
        self._standing.note(before, self._writer.entries(configurations), self._writer.blocked)
        self._standing.serve(self._source.serving())
        return configurations

    def _foreign(self, configurations: list[JSON]) -> list[str]:
        """caBundles that cert-manager writes and that lack a CA: we do not write them."""
        wanted = read(self._source.wanted())
        return [
            f"{entry.field} lacks a CA of what is served, and is cert-manager's to write (annotation "
            f"{entry.cert_manager}): take the annotation away, or install with --inject-ca-from"
            for entry in self._writer.not_ours(configurations)
            if set(wanted) - set(salvage(entry.bundle)[0])
        ]

    async def _narrow(self, configurations: list[JSON], steps: list[str], problems: list[str]) -> bool:
        """Take CAs that nobody needs out of the caBundles, once every ready replica is seen to do without them.

        Whether something is still under way.
        """
        wanted = self._source.wanted()
        if not wanted:
            return False
        if not self._source.resting():
            self._resting = None
            return True
        now = self._monotonic()
        self._resting = self._resting if self._resting is not None else now
        if not self._wide(configurations, wanted):
            return False
        if now - self._resting < self._settle:
            return True
        why_not = await self._unproven(wanted)
        if why_not:
            problems.append(f"CAs that were replaced stay in the caBundles: {why_not}")
            return True
        configurations = await self._writer.write(configurations, wanted, exactly=True)
        if self._wide(configurations, wanted):
            return True
        steps.append("every ready replica serves what the new caBundles trust: other CAs were taken out of them")
        return False

    def _wide(self, configurations: list[JSON], wanted: bytes) -> bool:
        """Whether a caBundle holds anything that is not wanted."""
        entries = self._writer.entries(configurations)
        return any(set(salvage(entry.bundle)[0]) - set(read(wanted)) for entry in entries)

    async def _unproven(self, wanted: bytes) -> str:
        """Why it is not sure that every ready replica is trusted with these CAs alone; "" where it is."""
        service = f"Service {self._service.namespace}/{self._service.name}"
        try:
            endpoints = await self._endpoints()
        except (ApiError, TimeoutError) as error:
            return f"the replicas of {service} are not known: {explain(error)}"
        if not endpoints:
            return f"{service} has no ready replica to ask"
        outcomes = await asyncio.gather(
            *(self._probe(host, port, self._service.dns_name, wanted) for host, port in endpoints),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, ProbeError):
                return f"a replica does not serve the new certificate yet: {outcome.message}"
            if isinstance(outcome, BaseException):
                raise outcome
        return ""
