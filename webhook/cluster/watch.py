"""All Namespaces of a cluster, kept up to date by list and watch.

What is known stays known while the API server is away; a list replaces it in one step.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import structlog

from webhook.cluster.api import LIST, ApiError, ApiServer
from webhook.cluster.interface import Namespace
from webhook.cluster.metadata import namespace_of

PATH = "/api/v1/namespaces"
PAGE = 500

# Seconds. A watch ends after a while, not all replicas' at the same time.
WATCH = (240.0, 480.0)
# API servers send a bookmark a minute. A connection that died without a word is given up after this long, and one to an
# API server without bookmarks costs a new watch from where it was.
SILENCE = 90.0
# What the API server may take longer than it was asked to, before the client ends the watch.
GRACE = 15.0
BACKOFF = (0.1, 30.0)
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


class NamespaceWatch:
    """The Namespaces. `run` never ends but by being cancelled.

    `namespaces`: by name; replaced by each list, changed by each event. `synced`: set after the first list.
    `problem`: what the API server last said or did, "" while all is well. `restarts`: by reason: `timeout` (as asked),
    `closed`, `dropped`, `silent`, `gone` (410), `forbidden`, `malformed`, `error`.
    """

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        self.namespaces: dict[str, Namespace] = {}
        self.synced = asyncio.Event()
        self.problem = ""
        self.restarts: Counter[str] = Counter()
        self._api = api
        self._clock = clock
        self._contact = clock()
        self._version = ""
        self._failures = 0

    @property
    def age(self) -> float:
        """Seconds since the API server was last heard: a list, an event, a bookmark, a watch opened or ended well.

        Before the first contact: since this watch was made.
        """
        return self._clock() - self._contact

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            ended = await self._round()
            self.restarts[ended.reason] += 1
            if ended.relist:
                self._version = ""
            if ended.reason == "timeout":
                self._failures = 0
                continue
            pause = self._pause()
            if ended.message != self.problem:
                # Once a problem, not once an attempt.
                log.warning("the watch of Namespaces ended", reason=ended.reason, message=ended.message)
            self.problem = ended.message
            await asyncio.sleep(pause)

    def _pause(self) -> float:
        """Seconds until the next attempt: exponential back-off with full jitter."""
        least, most = BACKOFF
        # The exponent is bounded: a float overflows after a thousand failures.
        pause = random.uniform(0, min(most, least * 2 ** min(self._failures, 20)))  # noqa: S311
        self._failures += 1
        return pause

    async def _round(self) -> Ended:
        try:
            if not self._version:
                await self._list()
            return await self._watch()
        except _Broken as broken:
            return broken.ended
        except TimeoutError:
            return Ended("silent", "the API server fell silent")
        except ApiError as error:
            return _ended(error)
        except Exception as error:
            # Nothing that comes over the wire may end the watch for good.
            log.exception("the watch of Namespaces failed")
            return Ended("error", str(error) or type(error).__name__, relist=True)

    async def _list(self) -> None:
        namespaces: dict[str, Namespace] = {}
        query = {"limit": str(PAGE)}
        while True:
            page = await self._api.get(PATH, query, LIST)
            metadata, items = page.get("metadata"), page.get("items")
            if not isinstance(metadata, dict) or not isinstance(items, list | None):
                raise _Broken("malformed", "the API server's answer is no list of Namespaces")
            for item in items or ():
                namespace = namespace_of(item)
                if namespace is not None:
                    namespaces[namespace.name] = namespace
            if not metadata.get("continue"):
                break
            query["continue"] = str(metadata["continue"])
        version = metadata.get("resourceVersion")
        if not isinstance(version, str) or not version:
            raise _Broken("malformed", "the API server's list of Namespaces has no resourceVersion")
        self.namespaces = namespaces
        self._version = version
        self._contact = self._clock()
        self.synced.set()

    async def _watch(self) -> Ended:
        seconds = int(random.uniform(*WATCH))  # noqa: S311
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        async with self._api.stream(PATH, query, total=seconds + GRACE, silence=SILENCE) as lines:
            opened = self._contact = self._clock()
            self.problem = ""
            try:
                async for line in lines:
                    self._event(line)
                    self._contact = self._clock()
                    self._failures = 0
            finally:
                lasted = self._clock() - opened
                if lasted >= HEALTHY:
                    self._failures = 0
        if lasted < seconds - 1:
            return Ended("closed", f"the API server closed the watch after {lasted:.0f} of {seconds} s")
        self._contact = self._clock()
        return Ended("timeout")

    def _event(self, line: bytes) -> None:
        """Take one line of a watch. Raises `_Broken` where what it says is lost, so that a list must make up for it."""
        try:
            event = orjson.loads(line)
            kind, body = event["type"], event["object"]
            if kind == "ERROR":
                raise _error(body)
            version = body["metadata"]["resourceVersion"]
            namespace = namespace_of(body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if not line.strip():
                return
            raise _Broken("malformed", f"the API server sent what is no watch event: {line[:200]!r}") from error
        if kind in ("ADDED", "MODIFIED") and namespace is not None:
            self.namespaces[namespace.name] = namespace
        elif kind == "DELETED" and namespace is not None:
            self.namespaces.pop(namespace.name, None)
        if isinstance(version, str) and version:
            self._version = version


def _error(status: object) -> _Broken:
    """The end of a watch by an ERROR event, whose object is a Status."""
    code = status.get("code") if isinstance(status, dict) else None
    message = status.get("message") if isinstance(status, dict) else None
    return _Broken("gone" if code == 410 else "error", str(message or "the API server ended the watch with an error"))


def _ended(error: ApiError) -> Ended:
    if error.status == 410:
        return Ended("gone", error.message, relist=True)
    if error.status == 403:
        return Ended(
            "forbidden",
            f"watching Namespaces is forbidden: grant list and watch on namespaces to {error.user} ({error.message})",
        )
    if error.status == 0:
        return Ended("dropped", f"no connection to the API server: {error.message}")
    return Ended("error", error.message)
