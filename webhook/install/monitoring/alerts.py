"""The alerts. `docs/alerts.md` has a section for each, by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from webhook.injector import decision
from webhook.install.monitoring.series import (
    CALLS,
    FAIL_OPEN,
    LINKERDS,
    LINKERDS_TIMEOUT,
    OURS,
    REJECTIONS,
    TIMEOUTS,
    answered,
    grown,
    indented,
    total,
)

PAGE: Final = "docs/alerts.md"

# Reasons for which a Pod is left without a proxy though nobody asked for that.
UNWANTED: Final = (
    decision.INVALID_AT_WORKLOAD,
    decision.INVALID_AT_NAMESPACE,
    decision.NO_TOKEN,
    decision.HOST_NETWORK,
)

_TRUST_ANCHOR_DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. `after` is how long its expression has to hold, as Prometheus writes durations.

    `critical`: Pods are let in unmeshed or are refused, now or soon. `warning`: it can wait until the morning.
    """

    name: str
    severity: Literal["critical", "warning"]
    after: str
    expression: str
    summary: str
    action: str


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that are evaluated together."""

    name: str
    alerts: tuple[Alert, ...]


def _by_name(metric: str, matchers: str = "") -> str:
    """How often the API server has counted something of the webhooks that this server answers, within ten minutes."""
    more = f", {matchers}" if matchers else ""

    def of(webhooks: str) -> str:
        return total(("name",), grown(f"{metric}{{{webhooks}{more}}}", "10m"))

    return answered(of(OURS), of(LINKERDS))


def _slow_answers(part: float) -> str:
    """The webhooks of whose answers one in a hundred takes longer than a part of the timeout."""
    buckets = "sum by (webhook, le) (rate(linkerd_webhook_duration_seconds_bucket[5m]))"
    otherwise = f"0 * sum by (webhook) (linkerd_webhook_duration_seconds_count) + {LINKERDS_TIMEOUT}"
    return (
        f"histogram_quantile(0.99, {buckets})\n"
        f"  > on (webhook)\n"
        f"{part} * (\n"
        f"  min by (webhook) ({TIMEOUTS})\n"
        f"  or on (webhook)\n"
        f"  {otherwise}\n"
        f")"
    )


def _slow_calls(part: float) -> str:
    """The same as the API server sees it, by the name in the configuration."""

    def of(matcher: str, otherwise: int) -> str:
        return (
            f"(\n"
            f"  histogram_quantile(0.99, sum by (name, le) (rate({CALLS}_bucket{{{matcher}}}[5m])))\n"
            f"    > on (name)\n"
            f"  {part} * (\n"
            f"    min by (name) (last_over_time({TIMEOUTS}{{{matcher}}}[1d]))\n"
            f"    or on (name)\n"
            f"    0 * sum by (name) ({CALLS}_count{{{matcher}}}) + {otherwise}\n"
            f"  )\n"
            f")"
        )

    return answered(of(OURS, 5), of(LINKERDS, LINKERDS_TIMEOUT))


def _newly_skipped() -> str:
    labels = ("namespace", "owner_kind", "skip_reason")
    by = ", ".join(labels)
    responses = "proxy_inject_admission_responses_total"
    skipped = f'{responses}{{skip="true", skip_reason=~"{"|".join(UNWANTED)}"}}'
    before = f"increase({skipped}[1d] offset 1h) > 0\nor\n({skipped} offset 1h unless {skipped} offset 25h)"
    return (
        f"(\n"
        f"{indented(total(labels, grown(skipped, '1h')))}\n"
        f"  unless on ({by})\n"
        f"  count by ({by}) (\n"
        f"{indented(before, 4)}\n"
        f"  )\n"
        f")\n"
        f"and on (namespace, owner_kind)\n"
        f'sum by (namespace, owner_kind) ({responses}{{skip="false"}} offset 1h) > 0'
    )


_ADMISSION: Final = Group(
    "linkerd-webhook-admission",
    (
        Alert(
            "LinkerdWebhookAbsent",
            "critical",
            "3m",
            "absent(linkerd_webhook_ready == 1)",
            "No replica of linkerd-webhook is ready",
            "Nobody answers the API server: Pods are let in unmeshed, or refused (failurePolicy: Fail). Look at the "
            "Deployment linkerd-webhook and at its Pods' log, which names the condition that fails. If the Pods are "
            "well, Prometheus does not collect their metrics.",
        ),
        Alert(
            "LinkerdWebhookFailOpen",
            "critical",
            "0m",
            _by_name(FAIL_OPEN),
            "{{ $labels.name }} was not answered: objects were let in as they are",
            "The API server called {{ $labels.name }}, got no answer, and let about {{ $value | humanize }} objects in "
            "within 10 minutes: Pods without a proxy, or policies unchecked. Find out why it was not answered "
            "(`linkerd-webhook check`), then have the Pods meshed (`linkerd-webhook repair`).",
        ),
        Alert(
            "LinkerdWebhookCallsFailing",
            "critical",
            "0m",
            _by_name(REJECTIONS, 'error_type="calling_webhook_error"'),
            "{{ $labels.name }} was not answered: objects were refused",
            "The API server called {{ $labels.name }}, got no answer, and refused about {{ $value | humanize }} "
            "objects within 10 minutes (failurePolicy: Fail). Find out why it was not answered: `linkerd-webhook "
            "check`. Controllers try again by themselves.",
        ),
        Alert(
            "LinkerdWebhookSelfTestFailing",
            "critical",
            "5m",
            "max by (namespace) (linkerd_webhook_self_test_success) == 0",
            "The API server does not reach linkerd-webhook",
            "The leader has the API server call the webhook each minute, and no replica is called. The leader's log "
            "names the error: network policies, the Service's endpoints, the caBundle.",
        ),
        Alert(
            "LinkerdWebhookInternalErrors",
            "warning",
            "0m",
            total(("webhook",), "increase(linkerd_webhook_internal_errors_total[10m])") + " > 0",
            "{{ $labels.webhook }} has failed by its own fault",
            "It is a bug of linkerd-webhook. The log has the error with its traceback: report it. If answers fail, the "
            "API server lets objects in as they are or refuses them, and LinkerdWebhookFailOpen or "
            "LinkerdWebhookCallsFailing tells.",
        ),
        Alert(
            "LinkerdWebhookOverloaded",
            "warning",
            "0m",
            total((), 'increase(linkerd_webhook_rejected_requests_total{status="429"}[10m])').replace(" by ()", "")
            + " > 0",
            "linkerd-webhook has turned requests away (429)",
            "More requests than --max-in-flight were in work at once on a replica. Add replicas, or raise the CPU "
            "limit if the replicas are throttled.",
        ),
    ),
)

_LATENCY: Final = Group(
    "linkerd-webhook-latency",
    (
        Alert(
            "LinkerdWebhookSlow",
            "warning",
            "10m",
            _slow_answers(0.1),
            "{{ $labels.webhook }} takes more than a tenth of its timeout",
            "One answer in a hundred takes {{ $value | humanizeDuration }} or more inside linkerd-webhook. Look "
            "whether the replicas lack CPU, or whether direct reads from the API server are slow.",
        ),
        Alert(
            "LinkerdWebhookNearTimeout",
            "critical",
            "5m",
            _slow_answers(0.5),
            "{{ $labels.webhook }} takes more than half of its timeout",
            "One answer in a hundred takes {{ $value | humanizeDuration }} or more inside linkerd-webhook. Soon the "
            "API server gives up waiting. Add replicas or CPU now.",
        ),
        Alert(
            "LinkerdWebhookCallsSlow",
            "warning",
            "10m",
            _slow_calls(0.1),
            "The API server waits more than a tenth of the timeout for {{ $labels.name }}",
            "One call in a hundred takes {{ $value | humanizeDuration }} or more. If LinkerdWebhookSlow is silent, the "
            "time is lost between the API server and the replicas: network, TLS, or an API server without CPU.",
        ),
        Alert(
            "LinkerdWebhookCallsNearTimeout",
            "critical",
            "5m",
            _slow_calls(0.5),
            "The API server waits more than half of the timeout for {{ $labels.name }}",
            "One call in a hundred takes {{ $value | humanizeDuration }} or more. Soon the API server gives up "
            "waiting. If LinkerdWebhookNearTimeout is silent, look at the network between the API server and the "
            "replicas.",
        ),
    ),
)

_CERTIFICATES: Final = Group(
    "linkerd-webhook-certificates",
    (
        Alert(
            "LinkerdWebhookCertificateNotRenewed",
            "warning",
            "15m",
            "time() - min by (namespace) (linkerd_webhook_certificate_renewal_timestamp_seconds > 0) > 3600",
            "The certificate of linkerd-webhook was not renewed in time",
            "It should have been renewed {{ $value | humanizeDuration }} ago. `linkerd-webhook certs inspect` shows "
            "what is served and until when; the leader's log, or cert-manager's, why it was not renewed.",
        ),
        Alert(
            "LinkerdWebhookCertificateEnds",
            "critical",
            "5m",
            "min by (namespace) (linkerd_webhook_certificate_expiry_timestamp_seconds > 0) - time()\n"
            "  < on (namespace)\n"
            "min by (namespace) (\n"
            "  linkerd_webhook_certificate_expiry_timestamp_seconds\n"
            "  - (linkerd_webhook_certificate_renewal_timestamp_seconds > 0)\n"
            ") / 3",
            "The certificate of linkerd-webhook ends soon",
            "It ends in {{ $value | humanizeDuration }}; then the API server calls no replica any more. Issue a new "
            "one now: `linkerd-webhook certs rotate`, or renew the Secret that you keep yourself.",
        ),
        Alert(
            "LinkerdWebhookTrustAnchorEnds",
            "warning",
            "1h",
            "min by (subject, sha256) (linkerd_webhook_trust_anchor_expiry_timestamp_seconds) - time()"
            f" < {_TRUST_ANCHOR_DAYS} * 86400",
            "Linkerd's trust anchor {{ $labels.subject }} ends soon",
            "It ends in {{ $value | humanizeDuration }}; then no proxy that trusts it alone gets an identity. Rotate "
            "Linkerd's trust anchors, or, if a newer one is there, take this one out of the bundle.",
        ),
    ),
)

_STATE: Final = Group(
    "linkerd-webhook-state",
    (
        Alert(
            "LinkerdWebhookReloadRefused",
            "warning",
            "2m",
            "max by (files) (linkerd_webhook_files_refused) == 1\n"
            "or\n"
            'max by (file) (increase(linkerd_webhook_reload_failures_total{file="secret"}[30m])) > 0',
            "linkerd-webhook refuses its new {{ $labels.files }}{{ $labels.file }}",
            "What has changed is wrong, and the earlier contents stay in effect until a replica restarts, which then "
            "does not start. `/ready` and the log name the file, the place and the reason.",
        ),
        Alert(
            "LinkerdWebhookCacheStale",
            "warning",
            "2m",
            "max by (namespace, pod, instance) (linkerd_webhook_cache_age_seconds) > 300",
            "{{ $labels.pod }} ({{ $labels.instance }}) has heard nothing from the API server for 5 minutes",
            "It goes on with the Namespaces that it knows: new Namespaces and changed annotations do not count. Look "
            "at its log, and at the network from the Pod to the API server.",
        ),
        Alert(
            "LinkerdWebhookNewlySkipped",
            "warning",
            "5m",
            _newly_skipped(),
            "Pods in {{ $labels.namespace }} are no longer meshed: {{ $labels.skip_reason }}",
            "Pods of a {{ $labels.owner_kind }} in {{ $labels.namespace }} come without a proxy since less than an "
            "hour, for a reason that nobody asks for; others like them were injected before. `linkerd-webhook explain` "
            "names the field and what to write.",
        ),
        Alert(
            "LinkerdVersionUnknown",
            "warning",
            "10m",
            "max by (namespace) (linkerd_version_unknown) == 1",
            "linkerd-webhook does not know Linkerd's version",
            "Linkerd was upgraded to a release that is newer than this program: it injects as for the newest release "
            "that it knows. Upgrade linkerd-webhook.",
        ),
        Alert(
            "LinkerdWebhookNoLeader",
            "warning",
            "5m",
            "sum by (namespace) (linkerd_webhook_leader) == 0",
            "No replica of linkerd-webhook leads",
            "Certificates are not renewed and caBundles not mended. The log says why no replica takes the Lease: "
            "rights, or the API server.",
        ),
        Alert(
            "LinkerdWebhookTwoLeaders",
            "warning",
            "5m",
            "sum by (namespace) (linkerd_webhook_leader) > 1",
            "{{ $value }} replicas of linkerd-webhook lead",
            "Two replicas write certificates and caBundles against each other. Look whether there are two Deployments, "
            "or a replica whose clock has stopped, and delete its Pod.",
        ),
        Alert(
            "LinkerdWebhookCABundleFought",
            "warning",
            "0m",
            total(("configuration",), "increase(linkerd_webhook_ca_bundle_restored_total[30m])") + " > 3",
            "Somebody else writes the caBundles of {{ $labels.configuration }}",
            "linkerd-webhook has put them back {{ $value | humanize }} times in 30 minutes; in between, calls fail. "
            "`kubectl get --show-managed-fields` of the configuration names who writes it.",
        ),
        Alert(
            "LinkerdWebhookAdoptionOverwritten",
            "warning",
            "5m",
            "max by (configuration) (linkerd_webhook_adoption_overwritten) == 1",
            "{{ $labels.configuration }} no longer points at linkerd-webhook",
            "Most likely Linkerd was upgraded, and its own injector and validators answer. Point the configurations "
            "here once more: linkerd-webhook install --adopt --again.",
        ),
    ),
)

GROUPS: Final = (_ADMISSION, _LATENCY, _CERTIFICATES, _STATE)
ALERTS: Final = tuple(alert for group in GROUPS for alert in group.alerts)


def rules(page: Any = PAGE) -> list[dict[str, Any]]:
    """The groups as Prometheus reads them. `page` is the address of the page of alerts, or a node that becomes it."""
    return [{"name": group.name, "rules": [_rule(alert, page) for alert in group.alerts]} for group in GROUPS]


def _rule(alert: Alert, page: Any) -> dict[str, Any]:
    anchor = f"#{alert.name.lower()}"
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.after,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.action,
            "runbook_url": page + anchor if isinstance(page, str) else page(anchor),
        },
    }
