"""A disposable cluster: who to talk to, and the few objects that the benchmarks create and remove."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import yaml

from bench import client
from bench.client import Target

JSON = dict[str, Any]
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Service": "/api/v1/namespaces/{}/services",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "MutatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
}
CREATED, CONFLICT, NOT_FOUND = 201, 409, 404
CLIENTS = 32


def target(kubeconfig: Path) -> Target:
    """The API server of the kubeconfig's current context; a token or a client certificate."""
    config = yaml.safe_load(kubeconfig.read_text())

    def named(kind: str, name: str) -> JSON:
        entry: JSON = next(item for item in config[f"{kind}s"] if item["name"] == name)[kind]
        return entry

    context = named("context", config["current-context"])
    cluster, user = named("cluster", context["cluster"]), named("user", context["user"])
    url = urlsplit(cluster["server"])
    authority = _data(cluster, "certificate-authority")
    tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if certificate := _data(user, "client-certificate"):
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(certificate + b"\n" + (_data(user, "client-key") or b""))
            pem.flush()
            tls.load_cert_chain(pem.name)
    headers = (("Authorization", f"Bearer {user['token']}"),) if "token" in user else ()
    return Target(url.hostname or "", url.port or 443, tls, headers)


def _data(section: JSON, key: str) -> bytes | None:
    if f"{key}-data" in section:
        return base64.b64decode(section[f"{key}-data"])
    return Path(section[key]).read_bytes() if key in section else None


def path_of(item: JSON) -> str:
    """Where an object of this kind is created."""
    return PATHS[item["kind"]].format(item["metadata"].get("namespace", ""))


@contextmanager
def created(server: Target, items: Sequence[JSON]) -> Iterator[None]:
    """Create objects, several at a time within a kind and kinds in their order; remove them afterwards."""
    kinds = list(dict.fromkeys(item["kind"] for item in items))
    groups = [[item for item in items if item["kind"] == kind] for kind in kinds]
    try:
        for group in groups:
            requests = [server.request("POST", path_of(item), orjson.dumps(item)) for item in group]
            _expect(server, requests, {CREATED}, "create")
        yield
    finally:
        for group in reversed(groups):
            _remove(server, group)


def _remove(server: Target, items: list[JSON]) -> None:
    """Delete objects, and finalize Namespaces: a cluster without controllers leaves that to the client."""
    paths = [f"{path_of(item)}/{item['metadata']['name']}" for item in items]
    requests = [server.request("DELETE", f"{path}?gracePeriodSeconds=0") for path in paths]
    _expect(server, requests, {200, 202, NOT_FOUND, CONFLICT}, "delete")
    if items[0]["kind"] == "Namespace":
        bodies = [orjson.dumps(item | {"spec": {"finalizers": []}}) for item in items]
        requests = [server.request("PUT", f"{path}/finalize", body) for path, body in zip(paths, bodies, strict=True)]
        _expect(server, requests, {200, NOT_FOUND, CONFLICT}, "finalize")


def _expect(server: Target, requests: list[bytes], wanted: set[int], verb: str) -> None:
    statuses: Counter[int] = Counter()
    problem = b""

    def done(_: float, status: int, body: bytes) -> None:
        nonlocal problem
        statuses[status] += 1
        if status not in wanted:
            problem = problem or body

    client.run(client.for_each(server, requests, min(CLIENTS, len(requests)), done))
    if problem:
        raise SystemExit(f"cannot {verb}: {dict(statuses)}: {problem[:500].decode(errors='replace')}")


def webhook(name: str, namespace: str, port: int, ca: bytes) -> list[JSON]:
    """A Service that leads to this port of the loopback, and the configuration that sends a namespace's Pods there."""
    service = {"name": name, "namespace": namespace, "path": "/proxy-injector"}
    hook = {
        "name": f"{name}.bench.linkerd.io",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "NoneOnDryRun",
        "failurePolicy": "Fail",
        "timeoutSeconds": 10,
        "clientConfig": {"service": service, "caBundle": base64.b64encode(ca).decode()},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "annotations": {"testcluster/endpoint": f"127.0.0.1:{port}"},
            },
            "spec": {"ports": [{"port": 443}]},
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": f"{namespace}-{name}"},
            "webhooks": [hook],
        },
    ]
