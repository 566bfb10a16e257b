"""Leader election among replicas, by a Lease.

A Lease counts as expired once this replica has not seen it change for the Lease's duration. So the clocks of the nodes
need not agree. The official client's leader election is not used: it cannot release the Lease on shutdown, and it
imports the client's models. https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from webhook.kube.errors import ApiError, ApiServerUnreachable, Conflict, explain
from webhook.kube.interface import JSON, Api, find
from webhook.kube.webhookconfigurations import FIELD_MANAGER

_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"

# The leaseDurationSeconds of a released Lease, as client-go writes it.
RELEASED: Final = 1
# The longest duration in seconds that is respected, whatever another replica's Lease says.
LONGEST: Final = 60.0

log = structlog.get_logger(__name__)


class Election:
    """Takes part in the election of the leader.

    `leading` is whether this replica leads, `holder` the identity in the Lease ("" for none), `problem` why the last
    attempt to take or renew the Lease failed ("" if it did not).
    """

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
        """`namespace` and `name` are the Lease's, `identity` is this replica's. All times are in seconds.

        `duration`: other replicas take over after the Lease has not been renewed for so long.
        `deadline`: this replica stops leading when it could not renew the Lease for so long; less than `duration`.
        `renew` and `retry`: the time between two renewals, and between two attempts to take the Lease.
        `wake`: set it when the Lease was released, for an attempt at once.
        """
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
        # When this replica last saw the Lease change; None if it never saw a holder.
        self._changed: float | None = None
        self._read_at = 0.0
        self._probation = 0.0
        self._acquiring = False

    async def run(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `lead` while this replica leads. When cancelled, stop `lead` and release the Lease."""
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
            held = self._acquiring or self.holder == self.identity
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
            log.error("the leader's task failed and is started again", exc_info=work.exception())
        return asyncio.create_task(lead(), name="leader")

    async def _end(self, work: asyncio.Task[None] | None) -> None:
        if self.leading:
            log.info("this replica no longer leads", lease=self._name, holder=self.holder)
        self.leading = False
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _attempt_until(self, end: float | None) -> bool:
        """An attempt with a deadline, after which another replica may have taken over."""
        try:
            async with asyncio.timeout_at(end):
                return await self._attempt()
        except TimeoutError:
            self._set_problem(f"Lease {self._name}: the API server did not answer in time")
            return False

    async def _attempt(self) -> bool:
        """Take or renew the Lease, and return whether this replica holds it. Raises `TimeoutError`."""
        try:
            self._observe(await self._read())
            if not self._may_acquire():
                self._set_problem("")
                return False
            self._acquiring = True
            if self._lost() and not self.leading:
                # Should the Lease be deleted once more, the other replicas must have seen its new holder by then.
                self._probation = _now() + self._renew
            await self._acquire_or_renew()
        except ApiError as error:
            # On a conflict another replica wrote the Lease first, which is normal.
            self._set_problem("" if isinstance(error, Conflict) else f"Lease {self._name}: {explain(error)}")
            self._acquiring = self._acquiring and isinstance(error, ApiServerUnreachable)
            return False
        self._acquiring = False
        self._set_problem("")
        return self.leading or _now() >= self._probation

    def _set_problem(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning(problem)
        self.problem = problem

    async def _read(self) -> JSON | None:
        return await find(self._api, self._path)

    def _observe(self, lease: JSON | None) -> None:
        """Note who holds the Lease, and since when it has not changed."""
        self._lease = lease
        spec = _spec(lease)
        before, holder = self.holder, spec.get("holderIdentity")
        self.holder = holder if isinstance(holder, str) else ""
        if self.holder not in ("", before, self.identity):
            log.info("another replica leads", lease=self._name, holder=self.holder)
        seen = None if lease is None else (self.holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        # Between two reads that are far apart, another replica may have held the Lease, and it was deleted since.
        missed = self.holder == "" and _now() - self._read_at > 2 * self._retry
        if (seen != self._seen or missed) and (self.holder or self._changed is not None):
            self._changed = _now()
        self._seen, self._read_at = seen, _now()

    def _may_acquire(self) -> bool:
        """Whether no other replica can be leading.

        The holder of a Lease that was deleted or damaged may lead until its next renewal fails.
        """
        if self.holder == "" and not self._lost():
            return True
        if self.holder == self.identity or (self.holder == "" and self.leading):
            return True
        duration = _spec(self._lease).get("leaseDurationSeconds")
        seconds = min(float(duration), LONGEST) if isinstance(duration, int) else 0.0
        return self._changed is not None and _now() - self._changed > max(self._duration, seconds)

    def _lost(self) -> bool:
        """Whether the Lease names no holder although it had one that did not release it: it was deleted or damaged."""
        released = _spec(self._lease).get("leaseDurationSeconds") == RELEASED
        return self.holder == "" and not released and self._changed is not None

    async def _acquire_or_renew(self) -> None:
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
            # Carries the resourceVersion that was read: if two replicas write, one of them gets a conflict.
            stored = await self._api.send("PUT", self._path, {**self._lease, "spec": spec}, query=query)
        self._observe(stored)

    async def _release(self) -> None:
        """Release the Lease, so that another replica can lead at once."""
        try:
            async with asyncio.timeout(2.0):
                self._observe(await self._read())
                if self.holder == self.identity:
                    spec = {**_spec(self._lease), "holderIdentity": "", "leaseDurationSeconds": RELEASED}
                    await self._write(spec)
                    log.info("released the Lease", lease=self._name)
        except (ApiError, TimeoutError) as error:
            log.warning(
                "cannot release the Lease, the next leader has to wait until it expires",
                lease=self._name,
                error=explain(error),
            )


def _now() -> float:
    return asyncio.get_running_loop().time()


def _spec(lease: JSON | None) -> JSON:
    spec = lease.get("spec") if lease else None
    return spec if isinstance(spec, dict) else {}
