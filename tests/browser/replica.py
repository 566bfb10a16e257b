"""A replica as a process, on an API server of the tests: a small shop with Pods of all kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from certs.issue import issue_ca, issue_leaf
from tests.e2e.program import ROOT, Webhook
from tests.kube.http import FakeApiServer, served
from webhook.injector.decision import INJECT
from webhook.injector.names import CONTROL_PLANE, PROXY_VERSION, TRUST_ROOT
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values

SAMPLES = sorted((ROOT / "deploy" / "samples").glob("*.json"))
NAMESPACES = {
    "kitchen": {},
    "linkerd": {INJECT: "disabled"},
    "payments": {INJECT: "ingress"},
    "shop": {INJECT: "enabled"},
}
CART = "cart-5d9c7b8f6"


class Replica:
    """The process, the API server that it asks, and the folder of the files that it reads."""

    def __init__(self, process: Webhook, cluster: FakeApiServer, files: Path) -> None:
        self.process = process
        self.cluster = cluster
        self.files = files

    @property
    def url(self) -> str:
        """The page's address, without the slash at its end."""
        return f"http://localhost:{self.process.admin_port}"

    def post_samples(self) -> None:
        """Have it decide about the sample Pods: one is injected, one is skipped, one has a misspelt annotation."""
        with httpx.Client(verify=False) as client:
            for path in SAMPLES:
                answer = client.post(
                    f"https://{self.process.endpoint}/",
                    content=path.read_bytes(),
                    headers={"content-type": "application/json"},
                )
                assert answer.json()["response"]["allowed"], answer.text

    def add_pod(self, namespace: str, workload: str, name: str, *, meshed: bool, **annotations: str) -> None:
        """Somebody creates a running Pod of a Deployment, with the proxy of now if it is meshed."""
        self.cluster.put(f"/api/v1/namespaces/{namespace}/pods/{name}", pod(workload, meshed=meshed, **annotations))


@contextmanager
def replica(
    folder: Path,
    prepare: Callable[[FakeApiServer], None] = lambda _: None,
    *,
    ready: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Replica]:
    """A replica that counts the mesh; if it is to be `ready`, it has decided about the samples. `prepare` is called
    with the API server before the start. `environment` has variables for the process."""
    leaf = issue_leaf(issue_ca("browser"), ["localhost", "linkerd-webhook.linkerd.svc"])
    files = {
        "tls.crt": leaf.certificate,
        "tls.key": leaf.key,
        "values": default_values(),
        "ca-bundle.crt": default_trust_anchors(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    arguments = [
        "serve",
        f"--tls-dir={folder}",
        f"--values={folder / 'values'}",
        f"--trust-anchors={folder / 'ca-bundle.crt'}",
        "--status-page",
    ]
    with served(folder) as (cluster, kubeconfig):
        fill(cluster)
        prepare(cluster)
        variables = {"POD_NAME": "linkerd-webhook-7d9c5-x2v4c", **(environment or {})}
        process = Webhook([*arguments, f"--kubeconfig={kubeconfig}"], folder / "log", variables)
        try:
            made = Replica(process, cluster, folder)
            if ready:
                process.wait_ready()
                made.post_samples()
            yield made
        finally:
            process.kill()


def fill(cluster: FakeApiServer) -> None:
    """The Namespaces, what owns the sample Pods, and 17 running Pods: 11 are meshed, 2 of those with an older proxy."""
    for name, own in NAMESPACES.items():
        cluster.set_namespace(name, **own)
    for hashed in (CART, "search-7c6f4d5b9"):
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": hashed.rpartition("-")[0], "controller": True}
        body = {"kind": "ReplicaSet", "metadata": {"ownerReferences": [owner]}}
        cluster.put(f"/apis/apps/v1/namespaces/shop/replicasets/{hashed}", body)
    pods = [("shop", "cart", True, 5, {}), ("shop", "search", True, 2, {PROXY_VERSION: "edge-26.7.1"})]
    pods += [("shop", "batch", False, 1, {}), ("payments", "gateway", True, 4, {})]
    pods += [("payments", "legacy", False, 1, {INJECT: "disabled"}), ("kitchen", "oven", False, 4, {})]
    for namespace, workload, meshed, count, marks in pods:
        for number in range(count):
            path = f"/api/v1/namespaces/{namespace}/pods/{workload}-6f7d8-{number:05}"
            cluster.put(path, pod(workload, meshed=meshed, **marks))


def pod(workload: str, *, meshed: bool, **annotations: str) -> dict[str, Any]:
    """A running Pod of a Deployment, as far as the page reads it."""
    mesh = Mesh.load(default_values(), default_trust_anchors())
    labels = {"app": workload, "pod-template-hash": "6f7d8"}
    containers: list[dict[str, Any]] = [{"name": "app", "image": "registry.example.org/app:1"}]
    if meshed:
        labels[CONTROL_PLANE] = "linkerd"
        marks = {PROXY_VERSION: mesh.values.linkerd_version, TRUST_ROOT: mesh.trust_anchors_sha256}
        annotations = {**marks, **annotations}
        containers.append({"name": "linkerd-proxy", "image": f"cr.l5d.io/linkerd/proxy:{annotations[PROXY_VERSION]}"})
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{workload}-6f7d8", "controller": True}
    return {
        "kind": "Pod",
        "metadata": {"labels": labels, "annotations": annotations, "ownerReferences": [owner]},
        "spec": {"containers": containers},
        "status": {"phase": "Running"},
    }
