"""Manifests as they are found in the wild have nothing to say about, in a mesh with its default values; and what there
is to say fits a warning."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.injector.builders import CONFIG, EDGE, ENABLED, LINES, STABLE, container, decide, injector, pod
from webhook.advice import about
from webhook.injector.advice.objects import Advisor
from webhook.kube.objects import Namespace
from webhook.review import WARNING_LENGTH

HARDENED: Any = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "runAsGroup": 65534,
}


def http(path: str, port: int | str) -> Any:
    """A probe by HTTP."""
    return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, "periodSeconds": 10}


# The shapes of emojivoto's, booksapp's, kube-prometheus' and ingress-nginx' workloads.
WORKLOADS: dict[str, Any] = {
    "voting": {
        "serviceAccountName": "voting",
        "containers": [
            container(
                "voting-svc",
                env=[{"name": "GRPC_PORT", "value": "8080"}, {"name": "PROM_PORT", "value": "8801"}],
                ports=[{"containerPort": 8080, "name": "grpc"}, {"containerPort": 8801, "name": "prom"}],
                resources={"requests": {"cpu": "100m"}},
            )
        ],
    },
    "vote-bot": {"containers": [container("vote-bot", command=["emojivoto-vote-bot"])]},
    "authors": {
        "dnsPolicy": "ClusterFirst",
        "containers": [
            container(
                "service",
                command=["prod:authors"],
                ports=[{"name": "service", "containerPort": 7001}],
                readinessProbe=http("/ping", 7001),
                livenessProbe=http("/ping", 7001),
            )
        ],
    },
    "prometheus": {
        "securityContext": {"fsGroup": 2000, "runAsNonRoot": True, "runAsUser": 1000},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "initContainers": [
            container(
                "init-config-reloader",
                command=["/bin/prometheus-config-reloader"],
                args=[
                    "--watch-interval=0",
                    "--listen-address=:8081",
                    "--config-file=/etc/prometheus/config/prometheus.yaml.gz",
                ],
                ports=[{"containerPort": 8081, "name": "reloader-init", "protocol": "TCP"}],
                securityContext=HARDENED,
            )
        ],
        "containers": [
            container(
                "prometheus",
                ports=[{"containerPort": 9090, "name": "web", "protocol": "TCP"}],
                startupProbe=http("/-/ready", "web"),
                readinessProbe=http("/-/ready", "web"),
                livenessProbe=http("/-/healthy", "web"),
                securityContext=HARDENED,
            ),
            container("config-reloader", ports=[{"containerPort": 8080, "name": "reloader-web"}]),
        ],
    },
    "alertmanager": {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [
            container(
                "alertmanager",
                ports=[
                    {"containerPort": 9093, "name": "web", "protocol": "TCP"},
                    {"containerPort": 9094, "name": "mesh-tcp", "protocol": "TCP"},
                    {"containerPort": 9094, "name": "mesh-udp", "protocol": "UDP"},
                ],
            )
        ],
    },
    "grafana": {
        "securityContext": {"fsGroup": 65534, "runAsGroup": 65534, "runAsNonRoot": True, "runAsUser": 65534},
        "initContainers": [container("chown", command=["chown", "-R", "472:472", "/var/lib/grafana"])],
        "containers": [
            container(
                "grafana",
                ports=[{"containerPort": 3000, "name": "http", "protocol": "TCP"}],
                readinessProbe=http("/api/health", "http"),
            )
        ],
    },
    "ingress-nginx-controller": {
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [
            container(
                "controller",
                args=["/nginx-ingress-controller", "--validating-webhook=:8443", "--election-id=ingress-nginx-leader"],
                lifecycle={"preStop": {"exec": {"command": ["/wait-shutdown"]}}},
                ports=[
                    {"containerPort": 80, "name": "http", "protocol": "TCP"},
                    {"containerPort": 443, "name": "https", "protocol": "TCP"},
                    {"containerPort": 8443, "name": "webhook", "protocol": "TCP"},
                ],
                livenessProbe=http("/healthz", 10254),
                readinessProbe=http("/healthz", 10254),
                securityContext={"capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}, "runAsUser": 101},
            )
        ],
    },
}
LABELS = {
    "kubernetes.io/metadata.name": "shop",
    "pod-security.kubernetes.io/warn": "privileged",
    "pod-security.kubernetes.io/warn-version": "latest",
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("values", [{}, {"cniEnabled": True}, {"proxy__nativeSidecar": False}])
def test_a_workload_as_many_run_it_has_nothing_to_say_about(line: str, name: str, values: Any) -> None:
    using = injector(line, **values)
    template = {"metadata": {"labels": {"app": name}, "annotations": ENABLED}, "spec": WORKLOADS[name]}
    body = {"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}}
    at = ("spec", "template")
    for namespace in (None, Namespace("shop", ENABLED, LABELS)):
        assert about(Advisor(using), "deployment", body, at, namespace) == []
    answer = decide(pod(**WORKLOADS[name]), using, namespace=ENABLED, labels=LABELS, workload=("deployment", name))
    assert (answer.decision, answer.warnings) == ("injected", [])


NATIVE_OFF = {f"{CONFIG}proxy-enable-native-sidecar": "false"}
SIZE = f"{CONFIG}proxy-ephemeral-storage"
# One typical mistake for each rule: the Pod, what is around it, and the mesh's values.
TYPICAL: dict[str, tuple[Any, dict[str, Any], str, dict[str, Any]]] = {
    "inject-request-over-limit": (
        pod({f"{SIZE}-request": "2Gi"}),
        {"namespace": {f"{SIZE}-limit": "512Mi"}},
        EDGE,
        {},
    ),
    "inject-no-start": (pod({f"{CONFIG}skip-outbound-ports": "3306;5432;6379"}), {}, EDGE, {}),
    "inject-port-not-skipped": (pod(), {"namespace": {f"{CONFIG}skip-inbound-ports": "80,mysql"}}, EDGE, {}),
    "inject-proxy-uid": (
        pod(containers=[container("payment-worker", securityContext={"runAsUser": 2102})]),
        {},
        STABLE,
        {},
    ),
    "inject-port-taken": (
        pod(containers=[container("payment-worker", ports=[{"containerPort": 4140}])]),
        {},
        EDGE,
        {},
    ),
    "inject-tcp-probe": (
        pod(containers=[container("payment-worker", readinessProbe={"tcpSocket": {"port": 50051}})]),
        {},
        EDGE,
        {},
    ),
    "inject-windows": (pod(nodeSelector={"beta.kubernetes.io/os": "windows"}), {}, EDGE, {}),
    "inject-job-never-ends": (pod(NATIVE_OFF), {"workload": ("cronjob", "nightly-database-backup")}, EDGE, {}),
    "inject-init-network": (
        pod(NATIVE_OFF, initContainers=[container("wait-for-db", command=["pg_isready"])]),
        {},
        EDGE,
        {"cniEnabled": True},
    ),
    "inject-pod-security": (pod(), {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}, EDGE, {}),
    "inject-namespace-left-out": (
        pod(),
        {"labels": {"config.linkerd.io/admission-webhooks": "disabled"}},
        EDGE,
        {},
    ),
}


@pytest.mark.parametrize("rule", TYPICAL)
def test_what_there_is_to_say_fits_a_warning(rule: str) -> None:
    body, around, line, values = TYPICAL[rule]
    (warning,) = decide(body, injector(line, **values), **around).warnings
    assert warning.endswith(f"({rule})")
    assert len(warning) <= WARNING_LENGTH
