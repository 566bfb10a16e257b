"""What is to be installed, as far as it depends on the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webhook.install.configurations import NAME
from webhook.install.render import Rendered
from webhook.kube.webhookconfigurations import ServiceReference

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What is to be installed in `namespace`, Linkerd's: `objects`. `needs` is the oldest Kubernetes (major, minor)
    that knows all of them; the other fields are settings of an installation."""

    namespace: str
    adopt: bool
    needs: tuple[int, int]
    existing_secret: str = ""
    ca_bundle: str = ""
    inject_ca_from: str = ""
    pod_monitor: bool = False
    alerts: bool = False
    autoscaling: bool = False
    host_network: bool = False
    priority_class: str = ""
    pull_secrets: tuple[str, ...] = ()
    objects: tuple[JSON, ...] = ()

    @classmethod
    def of(cls, values: JSON, namespace: str, rendered: Rendered) -> InstallRequest:
        """By the values of an installation, which are complete and valid, and what they render."""
        certificates = values["certificates"]
        return cls(
            namespace=namespace,
            adopt=values["adopt"],
            needs=rendered.needs,
            objects=tuple(rendered.objects),
            existing_secret=certificates["existingSecret"],
            ca_bundle=certificates["caBundle"],
            inject_ca_from=certificates["injectCAFrom"],
            pod_monitor=values["monitoring"]["podMonitor"],
            alerts=values["monitoring"]["alerts"],
            autoscaling=values["autoscaling"]["enabled"],
            host_network=values["hostNetwork"],
            priority_class=values["priorityClassName"],
            pull_secrets=tuple(str(secret.get("name", "")) for secret in values["image"]["pullSecrets"]),
        )

    @property
    def service(self) -> ServiceReference:
        """The Service in front of the server."""
        return ServiceReference(self.namespace, NAME)
