"""A Service with all that belongs to it, as an API server and sockets would show it; replicas answer in memory."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from certs.handshake import ProbeError
from certs.inspect import LeafCertificate, describe
from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from certs.tls import verdicts
from tests.kube.store import Store
from webhook.diagnosis.certificates.facts import CertificateFacts, first
from webhook.diagnosis.certificates.gather import gather
from webhook.kube.endpoints import Endpoint
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ROOT, ServiceReference

# Handshakes go by the machine's clock.
NOW = datetime.now(UTC).replace(microsecond=0)
SERVICE = ServiceReference("linkerd", "linkerd-webhook")
SECRETS = "/api/v1/namespaces/linkerd/secrets"
CA_PATH = f"{SECRETS}/linkerd-webhook-ca"
LEAF_PATH = f"{SECRETS}/linkerd-webhook-tls"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/linkerd/endpointslices"
SLICE = f"{SLICES}/a"
MUTATING = f"{ROOT}/mutatingwebhookconfigurations"
VALIDATING = f"{ROOT}/validatingwebhookconfigurations"
SERVICES = "/api/v1/namespaces/linkerd/services/linkerd-webhook"
DEPLOYMENTS = "/apis/apps/v1/namespaces/linkerd/deployments"
DEPLOYMENT = f"{DEPLOYMENTS}/{SERVICE.name}"
LABELS = {"app.kubernetes.io/name": "linkerd-webhook"}
LEASE = "/apis/coordination.k8s.io/v1/namespaces/linkerd/leases/linkerd-webhook"


def new_ca(name: str = "old CA") -> CertificateAndKey:
    """A CA."""
    return issue_ca(name, now=NOW)


def new_leaf(
    ca: CertificateAndKey, lifetime: timedelta = timedelta(days=30), names: tuple[str, ...] = ()
) -> CertificateAndKey:
    """A leaf for the Service."""
    return issue_leaf(ca, names or SERVICE.dns_names(), lifetime=lifetime, now=NOW)


class Site(Store):
    """What is there; change it as it pleases."""

    # As a connection of a Pod: replicas are dialled, by `dial`.
    inside = True
    way = "direct"

    def __init__(self) -> None:
        super().__init__()
        self.ca = new_ca()
        self.leaf = new_leaf(self.ca)
        # By address: what is served, None where nobody answers.
        self.served: dict[tuple[str, int], CertificateAndKey | None] = {}

    @property
    def patches(self) -> list[tuple[str, JSON]]:
        """The paths and bodies of all patches that were done."""
        return [(request.path, request.body or {}) for request in self.done if request.method == "PATCH"]

    def self_managed(self) -> Site:
        """Both Secrets, one configuration and one replica, and all fits."""
        self.secret(CA_PATH, **{"tls.crt": self.ca.certificate, "tls.key": self.ca.key})
        self.store(self.leaf)
        self.configure("linkerd-webhook", self.ca.certificate)
        self.replicas(self.leaf)
        self.deploy("--certs=self-managed")
        return self

    def deploy(
        self, *arguments: str, secret: str = "", replicas: int = 1, conditions: list[JSON] | None = None
    ) -> None:
        """The Deployment behind the Service, with a Secret mounted where its certificate is expected."""
        container: JSON = {
            "name": "linkerd-webhook",
            "args": ["serve", *arguments],
            "ports": [{"name": "https", "containerPort": 8443}],
            "volumeMounts": [{"name": "tls", "mountPath": "/var/run/linkerd/tls"}] if secret else [],
        }
        pod = {"containers": [container], "volumes": [{"name": "tls", "secret": {"secretName": secret}}]}
        spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}}
        template = {"metadata": {"labels": LABELS}, "spec": pod}
        status = {"readyReplicas": len(self.served), "conditions": conditions or []}
        deployment = {"spec": {**spec, "template": template}, "status": status}
        self.put(DEPLOYMENT, deployment)
        ports = [{"port": 443, "targetPort": "https"}]
        self.put(SERVICES, {"spec": {"selector": LABELS, "ports": ports}})

    def secret(self, path: str, **data: bytes) -> None:
        """A Secret of ours."""
        body = {
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"labels": {"app.kubernetes.io/managed-by": "linkerd-webhook"}},
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
        self.put(path, body)

    def store(self, leaf: CertificateAndKey) -> None:
        """The leaf's Secret."""
        self.secret(LEAF_PATH, **{"tls.crt": leaf.certificate, "tls.key": leaf.key, "ca.crt": self.ca.certificate})

    def configure(self, name: str, bundle: bytes, annotations: JSON | None = None) -> None:
        """A configuration that points at the Service, in place of the one of that name."""
        client = {
            "service": {"namespace": SERVICE.namespace, "name": SERVICE.name},
            "caBundle": base64.b64encode(bundle).decode(),
        }
        webhooks = [{"name": f"{name}.example.org", "clientConfig": client}]
        self.put(f"{MUTATING}/{name}", {"metadata": {"annotations": annotations or {}}, "webhooks": webhooks})

    def replicas(self, *leaves: CertificateAndKey | None) -> None:
        """A replica for each; None is one out of reach."""
        self.served = {(f"10.0.0.{number}", 8443): leaf for number, leaf in enumerate(leaves, 1)}
        endpoints = [
            {
                "addresses": [host],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": f"pod-{number}"},
            }
            for number, (host, _) in enumerate(self.served, 1)
        ]
        labels = {"kubernetes.io/service-name": SERVICE.name}
        ports = [{"name": "https", "port": 8443}]
        self.put(SLICE, {"metadata": {"labels": labels}, "ports": ports, "endpoints": endpoints})

    async def close(self) -> None:
        """As a connection's."""

    async def probe(self, endpoint: Endpoint, name: str, bundle: bytes | None) -> LeafCertificate:
        """As `webhook.diagnosis.pod_dialer.PodDialer`."""
        return await self.dial(endpoint.host, endpoint.port, name, bundle)

    async def dial(self, host: str, port: int, name: str, bundle: bytes | None, within: float = 2.0) -> LeafCertificate:
        """As `certs.handshake.probe`."""
        pair = self.served[host, port]
        if pair is None:
            raise ProbeError("unreachable", f"{host}:{port}: no handshake within 2 s")
        if bundle is not None:
            why = verdicts(pair.certificate, pair.key, [bundle], name)[bundle]
            if why:
                raise ProbeError("untrusted", f"{host}:{port}: {why} (seen at 2026-01-01T00:00:00Z)")
        certificate = first(pair.certificate)
        assert certificate is not None
        return describe(certificate)

    async def look(self, now: datetime = NOW, secret: str = "") -> CertificateFacts:
        """What the command would see."""
        return await gather(self, SERVICE, self, now, secret, "cluster.local")


def forbidden(what: str) -> ApiError:
    """The API server's words to somebody without rights."""
    return ApiError(403, f'{what} is forbidden: User "jane" cannot do that')
