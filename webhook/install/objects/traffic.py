"""The Service of the server, and the objects that scale and protect its replicas."""

from __future__ import annotations

from webhook.install.configurations import NAME, SELF_TEST
from webhook.install.objects.names import JSON, SELECTOR, metadata
from webhook.install.tree import If, Kubernetes, Value


def self_test_config_map() -> JSON:
    """The ConfigMap that the self-test changes in a dry run."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(SELF_TEST)}


def service() -> JSON:
    """The Service that the API server calls."""
    port = {"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP", "appProtocol": "https"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(NAME),
        "spec": {"type": "ClusterIP", "selector": dict(SELECTOR), "ports": [port]},
    }


def disruption_budget() -> JSON:
    """The PodDisruptionBudget: at most one replica is evicted at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(NAME),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": dict(SELECTOR)},
            # A replica that is not ready must not block the drain of a node.
            "unhealthyPodEvictionPolicy": If(
                Kubernetes("1.27", "PodDisruptionBudget's unhealthyPodEvictionPolicy"), "AlwaysAllow"
            ),
        },
    }


def autoscaler() -> JSON:
    """The HorizontalPodAutoscaler, which scales by CPU."""
    utilization = {"type": "Utilization", "averageUtilization": Value("autoscaling.targetCPUUtilization")}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(NAME),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": Value("replicas"),
            "maxReplicas": Value("autoscaling.maxReplicas"),
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": utilization}}],
        },
    }


def network_policy() -> JSON:
    """The NetworkPolicy. Ingress: the two ports, from anywhere, as API servers and kubelets are not Pods. Egress: DNS,
    the API server and the other replicas."""
    ours = {"podSelector": {"matchLabels": dict(SELECTOR)}}
    dns = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    api_server = [{"port": port, "protocol": "TCP"} for port in (443, Value("networkPolicy.apiServerPort"))]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(NAME),
        "spec": {
            **ours,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"port": "https", "protocol": "TCP"}, {"port": "admin", "protocol": "TCP"}]}],
            "egress": [
                {"ports": [*dns, *api_server]},
                # The leader checks the certificate that each replica serves.
                {"to": [ours], "ports": [{"port": "https", "protocol": "TCP"}]},
            ],
        },
    }
