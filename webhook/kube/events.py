"""Records Events about workloads. They are sent in the background, so that no admission request waits for them.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import structlog

from webhook.kube.api import ApiServer
from webhook.kube.cache import Expiring
from webhook.kube.errors import ApiError, NotFound
from webhook.kube.interface import JSON
from webhook.kube.object_names import is_label, is_subdomain
from webhook.kube.objects import ObjectReference
from webhook.review import EVENT_LENGTH

COMPONENT = "linkerd-proxy-injector"

# The most distinct Events that may wait to be sent.
QUEUE = 1_000
# A repeat of an Event that was sent before increments its count: how many sent Events are kept, for how many seconds.
POSTED = 4_096
POSTED_AGE = 600.0
# Requests per second, and the burst that is allowed after idle time.
RATE = 50.0
BURST = 200.0
# Seconds that `stop` waits for queued Events.
DRAIN = 1.0
# Seconds before the only retry.
RETRY_AFTER = 0.5

# Linkerd records Events only about these kinds of workloads.
KINDS = frozenset({"deployment", "daemonset", "statefulset", "replicaset", "replicationcontroller", "job", "cronjob"})

log = structlog.get_logger(__name__)

# The object that an Event is about, its reason, message and type.
Key = tuple[ObjectReference, str, str, str]


@dataclass(slots=True)
class _Pending:
    count: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class _Posted:
    name: str
    count: int
    first: float


class EventRecorder:
    """Sends Events to the API server. An Event that cannot be sent is counted and dropped. Use it in one event loop.

    `stats` counts Events: `sent`, `failed`, `dropped` (the queue was full, or `stop` was called first) and `aggregated`
    (added to the count of an Event that was queued or sent before).
    """

    def __init__(self, api: ApiServer, component: str = COMPONENT, clock: Callable[[], float] = time.monotonic) -> None:
        self.stats: Counter[str] = Counter(sent=0, failed=0, dropped=0, aggregated=0)
        self._api = api
        self._component = component
        self._clock = clock
        self._queue: dict[Key, _Pending] = {}
        self._posted: Expiring[Key, _Posted] = Expiring(POSTED, POSTED_AGE, clock)
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._tokens = BURST
        self._refilled = clock()
        self._failure_logged = False

    @property
    def queued(self) -> int:
        """The number of distinct Events that wait to be sent."""
        return len(self._queue)

    def record(self, about: ObjectReference, reason: str, message: str, type: str = "Normal") -> None:
        """Queue an Event about a workload. Objects of a kind that is not in `KINDS` are ignored.

        `reason` is `Injected` or `InjectionSkipped`, `type` is `Normal` or `Warning`; `message` is cut at
        `EVENT_LENGTH` characters.
        """
        if about.kind.lower() not in KINDS or not is_label(about.namespace) or not is_subdomain(about.name):
            return
        now = time.time()
        key = (about, reason, message[:EVENT_LENGTH], type)
        pending = self._queue.get(key)
        if pending is not None:
            pending.count += 1
            pending.last = now
            self.stats["aggregated"] += 1
        elif len(self._queue) >= QUEUE:
            self.stats["dropped"] += 1
        else:
            self._queue[key] = _Pending(1, now, now)
            self._wake.set()

    async def start(self) -> None:
        """Start sending."""
        if self._task is None:
            self._stopping = False
            self._task = asyncio.create_task(self._run(), name="events")

    async def stop(self) -> None:
        """Send the queued Events for at most `DRAIN` seconds, then stop. Call it before the `ApiServer` is closed."""
        if self._task is None:
            return
        self._stopping = True
        self._wake.set()
        await asyncio.wait((self._task,), timeout=DRAIN)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self.stats["dropped"] += len(self._queue)
        self._queue.clear()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                await self._wait_for_rate()
                key = next(iter(self._queue))
                await self._send(key, self._queue.pop(key))
            if self._stopping:
                return

    async def _wait_for_rate(self) -> None:
        """Wait until `RATE` and `BURST` allow one more request."""
        now = self._clock()
        self._tokens = min(BURST, self._tokens + (now - self._refilled) * RATE)
        self._refilled = now
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / RATE)

    async def _send(self, key: Key, pending: _Pending) -> None:
        """Send one Event, with one retry if the API server is unavailable or overloaded."""
        for attempt in (1, 2):
            try:
                await self._post_or_patch(key, pending)
            except (ApiError, TimeoutError) as error:
                status = error.status if isinstance(error, ApiError) else 0
                if attempt == 1 and (status in (0, 429) or status >= 500):
                    await asyncio.sleep(RETRY_AFTER)
                    continue
                self._failed(error)
            except asyncio.CancelledError:
                self.stats["dropped"] += 1
                raise
            except Exception as error:
                # An Event that cannot be sent must not prevent the next ones from being sent.
                self._failed(error)
            else:
                self.stats["sent"] += 1
                self._failure_logged = False
            return

    def _failed(self, error: Exception) -> None:
        self.stats["failed"] += 1
        if not self._failure_logged:
            # Only the first of consecutive failures is logged, as each injected Pod may cause one.
            self._failure_logged = True
            log.warning("cannot send Events to the API server", error=str(error) or type(error).__name__)

    async def _post_or_patch(self, key: Key, pending: _Pending) -> None:
        about = key[0]
        path = f"/api/v1/namespaces/{quote(about.namespace, safe='')}/events"
        count, first = pending.count, pending.first
        posted = self._posted.get(key)
        if posted is not None:
            count, first = posted.count + pending.count, posted.first
            try:
                await self._api.send(
                    "PATCH",
                    f"{path}/{quote(posted.name, safe='')}",
                    {"count": count, "lastTimestamp": _timestamp(pending.last)},
                    "application/merge-patch+json",
                )
            except NotFound:
                # By default the API server deletes Events after an hour.
                self._posted.discard(key)
            else:
                self.stats["aggregated"] += 1
                self._posted.put(key, _Posted(posted.name, count, first))
                return
        event = self._event(key, count, first, pending.last)
        await self._api.send("POST", path, event)
        self._posted.put(key, _Posted(event["metadata"]["name"], count, first))

    def _event(self, key: Key, count: int, first: float, last: float) -> JSON:
        about, reason, message, kind = key
        # client-go names Events by this pattern; the limit leaves room for the time in hexadecimal.
        name = f"{about.name[:230].rstrip('-.')}.{time.time_ns():x}"
        reference = {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": about.namespace},
            "involvedObject": {**reference, "uid": about.uid} if about.uid else reference,
            "reason": reason,
            "message": message,
            "type": kind,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": _timestamp(first),
            "lastTimestamp": _timestamp(last),
            "count": count,
        }


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
