"""What the tests create: Namespaces, workloads as their controllers make them, Pods; and what to read off them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from tests.e2e.api import JSON, ApiServer, Reply

INJECT = "linkerd.io/inject"
ENABLED = {INJECT: "enabled"}


def unique(prefix: str) -> str:
    """A name that nobody has used: the cluster may serve many runs, and its Namespaces stay."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def namespace(name: str, annotations: dict[str, str] | None = None) -> JSON:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": annotations or {}}}


def pod(within: str, annotations: dict[str, str] | None = None, owner: JSON | None = None, **spec: Any) -> JSON:
    """A Pod with one container that listens on 8080, as a controller makes it where `owner` is given."""
    metadata: JSON = {"namespace": within, "labels": {"app": "web"}, "annotations": annotations or {}}
    if owner is None:
        metadata["name"] = unique("pod")
    else:
        metadata |= {"generateName": f"{owner['metadata']['name']}-", "ownerReferences": [reference(owner)]}
    container = {"name": "web", "image": "nginx:1.27", "ports": [{"containerPort": 8080, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container], **spec}}


def service(within: str, name: str, annotations: dict[str, str] | None = None) -> JSON:
    """A Service with an HTTP and a MySQL port."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "mysql", "port": 3306, "targetPort": 3306}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": within, "annotations": annotations or {}},
        "spec": {"selector": {"app": "web"}, "ports": ports},
    }


def workload(api_version: str, kind: str, within: str, name: str, owner: JSON | None = None) -> JSON:
    """A Deployment, ReplicaSet, Job or CronJob around a Pod template, which itself plays no part here."""
    metadata: JSON = {"name": name, "namespace": within}
    if owner is not None:
        metadata["ownerReferences"] = [reference(owner)]
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}], "restartPolicy": "Always"},
    }
    spec: JSON = {"template": template}
    if kind == "CronJob":
        spec = {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}}
    elif kind != "Job":
        spec["selector"] = {"matchLabels": {"app": "web"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def reference(owner: JSON) -> JSON:
    """The ownerReference to an object that the API server returned."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


@dataclass(frozen=True, slots=True)
class Room:
    """A Namespace to create things in."""

    api: ApiServer
    name: str

    @classmethod
    def create(cls, api: ApiServer, prefix: str, annotations: dict[str, str] | None = None) -> Room:
        """A new Namespace."""
        name = unique(prefix)
        api.create(namespace(name, annotations)).ok()
        return cls(api, name)

    def annotate(self, annotations: dict[str, str | None]) -> None:
        """Change the Namespace's annotations."""
        self.api.patch(namespace(self.name), {"metadata": {"annotations": annotations}})

    def pod(
        self,
        annotations: dict[str, str] | None = None,
        owner: JSON | None = None,
        *,
        dry_run: bool = False,
        **spec: Any,
    ) -> Reply:
        """Create a Pod."""
        return self.api.create(pod(self.name, annotations, owner, **spec), dry_run=dry_run)

    def workload(self, api_version: str, kind: str, name: str, owner: JSON | None = None) -> JSON:
        """Create a workload, and return it with its uid."""
        return self.api.create(workload(api_version, kind, self.name, name, owner)).ok()

    def deployment(self, name: str) -> tuple[JSON, JSON]:
        """Create a Deployment and its ReplicaSet, which is what owns its Pods."""
        deployment = self.workload("apps/v1", "Deployment", name)
        return deployment, self.workload("apps/v1", "ReplicaSet", f"{name}-7d4b9c6f5", deployment)

    def events(self, about: str, reason: str) -> list[JSON]:
        """The Events of a reason about an object."""
        return [event for event in self.api.events(self.name, about) if event["reason"] == reason]


def containers(body: JSON) -> list[str]:
    """The names of a Pod's containers."""
    return [container["name"] for container in body["spec"]["containers"]]


def init_containers(body: JSON) -> list[str]:
    """The names of a Pod's init containers."""
    return [container["name"] for container in body["spec"].get("initContainers") or ()]


def container(body: JSON, name: str) -> JSON | None:
    """A Pod's container or init container of this name."""
    spec = body["spec"]
    every = [*spec["containers"], *(spec.get("initContainers") or ())]
    return next((body for body in every if body["name"] == name), None)


def meshed(body: JSON) -> bool:
    """Whether a Pod has both the proxy and what sends its traffic there."""
    return container(body, "linkerd-proxy") is not None and container(body, "linkerd-init") is not None


def bare(body: JSON) -> bool:
    """Whether a Pod has nothing of Linkerd's."""
    return container(body, "linkerd-proxy") is None and container(body, "linkerd-init") is None


def env(body: JSON) -> dict[str, str]:
    """The proxy's environment variables, those with a plain value."""
    proxy = container(body, "linkerd-proxy")
    assert proxy is not None, "the Pod has no proxy"
    return {variable["name"]: variable.get("value", "") for variable in proxy["env"] if "valueFrom" not in variable}
