"""Pods created one after the other from many clients at once, and what became of them."""

from __future__ import annotations

import threading
from types import TracebackType

import httpx

from tests.e2e.objects import Room, meshed
from tests.e2e.waiting import until


class Load:
    """Creates Pods from several threads within the block. `problems` says which were refused, or came out bare."""

    def __init__(self, room: Room, clients: int = 8) -> None:
        self.problems: list[str] = []
        self.created = 0
        self._room = room
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def wait_for(self, more: int) -> None:
        """Wait until so many more Pods were created."""
        goal = self.created + more
        until(f"{more} more Pods", lambda: self.created >= goal or bool(self.problems), within=30)

    def _work(self) -> None:
        while not self._stop.is_set():
            problem = self._create()
            with self._lock:
                self.created += 1
                if problem:
                    self.problems.append(problem)

    def _create(self) -> str:
        try:
            reply = self._room.pod()
        except httpx.HTTPError as error:
            return f"no answer: {error!r}"
        if reply.status != 201:
            return f"HTTP {reply.status}: {reply.message}"
        return "" if meshed(reply.body) else f"{reply.body['metadata']['name']} is not meshed"
