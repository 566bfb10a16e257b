"""What the jaeger extension adds to the proxy, so that it sends its traces to a collector.

Linkerd has this extension until edge-25.10.1; for later releases, whose values can switch tracing on themselves, what
the last one added still counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from webhook.extensions.proxy import JSON, Proxy, annotate, append, mounts_of, volumes_of
from webhook.mesh.releases import Line

ENABLED: Final = "jaeger.linkerd.io/tracing-enabled"
_MOUNT: Final = "var/run/linkerd/podinfo"


@dataclass(frozen=True, slots=True)
class Collector:
    """Where traces go. `address` is HOST:PORT, empty for no tracing; `account` the collector's service account."""

    address: str = ""
    account: str = ""
    protocol: str = ""
    service_name: str = ""
    cluster_domain: str = "cluster.local"
    linkerd_namespace: str = "linkerd"


# The annotations of a Pod or its Namespace, the field of `Collector` that each sets, and the row of its release.
_ANNOTATIONS: Final = (
    ("config.linkerd.io/trace-collector", "address", ""),
    ("config.alpha.linkerd.io/trace-collector-service-account", "account", ""),
    ("config.linkerd.io/trace-collector-protocol", "protocol", "extension/jaeger.protocol"),
    ("config.linkerd.io/trace-collector-name", "service_name", "extension/jaeger.service-name"),
)


def collector_for(by_default: Collector, pod: Mapping[str, str], namespace: Mapping[str, str], line: Line) -> Collector:
    """The collector for a Pod with these annotations, in a Namespace with these: the Pod's take precedence."""
    changes = {
        field: pod.get(key, namespace.get(key))
        for key, field, row in _ANNOTATIONS
        if (key in pod or key in namespace) and (not row or line.has(row))
    }
    return replace(by_default, **changes) if changes else by_default  # type: ignore[arg-type]


def patch(pod: Mapping[str, Any], proxy: Proxy, namespace: str, collector: Collector, line: Line) -> list[JSON]:
    """The operations for a Pod with the proxy, in the Namespace of this name. Raises `BadPodError`."""
    operations = [
        annotate(pod, ENABLED),
        *append(proxy.path, proxy.container, "env", _variables(collector, namespace, line)),
    ]
    mounts = mounts_of(proxy)
    if any(isinstance(mount, dict) and _is_podinfo(mount.get("mountPath")) for mount in mounts):
        return operations
    name = _free_name("linkerd-podinfo" if line.has("extension/jaeger.linkerd-podinfo") else "podinfo", pod)
    labels = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    volume = {"name": name, "downwardAPI": {"items": [labels]}}
    operations += append(proxy.path, proxy.container, "volumeMounts", [{"mountPath": _MOUNT, "name": name}])
    operations += append("/spec", pod["spec"], "volumes", [volume])
    return operations


def _variables(collector: Collector, namespace: str, line: Line) -> list[JSON]:
    values = {"ATTRIBUTES_PATH": f"/{_MOUNT}/labels", "COLLECTOR_SVC_ADDR": collector.address}
    if line.has("extension/jaeger.protocol"):
        values["PROTOCOL"] = collector.protocol
    if line.has("extension/jaeger.service-name"):
        values["SERVICE_NAME"] = collector.service_name
    values["COLLECTOR_SVC_NAME"] = _identity(collector, namespace)
    if line.has("extension/jaeger.extra-attributes"):
        values["EXTRA_ATTRIBUTES"] = "k8s.pod.uid=$(_pod_uid)\nk8s.container.name=$(_pod_containerName)"
    return [{"name": f"LINKERD2_PROXY_TRACE_{name}", "value": value} for name, value in values.items()]


def _identity(collector: Collector, namespace: str) -> str:
    """The collector's identity in the mesh; an address without a Namespace means the Pod's own."""
    labels = collector.address.partition(":")[0].split(".")
    at = labels[1] if len(labels) > 1 else namespace
    authority = f"{collector.linkerd_namespace}.{collector.cluster_domain}"
    return f"{collector.account}.{at}.serviceaccount.identity.{authority}"


def _is_podinfo(path: Any) -> bool:
    return isinstance(path, str) and path.strip("/") == _MOUNT


def _free_name(name: str, pod: Mapping[str, Any]) -> str:
    """A name for the volume that no other one of the Pod has: two of the same name make a Pod invalid."""
    taken = {volume.get("name") for volume in volumes_of(pod) if isinstance(volume, dict)}
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
