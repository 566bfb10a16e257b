"""What is to be meshed: Namespaces, and Deployments of a small HTTP server."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tests.e2e.objects import INJECT, containers, init_containers, meshed, unique
from tests.e2e.waiting import until
from tests.kubernetes.cluster import Cluster, Done
from tests.kubernetes.images import APP

JSON = dict[str, Any]

# The label of Namespaces that a test has made.
LABEL = "webhook-tests"


def namespace(cluster: Cluster, prefix: str, labels: dict[str, str] | None = None, inject: str = "enabled") -> str:
    """A new Namespace, which asks to be meshed unless `inject` is another value."""
    name = unique(prefix)
    metadata = {"name": name, "annotations": {INJECT: inject}, "labels": {LABEL: "", **(labels or {})}}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).ok()
    path = "serviceaccount/default"
    until(path, lambda: cluster.kubectl("-n", name, "get", path).code == 0, within=20)
    return name


def forget(cluster: Cluster) -> None:
    """Delete all Namespaces that tests have made."""
    cluster.kubectl("delete", "namespace", "-l", LABEL, "--wait=false").ok()


def deployment(within: str, replicas: int = 2) -> JSON:
    """A Deployment that is ready once its server answers."""
    container = {
        "name": "app",
        "image": APP,
        "args": ["serve", "8080"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
    }
    template = {
        "metadata": {"labels": {"app": "app"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    selector = {"matchLabels": {"app": "app"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app", "namespace": within},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }


def pod(within: str, name: str = "one") -> JSON:
    """A Pod that no node takes: what matters is how it is stored."""
    container = {"name": "app", "image": APP}
    metadata = {"name": name, "namespace": within, "labels": {"app": "app"}}
    spec = {"schedulerName": "nobody", "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def create(cluster: Cluster, body: JSON, *more: str) -> Done:
    """`kubectl create -f -`."""
    return cluster.kubectl("create", "-f", "-", *more, stdin=yaml.safe_dump(body))


def would_be_meshed(cluster: Cluster, within: str) -> bool:
    """Whether a Pod that is created now comes out meshed: by a dry run."""
    done = create(cluster, pod(within), "--dry-run=server", "-o", "json")
    return done.code == 0 and meshed(json.loads(done.out))


def roll_out(cluster: Cluster, body: JSON) -> list[JSON]:
    """Apply a Deployment, and wait until all its Pods are ready. They come out."""
    within = body["metadata"]["namespace"]
    cluster.apply(body).ok()
    cluster.kubectl("-n", within, "rollout", "status", "deploy/app", "--timeout=120s").ok()
    return running(cluster, within)


def restart(cluster: Cluster, within: str) -> list[JSON]:
    """Restart the Deployment's Pods, and wait until the new ones are ready. They come out."""
    cluster.kubectl("-n", within, "rollout", "restart", "deploy/app").ok()
    cluster.kubectl("-n", within, "rollout", "status", "deploy/app", "--timeout=120s").ok()
    return running(cluster, within)


def running(cluster: Cluster, within: str) -> list[JSON]:
    """The Namespace's Pods that are not on their way out."""
    every = cluster.get("pods", "-n", within)
    return [body for body in every if "deletionTimestamp" not in body["metadata"]]


def assert_meshed(pods: list[JSON]) -> None:
    """Every Pod has a proxy that is ready, and what redirects its traffic has done so."""
    assert pods
    for element in pods:
        assert "linkerd-proxy" in [*containers(element), *init_containers(element)]
        assert "linkerd-init" in init_containers(element)
        status = element["status"]
        every = [*status["containerStatuses"], *status["initContainerStatuses"]]
        ready = {body["name"]: body["ready"] for body in every}
        assert len(ready) >= 3
        assert all(ready.values()), ready


def assert_bare(pods: list[JSON]) -> None:
    """Every Pod is as its template has it."""
    assert pods
    for element in pods:
        assert containers(element) == ["app"]
        assert init_containers(element) == []
