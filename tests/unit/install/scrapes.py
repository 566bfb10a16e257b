"""What Prometheus has collected, sample by sample, as promtool's unit tests of rules read it.

`Scrapes` begins as a cluster that is well: an API server that has run for a day, and two replicas, of which the
first leads.
A test lays over it what is otherwise. Samples are half a minute apart; `HOURS` of them are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

HOURS: Final = 3
STEP: Final = 30
SAMPLES: Final = HOURS * 3600 // STEP
DAY: Final = 86_400

OURS: Final = "proxy-injector.linkerd-webhook.linkerd.io"
LINKERDS: Final = "linkerd-proxy-injector.linkerd.io"
API_SERVER: Final = 'job="apiserver", instance="10.0.0.1:6443"'
BUCKETS: Final = ("0.0005", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "+Inf")
CALL_BUCKETS: Final = ("0.005", "0.025", "0.1", "0.5", "1.0", "2.5", "10.0", "25.0", "+Inf")


def replica(number: int) -> str:
    """The labels of a replica's target."""
    return (
        f'job="linkerd-webhook", namespace="linkerd", pod="linkerd-webhook-{number}", instance="10.1.0.{number}:9995"'
    )


def constant(value: float, samples: int = SAMPLES) -> str:
    """The same value all the time."""
    return f"{value}+0x{samples}"


def rising(by: float, start: float = 0, samples: int = SAMPLES) -> str:
    """A counter that grows by this much with each sample."""
    return f"{start}+{by}x{samples}"


def after(minutes: float, then: str, before: str | None = None) -> str:
    """A value, or no sample at all, for some minutes, then something else. A sample's number is 0 at the beginning."""
    count = int(minutes * 60 / STEP)
    first = f"_x{count}" if before is None else f"{before}+0x{count - 1}"
    return f"{first} {then}"


def gone(minutes: float, before: str) -> str:
    """Samples for some minutes, and then no series any more: `before` grows by nothing."""
    return f"{before}+0x{int(minutes * 60 / STEP)} stale"


class Scrapes:
    """Series by name and labels, each with its samples."""

    def __init__(self, replicas: tuple[int, ...] = (1, 2), minutes: float = 0) -> None:
        """The series of a cluster that is well. With `minutes`, the replicas are there from then on only."""
        self.series: dict[str, str] = {}
        self._begin = minutes
        self.put("process_start_time_seconds", API_SERVER, constant(-DAY))
        for name in (OURS, LINKERDS):
            labels = f'{API_SERVER}, name="{name}", type="admit", operation="CREATE"'
            self.put("apiserver_admission_webhook_request_total", f'{labels}, code="200", rejected="false"', rising(20))
            self.calls(name, "0.005")
        for number in replicas:
            self.start(number, leads=number == replicas[0])

    def put(self, name: str, labels: str, samples: str) -> None:
        """Set one series."""
        self.series[f"{name}{{{labels}}}"] = samples

    def start(self, number: int, *, leads: bool = False, minutes: float | None = None) -> None:
        """A replica that is well from these minutes on."""
        at = self._begin if minutes is None else minutes
        target = replica(number)

        def put(name: str, samples: str, labels: str = "") -> None:
            both = f"{target}, {labels}" if labels else target
            self.put(name, both, after(at, samples) if at else samples)

        put("process_start_time_seconds", constant(at * 60 if at else -DAY))
        put("linkerd_webhook_ready", constant(1))
        put("linkerd_webhook_leader", constant(float(leads)))
        if leads:
            put("linkerd_webhook_self_test_success", constant(1))
        put("linkerd_webhook_cache_age_seconds", constant(45))
        put("linkerd_webhook_certificate_expiry_timestamp_seconds", constant(20 * DAY))
        put("linkerd_webhook_certificate_renewal_timestamp_seconds", constant(10 * DAY))
        put(
            "linkerd_webhook_trust_anchor_expiry_timestamp_seconds",
            constant(365 * DAY),
            'subject="CN=root.linkerd.cluster.local", sha256="0123456789abcdef"',
        )
        put("linkerd_version_unknown", constant(0))
        put("linkerd_webhook_rejected_requests_total", constant(0), 'status="429"')
        for webhook in ("proxy-injector", "policy-validator"):
            put("linkerd_webhook_internal_errors_total", constant(0), f'webhook="{webhook}"')
            self.answers(number, webhook, "0.0005", minutes=at)
        for files in ("certificate", "configuration"):
            put("linkerd_webhook_files_refused", constant(0), f'files="{files}"')
        put("linkerd_webhook_reload_failures_total", constant(0), 'file="secret"')
        for configuration in ("linkerd-webhook", "linkerd-proxy-injector-webhook-config"):
            put("linkerd_webhook_ca_bundle_restored_total", constant(0), f'configuration="{configuration}"')
        put(
            "linkerd_webhook_adoption_overwritten",
            constant(0),
            'configuration="linkerd-proxy-injector-webhook-config"',
        )
        put("linkerd_webhook_timeout_seconds", constant(5), f'webhook="proxy-injector", name="{OURS}"')
        # With honorLabels the label `namespace` of these is the Pods', not the replica's.
        there = f'job="linkerd-webhook", pod="linkerd-webhook-{number}", instance="10.1.0.{number}:9995"'
        self.put(
            "proxy_inject_admission_responses_total",
            f'{there}, namespace="shop", owner_kind="deployment", annotation_at="namespace", skip="false", '
            'skip_reason=""',
            after(at, rising(2)) if at else rising(2),
        )

    def stop(self, number: int, minutes: float) -> None:
        """A replica that is deleted after some minutes: its series end."""
        name = f'instance="10.1.0.{number}:9995"'
        for series, samples in self.series.items():
            if name in series:
                first, _, step = samples.partition("+")
                self.series[series] = f"{first}+{step.partition('x')[0]}x{int(minutes * 60 / STEP)} stale"

    def adopted(self) -> None:
        """Linkerd's configurations are ours to answer: there are none of our own."""
        for number in (1, 2):
            target = replica(number)
            del self.series[f'linkerd_webhook_timeout_seconds{{{target}, webhook="proxy-injector", name="{OURS}"}}']
            labels = f'{target}, webhook="proxy-injector", name="{LINKERDS}"'
            self.put("linkerd_webhook_timeout_seconds", labels, constant(10))

    def answers(self, number: int, webhook: str, bucket: str, *, minutes: float = 0, samples: str = "") -> None:
        """How long a replica takes: each answer lands in this bucket. `samples`: of the counter, else 20 a sample."""
        rise = samples or rising(20)
        self._histogram(
            "linkerd_webhook_duration_seconds", f'{replica(number)}, webhook="{webhook}"', BUCKETS, bucket,
            after(minutes, rise) if minutes else rise, minutes,
        )  # fmt: skip

    def calls(self, name: str, bucket: str) -> None:
        """How long the API server waits for a webhook: each call lands in this bucket."""
        labels = f'{API_SERVER}, name="{name}", type="admit", operation="CREATE", rejected="false"'
        self._histogram(
            "apiserver_admission_webhook_admission_duration_seconds", labels, CALL_BUCKETS, bucket, rising(20), 0
        )

    def _histogram(
        self, name: str, labels: str, buckets: tuple[str, ...], bucket: str, rise: str, minutes: float
    ) -> None:
        nothing = after(minutes, constant(0)) if minutes else constant(0)
        for position, bound in enumerate(buckets):
            within = position >= buckets.index(bucket)
            self.put(f"{name}_bucket", f'{labels}, le="{bound}"', rise if within else nothing)
        self.put(f"{name}_count", labels, rise)

    def test(self, minutes: float, expected: Mapping[str, int] | set[str]) -> dict[str, Any]:
        """The test that of all alerts these, and no others, were firing until so many minutes from the beginning."""
        seen = f'group by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{int(minutes)}m]))'
        return {
            "interval": f"{STEP}s",
            "input_series": [{"series": series, "values": values} for series, values in self.series.items()],
            "promql_expr_test": [
                {
                    "expr": seen,
                    "eval_time": f"{int(minutes)}m",
                    "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(expected)],
                }
            ],
        }
