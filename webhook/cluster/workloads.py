"""Workloads among manifests: the labels that Servers select them by, and the ports on which they listen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from webhook.cluster.interface import Workload
from webhook.findings import templates
from webhook.findings.finding import Path

# Objects of these groups have Pods only if they have a Pod template.
_NO_PODS: Final = frozenset(
    {
        "",
        "apps",
        "batch",
        "policy",
        "autoscaling",
        "storage.k8s.io",
        "rbac.authorization.k8s.io",
        "networking.k8s.io",
        "gateway.networking.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "admissionregistration.k8s.io",
        "coordination.k8s.io",
        "scheduling.k8s.io",
        "discovery.k8s.io",
        "node.k8s.io",
        "linkerd.io",
        "policy.linkerd.io",
        "workload.linkerd.io",
        "multicluster.linkerd.io",
        "cert-manager.io",
    }
)
# Kinds of operators that only watch or configure other objects.
_NO_PODS_KINDS: Final = frozenset(
    {
        ("monitoring.coreos.com", "ServiceMonitor"),
        ("monitoring.coreos.com", "PodMonitor"),
        ("monitoring.coreos.com", "PrometheusRule"),
        ("monitoring.coreos.com", "Probe"),
        ("keda.sh", "ScaledObject"),
    }
)
_NUMBER: Final = re.compile(rb"(?<![0-9.])[0-9]{1,5}(?![0-9])")
# The ports that the proxy's container declares in every injected Pod.
PROXY_PORTS: Final[Mapping[int, str]] = {4143: "linkerd-proxy", 4190: "", 4191: "linkerd-admin"}


def may_make_pods(group: str, kind: str) -> bool:
    """Whether an object without a Pod template may still have Pods, which its operator creates."""
    return group not in _NO_PODS and (group, kind) not in _NO_PODS_KINDS


def may_change_all(body: Mapping[str, Any]) -> bool:
    """Whether an object is a Kustomization (whose kind may be left out): it may add labels to all other objects."""
    kind = body.get("kind")
    return kind == "Kustomization" or (kind is None and "resources" in body)


def workload_of(body: Mapping[str, Any]) -> Workload | None:
    """The workload that an object describes, None if it has no Pods and is not an ExternalWorkload."""
    kind, name = str(body.get("kind")), _dict(body.get("metadata")).get("name")
    if kind == "ExternalWorkload":
        labels = _dict(_dict(body.get("metadata")).get("labels"))
        ports = dict(_declared(_dict(body.get("spec")).get("ports"), "port"))
        return Workload(kind, str(name), _texts(labels), ports, frozenset())
    template = _template(body)
    if template is None:
        return None
    spec = template["spec"]
    declared = dict(PROXY_PORTS)
    for container in (*_items(spec.get("containers")), *_items(spec.get("initContainers"))):
        declared.update(_declared(container.get("ports"), "containerPort"))
    labels = _texts(_dict(_dict(template.get("metadata")).get("labels")))
    return Workload(kind, str(name), labels, declared, _mentioned(template))


def _template(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The object itself if it is a Pod, else its Pod template; None if it has no containers."""
    version, kind = body.get("apiVersion"), body.get("kind")
    group = version.rpartition("/")[0] if isinstance(version, str) else ""
    if (group, kind) == ("", "Pod"):
        path: Path = ()
    else:
        template = templates.find(group, kind if isinstance(kind, str) else "", body)
        if template is None:
            return None
        path = template.path
    inner: Any = body
    for part in path:
        inner = _dict(inner).get(str(part))
    return _dict(inner) if _items(_dict(_dict(inner).get("spec")).get("containers")) else None


def _declared(ports: Any, field: str) -> Iterator[tuple[int, str]]:
    for port in _items(ports):
        number, name = port.get(field), port.get("name")
        if type(number) is int:
            yield number, name if isinstance(name, str) else ""


def _mentioned(template: Mapping[str, Any]) -> frozenset[int]:
    """Every number in a template that may be a port: containers need not declare the ports on which they listen."""
    try:
        text = orjson.dumps(template)
    except (TypeError, RecursionError):
        return frozenset(range(65536))
    return frozenset(int(number) for number in _NUMBER.findall(text))


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(labels: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if isinstance(key, str) and isinstance(value, str)}
