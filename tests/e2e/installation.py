"""What `linkerd-webhook install` prints, on a cluster, with the parts that the test cluster lacks played here.

Replicas are processes with the Deployment's own arguments and its ServiceAccount's rights; a thread stands in for the
kubelet's probes and the endpoint controller: who says ready is an endpoint of the Service.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import httpx
import yaml

from tests.e2e.api import JSON, ApiServer
from tests.e2e.mesh import ENDPOINT, Manifests
from tests.e2e.program import ROOT, Mount, Webhook
from tests.e2e.waiting import until

NAME = "linkerd-webhook"
NAMESPACE = "linkerd"
ACCOUNT = f"sa:{NAMESPACE}:{NAME}"
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NAMESPACE}}

CONFIGURATION_KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")

# What the server stores itself.
STORED = (
    f"/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}-ca",
    f"/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}-tls",
    f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}",
)

# Seconds between two looks at a replica's readiness.
PROBE = 0.1


def command(*arguments: str) -> str:
    """What the program prints. Raises `AssertionError` with what it says where it does not end well."""
    done = subprocess.run(
        [sys.executable, "-m", "webhook.cli", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def rendered(*flags: str) -> list[JSON]:
    """The objects that `install` prints, with no look at any cluster."""
    image = "--image=registry.example.org/linkerd-webhook"
    return [body for body in yaml.safe_load_all(command("install", "--ignore-cluster", image, *flags)) if body]


def configuration(kind: str, name: str) -> JSON:
    """A reference to a webhook configuration."""
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}}


class Installation:
    """Our objects on the cluster, and the replicas that were started. Everything is taken away at the block's end."""

    def __init__(self, api: ApiServer, manifests: Manifests, folder: Path, flags: Sequence[str] = ()) -> None:
        self.api = api
        self.objects = rendered(*flags)
        self.replicas: list[Webhook] = []
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.manifests = manifests
        self._config = Mount(folder / "config", {"values": manifests.values_text.encode()})
        self._roots = Mount(folder / "trust-roots", {"ca-bundle.crt": manifests.trust_anchors.encode()})
        self._out: set[Webhook] = set()
        self._routed: list[str] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._endpoints, daemon=True)

    def __enter__(self) -> Installation:
        self.apply()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)
        for replica in self.replicas:
            replica.kill()
        self.remove()

    def apply(self) -> None:
        """Apply everything, as `kubectl apply -f -` does."""
        for body in self.objects:
            if self.api.serves(body["apiVersion"], body["kind"]):
                self.api.apply(body)

    def remove(self) -> None:
        """Delete everything, and what the server has stored itself."""
        for body in sorted(self.objects, key=lambda body: body["kind"] not in CONFIGURATION_KINDS):
            if self.api.serves(body["apiVersion"], body["kind"]):
                self.api.delete(body)
        for path in STORED:
            self.api.request("DELETE", path)
        self._route([])

    @property
    def arguments(self) -> list[str]:
        """The container's command line, with mounts where the test may have them."""
        deployment = next(body for body in self.objects if body["kind"] == "Deployment")
        given = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        kept = [element for element in given if not element.startswith(("--addr", "--admin-addr"))]
        return [
            *kept,
            f"--values={self._config.path / 'values'}",
            f"--trust-anchors={self._roots.path / 'ca-bundle.crt'}",
        ]

    def start(self, count: int = 1, *, wait: bool = True, more: Sequence[str] = ()) -> list[Webhook]:
        """Start replicas, and wait until they are ready. A ready replica is an endpoint within a moment."""
        kubeconfig = self._folder / "kubeconfig"
        kubeconfig.write_text(self.api.kubeconfig(ACCOUNT))
        started = []
        for _ in range(count):
            number = len(self.replicas)
            replica = Webhook(
                [*self.arguments, f"--kubeconfig={kubeconfig}", *more],
                self._folder / f"log-{number}",
                {"POD_NAME": f"linkerd-webhook-{number}"},
            )
            self.replicas.append(replica)
            started.append(replica)
        if wait:
            for replica in started:
                replica.wait_ready()
            until(
                "the endpoints", lambda: all(process.endpoint in (self._routed or ()) for process in started), within=5
            )
        return started

    def change(self, *, values: str | None = None, trust_anchors: str | None = None) -> None:
        """Change what is mounted from Linkerd's ConfigMaps."""
        if values is not None:
            self._config.update({"values": values.encode()})
        if trust_anchors is not None:
            self._roots.update({"ca-bundle.crt": trust_anchors.encode()})

    def take_out(self, replica: Webhook) -> None:
        """Make it no endpoint, whatever it says: what the endpoint controller does once a Pod is being deleted."""
        self._out.add(replica)

    def leader(self) -> Webhook:
        """The replica that leads, as soon as there is one."""
        return until("a leader", lambda: next((e for e in self.replicas if _leads(e)), None), within=30)

    def get(self, kind: str, name: str) -> JSON:
        """A webhook configuration as it is stored."""
        return self.api.request("GET", self.api.path(configuration(kind, name))).ok()

    def in_force(self) -> bool:
        """Whether every webhook of our own configurations has rules and a caBundle."""
        webhooks = [webhook for kind in CONFIGURATION_KINDS for webhook in self.get(kind, NAME)["webhooks"]]
        return all(webhook.get("rules") and webhook["clientConfig"].get("caBundle") for webhook in webhooks)

    def _endpoints(self) -> None:
        while not self._stop.wait(PROBE):
            ready = [
                replica.endpoint
                for replica in self.replicas
                if replica not in self._out and replica.exit_code is None and _is_ready(replica)
            ]
            if ready != self._routed:
                try:
                    self._route(ready)
                except (AssertionError, httpx.TransportError):
                    # The API server may be away, or the Service not be there: seen again at the next look.
                    time.sleep(PROBE)
                    continue
                self._routed = ready

    def _route(self, ready: list[str]) -> None:
        if self.api.request("GET", self.api.path(SERVICE)).status == 200:
            self.api.patch(SERVICE, {"metadata": {"annotations": {ENDPOINT: ",".join(ready)}}})
        for number, endpoint in enumerate(ready):
            self.api.apply(_slice(number, endpoint))
        known = self.api.request("GET", f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices").ok()[
            "items"
        ]
        for body in known:
            name = body["metadata"]["name"]
            if name.startswith(f"{NAME}-") and int(name.rpartition("-")[2]) >= len(ready):
                self.api.delete(_slice(int(name.rpartition("-")[2]), "127.0.0.1:1"))


def _slice(number: int, endpoint: str) -> JSON:
    """An EndpointSlice of one replica: on loopback each has a port of its own."""
    address, _, port = endpoint.partition(":")
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{NAME}-{number}",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": NAME},
        },
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": int(port), "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }


def _is_ready(replica: Webhook) -> bool:
    try:
        return replica.ready()[0] == 200
    except (RuntimeError, ValueError):
        # Killed in between: its client is closed.
        return False


def _leads(replica: Webhook) -> bool:
    return replica.exit_code is None and replica.metric("linkerd_webhook_leader") == 1
