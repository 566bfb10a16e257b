"""Pods as the API server stores them, workloads, and what they are judged by."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.unit.injector.builders import ENABLED, SERVICE_ACCOUNT, container, inject, injector
from webhook.diagnosis.dataplane.callers import InjectorWebhook, injector_webhooks
from webhook.diagnosis.dataplane.podstate import PodJudge, PodState
from webhook.diagnosis.dataplane.stored import stored
from webhook.diagnosis.dataplane.workloads import Owner, Workload, Workloads, workload_of
from webhook.injector.inject import Injector
from webhook.install.configurations import NAME, SPARED
from webhook.kube.objects import Namespace
from webhook.mesh.spared import ADMISSION, NAMESPACE_NAME
from webhook.review import JSON

MOUNT: JSON = {"name": "kube-api-access-x7k2p", "mountPath": SERVICE_ACCOUNT, "readOnly": True}
HASH = "5c9d8f7b6d"

CONFIGURATION: JSON = {
    "metadata": {"name": "linkerd-proxy-injector-webhook-config"},
    "webhooks": [
        {
            "name": "linkerd-proxy-injector.linkerd.io",
            "clientConfig": {"service": {"namespace": "linkerd", "name": NAME, "path": "/proxy-injector"}},
            "namespaceSelector": {
                "matchExpressions": [
                    {"key": ADMISSION, "operator": "NotIn", "values": ["disabled"]},
                    {"key": NAMESPACE_NAME, "operator": "NotIn", "values": list(SPARED)},
                ]
            },
            "objectSelector": {
                "matchExpressions": [{"key": "linkerd.io/control-plane-component", "operator": "DoesNotExist"}]
            },
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        }
    ],
}


def webhooks(configuration: JSON = CONFIGURATION) -> tuple[InjectorWebhook, ...]:
    """The webhooks of a configuration that inject."""
    return injector_webhooks([configuration], "linkerd")


def namespace(name: str = "shop", annotations: dict[str, str] = ENABLED, **labels: str) -> Namespace:
    """A Namespace that asks for proxies."""
    return Namespace(name, annotations, labels)


def deployment(name: str = "cart", within: str = "shop", kind: str = "Deployment", **spec: Any) -> JSON:
    """A workload; `template` in `spec` is its Pod template's metadata."""
    metadata = spec.pop("template", {})
    own = spec.pop("metadata", {})
    template = {"metadata": metadata, "spec": {"containers": [container()]}}
    spec = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template, **spec}
    return {"kind": kind, "metadata": {"name": name, "namespace": within, **own}, "spec": spec}


def workload(kind: str = "Deployment", **fields: Any) -> Workload:
    """Its record."""
    made = workload_of(kind, deployment(kind=kind, **fields))
    assert made is not None
    return made


def workloads(*bodies: JSON) -> Workloads:
    """The records of these; of a Deployment where there are none."""
    out = Workloads()
    for body in bodies or (deployment(),):
        out.add(body["kind"], body)
    return out


def owned(kind: str = "ReplicaSet", name: str = f"cart-{HASH}", group: str = "apps/v1") -> JSON:
    """An ownerReference to a controller."""
    return {"apiVersion": group, "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}


def plain(name: str = "cart-1", owner: JSON | None = None, within: str = "shop", **spec: Any) -> JSON:
    """A Pod of a Deployment's that runs without a proxy."""
    metadata: JSON = spec.pop("metadata", {})
    labels = {"app": "cart", "pod-template-hash": HASH, **metadata.pop("labels", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": within,
            "labels": labels,
            "creationTimestamp": "2026-05-01T12:00:00Z",
            "ownerReferences": [owned() if owner is None else owner] if owner != {} else [],
            **metadata,
        },
        "spec": {"containers": [container(volumeMounts=[MOUNT])], **spec},
        "status": {"phase": "Running"},
    }


def as_stored(pod: JSON) -> JSON:
    """A Pod with what the API server adds: defaults, and the mount of the service account in every container."""
    out = deepcopy(pod)
    for key in ("containers", "initContainers"):
        if out["spec"].get(key):
            out["spec"][key] = [stored(candidate) for candidate in out["spec"][key]]
        for element in out["spec"].get(key) or ():
            mounts = element.setdefault("volumeMounts", [])
            if all(mount["mountPath"] != SERVICE_ACCOUNT for mount in mounts):
                mounts.append(MOUNT)
    return out


def meshed(
    using: Injector | None = None, annotations: dict[str, str] = ENABLED, body: JSON | None = None, **fields: Any
) -> JSON:
    """A Pod that was injected in a Namespace with these annotations, as it is stored."""
    pod = plain(**fields) if body is None else body
    return as_stored(inject(pod, using or injector(), namespace=annotations, workload=("deployment", "cart")))


def judged(
    pod: JSON,
    within: Namespace | None = None,
    using: Injector | None = None,
    made_from: Workload | None = None,
    asked: tuple[InjectorWebhook, ...] | None = None,
    **options: Any,
) -> PodState:
    """The state of a Pod of Deployment shop/cart."""
    judge = PodJudge(using or injector(), webhooks() if asked is None else asked)
    owner = Owner("Deployment", "shop", "cart")
    return judge.judge(pod, within or namespace(), owner, made_from or workload(), **options)


def container_of(pod: JSON, name: str) -> JSON:
    """One of a Pod's containers, in whichever list it is."""
    lists = (pod["spec"].get(key) or () for key in ("initContainers", "containers"))
    match: JSON = next(container for containers in lists for container in containers if container["name"] == name)
    return match
