"""The webhook configurations that concern this server, watched: by where they point, or by their names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.interface import JSON
from webhook.kube.watch import Resource, Watch
from webhook.kube.webhookconfigurations import RESOURCES, ROOT, ConfigurationName, ServiceReference, pointing


class _Kept:
    """Whole objects of one kind; others' configurations are passed over."""

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
        # The items of a list do not say of which kind they are.
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
    """What is known of them between `start` and `stop`. `changed` is set whenever that is something else."""

    def __init__(self, api: ApiServer, service: ServiceReference, named: Collection[ConfigurationName] = ()) -> None:
        """`named`: kinds and names of configurations that count wherever they point."""
        self.service = service
        self.changed = asyncio.Event()
        self._watches = {
            kind: Watch(
                api,
                Resource(f"{ROOT}/{resource}", f"{kind}s", f"{resource}.admissionregistration.k8s.io", PLAIN, PLAIN),
                lambda kind=kind: _Kept(kind, service, named, self._tell),  # type: ignore[misc]
            )
            for kind, resource in RESOURCES.items()
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call this on each change, once it is known."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        self.changed.set()
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            # Only once the change is in: this is called while it is made.
            loop.call_soon(listener)

    def start(self) -> None:
        """Begin to watch."""
        self._tasks = [
            asyncio.create_task(watch.run(), name=f"watch of {kind}s") for kind, watch in self._watches.items()
        ]

    async def stop(self) -> None:
        """End the watches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def synced(self) -> bool:
        """Whether both kinds were listed once."""
        return all(watch.synced.is_set() for watch in self._watches.values())

    @property
    def problem(self) -> str:
        """What is wrong with a watch, for people; "" while all is well."""
        return next((watch.problem for watch in self._watches.values() if watch.problem), "")

    def all(self) -> list[JSON]:
        """Every configuration that is kept, whole, with its kind; to be read only."""
        return [body for watch in self._watches.values() for _, body in sorted(watch.store.by_name.items())]

    def get(self, name: ConfigurationName) -> JSON | None:
        """The configuration of a kind and name, if it is kept."""
        return self._watches[name[0]].store.by_name.get(name[1])
