"""Workloads injected by hand on a running cluster, and the image in the Deployments of Linkerd's extensions."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from certs.issue import issue_ca, issue_leaf
from tests.e2e.api import ApiServer
from tests.e2e.objects import INJECT, container, env
from tests.e2e.program import ROOT
from tests.e2e.waiting import until
from tests.kubernetes import workloads
from tests.kubernetes.cluster import Cluster, Done, run
from tests.kubernetes.images import OURS
from tests.kubernetes.installation import Installation

JSON = dict[str, Any]

TAP = "tap.linkerd-viz.serviceaccount.identity.linkerd.cluster.local"
COLLECTOR = "collector.linkerd-jaeger:55678"


def command(cluster: Cluster, *arguments: str, stdin: str = "") -> Done:
    """Our own command, in a pipe on this cluster."""
    line = [sys.executable, "-m", "webhook.cli", *arguments, f"--kubeconfig={cluster.kubeconfig}"]
    return run(line, stdin=stdin, cwd=ROOT)


def piped(cluster: Cluster, within: str, *arguments: str) -> list[JSON]:
    """`kubectl get deploy -o yaml | linkerd-webhook … - | kubectl apply -f -`, rolled out. The new Pods come out."""
    listed = cluster.kubectl("-n", within, "get", "deploy", "-o", "yaml").ok()
    rewritten = command(cluster, *arguments, "-", stdin=listed).ok()
    cluster.kubectl("apply", "-f", "-", stdin=rewritten).ok()
    cluster.kubectl("-n", within, "rollout", "status", "deploy/app", "--timeout=120s").ok()
    return workloads.running(cluster, within)


class TestARunningDeployment:
    @pytest.fixture
    def within(self, cluster: Cluster, installation: Installation) -> str:
        """A Namespace that does not ask to be meshed, with a Deployment that runs."""
        within = workloads.namespace(cluster, "by-hand", inject="disabled")
        workloads.assert_bare(workloads.roll_out(cluster, workloads.deployment(within, replicas=1)))
        return within

    @pytest.mark.parametrize("flags", [(), ("--manual",)], ids=["by-annotation", "manual"])
    def test_is_meshed_by_the_pipe_and_rolled_back_by_uninject(
        self, cluster: Cluster, within: str, flags: tuple[str, ...]
    ) -> None:
        workloads.assert_meshed(piped(cluster, within, "inject", *flags))
        template = cluster.get("deploy/app", "-n", within)["spec"]["template"]
        assert (container(template, "linkerd-proxy") is not None) is bool(flags)
        workloads.assert_bare(piped(cluster, within, "uninject"))

    def test_gets_its_proxy_by_the_annotation_of_its_namespace(self, cluster: Cluster, within: str) -> None:
        cluster.kubectl("annotate", "namespace", within, f"{INJECT}-").ok()
        listed = cluster.kubectl("get", "namespace", within, "-o", "yaml").ok()
        cluster.kubectl("apply", "-f", "-", stdin=command(cluster, "inject", "-", stdin=listed).ok()).ok()
        assert cluster.get("namespace", within)["metadata"]["annotations"][INJECT] == "enabled"
        workloads.assert_meshed(workloads.restart(cluster, within))


def test_a_template_of_a_service_profile_is_accepted(cluster: Cluster, installation: Installation) -> None:
    within = workloads.namespace(cluster, "profiled")
    template = command(cluster, "profile", "--template", "-n", within, "web").ok()
    cluster.kubectl("apply", "-f", "-", stdin=template).ok()
    (profile,) = cluster.get("serviceprofiles", "-n", within)
    assert profile["metadata"]["name"] == f"web.{within}.svc.cluster.local"


class Extension:
    """An extension's injector as its chart has it: Deployment, Service, Secret, rights and configuration."""

    def __init__(self, cluster: Cluster, api: ApiServer, name: str, within: str, arguments: list[str]) -> None:
        self.cluster = cluster
        self.api = api
        self.name = name
        self.within = within
        self._arguments = arguments
        self._ca = issue_ca(f"{name}.{within}.svc")

    def apply(self) -> None:
        """Have it run, and then be called."""
        self.cluster.apply(*self._objects()).ok()
        done = self.cluster.kubectl("-n", self.within, "rollout", "status", f"deploy/{self.name}", "--timeout=120s")
        assert done.code == 0, self.cluster.kubectl("-n", self.within, "logs", f"deploy/{self.name}").out or done.out
        self.cluster.apply(self._configuration()).ok()

    def remove(self) -> None:
        """Nobody calls it any more, and it ends."""
        self.cluster.kubectl("delete", "mutatingwebhookconfiguration", f"linkerd-{self.name}-webhook-config").ok()
        self.cluster.kubectl("delete", "clusterrole,clusterrolebinding", f"linkerd-{self.name}").ok()
        self.cluster.kubectl("delete", "namespace", self.within, "--wait=false").ok()

    def _objects(self) -> list[JSON]:
        metadata = {"name": self.name, "namespace": self.within}
        labels = {"component": self.name}
        leaf = issue_leaf(self._ca, [f"{self.name}.{self.within}.svc"])
        role = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list", "watch"]}
        rbac = "rbac.authorization.k8s.io"
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.within}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRole",
                "metadata": {"name": f"linkerd-{self.name}"},
                "rules": [role],
            },
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"linkerd-{self.name}"},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": f"linkerd-{self.name}"},
                "subjects": [{"kind": "ServiceAccount", **metadata}],
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {"name": f"{self.name}-k8s-tls", "namespace": self.within},
                "stringData": {"tls.crt": leaf.certificate.decode(), "tls.key": leaf.key.decode()},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {"selector": labels, "ports": [{"name": self.name, "port": 443, "targetPort": self.name}]},
            },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata,
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": self._pod()},
                },
            },
        ]

    def _pod(self) -> JSON:
        injector = {
            "name": self.name,
            "image": OURS,
            "args": self._arguments,
            "ports": [{"containerPort": 8443, "name": self.name}, {"containerPort": 9995, "name": "admin-http"}],
            "livenessProbe": {"httpGet": {"path": "/ping", "port": 9995}, "initialDelaySeconds": 10},
            "readinessProbe": {"failureThreshold": 7, "httpGet": {"path": "/ready", "port": 9995}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "runAsUser": 2103,
                "runAsGroup": 2103,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumeMounts": [{"mountPath": "/var/run/linkerd/tls", "name": "tls", "readOnly": True}],
        }
        volumes = [{"name": "tls", "secret": {"secretName": f"{self.name}-k8s-tls"}}]
        return {"serviceAccountName": self.name, "containers": [injector], "volumes": volumes}

    def _configuration(self) -> JSON:
        rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
        webhook = {
            "name": f"{self.name}.linkerd.io",
            "clientConfig": {
                "service": {"name": self.name, "namespace": self.within, "path": "/"},
                "caBundle": base64.b64encode(self._ca.certificate).decode(),
            },
            "failurePolicy": "Ignore",
            "admissionReviewVersions": ["v1", "v1beta1"],
            "reinvocationPolicy": "IfNeeded",
            "rules": [rule],
            "sideEffects": "None",
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": f"linkerd-{self.name}-webhook-config"},
            "webhooks": [webhook],
        }


TAP_ARGUMENTS = ["injector", f"-tap-service-name={TAP}", "-log-level=info", "-log-format=plain", "-enable-pprof=false"]
# As in stable-2.12, and as from 2.15 on.
JAEGER_ARGUMENTS = [
    f"-collector-svc-addr={COLLECTOR}",
    "-collector-svc-account=collector",
    "-log-level=info",
    "-cluster-domain=cluster.local",
    "-linkerd-namespace=linkerd",
    "-enable-pprof=false",
]
JAEGER_LATER = [
    f"-collector-svc-addr={COLLECTOR}",
    "-collector-trace-protocol=opencensus",
    "-collector-trace-svc-name=linkerd-proxy",
    *JAEGER_ARGUMENTS[1:],
]


class TestTheImageInAnExtension:
    """With the arguments and mounts of Linkerd's charts, and no other."""

    @pytest.fixture(
        params=[
            ("tap-injector", "linkerd-viz", TAP_ARGUMENTS, "viz.linkerd.io/tap-enabled", "LINKERD2_PROXY_TAP_SVC_NAME"),
            (
                "jaeger-injector",
                "linkerd-jaeger",
                JAEGER_ARGUMENTS,
                "jaeger.linkerd.io/tracing-enabled",
                "LINKERD2_PROXY_TRACE_COLLECTOR_SVC_ADDR",
            ),
            (
                "jaeger-injector",
                "linkerd-jaeger-later",
                JAEGER_LATER,
                "jaeger.linkerd.io/tracing-enabled",
                "LINKERD2_PROXY_TRACE_COLLECTOR_SVC_ADDR",
            ),
        ],
        ids=["tap", "jaeger", "jaeger-later"],
    )
    def marks(
        self, request: pytest.FixtureRequest, cluster: Cluster, api: ApiServer, installation: Installation
    ) -> Iterator[tuple[str, str]]:
        """The annotation and the variable of an extension whose injector runs."""
        name, within, arguments, annotation, variable = request.param
        extension = Extension(cluster, api, name, within, arguments)
        try:
            extension.apply()
            yield annotation, variable
        finally:
            extension.remove()

    def test_gives_a_meshed_pod_its_marks(self, cluster: Cluster, marks: tuple[str, str]) -> None:
        annotation, variable = marks
        within = workloads.namespace(cluster, "marked")

        def created() -> JSON | None:
            done = workloads.create(cluster, workloads.pod(within), "--dry-run=server", "-o", "yaml")
            body: JSON = yaml.safe_load(done.ok())
            return body if annotation in body["metadata"].get("annotations", {}) else None

        body = until("a marked Pod", created, within=30)
        assert body["metadata"]["annotations"][annotation] == "true"
        assert env(body)[variable] in (TAP, COLLECTOR)
