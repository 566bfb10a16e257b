"""Lists of Pods that are read because somebody asked for them: one at a time, a page after the other, each folded as it
comes. Pods are never watched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from webhook.kube.errors import WEBHOOK, ApiError, Forbidden, Gone, explain
from webhook.kube.listparts import ListParts
from webhook.statuspage.turns import Turns

if TYPE_CHECKING:
    from webhook.kube.api import ApiServer

T = TypeVar("T")
Part = TypeVar("Part", contravariant=True)

# Seconds: how long a list is kept, and how long it may take.
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


class Fold(Protocol[Part]):
    """What becomes of a list: Pods are added as they come."""

    def add_parts(self, parts: Iterable[Part]) -> Iterator[str]:
        """Add the Pods of parts of a page, in small steps. Returns, at the last step of a page, where the next one
        begins, "" after the last page."""

    def clear(self) -> None:
        """Forget all Pods: the list is begun anew."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """Which Pods are listed, and how: a path, the media type, and what makes a page of a response."""

    path: str
    accept: str
    page_of: Callable[[bytes], T]


class PodLists:
    """Reads lists, one at a time."""

    def __init__(self, api: ApiServer, turns: Turns, longest: float, clock: Callable[[], float]) -> None:
        """Pods are folded in `turns`, and a list is given up after `longest` seconds."""
        self._api = api
        self._turns = turns
        self._longest = longest
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    def begin(self, request: Request[T], fold: Fold[T]) -> PodList:
        """A list that is being read from now on."""
        return PodList(lambda pods: self._run(pods, request, fold), self._clock)

    async def _run(self, pods: PodList, request: Request[T], fold: Fold[T]) -> None:
        try:
            async with asyncio.timeout(self._longest), self._one_at_a_time:
                await self._read(request, fold)
            pods.complete = True
        except Forbidden as error:
            pods.problem = f"{_NO_RIGHT}{error.user or WEBHOOK}"
        except ApiError as error:
            pods.problem = f"the list of Pods broke off: {explain(error, _GRANT)}"
        except TimeoutError:
            pods.problem = f"the API server did not list all Pods within {self._longest:g} s"
        except ValueError as error:
            pods.problem = f"the API server's answer is not a list of Pods: {error}"
        finally:
            pods.ended = self._clock()

    async def _read(self, request: Request[T], fold: Fold[T]) -> None:
        query = {"limit": str(PAGE), "fieldSelector": _RUNNING}
        attempts = 1
        while True:
            try:
                query["continue"] = await self._fold(request, query, fold)
            except Gone:
                # The API server has forgotten the list meanwhile: it is begun anew.
                if attempts == _ATTEMPTS:
                    raise
                attempts += 1
                query.pop("continue", None)
                fold.clear()
                continue
            if not query["continue"]:
                return

    async def _fold(self, request: Request[T], query: Mapping[str, str], fold: Fold[T]) -> str:
        """Fold a page, as it comes, in slices. Returns where the next one begins, "" after the last."""
        parts = ListParts(request.page_of)
        async with aclosing(self._api.pieces(request.path, query, request.accept)) as pieces:
            async for piece in pieces:
                await self._turns.all_of(fold.add_parts(parts.feed(piece)))
        return (await self._turns.all_of(fold.add_parts([parts.end()])))[-1]


class PodList:
    """A list that is being read, or was read a moment ago.

    `complete` is whether that is all; otherwise `problem` says why, "" while the list goes on. `at` is when it was
    begun, in seconds since 1970.
    """

    def __init__(self, run: Callable[[PodList], Coroutine[Any, Any, None]], clock: Callable[[], float]) -> None:
        """`run` reads it, and sets `complete` or `problem`, and `ended`, the time of `clock` at its end."""
        self.at = time.time()
        self.complete = False
        self.problem = ""
        self.ended = 0.0
        self._clock = clock
        self._waiting = 0
        self._task = asyncio.create_task(run(self), name="list of Pods for the status page")

    @property
    def is_fresh(self) -> bool:
        """Whether it goes on, or ended a moment ago. One that was given up is not."""
        if self._task.cancelling() or self._task.cancelled():
            return False
        return not self._task.done() or self._clock() - self.ended < KEPT

    async def wait(self, seconds: float, client_gone: ClientGone) -> None:
        """Wait for its end, for at most so many seconds. It goes on after that, for those who ask again; it is given up
        when `client_gone` returns and nobody else waits."""
        if self._task.done():
            return
        self._waiting += 1
        leaving = asyncio.create_task(client_gone())
        try:
            await asyncio.wait({self._task, leaving}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done() and self._waiting == 1:
                self.give_up("nobody waited for it")
        finally:
            self._waiting -= 1
            leaving.cancel()

    def give_up(self, why: str) -> None:
        """Stop to read it, if that still goes on; `why` completes the sentence that the page shows."""
        if not self._task.done():
            self.problem = f"the list of Pods was given up, as {why}: load the page again"
            self._task.cancel()

    async def close(self) -> None:
        """Give it up, and wait for its end."""
        self.give_up("the replica ends")
        await asyncio.gather(self._task, return_exceptions=True)
