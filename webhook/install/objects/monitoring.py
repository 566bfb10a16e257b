"""What Prometheus and Grafana get: a PodMonitor, a PrometheusRule, and a ConfigMap with the board."""

from __future__ import annotations

from typing import Final

from webhook.install.configurations import NAME
from webhook.install.monitoring import alerts, board
from webhook.install.objects.names import JSON, LABELS, SELECTOR, metadata
from webhook.install.tree import Beside, InstallNamespace, Value, text

BOARD: Final = f"{NAME}-board"
# By this label the sidecar of Grafana's chart finds boards.
BOARD_LABELS: Final = {"grafana_dashboard": "1"}


def pod_monitor() -> JSON:
    """The PodMonitor, by which the Prometheus operator collects the metrics.

    With `honorLabels`, the Namespace in `proxy_inject_*` stays the Pods' own: it would be renamed to make room for the
    replica's.
    """
    endpoint = {"port": "admin", "path": "/metrics", "interval": Value("monitoring.interval"), "honorLabels": True}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": _selected(),
        "spec": {"selector": {"matchLabels": dict(SELECTOR)}, "podMetricsEndpoints": [endpoint]},
    }


def prometheus_rule() -> JSON:
    """The PrometheusRule with all alerts."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": _selected(),
        "spec": {"groups": alerts.rules(lambda anchor: text(Value("monitoring.runbooks"), anchor))},
    }


def board_config_map() -> JSON:
    """The ConfigMap with the board."""
    described = metadata(BOARD)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**described, "labels": described["labels"] | BOARD_LABELS},
        "data": {"linkerd-webhook.json": board.text()},
    }


def _selected() -> JSON:
    return {
        "name": NAME,
        "namespace": InstallNamespace(),
        "labels": Beside(dict(LABELS), "monitoring.labels"),
    }
