"""Metrics about the files of the configuration: which are refused, and when the trust anchors end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webhook.server.configuration import TrustAnchor
from webhook.server.reload import Group

# The most trust anchors that have a series, those that end first; the characters of a subject and a fingerprint in it.
ANCHORS: Final = 20
SUBJECT: Final = 80
FINGERPRINT: Final = 16


class FileMetrics(Collector):
    """Collects the samples on each scrape."""

    def __init__(self, groups: Sequence[Group], anchors: Callable[[], Sequence[TrustAnchor]]) -> None:
        """`anchors` returns the trust anchors that are in effect."""
        self._groups = groups
        self._anchors = anchors

    def collect(self) -> Iterator[Metric]:
        """The samples. May be called from another thread, as it only reads what is replaced as a whole."""
        refused = GaugeMetricFamily(
            "linkerd_webhook_files_refused",
            "1 while files that have changed are refused, and the earlier contents stay in effect.",
            labels=("files",),
        )
        for group in self._groups:
            refused.add_metric((group.name,), float(bool(group.error)))
        yield refused
        ends = GaugeMetricFamily(
            "linkerd_webhook_trust_anchor_expiry_timestamp_seconds",
            "When each trust anchor expires, in seconds since 1970.",
            labels=("subject", "sha256"),
        )
        for anchor in sorted(self._anchors(), key=lambda anchor: anchor.not_after)[:ANCHORS]:
            ends.add_metric((anchor.subject[:SUBJECT], anchor.sha256[:FINGERPRINT]), anchor.not_after)
        yield ends
