"""All objects of a kind, kept up to date by list and watch: what a `Store` keeps of them.

What is known stays known while the API server is away; a list replaces it in one step.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import orjson
import structlog

from webhook.kube.api import LIST, OBJECT, ApiServer
from webhook.kube.errors import WEBHOOK, ApiError, Forbidden, Gone, NotFound, Unreachable, explain
from webhook.kube.objects import Namespace, namespace_of

PAGE = 500

# Seconds. A watch ends after a while, not all replicas' at the same time.
WATCH = (240.0, 480.0)
# A watch may be silent for as long as it is open: bookmarks come only where the API server's etcd tells it of progress,
# which by default it does every ten minutes. After this long the API server is asked whether it is still there.
QUIET = 30.0
# What the API server may take longer than it was asked to, before the client ends the watch.
GRACE = 15.0
BACKOFF = (0.1, 30.0)
# Between two questions whether something optional may be watched by now.
FORBIDDEN = 300.0
# Why watches end.
REASONS = ("timeout", "closed", "dropped", "silent", "gone", "forbidden", "not_served", "malformed", "error")
# A watch that was open this long was no failure.
HEALTHY = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a list or watch is over: a reason for the metrics, a message for people, whether to list anew."""

    reason: str
    message: str = ""
    relist: bool = False


class _Broken(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.ended = Ended(reason, message, relist=True)


class Store(Protocol):
    """What is kept of the objects that a watch brings. A body that makes no sense is passed over, never an error."""

    def put(self, body: Any) -> None:
        """Keep an object, in place of the one of this name."""

    def remove(self, body: Any) -> None:
        """Forget an object, if it is there."""


S = TypeVar("S", bound=Store)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is watched: where it is, how people call it, what a role must grant; what to ask for, which is metadata
    alone unless the store needs more, how many objects at a time, and which of them."""

    path: str
    name: str
    grant: str
    list_as: str = LIST
    watch_as: str = OBJECT
    page: int = PAGE
    field_selector: str = ""

    def query(self, **more: str) -> dict[str, str]:
        """What a list or watch of this asks."""
        return {**more, **({"fieldSelector": self.field_selector} if self.field_selector else {})}


class Watch(Generic[S]):
    """The objects of a kind.

    `store`: what is known; replaced by each list, changed by each event. `synced`: set after the first list.
    `problem`: what the API server last said or did, "" while all is well. `restarts`: by reason: `timeout` (as asked),
    `closed`, `dropped`, `silent` (no answer), `gone` (410), `forbidden`, `not_served` (404), `malformed`, `error`.
    """

    def __init__(
        self,
        api: ApiServer,
        subject: Subject,
        empty: Callable[[], S],
        clock: Callable[[], float] = time.monotonic,
        *,
        optional: bool = False,
    ) -> None:
        """`empty` makes a store. `optional`: `run` returns once the API server does not serve this, and where it must
        not be watched, that is asked again only now and then."""
        self.subject = subject
        self.store = empty()
        self.synced = asyncio.Event()
        self.problem = ""
        self.restarts: Counter[str] = Counter()
        self._api = api
        self._empty = empty
        self._clock = clock
        self._optional = optional
        self._contact = clock()
        self._broken = clock()
        self._open = False
        # Whether the watch was open in this round.
        self._opened = False
        self._version = ""
        self._failures = 0

    @property
    def age(self) -> float:
        """Seconds since the API server was last heard: a list, an event, a bookmark, an answer, a watch opened or ended
        well.

        Before the first contact: since this watch was made.
        """
        return self._clock() - self._contact

    def broken(self) -> float:
        """Seconds for which nothing new would have been heard: 0 while the watch is open."""
        return 0.0 if self._open else self._clock() - self._broken

    async def run(self) -> None:
        """List and watch until cancelled, or until what is optional is not served any more."""
        while True:
            ended = await self._round()
            self.restarts[ended.reason] += 1
            if ended.reason == "not_served" and self._optional:
                return
            if ended.relist:
                self._version = ""
            if ended.reason == "timeout":
                self._failures = 0
                continue
            pause = self._pause(FORBIDDEN if ended.reason == "forbidden" and self._optional else None)
            self._tell(ended)
            await asyncio.sleep(pause)

    def _tell(self, ended: Ended) -> None:
        """Log why the watch is over, and keep that as the problem. Once a problem, not once an attempt.

        Every watch is closed or lost now and then: that is no problem unless it happens again at once.
        """
        text = f"the watch of {self.subject.name} ended"
        lost = self._opened and ended.reason in ("dropped", "silent")
        if self._failures <= 1 and (lost or ended.reason in ("closed", "gone")):
            (log.info if lost else log.debug)(text, reason=ended.reason, message=ended.message)
            return
        if ended.message != self.problem:
            log.warning(text, reason=ended.reason, message=ended.message)
        self.problem = ended.message

    def _pause(self, bound: float | None = None) -> float:
        """Seconds until the next attempt: exponential back-off with full jitter."""
        least, most = BACKOFF
        # The exponent is bounded: a float overflows after a thousand failures.
        pause = random.uniform(0, min(bound or most, least * 2 ** min(self._failures, 20)))  # noqa: S311
        self._failures += 1
        return pause

    async def _round(self) -> Ended:
        self._opened = False
        try:
            if not self._version:
                await self._list()
            return await self._watch()
        except _Broken as broken:
            return broken.ended
        except TimeoutError:
            return Ended("silent", "the API server does not answer")
        except ApiError as error:
            return _ended(error, self.subject)
        except Exception as error:
            # Nothing that comes over the wire may end the watch for good.
            log.exception(f"the watch of {self.subject.name} failed")
            return Ended("error", str(error) or type(error).__name__, relist=True)

    async def _list(self) -> None:
        store = self._empty()
        query = self.subject.query(limit=str(self.subject.page))
        while True:
            page = await self._api.get(self.subject.path, query, self.subject.list_as)
            metadata, items = page.get("metadata"), page.get("items")
            if not isinstance(metadata, dict) or not isinstance(items, list | None):
                raise _Broken("malformed", f"the API server's answer is no list of {self.subject.name}")
            for item in items or ():
                store.put(item)
            if not metadata.get("continue"):
                break
            query["continue"] = str(metadata["continue"])
        version = metadata.get("resourceVersion")
        if not isinstance(version, str) or not version:
            raise _Broken("malformed", f"the API server's list of {self.subject.name} has no resourceVersion")
        self.store = store
        self._version = version
        self._contact = self._clock()
        self.synced.set()

    async def _watch(self) -> Ended:
        seconds = int(random.uniform(*WATCH))  # noqa: S311
        subject = self.subject
        query = subject.query(
            watch="true", allowWatchBookmarks="true", resourceVersion=self._version, timeoutSeconds=str(seconds)
        )
        async with self._api.stream(
            subject.path, query, accept=subject.watch_as, total=seconds + GRACE, quiet=QUIET, alive=self._heard
        ) as lines:
            opened = self._contact = self._clock()
            if self.problem:
                log.info(f"the watch of {subject.name} is open again", after=self.problem)
            self.problem = ""
            self._open = self._opened = True
            try:
                async for line in lines:
                    self._event(line)
                    self._contact = self._clock()
                    self._failures = 0
            finally:
                self._open, self._broken = False, self._clock()
                lasted = self._clock() - opened
                if lasted >= HEALTHY:
                    self._failures = 0
        if lasted < seconds - 1:
            return Ended("closed", f"the API server closed the watch after {lasted:.0f} of {seconds} s")
        self._contact = self._clock()
        return Ended("timeout")

    def _heard(self) -> None:
        """The API server is there, and has nothing to tell."""
        self._contact = self._clock()

    def _event(self, line: bytes) -> None:
        """Take one line of a watch. Raises `_Broken` where what it says is lost, so that a list must make up for it."""
        try:
            event = orjson.loads(line)
            kind, body = event["type"], event["object"]
            if kind == "ERROR":
                raise _error(body)
            version = body["metadata"]["resourceVersion"]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if not line.strip():
                return
            raise _Broken("malformed", f"the API server sent what is no watch event: {line[:200]!r}") from error
        if kind in ("ADDED", "MODIFIED"):
            self.store.put(body)
        elif kind == "DELETED":
            self.store.remove(body)
        if isinstance(version, str) and version:
            self._version = version


class Namespaces:
    """Each Namespace's metadata, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, Namespace] = {}

    def put(self, body: Any) -> None:
        """Keep a Namespace."""
        namespace = namespace_of(body)
        if namespace is not None:
            self.by_name[namespace.name] = namespace

    def remove(self, body: Any) -> None:
        """Forget a Namespace."""
        namespace = namespace_of(body)
        if namespace is not None:
            self.by_name.pop(namespace.name, None)


class NamespaceWatch(Watch[Namespaces]):
    """All Namespaces."""

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(api, Subject("/api/v1/namespaces", "Namespaces", "namespaces"), Namespaces, clock)

    @property
    def namespaces(self) -> dict[str, Namespace]:
        """What is known, by name."""
        return self.store.by_name


def _error(status: object) -> _Broken:
    """The end of a watch by an ERROR event, whose object is a Status."""
    code = status.get("code") if isinstance(status, dict) else None
    message = status.get("message") if isinstance(status, dict) else None
    return _Broken("gone" if code == 410 else "error", str(message or "the API server ended the watch with an error"))


def _ended(error: ApiError, subject: Subject) -> Ended:
    if isinstance(error, Gone):
        return Ended("gone", error.message, relist=True)
    if isinstance(error, Forbidden):
        return Ended(
            "forbidden",
            f"watching {subject.name} is forbidden: grant list and watch on {subject.grant} to {error.user or WEBHOOK} "
            f"({error.message})",
        )
    if isinstance(error, NotFound):
        return Ended("not_served", f"the API server serves no {subject.name}: {error.message}", relist=True)
    if isinstance(error, Unreachable):
        return Ended("dropped", explain(error))
    return Ended("error", error.message)
