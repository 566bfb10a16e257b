"""The ConfigMaps by which Linkerd's control plane is configured, and what is said where they cannot be used."""

from __future__ import annotations

from typing import Final

from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.fields import mapping
from webhook.kube.interface import JSON

CONFIG: Final = "linkerd-config"
ROOTS: Final = "linkerd-identity-trust-roots"
VALUES: Final = "values"
BUNDLE: Final = "ca-bundle.crt"


class Unusable(Exception):
    """A ConfigMap does not exist, or lacks what it should hold: `why`. The message names the ConfigMap as well."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}{' ' if why == ABSENT else ': '}{why}")
        self.why = why


ABSENT: Final = "does not exist"


def where(namespace: str, name: str = CONFIG) -> str:
    """How messages name the ConfigMap of a control plane."""
    return f"ConfigMap {namespace}/{name}"


def path(namespace: str, name: str = CONFIG) -> str:
    """Where the API server has it."""
    return f"/api/v1/namespaces/{namespace}/configmaps/{name}"


def values(config: object, namespace: str) -> str:
    """Linkerd's values (YAML) in the ConfigMap `linkerd-config`; None is one that does not exist. Raises `Unusable`."""
    return _held(config, namespace, CONFIG, VALUES)


async def read_values(api: ApiServer, namespace: str) -> str:
    """Linkerd's values (YAML) of a cluster, where `namespace` is that of the control plane.

    Raises `Unusable`, `ApiError` and `TimeoutError`.
    """
    return values(await _find(api, namespace, CONFIG), namespace)


async def read_trust_anchors(api: ApiServer, namespace: str) -> str:
    """The mesh's trust anchors (PEM) of a cluster. Raises as `read_values` does."""
    return _held(await _find(api, namespace, ROOTS), namespace, ROOTS, BUNDLE)


async def _find(api: ApiServer, namespace: str, name: str) -> JSON | None:
    return await api.find(path(namespace, name), PLAIN)


def _held(config_map: object, namespace: str, name: str, key: str) -> str:
    if config_map is None:
        raise Unusable(where(namespace, name), ABSENT)
    held = mapping(config_map, "data").get(key)
    if not isinstance(held, str):
        raise Unusable(where(namespace, name), f"data has no {key}")
    return held
