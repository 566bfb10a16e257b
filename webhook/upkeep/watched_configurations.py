"""Watches the webhook configurations that point at our Service, or have one of given names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.interface import JSON
from webhook.kube.watch import Resource, Watch
from webhook.kube.webhookconfigurations import RESOURCES, ROOT, ConfigurationName, ServiceReference, pointing


class _Kept:
    """Stores the configurations of one kind that concern this server, as whole objects."""

    def __init__(
        self, kind: str, service: ServiceReference, named: Collection[ConfigurationName], changed: Callable[[], None]
    ) -> None:
        self.by_name: dict[str, JSON] = {}
        self._kind = kind
        self._service = service
        self._named = named
        self._changed = changed

    def put(self, body: Any) -> None:
        name = _name(body)
        if name is None:
            return
        # The items of a list have no kind of their own.
        body = {"apiVersion": "admissionregistration.k8s.io/v1", **body, "kind": self._kind}
        if (self._kind, name) in self._named or pointing(body, self._service):
            self.by_name[name] = body
            self._changed()
        else:
            self.remove(body)

    def remove(self, body: Any) -> None:
        name = _name(body)
        if name is not None and self.by_name.pop(name, None) is not None:
            self._changed()


def _name(body: Any) -> str | None:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) and name else None


class Configurations:
    """The configurations, up to date between `start` and `stop`. `changed` is set whenever one of them changes."""

    def __init__(self, api: ApiServer, service: ServiceReference, named: Collection[ConfigurationName] = ()) -> None:
        """`named`: the kinds and names of configurations that are kept wherever they point."""
        self.service = service
        self.changed = asyncio.Event()
        self._watches = {
            kind: Watch(
                api,
                Resource(f"{ROOT}/{resource}", f"{kind}s", f"{resource}.admissionregistration.k8s.io", PLAIN, PLAIN),
                lambda kind=kind: _Kept(kind, service, named, self._notify),  # type: ignore[misc]
            )
            for kind, resource in RESOURCES.items()
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    def _notify(self) -> None:
        self.changed.set()
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            # On the loop's next turn, as the store is still being changed when this is called.
            loop.call_soon(listener)

    def start(self) -> None:
        """Start to watch."""
        self._tasks = [
            asyncio.create_task(watch.run(), name=f"watch of {kind}s") for kind, watch in self._watches.items()
        ]

    async def stop(self) -> None:
        """Stop watching."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def synced(self) -> bool:
        """Whether both kinds were listed once."""
        return all(watch.synced.is_set() for watch in self._watches.values())

    @property
    def problem(self) -> str:
        """Why a watch does not work, for users; "" if all do."""
        return next((watch.problem for watch in self._watches.values() if watch.problem), "")

    def all(self) -> list[JSON]:
        """All configurations, as whole objects with their kind. Do not change them."""
        return [body for watch in self._watches.values() for _, body in sorted(watch.store.by_name.items())]

    def get(self, name: ConfigurationName) -> JSON | None:
        """The configuration with this kind and name, None if it does not exist or does not concern this server."""
        return self._watches[name[0]].store.by_name.get(name[1])
