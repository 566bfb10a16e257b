"""The Lease, watched by those who do not lead: the next leader takes over as soon as the one before lets go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.watch import Resource, Watch


class LeaseWatch:
    """Calls `free` each time it is seen that nobody holds the Lease any more.

    Where it cannot be watched, whoever wants to lead looks at it from time to time anyway.
    """

    def __init__(self, api: ApiServer, namespace: str, name: str, free: Callable[[], None]) -> None:
        self._free = free
        resource = Resource(
            f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
            f"Lease {namespace}/{name}",
            f'leases.coordination.k8s.io "{name}" in namespace {namespace}',
            PLAIN,
            PLAIN,
            field_selector=f"metadata.name={name}",
        )
        self._watch = Watch(api, resource, lambda: self, optional=True)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch.run(), name="watch of the Lease")

    async def stop(self) -> None:
        """End the watch."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def put(self, body: Any) -> None:
        """The Lease as it is now."""
        spec = body.get("spec") if isinstance(body, dict) else None
        if isinstance(spec, dict) and not spec.get("holderIdentity"):
            self._free()

    def remove(self, body: Any) -> None:
        """Somebody deleted it: who held it may lead on for a while, so there is no hurry."""
