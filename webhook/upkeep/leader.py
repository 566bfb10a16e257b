"""Manages the server's certificate, the caBundles that point at its Service, and its webhook configurations.

Every replica watches them; only the leader writes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from certs.authority import Authority
from certs.ca_file import CaFile
from certs.reconciler import Reconciler, Round
from certs.tls import ServedCertificate
from webhook.diagnosis import selftest
from webhook.diagnosis.selftest import SelfTestResult
from webhook.install.adoption import ADOPTABLE, LINKERD_CONFIGURATIONS, linkerds_cas
from webhook.install.configurations import NAME
from webhook.install.objects.names import LEAF_SECRET
from webhook.install.validatedkinds import Outdated
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.endpoints import listing, ready
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.lease import Election
from webhook.kube.webhookconfigurations import ConfigurationName, pointing
from webhook.upkeep.lease_watch import LeaseWatch
from webhook.upkeep.registration import ADVISOR, OURS, SELF_TEST, Duties, Registration
from webhook.upkeep.served_secret import ServedSecret
from webhook.upkeep.trust import Trust
from webhook.upkeep.watched_configurations import Configurations

# Seconds between two self-tests: right after a start, while they fail, and after one that succeeded.
SELF_TEST_AT_ONCE: Final = 0.5
SELF_TEST_SOON: Final = 2.0
SELF_TEST_LATER: Final = 60.0
# Seconds for which self-tests may fail without a warning, as nodes take a while to route to a new Service.
SELF_TEST_GRACE: Final = 20.0

# Seconds between two log lines about the same problem of a round.
WARN_AGAIN: Final = 60.0

_NUMBERS: Final = re.compile(r"\d+")

log = structlog.get_logger(__name__)


class Upkeep:
    """Runs from `start` to `stop`. Call `resign` when this replica shuts down, so that another one leads at once."""

    def __init__(
        self,
        api: ApiServer,
        duties: Duties,
        certificate: ServedCertificate,
        loaded: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """`loaded` is called for each new pair in the Secret, with True if it is served from then on, else False."""
        service = duties.service
        self.duties = duties
        self.configurations = Configurations(api, service, [*OURS, ADVISOR, *duties.adopts])
        self.trust = Trust(certificate, self.configurations, self.counted)
        self.secret = (
            ServedSecret(api, service.namespace, LEAF_SECRET, certificate, loaded, self.trust.refuses)
            if duties.self_managed
            else None
        )
        self.self_test: SelfTestResult | None = None
        self.round = Round(pause=0.0)
        self._api = api
        free = asyncio.Event()
        self.election = Election(api, service.namespace, NAME, duties.identity, wake=free)
        self._lease = LeaseWatch(api, service.namespace, NAME, free.set)
        self._reconciler = Reconciler(
            api,
            Authority(api, service, service.dns_names(duties.cluster_domain))
            if duties.self_managed
            else CaFile(duties.ca),
            service,
            self._owned,
            self._endpoints,
            beside=self._beside,
        )
        self._registration = Registration(api, duties, self.configurations, self._log_change)
        self._next_test = 0.0
        self._tested = 0.0
        # Since when self-tests fail, though a replica is ready; None while they succeed.
        self._unreached: float | None = None
        # Until when self-tests follow each other at the shortest interval.
        self._quick = 0.0
        self._logged: dict[str, str] = {}
        self._warned: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to watch, and to take part in the election."""
        if self.secret is not None:
            self.configurations.listen(self.secret.retry)
        self.configurations.start()
        if self.secret is not None:
            self.secret.start()
        self._lease.start()
        self._task = asyncio.create_task(self.election.run(self._lead), name="leader election")

    async def resign(self) -> None:
        """Stop leading, and release the Lease."""
        # A replica that shuts down must not take the Lease again.
        await self._lease.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def stop(self) -> None:
        """Resign, and stop all watches."""
        await self.resign()
        await self.configurations.stop()
        if self.secret is not None:
            await self.secret.stop()

    @property
    def leading(self) -> bool:
        """Whether this replica leads."""
        return self.election.leading

    @property
    def restored(self) -> Mapping[str, int]:
        """How often the caBundle of each configuration was restored after another writer had overwritten it."""
        return self._reconciler.restored

    def overwritten(self) -> list[ConfigurationName]:
        """Linkerd's configurations that were adopted once and point elsewhere now."""
        return self._registration.overwritten()

    def outdated(self) -> Outdated | None:
        """What the policy validator's rules lack since an upgrade of Linkerd."""
        return self._registration.outdated()

    def look_again(self) -> None:
        """Begin the leader's next round at once, after a change that no watch tells of: of the release line."""
        self.configurations.changed.set()

    def counted(self) -> list[ConfigurationName]:
        """The configurations that readiness depends on: Linkerd's with `--adopt`, else our own. Not those of its
        extensions: a Pod without tap or traces still works.
        """
        return [SELF_TEST, *LINKERD_CONFIGURATIONS] if self.duties.adopt else list(OURS)

    def _owned(self) -> list[ConfigurationName]:
        """The configurations whose caBundles the leader writes: our own and Linkerd's, with or without `--adopt`, so
        that both work while an installation changes to `--adopt` or back."""
        bodies = [(name, self.configurations.get(name)) for name in (*OURS, ADVISOR, *ADOPTABLE)]
        return [name for name, body in bodies if body and pointing(body, self.duties.service)]

    @staticmethod
    def _beside(configuration: JSON) -> bytes:
        """The CAs (PEM) that a configuration's caBundles hold beside ours: Linkerd's, in one that was adopted."""
        name = (configuration.get("kind"), configuration["metadata"].get("name"))
        return linkerds_cas(configuration) if name in ADOPTABLE else b""

    async def _endpoints(self) -> list[tuple[str, int]]:
        """Address and port of each ready replica. Raises `ApiError` and `TimeoutError`."""
        path, query = listing(self.duties.service)
        body = await self._api.get(path, query, PLAIN)
        return [(host, port) for piece in body.get("items") or () for host, port, _ in ready(piece)]

    async def _lead(self) -> None:
        log.info(
            "this replica leads: it manages the certificates and webhook configurations", identity=self.duties.identity
        )
        loop = asyncio.get_running_loop()
        self._next_test = 0.0
        self._quick = loop.time() + SELF_TEST_GRACE
        while True:
            self.configurations.changed.clear()
            pause = SELF_TEST_SOON
            try:
                if self.configurations.synced:
                    await self._keep()
                    pause = min(self.round.pause, self._next_test - loop.time())
            except Exception:
                # An error must not prevent the next round.
                log.exception("a round of the leader failed, and the next one follows: this is a bug")
            try:
                async with asyncio.timeout(max(0.2, pause)):
                    await self.configurations.changed.wait()
                # Waits for further changes, as they mostly come several at a time.
                await asyncio.sleep(0.1)
            except TimeoutError:
                continue

    async def _keep(self) -> None:
        """One round: certificates and caBundles, then the self-test, then webhook configurations."""
        self.round = await self._reconciler.round(self.configurations.all())
        for step in self.round.steps:
            log.info(step)
        for problem in self.round.problems:
            self._warn(problem)
        self._registration.report_adoption()
        self._registration.report_outdated()
        now = asyncio.get_running_loop().time()
        soon = SELF_TEST_AT_ONCE if now < self._quick else SELF_TEST_SOON
        if self._registration.waiting() or self.configurations.get(SELF_TEST) is None:
            # It was just applied or deleted: test at once.
            self._next_test = min(self._next_test, self._tested + soon)
        if now >= self._next_test:
            self._tested = now
            await self._test()
            ok = self.self_test is not None and self.self_test.answered_by
            self._next_test = now + (SELF_TEST_LATER if ok else soon)

    async def _test(self) -> None:
        """Have the API server call the server; if that succeeds, write the rules of waiting configurations."""
        if await self._no_replica_is_ready():
            # Normal after each start, before the kubelet's first probe, so it is not logged.
            self.self_test = selftest.not_ready(self.duties.service)
            return
        now = asyncio.get_running_loop().time()
        self.self_test = await selftest.run(self._api, self.duties.service)
        if self.self_test.answered_by:
            self._unreached = None
            self._log_change("self-test", "")
            await self._registration.write_waiting()
            return
        if self._unreached is None:
            self._unreached, self._quick = now, now + SELF_TEST_GRACE
        if now - self._unreached >= SELF_TEST_GRACE:
            self._log_change("self-test", self.self_test.problem)
        else:
            log.debug("the self-test does not succeed yet", problem=self.self_test.problem)

    async def _no_replica_is_ready(self) -> bool:
        try:
            return not await self._endpoints()
        except (ApiError, TimeoutError):
            # Not known: the self-test runs and shows it.
            return False

    def _warn(self, problem: str) -> None:
        """Log a problem of a round, the same one at most once a minute: two writers of a field cause one each round."""
        about, now = _NUMBERS.sub("#", problem.partition(" (")[0]), asyncio.get_running_loop().time()
        if now - self._warned.get(about, -WARN_AGAIN) >= WARN_AGAIN:
            self._warned[about] = now
            log.warning(problem)

    def _log_change(self, about: str, problem: str) -> None:
        """Log a problem when it begins and when it is solved (""). Changed numbers do not make it another problem."""
        before, same = self._logged.get(about, ""), _NUMBERS.sub("#", problem)
        self._logged[about] = same
        if problem and same != before:
            log.warning(problem)
        elif before and not problem:
            log.info(f"{about}: solved")
