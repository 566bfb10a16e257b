"""Lists the running Pods, when somebody asks, and counts them by Namespace; or judges those of one Namespace.

One list is read at a time, a page after the other, each folded as it comes. What was counted is kept for a few seconds.
Pods are never watched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from webhook.diagnosis.check.page import page_of as whole_page_of
from webhook.kube.errors import WEBHOOK, ApiError, Forbidden, Gone, explain
from webhook.kube.listparts import ListParts
from webhook.kube.objects import Namespace
from webhook.statuspage.mesh_counts import Configured, MeshCounter, NamespaceCount, page_of
from webhook.statuspage.turns import Turns

if TYPE_CHECKING:
    from webhook.kube.api import ApiServer
    from webhook.statuspage.workload_rows import WorkloadRow, WorkloadTable

T = TypeVar("T")

# Seconds: how long a result is kept, and how long a list may take.
KEPT: Final = 10.0
LONGEST: Final = 10.0

PAGE: Final = 500
_ATTEMPTS: Final = 3
_RUNNING: Final = "status.phase=Running"
_GRANT: Final = "list on pods"
_NO_RIGHT: Final = (
    "may not list Pods: apply what `linkerd-webhook install --status-page` prints, or grant list on pods to "
)

# Waits until the client has gone.
ClientGone = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class MeshCounts:
    """What was counted. `complete` is whether that is all; otherwise there are at least so many Pods, and `problem`
    says why, "" while the list goes on. `at` is when the list was begun, in seconds since 1970."""

    namespaces: Mapping[str, NamespaceCount]
    complete: bool
    problem: str
    at: float


@dataclass(frozen=True, slots=True)
class WorkloadRows:
    """The workloads of one Namespace, with `complete`, `problem` and `at` as in `MeshCounts`."""

    namespace: str
    rows: tuple[WorkloadRow, ...]
    complete: bool
    problem: str
    at: float


class _Reading:
    """A list that is being read, or was read a moment ago."""

    __slots__ = ("at", "began", "complete", "ended", "problem", "task", "waiting")

    def __init__(self, now: float) -> None:
        self.at = time.time()
        self.began = now
        self.ended = 0.0
        self.complete = False
        self.problem = ""
        self.waiting = 0
        self.task: asyncio.Task[None] | None = None

    def is_fresh(self, now: float) -> bool:
        """Whether it goes on, or ended a moment ago. One that was given up is not."""
        task = self.task
        if task is None or task.cancelling() or task.cancelled():
            return False
        return not task.done() or now - self.ended < KEPT


class MeshReader:
    """Reads what the status page shows of the mesh. `close` it at the end."""

    def __init__(
        self,
        api: ApiServer,
        namespaces: Callable[[], Mapping[str, Namespace]],
        configured: Callable[[], Configured],
        table: Callable[[Namespace], WorkloadTable],
        *,
        turns: Turns,
        longest: float = LONGEST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`namespaces` returns those that are known, `configured` what Pods would get now, and `table` an empty table
        for the workloads of a Namespace. Pods are counted in `turns`, and `longest` is how many seconds that may take.
        """
        self._api = api
        self._namespaces = namespaces
        self._configured = configured
        self._table = table
        self._turns = turns
        self._longest = longest
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._counting: tuple[_Reading, MeshCounter] | None = None
        self._judging: tuple[_Reading, str, WorkloadTable] | None = None

    async def counts(self, wait: float, client_gone: ClientGone) -> MeshCounts:
        """The counts of all Namespaces: what is known after at most `wait` seconds.

        A list that was begun goes on after that, for those who ask again; it is given up when `client_gone` returns
        and nobody else waits.
        """
        if self._counting is None or not self._counting[0].is_fresh(self._clock()):
            counter = MeshCounter(self._namespaces, self._configured())
            self._counting = self._begin(lambda reading: self._count(counter, reading)), counter
        reading, counter = self._counting
        await self._wait(reading, wait, client_gone)
        return MeshCounts(dict(counter.counts), reading.complete, reading.problem, reading.at)

    async def workloads(self, namespace: str, wait: float, client_gone: ClientGone) -> WorkloadRows:
        """The workloads of a Namespace, as `counts`."""
        if self._judging is None or self._judging[1] != namespace or not self._judging[0].is_fresh(self._clock()):
            table = self._table(self._namespaces().get(namespace) or Namespace(namespace, {}, {}))
            self._cancel(self._judging)
            self._judging = self._begin(lambda reading: self._judge(namespace, table, reading)), namespace, table
        reading, _, table = self._judging
        await self._wait(reading, wait, client_gone)
        return WorkloadRows(namespace, table.rows(), reading.complete, reading.problem, reading.at)

    async def close(self) -> None:
        """Give up what is being read."""
        for reading in (self._counting, self._judging):
            self._cancel(reading)
        tasks = [reading[0].task for reading in (self._counting, self._judging) if reading is not None]
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)

    @staticmethod
    def _cancel(reading: tuple[_Reading, *tuple[object, ...]] | None) -> None:
        if reading is not None and reading[0].task is not None:
            reading[0].task.cancel()

    def _begin(self, read: Callable[[_Reading], Awaitable[None]]) -> _Reading:
        reading = _Reading(self._clock())
        reading.task = asyncio.create_task(self._run(reading, read), name="list of Pods for the status page")
        return reading

    async def _run(self, reading: _Reading, read: Callable[[_Reading], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(self._longest), self._one_at_a_time:
                await read(reading)
            reading.complete = True
        except Forbidden as error:
            reading.problem = f"{_NO_RIGHT}{error.user or WEBHOOK}"
        except ApiError as error:
            reading.problem = f"the list of Pods broke off: {explain(error, _GRANT)}"
        except TimeoutError:
            reading.problem = f"the API server did not list all Pods within {self._longest:g} s"
        except asyncio.CancelledError:
            reading.problem = "the list of Pods was given up, as nobody waited for it: load the page again"
            raise
        except ValueError as error:
            reading.problem = f"the API server's answer is not a list of Pods: {error}"
        finally:
            reading.ended = self._clock()

    async def _wait(self, reading: _Reading, wait: float, client_gone: ClientGone) -> None:
        task = reading.task
        if task is None or task.done():
            return
        reading.waiting += 1
        leaving = asyncio.create_task(client_gone())
        try:
            await asyncio.wait({task, leaving}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and reading.waiting == 1:
                task.cancel()
        finally:
            reading.waiting -= 1
            leaving.cancel()

    async def _count(self, counter: MeshCounter, reading: _Reading) -> None:
        query = {"limit": str(PAGE), "fieldSelector": _RUNNING}
        attempts = 1
        while True:
            try:
                query["continue"] = await self._fold("/api/v1/pods", query, _METADATA, page_of, counter.add_parts)
            except Gone:
                # The API server has forgotten the list meanwhile: it is begun anew.
                if attempts == _ATTEMPTS:
                    raise
                attempts += 1
                query.pop("continue", None)
                counter.counts.clear()
                continue
            if not query["continue"]:
                return

    async def _judge(self, namespace: str, table: WorkloadTable, reading: _Reading) -> None:
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"
        query = {"limit": str(PAGE), "fieldSelector": _RUNNING}
        while True:
            query["continue"] = await self._fold(path, query, _WHOLE, whole_page_of, table.add_parts)
            if not query["continue"]:
                return

    async def _fold(
        self,
        path: str,
        query: Mapping[str, str],
        accept: str,
        decode: Callable[[bytes], T],
        fold: Callable[[Iterable[T]], Iterable[str]],
    ) -> str:
        """Fold a page, as it comes, in slices. Returns where the next one begins, "" after the last."""
        parts = ListParts(decode)
        async with aclosing(self._api.pieces(path, query, accept)) as pieces:
            async for piece in pieces:
                await self._turns.all_of(fold(parts.feed(piece)))
        return (await self._turns.all_of(fold([parts.end()])))[-1]


# As `kube.api` has them, which imports the client: a server with manifests does without it.
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_WHOLE: Final = "application/json"
