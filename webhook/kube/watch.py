"""List and watch: keeps all objects of a resource in a `Store`, and the store up to date.

The store keeps its objects while the API server cannot be reached. A new list replaces the store in one step.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
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
from webhook.kube.errors import WEBHOOK, ApiError, ApiServerUnreachable, Forbidden, Gone, NotFound, explain
from webhook.kube.objects import Namespace, namespace_of

PAGE = 500

# The range of the random timeoutSeconds of a watch, so that the watches of all replicas do not end at the same time.
WATCH = (240.0, 480.0)
# Seconds without an event until the API server is pinged. A watch may be silent all the time: bookmarks follow etcd's
# progress notifications, by default one in ten minutes.
QUIET = 30.0
# Seconds after timeoutSeconds until the client closes a watch that the API server has not closed.
GRACE = 15.0
# Seconds: the first and the longest pause after a failure.
BACKOFF = (0.1, 30.0)
# The longest pause, in seconds, after an optional watch was forbidden.
FORBIDDEN = 300.0
# Why watches end: see `Watch`.
REASONS = ("timeout", "closed", "dropped", "silent", "gone", "forbidden", "not_served", "malformed", "error")
# A watch that was open for so many seconds resets the back-off.
HEALTHY = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a list or watch ended: `reason` is one of `REASONS`, `message` is for users, `relist` asks for a new list."""

    reason: str
    message: str = ""
    relist: bool = False


class _Broken(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.ended = Ended(reason, message, relist=True)


class Store(Protocol):
    """Keeps the objects that a watch delivers, or parts of them. A malformed object is ignored, never an error."""

    def put(self, body: Any) -> None:
        """Store an object, in place of the previous one with its name."""

    def remove(self, body: Any) -> None:
        """Remove an object if the store has it."""


S = TypeVar("S", bound=Store)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API server to list and watch.

    `path` is the collection's path, `name` its name in messages, `grant` the resource that a Role must name. `list_as`
    and `watch_as` are the Accept headers, by default for metadata only. `page` is the number of objects per page of a
    list, and `field_selector` selects objects.
    """

    path: str
    name: str
    grant: str
    list_as: str = LIST
    watch_as: str = OBJECT
    page: int = PAGE
    field_selector: str = ""

    def query(self, **more: str) -> dict[str, str]:
        """The query of a list or watch request, `more` included."""
        return {**more, **({"fieldSelector": self.field_selector} if self.field_selector else {})}


class Watch(Generic[S]):
    """Lists and watches a resource.

    `store` holds the objects: each list replaces it, each event changes it. `synced` is set after the first list.
    `problem` is why the watch is not open, "" if it is. `restarts` counts the ends of watches by reason: `timeout`
    (after timeoutSeconds), `closed` (earlier), `dropped` (connection lost), `silent` (no response to pings), `gone`
    (410), `forbidden` (403), `not_served` (404), `malformed` (not a watch event), `error` (all else).
    """

    def __init__(
        self,
        api: ApiServer,
        resource: Resource,
        empty: Callable[[], S],
        clock: Callable[[], float] = time.monotonic,
        *,
        optional: bool = False,
    ) -> None:
        """`empty` creates an empty store, `clock` returns seconds.

        With `optional`, `run` returns when the API server does not serve the resource, and retries only about every
        `FORBIDDEN` seconds when RBAC does not allow the watch.
        """
        self.resource = resource
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
        # Whether the watch of the current round has been open.
        self._opened = False
        self._version = ""
        self._failures = 0

    @property
    def age(self) -> float:
        """Seconds since the store was last known to be up to date.

        That is since the last list, event, bookmark, response to a ping, or opening or regular end of a watch; before
        the first of them, since this `Watch` was created.
        """
        return self._clock() - self._contact

    def broken(self) -> float:
        """Seconds since the watch closed, in which events may have been missed; 0 while it is open."""
        return 0.0 if self._open else self._clock() - self._broken

    async def run(self) -> None:
        """List and watch until cancelled; an optional resource only until the API server does not serve it."""
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
            self._log_end(ended)
            await asyncio.sleep(pause)

    def _log_end(self, ended: Ended) -> None:
        """Log why the watch ended, and keep the message as the problem. A repeated problem is logged only once.

        A watch that is closed or lost once is normal; it is a problem only if the next one fails, too.
        """
        text = f"the watch of {self.resource.name} ended"
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
        # The exponent is limited, as a float overflows after a thousand failures.
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
            return Ended("silent", "the API server does not respond")
        except ApiError as error:
            return _ended(error, self.resource)
        except Exception as error:
            # No response of the API server may end `run`.
            log.exception(f"the watch of {self.resource.name} failed")
            return Ended("error", str(error) or type(error).__name__, relist=True)

    async def _list(self) -> None:
        store = self._empty()
        query = self.resource.query(limit=str(self.resource.page))
        while True:
            page = await self._api.get(self.resource.path, query, self.resource.list_as)
            metadata, items = page.get("metadata"), page.get("items")
            if not isinstance(metadata, dict) or not isinstance(items, list | None):
                raise _Broken("malformed", f"the API server's response is not a list of {self.resource.name}")
            for item in items or ():
                store.put(item)
            if not metadata.get("continue"):
                break
            query["continue"] = str(metadata["continue"])
        version = metadata.get("resourceVersion")
        if not isinstance(version, str) or not version:
            raise _Broken("malformed", f"the API server's list of {self.resource.name} has no resourceVersion")
        self.store = store
        self._version = version
        self._contact = self._clock()
        self.synced.set()

    async def _watch(self) -> Ended:
        seconds = int(random.uniform(*WATCH))  # noqa: S311
        resource = self.resource
        query = resource.query(
            watch="true", allowWatchBookmarks="true", resourceVersion=self._version, timeoutSeconds=str(seconds)
        )
        async with self._api.stream(
            resource.path, query, accept=resource.watch_as, total=seconds + GRACE, quiet=QUIET, alive=self._note_contact
        ) as lines:
            opened = self._contact = self._clock()
            if self.problem:
                log.info(f"the watch of {resource.name} is open again", after=self.problem)
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

    def _note_contact(self) -> None:
        """The API server responded to a ping, so the store is up to date."""
        self._contact = self._clock()

    def _event(self, line: bytes) -> None:
        """Apply one line of a watch to the store. Raises `_Broken` if that is not possible and a list must follow."""
        try:
            event = orjson.loads(line)
            kind, body = event["type"], event["object"]
            if kind == "ERROR":
                raise _error(body)
            version = body["metadata"]["resourceVersion"]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if not line.strip():
                return
            raise _Broken(
                "malformed", f"the API server sent a line that is not a watch event: {line[:200]!r}"
            ) from error
        if kind in ("ADDED", "MODIFIED"):
            self.store.put(body)
        elif kind == "DELETED":
            self.store.remove(body)
        if isinstance(version, str) and version:
            self._version = version


class Namespaces:
    """A `Store` of Namespaces."""

    def __init__(self) -> None:
        self.by_name: dict[str, Namespace] = {}

    def put(self, body: Any) -> None:
        """Store a Namespace."""
        namespace = namespace_of(body)
        if namespace is not None:
            self.by_name[namespace.name] = namespace

    def remove(self, body: Any) -> None:
        """Remove a Namespace."""
        namespace = namespace_of(body)
        if namespace is not None:
            self.by_name.pop(namespace.name, None)


class NamespaceWatch(Watch[Namespaces]):
    """Lists and watches all Namespaces."""

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(api, Resource("/api/v1/namespaces", "Namespaces", "namespaces"), Namespaces, clock)

    @property
    def namespaces(self) -> dict[str, Namespace]:
        """The Namespaces by name."""
        return self.store.by_name


def _error(status: object) -> _Broken:
    """The exception for an ERROR event, whose object is a Status."""
    code = status.get("code") if isinstance(status, dict) else None
    message = status.get("message") if isinstance(status, dict) else None
    return _Broken("gone" if code == 410 else "error", str(message or "the API server ended the watch with an error"))


def _ended(error: ApiError, resource: Resource) -> Ended:
    if isinstance(error, Gone):
        return Ended("gone", error.message, relist=True)
    if isinstance(error, Forbidden):
        return Ended(
            "forbidden",
            f"watching {resource.name} is forbidden: grant list and watch on {resource.grant} to "
            f"{error.user or WEBHOOK} ({error.message})",
        )
    if isinstance(error, NotFound):
        return Ended("not_served", f"the API server does not serve {resource.name}: {error.message}", relist=True)
    if isinstance(error, ApiServerUnreachable):
        return Ended("dropped", explain(error))
    return Ended("error", error.message)
