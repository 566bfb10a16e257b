"""One leader among replicas, by a Lease.

Whether another's Lease has run out is judged by how long it has not changed in front of our eyes, so that the clocks of
nodes need not agree. The official client's election is passed over: it cannot let go of the Lease at the end, and it
brings the client's models with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from webhook.kube.errors import ApiError, Conflict, Unreachable, explain
from webhook.kube.interface import JSON, Api, find
from webhook.kube.webhookconfigurations import FIELD_MANAGER

_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

# Seconds that a Lease is said to last which nobody holds any more.
RELEASED: Final = 1
# Seconds that others are waited for, whatever their Lease says.
LONGEST: Final = 60.0

log = structlog.get_logger(__name__)


class Election:
    """Runs for leader. `leading` says whether this one leads, `holder` who does, `problem` what stands in the way."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration: float = 15.0,
        deadline: float = 10.0,
        renew: float = 5.0,
        retry: float = 2.0,
        wake: asyncio.Event | None = None,
    ) -> None:
        """Seconds: others take over when nothing was heard for `duration`; this one gives up leading when it could not
        renew for `deadline`, which is less; `renew` lies between two renewals, `retry` between two attempts.
        `wake` is set by whoever sees that somebody let go of the Lease: then the next attempt follows at once."""
        self.identity = identity
        self.leading = False
        self.holder = ""
        self.problem = ""
        self._api = api
        self._root = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._root}/{name}"
        self._name = f"{namespace}/{name}"
        self._metadata = {"name": name, "namespace": namespace}
        self._duration = duration
        self._deadline = deadline
        self._renew = renew
        self._retry = retry
        self._wake = wake or asyncio.Event()
        self._lease: JSON | None = None
        self._seen: tuple[object, ...] | None = None
        # When the Lease was last seen to change; None as long as nobody was ever seen to hold it.
        self._changed: float | None = None
        self._looked = 0.0
        self._probation = 0.0
        self._taking = False

    async def run(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `lead` while this one leads, until cancelled; then let go of the Lease."""
        work: asyncio.Task[None] | None = None
        renewed = _now()
        try:
            while True:
                begun = _now()
                ours = await self._attempt_until(renewed + self._deadline if self.leading else None)
                if ours:
                    renewed = begun
                    self.leading = True
                    work = self._begin(work, lead)
                elif self.leading and (self.holder not in ("", self.identity) or _now() >= renewed + self._deadline):
                    await self._end(work)
                    work = None
                pause = (self._renew if ours else self._retry) * random.uniform(0.8, 1.0)  # noqa: S311
                if self.leading:
                    pause = min(pause, max(0.0, renewed + self._deadline - _now()))
                await self._sleep(pause)
        finally:
            held = self._taking or self.holder == self.identity
            await self._end(work)
            if held:
                await self._release()

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    def _begin(
        self, work: asyncio.Task[None] | None, lead: Callable[[], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        if work is not None and not work.done():
            return work
        if work is not None and not work.cancelled() and work.exception():
            log.error("what the leader does has failed and is begun again", exc_info=work.exception())
        return asyncio.create_task(lead(), name="leader")

    async def _end(self, work: asyncio.Task[None] | None) -> None:
        if self.leading:
            log.info("leading no more", lease=self._name, holder=self.holder)
        self.leading = False
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _attempt_until(self, end: float | None) -> bool:
        """An attempt that is given up where it takes so long that others may have taken over."""
        try:
            async with asyncio.timeout_at(end):
                return await self._attempt()
        except TimeoutError:
            self._tell(f"Lease {self._name}: the API server did not answer in time")
            return False

    async def _attempt(self) -> bool:
        """Take or renew the Lease. Whether it is ours now. Raises `TimeoutError`."""
        try:
            self._observe(await self._read())
            if not self._free():
                self._tell("")
                return False
            self._taking = True
            if self._orphan() and not self.leading:
                # Others have to see whose it is now, before it may vanish once more.
                self._probation = _now() + self._renew
            await self._take()
        except ApiError as error:
            # A conflict: somebody was faster, and that is no problem.
            self._tell("" if isinstance(error, Conflict) else f"Lease {self._name}: {explain(error)}")
            self._taking = self._taking and isinstance(error, Unreachable)
            return False
        self._taking = False
        self._tell("")
        return self.leading or _now() >= self._probation

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning(problem)
        self.problem = problem

    async def _read(self) -> JSON | None:
        return await find(self._api, self._path)

    def _observe(self, lease: JSON | None) -> None:
        """Note who holds it, and since when it has not changed."""
        self._lease = lease
        spec = _spec(lease)
        before, holder = self.holder, spec.get("holderIdentity")
        self.holder = holder if isinstance(holder, str) else ""
        if self.holder not in ("", before, self.identity):
            log.info("another replica leads", lease=self._name, holder=self.holder)
        seen = None if lease is None else (self.holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        # Where nobody's name is read, somebody may have come and gone since the last look.
        missed = self.holder == "" and _now() - self._looked > 2 * self._retry
        if (seen != self._seen or missed) and (self.holder or self._changed is not None):
            self._changed = _now()
        self._seen, self._looked = seen, _now()

    def _free(self) -> bool:
        """Whether nobody else can be leading.

        Who held a Lease that was deleted or damaged may lead on until its next renewal.
        """
        if self.holder == "" and not self._orphan():
            return True
        if self.holder == self.identity or (self.holder == "" and self.leading):
            return True
        duration = _spec(self._lease).get("leaseDurationSeconds")
        seconds = min(float(duration), LONGEST) if isinstance(duration, int) else 0.0
        return self._changed is not None and _now() - self._changed > max(self._duration, seconds)

    def _orphan(self) -> bool:
        """Whether nobody holds it and nobody let go of it, though somebody was seen to hold it."""
        released = _spec(self._lease).get("leaseDurationSeconds") == RELEASED
        return self.holder == "" and not released and self._changed is not None

    async def _take(self) -> None:
        now = datetime.now(UTC).strftime(_TIME)
        spec = dict(_spec(self._lease))
        transitions = spec.get("leaseTransitions")
        if self.holder != self.identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = (transitions if isinstance(transitions, int) else 0) + bool(self._lease)
        spec |= {"holderIdentity": self.identity, "leaseDurationSeconds": int(self._duration), "renewTime": now}
        await self._write(spec)

    async def _write(self, spec: JSON) -> None:
        query = {"fieldManager": FIELD_MANAGER}
        if self._lease is None:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self._metadata, "spec": spec}
            stored = await self._api.send("POST", self._root, body, query=query)
        else:
            # With the resourceVersion that was read: of two that take it, one gets a conflict.
            stored = await self._api.send("PUT", self._path, {**self._lease, "spec": spec}, query=query)
        self._observe(stored)

    async def _release(self) -> None:
        """Let the next one lead at once."""
        try:
            async with asyncio.timeout(2.0):
                self._observe(await self._read())
                if self.holder == self.identity:
                    spec = {**_spec(self._lease), "holderIdentity": "", "leaseDurationSeconds": RELEASED}
                    await self._write(spec)
                    log.info("the Lease was let go", lease=self._name)
        except (ApiError, TimeoutError) as error:
            log.warning(
                "the Lease could not be let go, the next leader has to wait", lease=self._name, error=explain(error)
            )


def _now() -> float:
    return asyncio.get_running_loop().time()


def _spec(lease: JSON | None) -> JSON:
    spec = lease.get("spec") if lease else None
    return spec if isinstance(spec, dict) else {}
