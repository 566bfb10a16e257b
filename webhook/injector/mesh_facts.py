"""What the parts of an injected Pod need of the mesh, worked out once when the configuration is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson

from webhook.injector.effective import Settings
from webhook.injector.encoded import MOUNT
from webhook.injector.fragments import Part, fixed
from webhook.injector.refusal import Refusal
from webhook.mesh.config import Mesh
from webhook.mesh.releases import Line
from webhook.mesh.values import CapabilityLists, Identity, Ports, Proxy, ProxyInit, Resources, Values
from webhook.review import JSON

T = TypeVar("T")


@dataclass(frozen=True)
class MeshFacts:
    """The sections of the values that every injection needs, present for certain."""

    mesh: Mesh
    line: Line
    values: Values
    proxy: Proxy
    init: ProxyInit
    identity: Identity
    ports: Ports
    namespace: str
    cluster_domain: str
    trust_domain: str
    default_version: str
    pull_policy: str
    token_projection: bool

    @classmethod
    def of(cls, mesh: Mesh) -> MeshFacts:
        """Gather them. Raises `Refusal` for a section that is missing."""
        values = mesh.values
        proxy = need(values.proxy, "proxy")
        need(proxy.image, "proxy.image")
        identity = need(values.identity, "identity")
        return cls(
            mesh=mesh,
            line=mesh.line,
            values=values,
            proxy=proxy,
            init=need(values.proxy_init, "proxyInit"),
            identity=identity,
            ports=need(proxy.ports, "proxy.ports"),
            namespace=mesh.linkerd_namespace,
            cluster_domain=values.cluster_domain,
            trust_domain=values.identity_trust_domain or values.cluster_domain,
            default_version=values.linkerd_version,
            pull_policy=values.image_pull_policy,
            token_projection=identity.service_account_token_projection,
        )

    def traces(self, rule: str) -> bool:
        """Whether tracing is on. The key of the values that says so was renamed: `rule` has the new one's releases."""
        tracing = self.proxy.tracing
        if tracing is None:
            return False
        return tracing.enabled if self.line.has(rule) else tracing.enable

    def proxy_image(self, s: Settings) -> JSON:
        """The fields of a container that name the proxy's image."""
        return {
            "image": self.image(s.proxy_image, s.proxy_version),
            "imagePullPolicy": s.pull_policy or self.pull_policy or None,
        }

    def volume_mounts(self, others: Sequence[JSON]) -> list[Part]:
        """A container's `volumeMounts`: the others, one at least, and the mount of the service account behind them."""
        return [fixed(b',"volumeMounts":' + orjson.dumps(others)[:-1]), self._token_mount, fixed(b"]")]

    def _token_mount(self, s: Settings) -> bytes:
        """The mount of the service account: as the Pod's first container has it, else as the values have it."""
        if s.own_mount:
            return MOUNT
        mount = self.proxy.sa_mount_path
        if mount is None:
            return b""
        own = {"mountPath": mount.mount_path, "name": mount.name, "readOnly": mount.read_only}
        return b"," + orjson.dumps(own)

    def image(self, name: str, version: str) -> str:
        """An image of the proxy's, with the mesh's version where none is set."""
        return f"{name}:{version or self.default_version}"

    def proxy_resources(self) -> Resources:
        """The proxy's resources, where a part cannot do without."""
        return need(self.proxy.resources, "proxy.resources")


def capabilities(given: CapabilityLists | None) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """CapabilityLists of the values, in the shape of `Settings.capabilities`."""
    return None if given is None else (tuple(given.add), tuple(given.drop))


def need(section: T | None, name: str) -> T:
    """A section of the values that must be there. Raises `Refusal` when it is not."""
    if section is None:
        raise Refusal(
            f"values: {name} is missing, and no Pod can be injected without it: restore it in the linkerd-config "
            "ConfigMap (`linkerd upgrade` writes it anew)",
            "values_incomplete",
            code=500,
        )
    return section
