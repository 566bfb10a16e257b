"""Metrics about caBundles and webhook configurations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webhook.kube.fields import mapping, sequence
from webhook.kube.webhookconfigurations import pointing
from webhook.server.metrics import counter
from webhook.upkeep.leader import Upkeep
from webhook.upkeep.registration import ADVISOR

# What the API server takes for a webhook that has no timeoutSeconds, and the most webhooks that have a series.
DEFAULT_TIMEOUT: Final = 10.0
WEBHOOKS: Final = 50


class UpkeepMetrics(Collector):
    """Collects the samples of an `Upkeep` on each scrape."""

    def __init__(self, upkeep: Upkeep) -> None:
        self._upkeep = upkeep

    def collect(self) -> Iterator[Metric]:
        """The samples. May be called from another thread, as it works on copies."""
        upkeep = self._upkeep
        yield GaugeMetricFamily("linkerd_webhook_leader", "1 on the replica that leads.", float(upkeep.leading))
        yield counter(
            "linkerd_webhook_ca_bundle_restored",
            "caBundles put back after somebody else had written them.",
            ("configuration",),
            {(name,): 0 for _, name in (*upkeep.counted(), ADVISOR)}
            | {(name,): n for name, n in dict(upkeep.restored).items()},
        )
        overwritten = GaugeMetricFamily(
            "linkerd_webhook_adoption_overwritten",
            "1 where a configuration that was adopted points elsewhere now.",
            labels=("configuration",),
        )
        elsewhere = upkeep.overwritten()
        for name in upkeep.duties.adopts:
            overwritten.add_metric((name[1],), float(name in elsewhere))
        yield overwritten
        yield _timeouts(upkeep)
        if upkeep.leading and upkeep.self_test is not None:
            yield GaugeMetricFamily(
                "linkerd_webhook_self_test_success",
                "1 where the API server reached this webhook at the last look, told by the leader.",
                float(bool(upkeep.self_test.answered_by)),
            )


def _timeouts(upkeep: Upkeep) -> GaugeMetricFamily:
    """The timeout of each webhook that points at our Service; the smallest one where a name stands in several."""
    service = upkeep.duties.service
    smallest: dict[tuple[str, str], float] = {}
    for body in upkeep.configurations.all():
        entries = pointing(body, service)
        webhooks = sequence(body.get("webhooks"))
        for entry in entries:
            declared = webhooks[entry.index]
            seconds = declared.get("timeoutSeconds")
            path = mapping(mapping(declared.get("clientConfig")).get("service")).get("path")
            labels = (str(path or "/").strip("/").split("?")[0] or "none", entry.webhook)
            value = float(seconds) if isinstance(seconds, int) else DEFAULT_TIMEOUT
            smallest[labels] = min(value, smallest.get(labels, value))
    family = GaugeMetricFamily(
        "linkerd_webhook_timeout_seconds",
        "How long the API server waits for an answer, by the webhook's name in its configuration.",
        labels=("webhook", "name"),
    )
    for labels in sorted(smallest)[:WEBHOOKS]:
        family.add_metric(labels, smallest[labels])
    return family
