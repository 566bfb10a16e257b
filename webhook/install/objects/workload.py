"""The Deployment of the server."""

from __future__ import annotations

from typing import Final

from webhook.install.configurations import NAME
from webhook.install.objects.names import FROM_FILES, JSON, LABELS, SCALED, SELECTOR, metadata
from webhook.install.tree import (
    Beside,
    Each,
    Equal,
    If,
    InstallNamespace,
    Kubernetes,
    Node,
    Not,
    On,
    Value,
    Version,
    every,
    text,
)

# Seconds. Nodes take a while to remove an endpoint; the server's own shutdown follows and takes at most 25 seconds.
PRE_STOP: Final = 5
# If the kubelet has no preStop sleep, the server keeps answering for this time after SIGTERM instead.
SHUTDOWN_DELAY: Final = 8
GRACE: Final = 45

USER: Final = 2103

_SLEEP: Final = Kubernetes(
    "1.30", f"lifecycle.preStop.sleep: the server waits itself (--shutdown-delay={SHUTDOWN_DELAY})"
)
_BY_REVISION: Final = Kubernetes("1.27", "topologySpreadConstraints[].matchLabelKeys: revisions are spread together")
# Without it, tainted nodes on which no replica can run would count as empty, and a replica could stay pending forever.
_TAINTS: Final = Kubernetes("1.26", "topologySpreadConstraints[].nodeTaintsPolicy: replicas may crowd a node")

_MOUNTS: Final = "/var/run/linkerd"


def deployment() -> JSON:
    """The Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(NAME),
        "spec": {
            "replicas": If(Not(SCALED), Value("replicas")),
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": dict(SELECTOR)},
            "strategy": {
                "type": "RollingUpdate",
                # On the host network a new replica may fit only on a node that an old one has left.
                "rollingUpdate": If(
                    On("hostNetwork"), {"maxUnavailable": 1, "maxSurge": 0}, {"maxUnavailable": 0, "maxSurge": 1}
                ),
            },
            "template": {
                "metadata": {
                    "labels": Beside({**LABELS, **SELECTOR}, "podLabels"),
                    "annotations": Beside({"linkerd.io/inject": "disabled"}, "podAnnotations"),
                },
                "spec": _pod(),
            },
        },
    }


def _pod() -> JSON:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "hostNetwork": If(On("hostNetwork"), True),
        "dnsPolicy": If(On("hostNetwork"), "ClusterFirstWithHostNet"),
        "imagePullSecrets": If(On("image.pullSecrets"), Value("image.pullSecrets")),
        "priorityClassName": If(On("priorityClassName"), Value("priorityClassName")),
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": If(On("nodeSelector"), Value("nodeSelector")),
        "tolerations": If(On("tolerations"), Value("tolerations")),
        "affinity": If(On("affinity"), Value("affinity")),
        "topologySpreadConstraints": [
            _spread("topology.kubernetes.io/zone", "ScheduleAnyway"),
            _spread(
                "kubernetes.io/hostname",
                If(every(Equal("spread.nodes", "DoNotSchedule"), _TAINTS), "DoNotSchedule", "ScheduleAnyway"),
                If(every(Equal("spread.nodes", "DoNotSchedule"), _TAINTS), "Honor"),
            ),
        ],
        "containers": [_container()],
        "volumes": [
            {"name": "config", "configMap": {"name": "linkerd-config"}},
            {"name": "trust-roots", "configMap": {"name": "linkerd-identity-trust-roots"}},
            If(FROM_FILES, {"name": "tls", "secret": {"secretName": Value("certificates.existingSecret")}}),
        ],
    }


def _spread(key: str, unsatisfiable: Node, taints: Node = None) -> JSON:
    constraint = {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": unsatisfiable,
        "labelSelector": {"matchLabels": dict(SELECTOR)},
        # Each revision is spread by itself, as a rollout would end up uneven otherwise.
        "matchLabelKeys": If(_BY_REVISION, ["pod-template-hash"]),
    }
    return constraint if taints is None else {**constraint, "nodeTaintsPolicy": taints}


def _container() -> JSON:
    return {
        "name": NAME,
        "image": _image(),
        "imagePullPolicy": Value("image.pullPolicy"),
        "args": _arguments(),
        # The identity of the replica in the Lease.
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [
            {"name": "https", "containerPort": Value("port"), "protocol": "TCP"},
            {"name": "admin", "containerPort": Value("adminPort"), "protocol": "TCP"},
        ],
        # The server answers this probe once it is ready, so that no probe fails while the server starts.
        "startupProbe": {**_probe("/startup", period=1, failures=60, within=30), "initialDelaySeconds": 2},
        "livenessProbe": _probe("/live", period=10, failures=3),
        # A Pod that is being deleted gets no requests in any case, so its probe need not fail.
        "readinessProbe": _probe("/ready?draining=ok", period=2, failures=3),
        "lifecycle": If(_SLEEP, {"preStop": {"sleep": {"seconds": PRE_STOP}}}),
        "resources": Value("resources"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsGroup": USER,
            "runAsNonRoot": True,
            "runAsUser": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": f"{_MOUNTS}/config", "readOnly": True},
            {"name": "trust-roots", "mountPath": f"{_MOUNTS}/identity/trust-roots", "readOnly": True},
            If(FROM_FILES, {"name": "tls", "mountPath": f"{_MOUNTS}/tls", "readOnly": True}),
        ],
    }


def _image() -> Node:
    tag = If(
        On("image.tag"),
        text(":", Value("image.tag")),
        If(Not(On("image.digest")), text(":", Version())),
    )
    return text(Value("image.repository"), tag, If(On("image.digest"), text("@", Value("image.digest"))))


def _arguments() -> list[Node]:
    return [
        "serve",
        text("--addr=:", Value("port")),
        text("--admin-addr=:", Value("adminPort")),
        text("--linkerd-namespace=", InstallNamespace()),
        f"--service={NAME}",
        If(FROM_FILES, "--certs=files", "--certs=self-managed"),
        If(On("adopt"), "--adopt"),
        If(On("statusPage"), "--status-page"),
        text("--cluster-domain=", Value("clusterDomain")),
        text("--log-level=", Value("logLevel")),
        text("--log-format=", Value("logFormat")),
        If(Not(_SLEEP), f"--shutdown-delay={SHUTDOWN_DELAY}"),
        Each("extraArgs"),
    ]


def _probe(path: str, *, period: int, failures: int, within: int = 3) -> JSON:
    return {
        "httpGet": {"path": path, "port": "admin"},
        "periodSeconds": period,
        "timeoutSeconds": within,
        "failureThreshold": failures,
    }
