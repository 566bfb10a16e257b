"""What is to be installed, and what a look at the cluster has found against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from webhook.install.configurations import NAME
from webhook.kube.webhookconfigurations import Service

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be installed. `needs` is the oldest version of an API server (major, minor) that knows all of it; the
    rest is what the settings of these names say."""

    namespace: str
    adopt: bool
    needs: tuple[int, int]
    existing_secret: str = ""
    ca_bundle: str = ""
    inject_ca_from: str = ""
    pod_monitor: bool = False
    autoscaling: bool = False
    host_network: bool = False
    priority_class: str = ""
    pull_secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: JSON, namespace: str, needs: tuple[int, int]) -> Wanted:
        """By (whole and valid) values."""
        certificates = values["certificates"]
        return cls(
            namespace=namespace,
            adopt=values["adopt"],
            needs=needs,
            existing_secret=certificates["existingSecret"],
            ca_bundle=certificates["caBundle"],
            inject_ca_from=certificates["injectCAFrom"],
            pod_monitor=values["podMonitor"]["enabled"],
            autoscaling=values["autoscaling"]["enabled"],
            host_network=values["hostNetwork"],
            priority_class=values["priorityClassName"],
            pull_secrets=tuple(str(each.get("name", "")) for each in values["image"]["pullSecrets"]),
        )

    @property
    def service(self) -> Service:
        """The Service in front of the server."""
        return Service(self.namespace, NAME)


@dataclass(slots=True)
class Found:
    """`problems` stand in the way; `notes` do not. Sentences, each with its fix."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
