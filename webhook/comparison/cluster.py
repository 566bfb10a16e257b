"""What runs in a cluster now: the values of its Linkerd, and the proxies of its Pods by version."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from webhook.comparison.compare import ProxyCount
from webhook.injector.names import CONTROL_PLANE, PROXY_VERSION
from webhook.kube.api import LIST, ApiServer
from webhook.mesh import configmaps
from webhook.review import JSON
from webhook.yaml import objects

# Pods a page.
_PAGE: Final = 500
_UNKNOWN: Final = "an unknown version"


class NoValues(Exception):
    """The cluster has no values that can be read: the message says what is wrong and what to do."""


class Running(NamedTuple):
    """The values of the installed Linkerd, and the proxies that run."""

    values: JSON
    proxies: list[ProxyCount]


async def running(api: ApiServer, namespace: str) -> Running:
    """What runs, where `namespace` is that of the control plane. Raises `NoValues`, `ApiError` and `TimeoutError`."""
    values = await _values(api, namespace)
    # Pods that have ended have no proxy that runs.
    query = {
        "labelSelector": f"{CONTROL_PLANE}={namespace}",
        "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed",
        "limit": str(_PAGE),
    }
    counted: list[tuple[str, str]] = []
    while True:
        page = await api.get("/api/v1/pods", query, LIST)
        counted += _proxies(page.get("items") or (), namespace)
        following = (page.get("metadata") or {}).get("continue")
        if not following:
            return Running(values, count(counted))
        query["continue"] = following


async def _values(api: ApiServer, namespace: str) -> JSON:
    where = configmaps.where(namespace)
    try:
        values = objects.read(await configmaps.read_values(api, namespace))
    except configmaps.Unusable as error:
        hint = "pass --linkerd-namespace, or write the release in place of cluster"
        raise NoValues(f"{error}: {hint}") from None
    except objects.Broken as broken:
        raise NoValues(f"{where}: values: line {broken.line}: {broken.message}") from None
    if not isinstance(values, dict):
        raise NoValues(f"{where}: values is not an object: write the release in place of cluster, and pass --values")
    return values


def _proxies(pods: Iterable[Any], namespace: str) -> Iterable[tuple[str, str]]:
    """Version and Namespace of each proxy but the control plane's own, which an upgrade replaces."""
    for pod in pods:
        metadata = pod.get("metadata") or {}
        within = str(metadata.get("namespace", ""))
        if within != namespace:
            version = (metadata.get("annotations") or {}).get(PROXY_VERSION)
            yield str(version or _UNKNOWN), within


def count(proxies: Iterable[tuple[str, str]]) -> list[ProxyCount]:
    """The proxies by version, the version of most Pods first. Each is given by its version and Namespace."""
    pods: Counter[str] = Counter()
    namespaces: defaultdict[str, set[str]] = defaultdict(set)
    for version, namespace in proxies:
        pods[version] += 1
        namespaces[version].add(namespace)
    counts = [ProxyCount(version, number, len(namespaces[version])) for version, number in pods.items()]
    return sorted(counts, key=lambda one: (-one.pods, one.version))
