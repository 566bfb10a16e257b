"""The webhook of the viz extension, which makes the proxies of Pods answer `linkerd viz tap`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from webhook.cluster.interface import Cluster
from webhook.extensions import tap
from webhook.extensions.proxy import BadPodError
from webhook.mesh.releases import Line
from webhook.review import AdmissionRequest, Answer
from webhook.webhooks.extension_pods import malformed, meshed_pod, patched, unchanged

TAP_INJECTOR: Final = "tap-injector"


class TapInjector:
    """Adds the identity of the tap service to the proxy of a Pod."""

    name = TAP_INJECTOR
    path = f"/{TAP_INJECTOR}"

    def __init__(self, line: Callable[[], Line], cluster: Cluster, service: str) -> None:
        """`service` is the identity of the tap service; empty: no Pod is changed."""
        self._line = line
        self._cluster = cluster
        self._service = service

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Decide about one Pod. Waits only to read a Namespace that is not in memory."""
        if not self._service:
            return unchanged("no_tap_service_name")
        result = await meshed_pod(request, self._cluster, self._line())
        if isinstance(result, Answer):
            return result
        reason = tap.why_not(result.annotations, result.namespace.annotations)
        if reason:
            return unchanged(reason)
        try:
            return patched(tap.patch(result.pod, result.proxy, self._service), "tap_enabled")
        except BadPodError as error:
            return malformed(error)
