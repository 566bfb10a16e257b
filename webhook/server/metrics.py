"""The metrics of the server.

The counts of admission requests are plain integers, turned into samples on each scrape: prometheus_client takes up to
two microseconds per count, and there are seven counts per request. Rare events are counted by prometheus_client.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from webhook import __version__
from webhook.review import Answer
from webhook.statuspage.traffic import Counts

# Seconds: an answer takes a tenth of a millisecond if everything is in memory, and a read ends after half a second. The
# last bounds are half of a webhook's timeout: of 1, 2, 5 and 10 seconds.
BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_LE = (*(str(bound) for bound in BOUNDS), "+Inf")


# The possible decisions of each webhook; those that are not listed allow or deny.
DECISIONS: Mapping[str, tuple[str, ...]] = {
    "proxy-injector": ("injected", "skipped", "annotated", "unchanged", "denied"),
    "self-test": ("answered",),
    "none": ("denied",),
}
_VERDICTS = ("allowed", "denied")

# The HTTP errors that a client may get, and the files that are reloaded (`secret`: the certificate's Secret).
STATUSES = (400, 404, 405, 408, 413, 415, 429, 431)
FILES = ("tls.crt", "tls.key", "values", "trust-anchors", "secret")


# Omits the `_created` samples, which would double the number of series.
disable_created_metrics()  # type: ignore[no-untyped-call]


class _Load:
    """The latency of one webhook, and the bytes it received and sent."""

    __slots__ = ("buckets", "received", "seconds", "sent")

    def __init__(self) -> None:
        self.buckets = [0] * len(_LE)
        self.seconds = 0.0
        self.received = 0
        self.sent = 0


class Admissions(Collector):
    """The counts of admission requests. All methods but `collect` run in the event loop's thread only."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._loads: dict[str, _Load] = {}
        self._decisions: dict[tuple[str, str], int] = {}
        self._requests: dict[tuple[str, str, str], int] = {}
        self._responses: dict[tuple[str, str, str, str, str], int] = {}
        self._errors: dict[str, int] = {}

    def expect(self, webhooks: Iterable[str]) -> None:
        """Create the series of these webhooks with 0: a series that does not exist cannot be alerted on."""
        for webhook in webhooks:
            self._loads.setdefault(webhook, _Load())
            for decision in DECISIONS.get(webhook, _VERDICTS):
                self._decisions.setdefault((webhook, decision), 0)

    def count(self, webhook: str, namespace: str, answer: Answer, seconds: float, received: int, sent: int) -> None:
        """Count one answered admission: how long it took in seconds, and the bytes of the bodies in and out."""
        load = self._loads.get(webhook)
        if load is None:
            load = self._loads[webhook] = _Load()
        load.buckets[bisect_left(BOUNDS, seconds)] += 1
        load.seconds += seconds
        load.received += received
        load.sent += sent
        decision = (webhook, answer.decision)
        self._decisions[decision] = self._decisions.get(decision, 0) + 1
        facts = answer.facts
        annotation_at = facts.get("annotation_at")
        if annotation_at is None:
            return
        owner = facts.get("owner_kind", "")
        request = (owner, namespace, annotation_at)
        self._requests[request] = self._requests.get(request, 0) + 1
        skip = facts.get("skip")
        if skip is not None:
            response = (owner, namespace, annotation_at, skip, facts.get("skip_reason", ""))
            self._responses[response] = self._responses.get(response, 0) + 1

    def fail(self, webhook: str) -> None:
        """Count an answer or an effect that failed by the webhook's own fault."""
        self._errors[webhook] = self._errors.get(webhook, 0) + 1

    def traffic(self) -> dict[str, Counts]:
        """The counters of each webhook, for the status page."""
        return {
            webhook: Counts(
                tuple(load.buckets), self._decisions.get((webhook, "denied"), 0), self._errors.get(webhook, 0)
            )
            for webhook, load in self._loads.items()
        }

    def collect(self) -> Iterator[Metric]:
        """The samples. May be called from another thread, as it works on copies."""
        yield counter(
            "proxy_inject_admission_requests",
            "Admission requests to the proxy injector.",
            ("owner_kind", "namespace", "annotation_at"),
            dict(self._requests),
        )
        yield counter(
            "proxy_inject_admission_responses",
            "Admission responses of the proxy injector.",
            ("owner_kind", "namespace", "annotation_at", "skip", "skip_reason"),
            dict(self._responses),
        )
        yield counter(
            "linkerd_webhook_decisions",
            "Admissions answered, by webhook and decision.",
            ("webhook", "decision"),
            dict(self._decisions),
        )
        yield GaugeMetricFamily("linkerd_webhook_in_flight", "Admissions in work now.", self.in_flight)
        loads = dict(self._loads)
        duration = HistogramMetricFamily(
            "linkerd_webhook_duration_seconds",
            "From the request's last byte to the answer's, inside the webhook.",
            labels=("webhook",),
        )
        for webhook, load in loads.items():
            duration.add_metric((webhook,), list(zip(_LE, accumulate(load.buckets), strict=True)), load.seconds)
        yield duration
        for name, text, sizes in (
            ("received", "Bytes of request bodies.", {(webhook,): load.received for webhook, load in loads.items()}),
            ("sent", "Bytes of answers' bodies.", {(webhook,): load.sent for webhook, load in loads.items()}),
        ):
            yield counter(f"linkerd_webhook_{name}_bytes", text, ("webhook",), sizes)


def counter(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, int]) -> CounterMetricFamily:
    """A counter's samples, given its values by label values (a tuple as long as `labels`)."""
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


class _Info(Collector):
    """A gauge that is 1: what it tells stands in its labels, which may change."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], read: Callable[[], tuple[str, ...]]) -> None:
        self._name, self._text, self._labels, self._read = name, text, labels, read

    def collect(self) -> Iterator[Metric]:
        """The sample."""
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        family.add_metric(self._read(), 1)
        yield family


class Metrics:
    """All metrics of `/metrics`. A process has one instance; tests create their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.admissions = Admissions()
        self.registry.register(self.admissions)
        self._rejected = Counter(
            "linkerd_webhook_rejected_requests",
            "Requests answered with an HTTP error, without an AdmissionReview.",
            ("status",),
            registry=self.registry,
        )
        self.hang_ups = Counter(
            "linkerd_webhook_client_hang_ups",
            "Clients that went away before their request was complete.",
            registry=self.registry,
        )
        self.internal_errors = Counter(
            "linkerd_webhook_internal_errors",
            "Answers or effects that failed by the webhook's own fault: see the log.",
            ("webhook",),
            registry=self.registry,
        )
        self.reloads = Counter(
            "linkerd_webhook_reloads", "Changed files that have taken effect.", ("file",), registry=self.registry
        )
        self.reload_failures = Counter(
            "linkerd_webhook_reload_failures",
            "Changed files that were refused: the earlier contents stay in effect.",
            ("file",),
            registry=self.registry,
        )
        Gauge("linkerd_webhook_build_info", "The version that runs.", ("version",), registry=self.registry).labels(
            __version__
        ).set(1)

    def expect(self, webhooks: Iterable[str]) -> None:
        """Create all series with 0. `webhooks`: the names of the webhooks that are served."""
        names = [*webhooks]
        self.admissions.expect([*names, "none"])
        for name in names:
            self.internal_errors.labels(name)
        for status in STATUSES:
            self._rejected.labels(str(status))
        for file in FILES:
            self.reloads.labels(file)
            self.reload_failures.labels(file)

    def fail(self, webhook: str) -> None:
        """Count an answer or an effect that failed by the webhook's own fault."""
        self.internal_errors.labels(webhook).inc()
        self.admissions.fail(webhook)

    def reject(self, status: int) -> None:
        """Count a request that was answered with an HTTP error."""
        self._rejected.labels(str(status)).inc()

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a gauge whose value `read` returns on each scrape."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def describe(self, name: str, text: str, labels: tuple[str, ...], read: Callable[[], tuple[str, ...]]) -> None:
        """Add a gauge that is 1, whose labels' values `read` returns on each scrape."""
        self.registry.register(_Info(name, text, labels, read))

    def render(self) -> bytes:
        """The metrics in Prometheus' text format. Call it in a thread: with many Namespaces it takes a while."""
        return generate_latest(self.registry)
