"""Pods created one after the other from many clients at once, and what became of them."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any

import httpx

from tests.e2e.objects import Room, meshed, pod
from tests.e2e.waiting import until

# Seconds for which a client tries to reach an API server that is away.
RETRY = 60.0


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


class Steady:
    """Creates so many Pods a second within the block, as clients that try again where the connection broke.

    `refused` and `bare` say which Pods did not come out as they should; `retried` counts connections to the API server
    that broke, and were tried again. `latencies`: seconds for each Pod, in order. `spec` is more of each Pod's spec.
    """

    def __init__(self, room: Room, rate: float = 100.0, clients: int = 24, spec: dict[str, Any] | None = None) -> None:
        self.refused: list[str] = []
        self.bare: list[str] = []
        self.retried = 0
        self.latencies: list[float] = []
        self._room = room
        self._spec = spec or {}
        self._gap = 1.0 / rate
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._next = 0.0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Steady:
        self._next = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)

    @property
    def created(self) -> int:
        """How many Pods were asked for and answered."""
        return len(self.latencies)

    @property
    def problems(self) -> list[str]:
        """Every Pod that was refused, or came out bare."""
        return [*self.refused, *self.bare]

    def run(self, seconds: float) -> None:
        """Let it go on for so long."""
        self._stop.wait(seconds)

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                due = self._next
                self._next = max(due + self._gap, time.monotonic() - 1.0)
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            self._create()

    def _create(self) -> None:
        begun = time.monotonic()
        body = pod(self._room.name, **self._spec)
        again = False
        while True:
            try:
                reply = self._room.api.create(body)
                if reply.status == 503 and "apiserver is shutting down" in reply.message:
                    raise httpx.RemoteProtocolError(reply.message)
                if again and reply.status == 409:
                    # The connection broke after it was created, before that was told.
                    reply = self._room.api.request("GET", self._room.api.path(body))
                break
            except httpx.HTTPError as error:
                again = True
                with self._lock:
                    self.retried += 1
                if time.monotonic() - begun > RETRY:
                    self.refused.append(f"no answer within {RETRY:g} s: {error!r}")
                    return
                time.sleep(0.2)
        with self._lock:
            self.latencies.append(time.monotonic() - begun)
            if reply.status not in (200, 201):
                self.refused.append(f"HTTP {reply.status}: {reply.message}")
            elif not meshed(reply.body):
                self.bare.append(f"{reply.body['metadata']['name']} is not meshed")
