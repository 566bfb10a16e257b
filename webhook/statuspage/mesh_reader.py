"""What the status page shows of the mesh: counts of the running Pods by Namespace, and the workloads of Namespaces that
are opened. Pods are listed when somebody asks, and what was made of a list is kept for a few seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from webhook.diagnosis.check.page import page_of as whole_page_of
from webhook.kube.objects import Namespace
from webhook.statuspage.mesh_counts import Configured, MeshCounter, NamespaceCount, page_of
from webhook.statuspage.podlist import LONGEST, ClientGone, PodList, PodLists, Request
from webhook.statuspage.turns import Turns

if TYPE_CHECKING:
    from webhook.kube.api import ApiServer
    from webhook.statuspage.workload_rows import WorkloadRow, WorkloadTable

# How many Namespaces are open at a time: one for each who looks at the page, and some that were closed a moment ago.
OPEN: Final = 8

# As `kube.api` has them, which imports the client: a server with manifests does without it.
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_WHOLE: Final = "application/json"


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
        self._namespaces = namespaces
        self._configured = configured
        self._table = table
        self._lists = PodLists(api, turns, longest, clock)
        self._counted: tuple[PodList, MeshCounter] | None = None
        # The last opened one is the last.
        self._opened: dict[str, tuple[PodList, WorkloadTable]] = {}

    async def counts(self, wait: float, client_gone: ClientGone) -> MeshCounts:
        """The counts of all Namespaces: what is known after at most `wait` seconds.

        A list that was begun goes on after that, for those who ask again; it is given up when `client_gone` returns
        and nobody else waits.
        """
        if self._counted is None or not self._counted[0].is_fresh:
            counter = MeshCounter(self._namespaces, self._configured())
            self._counted = self._lists.begin(Request("/api/v1/pods", _METADATA, page_of), counter), counter
        pods, counter = self._counted
        await pods.wait(wait, client_gone)
        return MeshCounts(dict(counter.counts), pods.complete, pods.problem, pods.at)

    async def workloads(self, namespace: str, wait: float, client_gone: ClientGone) -> WorkloadRows:
        """The workloads of a Namespace, as `counts`."""
        pods, table = self._open(namespace)
        await pods.wait(wait, client_gone)
        return WorkloadRows(namespace, table.rows(), pods.complete, pods.problem, pods.at)

    def _open(self, namespace: str) -> tuple[PodList, WorkloadTable]:
        self._opened = {name: opened for name, opened in self._opened.items() if opened[0].is_fresh}
        opened = self._opened.pop(namespace, None)
        if opened is None:
            if len(self._opened) == OPEN:
                pods, _ = self._opened.pop(next(iter(self._opened)))
                pods.give_up(f"{OPEN} other Namespaces were opened after it")
            table = self._table(self._namespaces().get(namespace) or Namespace(namespace, {}, {}))
            path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods"
            opened = self._lists.begin(Request(path, _WHOLE, whole_page_of), table), table
        self._opened[namespace] = opened
        return opened

    async def close(self) -> None:
        """Give up what is being read."""
        begun = [pods for pods, _ in (*filter(None, [self._counted]), *self._opened.values())]
        # All at the same time: else the next one would begin when the first one ends.
        await asyncio.gather(*(pods.close() for pods in begun))
