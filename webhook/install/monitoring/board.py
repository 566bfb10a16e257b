"""The board for Grafana. Its rows, from the top: is it well, what do people get, what does the API server see, what
does the server look after, what does it cost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from math import inf
from typing import Any, Final

from webhook.install.monitoring.panels import (
    Panel,
    Query,
    days_left,
    heat_map,
    ill_from,
    laid_out,
    lines,
    number,
    well_from,
    words,
)
from webhook.install.monitoring.series import (
    CALLS,
    FAIL_OPEN,
    REJECTIONS,
    REQUESTS,
    TIMEOUTS,
)

UID: Final = "linkerd-webhook"
TITLE: Final = "Linkerd webhook"

# What a target's labels are for our metrics. `proxy_inject_*` has a label `namespace` of its own: the Pods'.
_HERE: Final = 'namespace=~"$namespace", pod=~"$replica"'
_REPLICA: Final = 'pod=~"$replica"'
# The names of our webhooks and of Linkerd's in the API server's metrics.
_NAMES: Final = 'name=~"([a-z-]+[.]linkerd-webhook|linkerd-[a-z-]+)[.]linkerd[.]io"'
# The advisors have a timeout of a second, and nothing is lost with their answer.
_ASKED: Final = 'webhook!~"workload-advisor|self-test"'
_INJECTED: Final = 'skip="false"'
_SKIPPED: Final = 'skip="true"'
_DENIED: Final = 'decision="denied"'
_PER: Final = "[$__rate_interval]"
# Bounds of the histogram of durations, as its label has them: between each two is a row of the heat map.
_EDGES: Final = ("0", "0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1.0", "2.5", "5.0", "+Inf")
# The least that the API server lets a webhook have.
_SHORTEST_TIMEOUT: Final = 1


def _braces(matchers: tuple[str, ...]) -> str:
    return f"{{{', '.join(matchers)}}}" if matchers else ""


def _rate(metric: str, *matchers: str) -> str:
    return f"rate({metric}{_braces(matchers)}{_PER})"


def _ours(metric: str, *matchers: str) -> str:
    return f"{metric}{{{', '.join((_HERE, *matchers))}}}"


def _days(metric: str, by: str) -> str:
    return f"(min by ({by}) ({_ours(metric)} > 0) - time()) / 86400"


def _health() -> tuple[Panel, ...]:
    yes_or_no = (words({"0": "no", "1": "yes"}),)
    return (
        number(
            "Ready replicas", "How many get requests.", f"sum({_ours('linkerd_webhook_ready')})", steps=well_from(1)
        ),
        number(
            "The API server reaches it",
            "The leader has the API server call the webhook each minute.",
            f"max({_ours('linkerd_webhook_self_test_success')})",
            steps=well_from(1),
            mappings=yes_or_no,
        ),
        number(
            "Let in unmeshed or unchecked (1 h)",
            "Objects that the API server let in as they are, as nobody answered (failurePolicy: Ignore).",
            f"sum(increase({FAIL_OPEN}{{{_NAMES}}}[1h])) or vector(0)",
            steps=ill_from(1),
        ),
        number(
            "Refused unanswered (1 h)",
            "Objects that the API server refused, as nobody answered (failurePolicy: Fail).",
            f'sum(increase({REJECTIONS}{{{_NAMES}, error_type="calling_webhook_error"}}[1h])) or vector(0)',
            steps=ill_from(1),
        ),
        number(
            "Leader",
            "The replica that keeps certificates and webhook configurations.",
            f"{_ours('linkerd_webhook_leader')} == 1",
            "{{pod}}",
            name=True,
        ),
        number(
            "Release line of Linkerd",
            "As which release Pods are injected.",
            f"max by (line, release) ({_ours('linkerd_webhook_release_line_info')})",
            "{{line}}: {{release}}",
            name=True,
        ),
        number(
            "Served certificate: days left",
            "Of each replica. It is renewed after two thirds of its lifetime.",
            _days("linkerd_webhook_certificate_expiry_timestamp_seconds", "pod"),
            "{{pod}}",
            unit="d",
            steps=days_left(7, 2),
            width=6,
        ),
        number(
            "To the renewal: days left",
            "Below zero: it is overdue.",
            _days("linkerd_webhook_certificate_renewal_timestamp_seconds", "pod"),
            "{{pod}}",
            unit="d",
            steps=days_left(0, -1),
            width=6,
        ),
        number(
            "Trust anchors: days left",
            "Of each of Linkerd's trust anchors. Pods get a new one only when they are created anew.",
            _days("linkerd_webhook_trust_anchor_expiry_timestamp_seconds", "subject, sha256"),
            "{{subject}}",
            unit="d",
            steps=days_left(60, 14),
            width=6,
        ),
        number(
            "Versions",
            "More than one: an upgrade is under way.",
            f"count by (version) ({_ours('linkerd_webhook_build_info')})",
            "{{version}}",
            width=6,
        ),
    )


def _requests() -> tuple[Panel, ...]:
    buckets = "linkerd_webhook_duration_seconds_bucket"
    quantiles = tuple(
        Query(f"histogram_quantile({part}, sum by (le) ({_rate(buckets, _HERE)}))", legend)
        for part, legend in (("0.5", "half within"), ("0.9", "90 % within"), ("0.99", "99 % within"))
    )
    return (
        lines(
            "Requests a second",
            "Answers by webhook.",
            Query(f"sum by (webhook) ({_rate('linkerd_webhook_duration_seconds_count', _HERE)})", "{{webhook}}"),
            unit="reqps",
            stacked=True,
        ),
        lines(
            "In work",
            "Requests in work at once, by replica. More than --max-in-flight are turned away with 429.",
            Query(_ours("linkerd_webhook_in_flight"), "{{pod}}"),
        ),
        lines(
            "Turned away",
            "Requests answered with an HTTP error, by status; clients that went away; and our own faults.",
            Query(f"sum by (status) ({_rate('linkerd_webhook_rejected_requests_total', _HERE)}) > 0", "{{status}}"),
            Query(f"sum ({_rate('linkerd_webhook_client_hang_ups_total', _HERE)})", "hung up"),
            Query(
                f"sum by (webhook) ({_rate('linkerd_webhook_internal_errors_total', _HERE)}) > 0",
                "internal error: {{webhook}}",
            ),
            unit="reqps",
        ),
        heat_map(
            "How long answers take, by how many",
            "Answers of all webhooks together; the darker, the more. Red: how long the API server waits for the "
            "webhook that it waits least for, the advisors left out. Whatever comes near that row is about to be let "
            "in unmeshed, or refused.",
            *_spans(buckets),
            unit="reqps",
            limit="timeout",
        ),
        lines(
            "How long answers take, and the timeout",
            "Dashed: how long the API server waits for the webhook that it waits least for, the advisors left out.",
            *quantiles,
            Query(_timeout(), "timeout"),
            unit="s",
            width=12,
            dashed="timeout",
            height=10,
        ),
    )


def _spans(buckets: str) -> Iterator[Query]:
    """How many answers took how long, the longest first; and, above the span that the timeout is in, the timeout."""
    for edge, following in reversed(tuple(itertools.pairwise(_EDGES))):
        longer, up_to = float(edge), float(following)
        if up_to >= _SHORTEST_TIMEOUT:
            lower = f" > {longer:g}" if longer >= _SHORTEST_TIMEOUT else ""
            upper = f" <= {up_to:g}" if up_to < inf else ""
            # The number is the label `seconds` of a series whose value says nothing.
            yield Query(f'0 * count_values("seconds", {_timeout()}{lower}{upper})', "timeout {{seconds}} s")
        slower, faster = (f"sum({_rate(buckets, _HERE, _le(bound))})" for bound in (following, edge))
        yield Query(f"{slower} - {faster}" if longer else slower, _span(longer, up_to))


def _le(bound: str) -> str:
    return f'le="{bound}"'


def _span(longer: float, up_to: float) -> str:
    if not longer:
        return f"up to {_duration(up_to)}"
    return f"{_duration(longer)} – {_duration(up_to)}" if up_to < inf else f"more than {_duration(longer)}"


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _timeout() -> str:
    return f"min({_ours(TIMEOUTS, _NAMES, _ASKED)})"


def _outcomes() -> tuple[Panel, ...]:
    responses = "proxy_inject_admission_responses_total"

    def skipped(by: str) -> str:
        return f"topk(20, sum by ({by}) ({_rate(responses, _REPLICA, _SKIPPED)}))"

    return (
        lines(
            "Injected, by Namespace",
            "Pods and Services that got what they asked for. The twenty busiest Namespaces.",
            Query(f"topk(20, sum by (namespace) ({_rate(responses, _REPLICA, _INJECTED)}))", "{{namespace}}"),
            unit="reqps",
            stacked=True,
        ),
        lines(
            "Skipped, by reason",
            "Each reason has a section in docs/answers.md.",
            Query(skipped("skip_reason"), "{{skip_reason}}"),
            unit="reqps",
            stacked=True,
        ),
        lines(
            "Skipped, by Namespace and reason",
            "The twenty busiest.",
            Query(skipped("namespace, skip_reason"), "{{namespace}}: {{skip_reason}}"),
            unit="reqps",
        ),
        lines(
            "Decisions",
            "What became of the requests, by webhook.",
            Query(
                f"sum by (webhook, decision) ({_rate('linkerd_webhook_decisions_total', _HERE)}) > 0",
                "{{webhook}}: {{decision}}",
            ),
            unit="reqps",
            width=12,
        ),
        lines(
            "Refused, by webhook",
            "Objects that a webhook refused for what is wrong with them.",
            Query(
                f"sum by (webhook) ({_rate('linkerd_webhook_decisions_total', _HERE, _DENIED)})",
                "{{webhook}}",
            ),
            unit="reqps",
            width=12,
        ),
    )


def _api_server() -> tuple[Panel, ...]:
    duration = f"sum by (name, le) ({_rate(f'{CALLS}_bucket', _NAMES)})"
    return (
        lines(
            "Calls, by webhook and code",
            "As the API servers count them.",
            Query(f"sum by (name, code) ({_rate(REQUESTS, _NAMES)})", "{{name}}: {{code}}"),
            unit="reqps",
        ),
        lines(
            "How long calls take, and the timeouts",
            "From the API server's side: network and TLS are in it. 99 % within.",
            Query(f"histogram_quantile(0.99, {duration})", "{{name}}"),
            Query(f"min by (name) ({TIMEOUTS}{{{_NAMES}}})", "timeout {{name}}"),
            unit="s",
            dashed="timeout",
        ),
        lines(
            "Unanswered: let in (fail open)",
            "Each of these is a Pod without a proxy, or a policy that nobody has checked.",
            Query(f"sum by (name) (increase({FAIL_OPEN}{{{_NAMES}}}{_PER}))", "{{name}}"),
        ),
        lines(
            "Refused, by webhook and why",
            "calling_webhook_error: nobody answered. no_error: the webhook refused the object.",
            Query(f"sum by (name, error_type) (increase({REJECTIONS}{{{_NAMES}}}{_PER}))", "{{name}}: {{error_type}}"),
            width=24,
        ),
    )


def _upkeep() -> tuple[Panel, ...]:
    def grown(metric: str, by: str, *matchers: str) -> str:
        return f"sum by ({by}) (increase({_ours(metric, *matchers)}{_PER}))"

    return (
        lines(
            "Leader over time",
            "1 on the replica that leads: always one of them.",
            Query(_ours("linkerd_webhook_leader"), "{{pod}}"),
            steps=True,
            width=6,
        ),
        lines(
            "Self-test",
            "1 while the API server reaches the webhook.",
            Query(f"max({_ours('linkerd_webhook_self_test_success')})", "reached"),
            steps=True,
            width=6,
        ),
        lines(
            "caBundles put back",
            "Growing all the time: somebody else writes them.",
            Query(grown("linkerd_webhook_ca_bundle_restored_total", "configuration"), "{{configuration}}"),
            width=6,
        ),
        lines(
            "Adoption overwritten",
            "1: Linkerd's configuration points elsewhere now.",
            Query(
                f"max by (configuration) ({_ours('linkerd_webhook_adoption_overwritten')})",
                "{{configuration}}",
            ),
            steps=True,
            width=6,
        ),
        lines(
            "Files and Secret read again",
            "Taken and refused. What is refused leaves the earlier content in effect.",
            Query(grown("linkerd_webhook_reloads_total", "file"), "taken: {{file}}"),
            Query(grown("linkerd_webhook_reload_failures_total", "file"), "refused: {{file}}"),
            Query(f"max by (files) ({_ours('linkerd_webhook_files_refused')}) > 0", "refused now: {{files}}"),
        ),
        lines(
            "Events",
            "By what became of them. Some are dropped before they would delay an answer.",
            Query(grown("linkerd_webhook_events_total", "result"), "{{result}}"),
            Query(f"sum({_ours('linkerd_webhook_event_queue_length')})", "waiting"),
        ),
        lines(
            "Age of what is known of the cluster",
            "Above 300 s: the replica does not hear from the API server.",
            Query(_ours("linkerd_webhook_cache_age_seconds"), "{{pod}}"),
            unit="s",
        ),
        lines(
            "Reads within a request",
            "Namespaces and owners that were never seen, by outcome. Each makes a request wait.",
            Query(
                f"sum by (kind, outcome) ({_rate('linkerd_webhook_direct_reads_total', _HERE)}) > 0",
                "{{kind}}: {{outcome}}",
            ),
            unit="reqps",
            width=12,
        ),
        lines(
            "Watches begun anew",
            "By why; forbidden: a right is missing.",
            Query(grown("linkerd_webhook_watch_restarts_total", "reason"), "{{reason}}"),
            width=12,
        ),
    )


def _replicas(expression: str) -> str:
    """Of a metric that every process has: only those of our replicas."""
    return f"{expression} and on (job, instance) {_ours('linkerd_webhook_build_info')}"


def _process() -> tuple[Panel, ...]:
    return (
        lines(
            "CPU",
            "Cores that each replica uses. Near its limit answers become slow.",
            Query(_replicas(_rate("process_cpu_seconds_total")), "{{pod}}"),
        ),
        lines(
            "Memory",
            "Resident, and the bodies that are being received.",
            Query(_replicas("process_resident_memory_bytes"), "{{pod}}"),
            Query(f"sum({_ours('linkerd_webhook_pending_bytes')})", "pending bodies"),
            unit="bytes",
        ),
        lines(
            "File descriptors",
            "Open ones, and how many there may be.",
            Query(_replicas("process_open_fds"), "{{pod}}"),
            Query(f"min({_replicas('process_max_fds')})", "limit"),
            dashed="limit",
        ),
        lines(
            "Bytes a second",
            "Bodies of requests and of answers, by webhook.",
            Query(f"sum by (webhook) ({_rate('linkerd_webhook_received_bytes_total', _HERE)})", "in: {{webhook}}"),
            Query(f"sum by (webhook) ({_rate('linkerd_webhook_sent_bytes_total', _HERE)})", "out: {{webhook}}"),
            unit="Bps",
            width=12,
        ),
        lines(
            "Lines of the log that were dropped",
            "Nobody reads standard output in time.",
            Query(f"sum by (pod) (increase({_ours('linkerd_webhook_log_lines_dropped')}{_PER}))", "{{pod}}"),
            width=12,
        ),
    )


ROWS: Final = (
    ("Health and certificates", _health()),
    ("Requests", _requests()),
    ("Injected, skipped and refused", _outcomes()),
    ("As the API server sees it", _api_server()),
    ("Upkeep", _upkeep()),
    ("Process", _process()),
)


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "$datasource"},
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "hide": 0,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def variables() -> list[dict[str, Any]]:
    """Data source, Namespace of the installation, replica."""
    where = 'linkerd_webhook_build_info{namespace=~"$namespace"}'
    return [
        {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "current": {},
            "hide": 0,
            "includeAll": False,
            "multi": False,
            "refresh": 1,
        },
        _variable("namespace", "Namespace", "label_values(linkerd_webhook_build_info, namespace)"),
        _variable("replica", "Replica", f"label_values({where}, pod)"),
    ]


def board() -> dict[str, Any]:
    """The board, as Grafana imports it."""
    return {
        "uid": UID,
        "title": TITLE,
        "description": "Linkerd's admission webhooks, answered by linkerd-webhook. docs/alerts.md says what to do.",
        "tags": ["linkerd", "admission"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "annotations": {
            "list": [
                {
                    "name": "Alerts",
                    "enable": True,
                    "iconColor": "red",
                    "datasource": {"type": "prometheus", "uid": "$datasource"},
                    "expr": 'ALERTS{alertname=~"Linkerd(Webhook|Version).*", alertstate="firing"}',
                    "titleFormat": "{{alertname}}",
                    "tagKeys": "severity",
                }
            ]
        },
        "templating": {"list": variables()},
        "panels": laid_out(ROWS),
    }


def text() -> str:
    """The board as JSON, without a line break at the end."""
    return json.dumps(board(), indent=2, ensure_ascii=False)
