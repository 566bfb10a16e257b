"""Watches the Lease, so that another replica takes over as soon as the leader releases it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.watch import Resource, Watch


class LeaseWatch:
    """Calls `free` whenever the Lease has no holder.

    If the Lease cannot be watched, the election still reads it from time to time.
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
        """Start to watch."""
        self._task = asyncio.create_task(self._watch.run(), name="watch of the Lease")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def put(self, body: Any) -> None:
        """The watch's call: the Lease was read or has changed."""
        spec = body.get("spec") if isinstance(body, dict) else None
        if isinstance(spec, dict) and not spec.get("holderIdentity"):
            self._free()

    def remove(self, body: Any) -> None:
        """The watch's call: the Lease was deleted. Its holder may still lead for a while, so `free` is not called."""
