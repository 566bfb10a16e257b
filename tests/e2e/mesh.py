"""Linkerd's own manifests on the cluster, with this program behind Linkerd's own Service and webhook configuration."""

from __future__ import annotations

import base64
import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from tests.e2e.api import JSON, ApiServer
from tests.e2e.objects import ENABLED, Room, meshed
from tests.e2e.program import ROOT, Mount, Webhook
from tests.e2e.waiting import until

LINES = ("edge-26.8", "stable-2.12")

ENDPOINT = "testcluster/endpoint"
SERVICE = "linkerd-proxy-injector"
DNS_NAME = "linkerd-proxy-injector.linkerd.svc"

LINKERDS_ACCOUNT = "sa:linkerd:linkerd-proxy-injector"
OUR_ACCOUNT = "sa:linkerd:linkerd-webhook"

# Custom resources of groups that come with CRDs, which the test cluster may not have. Anything else that the API server
# does not serve is an error.
OPTIONAL_GROUPS = ("linkerd.io", "gateway.networking.k8s.io", "monitoring.coreos.com")

WEBHOOK_KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


class Manifests:
    """A line's `control-plane.yaml`, as `linkerd install` renders it."""

    def __init__(self, line: str, folder: Path) -> None:
        self.line = line
        text = (folder / line / "control-plane.yaml").read_text()
        self.objects: list[JSON] = [body for body in yaml.safe_load_all(text) if body]

    def one(self, kind: str, name: str) -> JSON:
        """An object, to change at will."""
        result = (o for o in self.objects if o["kind"] == kind and o["metadata"]["name"] == name)
        return copy.deepcopy(next(result))

    @property
    def values_text(self) -> str:
        """What Linkerd's Deployments find mounted as `values`."""
        return str(self.one("ConfigMap", "linkerd-config")["data"]["values"])

    @property
    def values(self) -> Any:
        """The same, parsed."""
        return yaml.safe_load(self.values_text)

    @property
    def trust_anchors(self) -> str:
        """What Linkerd's Deployments find mounted as `ca-bundle.crt`."""
        return str(self.one("ConfigMap", "linkerd-identity-trust-roots")["data"]["ca-bundle.crt"])

    @property
    def arguments(self) -> list[str]:
        """The injector's command line in its Deployment."""
        spec = self.one("Deployment", SERVICE)["spec"]["template"]["spec"]
        return list(next(c for c in spec["containers"] if c["name"] == "proxy-injector")["args"])


@dataclass(frozen=True, slots=True)
class Volumes:
    """What is mounted into the program's Pod."""

    root: Path
    tls: Mount
    config: Mount
    trust_roots: Mount

    @property
    def flags(self) -> list[str]:
        """Where the mounts are: here they cannot be where Linkerd's Deployment has them."""
        return [
            f"--tls-dir={self.tls.path}",
            f"--values={self.config.path / 'values'}",
            f"--trust-anchors={self.trust_roots.path / 'ca-bundle.crt'}",
        ]


class ControlPlane:
    """A line's control plane on the cluster, without its Pods: what stands in for the injector's is started here."""

    def __init__(self, api: ApiServer, manifests: Manifests, folder: Path) -> None:
        self.api = api
        self.manifests = manifests
        self.line = manifests.line
        self.ca = issue_ca("webhook-e2e")
        self._folder = folder
        self._replicas: list[Webhook] = []
        self.volumes = Volumes(
            folder,
            Mount(folder / "tls", tls_files(self.new_leaf())),
            Mount(folder / "config", {"values": manifests.values_text.encode()}),
            Mount(folder / "trust-roots", {"ca-bundle.crt": manifests.trust_anchors.encode()}),
        )

    def new_leaf(self) -> CertificateAndKey:
        """A certificate for the Service, of the CA that the webhook configuration knows."""
        return issue_leaf(self.ca, [DNS_NAME])

    @property
    def replicas(self) -> list[Webhook]:
        """The programs that were started, ended ones among them."""
        return list(self._replicas)

    def install(self) -> None:
        """Apply everything but the webhook configurations: those come once somebody answers."""
        for body in self.manifests.objects:
            if body["kind"] in WEBHOOK_KINDS:
                continue
            if self._is_served(body):
                self.api.apply(body)

    def _is_served(self, body: JSON) -> bool:
        """False for a custom resource that is knowingly passed over. Raises `AssertionError` for what must be there."""
        if self.api.serves(body["apiVersion"], body["kind"]):
            return True
        group = body["apiVersion"].rpartition("/")[0]
        known = any(
            group == optional_group or group.endswith(f".{optional_group}") for optional_group in OPTIONAL_GROUPS
        )
        assert known, f"the API server does not serve {body['kind']} of {body['apiVersion']}"
        return False

    def start(self, account: str) -> Webhook:
        """A replica with Linkerd's own command line and a service account's token, ready but not routed to."""
        kubeconfig = self._folder / f"kubeconfig-{account.rpartition(':')[2]}"
        kubeconfig.write_text(self.api.kubeconfig(account))
        arguments = [*self.manifests.arguments, *self.volumes.flags, f"--kubeconfig={kubeconfig}"]
        replica = Webhook(arguments, self._folder / f"log-{len(self._replicas)}")
        self._replicas.append(replica)
        replica.wait_ready()
        return replica

    def route(self, *replicas: Webhook) -> None:
        """Make these the endpoints of the Service, as their readiness would."""
        endpoints = ",".join(replica.endpoint for replica in replicas)
        self.api.patch(self.manifests.one("Service", SERVICE), {"metadata": {"annotations": {ENDPOINT: endpoints}}})

    def register(self) -> None:
        """Apply the webhook configuration with our CA. A Pod fails where the webhook does: silence is no success."""
        body = self.manifests.one("MutatingWebhookConfiguration", "linkerd-proxy-injector-webhook-config")
        for webhook in body["webhooks"]:
            webhook["clientConfig"]["caBundle"] = base64.b64encode(self.ca.certificate).decode()
            webhook["failurePolicy"] = "Fail"
        self.api.apply(body)

    def wait_routed(self, *replicas: Webhook) -> None:
        """Wait until the API server sends its reviews to one of these."""
        room = Room.create(self.api, "probe", ENABLED)
        before = sum(replica.admissions for replica in replicas)

        def arrived() -> bool:
            reply = room.pod(dry_run=True)
            return reply.status == 201 and meshed(reply.body) and sum(e.admissions for e in replicas) > before

        until("a review through the API server", arrived, within=20)

    def remove(self) -> None:
        """End the program, and delete what was applied: another line comes next. The Namespace stays."""
        for replica in self._replicas:
            replica.kill()
        for body in sorted(self.manifests.objects, key=lambda body: body["kind"] not in WEBHOOK_KINDS):
            if body["kind"] != "Namespace" and self.api.serves(body["apiVersion"], body["kind"]):
                self.api.delete(body)


def tls_files(pair: CertificateAndKey) -> dict[str, bytes]:
    """A certificate as a Secret holds it."""
    return {"tls.crt": pair.certificate, "tls.key": pair.key}


def our_rbac() -> list[JSON]:
    """The service account and the rights that this project's own manifests give the program."""
    return [body for body in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()) if body]


@contextlib.contextmanager
def installed(api: ApiServer, manifests: Manifests, folder: Path) -> Iterator[ControlPlane]:
    """A line's control plane, within the block."""
    control_plane = ControlPlane(api, manifests, folder)
    try:
        control_plane.install()
        yield control_plane
    finally:
        control_plane.remove()


def serve(control_plane: ControlPlane, account: str, replicas: int = 1) -> list[Webhook]:
    """Replicas that the API server sends all its reviews to."""
    started = [control_plane.start(account) for _ in range(replicas)]
    control_plane.route(*started)
    control_plane.register()
    control_plane.wait_routed(*started)
    return started
