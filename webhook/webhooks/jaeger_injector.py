"""The webhook of the jaeger extension, which makes the proxies of Pods send traces to a collector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from webhook.cluster.interface import Cluster
from webhook.extensions import jaeger
from webhook.extensions.jaeger import Collector
from webhook.extensions.proxy import BadPodError, is_true
from webhook.mesh.releases import Line
from webhook.review import AdmissionRequest, Answer
from webhook.webhooks.extension_pods import malformed, meshed_pod, patched, unchanged

JAEGER_INJECTOR: Final = "jaeger-injector"


class JaegerInjector:
    """Adds the trace collector to the proxy of a Pod."""

    name = JAEGER_INJECTOR
    path = f"/{JAEGER_INJECTOR}"

    def __init__(self, line: Callable[[], Line], cluster: Cluster, collector: Collector) -> None:
        """`collector` counts where neither a Pod nor its Namespace names one; without an address no Pod is changed."""
        self._line = line
        self._cluster = cluster
        self._collector = collector

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Decide about one Pod. Waits only to read a Namespace that is not in memory."""
        if not self._collector.address:
            return unchanged("no_collector_address")
        line = self._line()
        result = await meshed_pod(request, self._cluster, line)
        if isinstance(result, Answer):
            return result
        if is_true(result.annotations, jaeger.ENABLED):
            return unchanged("tracing_enabled_already")
        collector = jaeger.collector_for(self._collector, result.annotations, result.namespace.annotations, line)
        try:
            operations = jaeger.patch(result.pod, result.proxy, request.namespace, collector, line)
        except BadPodError as error:
            return malformed(error)
        return patched(operations, "tracing_enabled")
