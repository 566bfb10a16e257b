"""Explains Pods on the admin port: one at a time, within a bounded time, and only if `serve` was told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from webhook.kube.interface import JSON
from webhook.mesh.config import Mesh

if TYPE_CHECKING:
    from webhook.diagnosis.explain.target import Target
    from webhook.kube.api import ApiServer

# Seconds that an explanation may take.
TIMEOUT: Final = 5.0
_STATUS: Final = {"not_found": 404, "forbidden": 403}


class Explainer:
    """Answers `/explain`. It reads the Pod and what it belongs to with the rights of the server."""

    def __init__(self, api: ApiServer, mesh: Callable[[], Mesh], timeout: float = TIMEOUT) -> None:
        """`mesh` returns the one that is in force. `timeout` is in seconds."""
        self._api = api
        self._mesh = mesh
        self._timeout = timeout
        self._busy = False

    async def answer(self, namespace: str, pod: str) -> tuple[int, JSON]:
        """The HTTP status and the JSON of `linkerd-webhook explain pod/NAME -o json`, or an `error`."""
        # Imported when somebody asks: most servers never explain anything.
        from webhook.diagnosis.explain.gather import ExplainError
        from webhook.diagnosis.explain.target import TargetError, parse

        if not namespace or not pod:
            return 400, _error("write /explain?namespace=NAMESPACE&pod=NAME")
        try:
            target = parse(f"pod/{pod}", namespace)
        except TargetError as error:
            return 400, _error(str(error))
        if self._busy:
            return 429, _error("another Pod is being explained: ask again in a few seconds")
        self._busy = True
        try:
            async with asyncio.timeout(self._timeout):
                return 200, await self._explained(target)
        except ExplainError as error:
            return _STATUS.get(error.reason, 502), _error(str(error))
        except TimeoutError:
            return 504, _error(f"the API server did not answer within {self._timeout:g} s")
        finally:
            self._busy = False

    async def _explained(self, target: Target) -> JSON:
        from webhook.diagnosis.explain.explanation import explain
        from webhook.diagnosis.explain.gather import ExplainRequest, gather_target

        mesh = self._mesh()
        request = ExplainRequest(linkerd_namespace=mesh.linkerd_namespace, mesh=mesh)
        facts = await gather_target(self._api, target, request)
        # On another thread, so that no admission request waits for it.
        return (await asyncio.to_thread(explain, facts)).as_json()


def _error(message: str) -> JSON:
    return {"error": message}
