"""The objects of an installation, in the order in which they can be deleted, and the check that an object is ours.

Webhook configurations are deleted before the server: without a server, they could prevent every Pod from being created.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from webhook.install.adoption import ADOPTABLE as ADOPTABLE_NAMES
from webhook.install.configurations import NAME
from webhook.install.configurations import SELF_TEST as SELF_TEST_NAME
from webhook.install.objects.all import CREATED_BY_SERVER, OBJECTS
from webhook.kube.fields import mapping, sequence
from webhook.kube.interface import JSON

_LABELS: Final = ("app.kubernetes.io/name", "app.kubernetes.io/managed-by")


class Stage(IntEnum):
    """The order of deletion: objects of an earlier stage may need those of a later one."""

    CALLS = 1
    """Once these are deleted, the API server no longer calls the server."""
    SERVER = 2
    """Once these are deleted, the server stops, and cannot write anything while it stops."""
    STATE = 3
    """A running server needs these, or would create them again."""


# The kinds of each stage, in the order in which they are deleted.
_ORDER: Final[dict[Stage, tuple[str, ...]]] = {
    # The guard before the injector: with `deny`, it would refuse Pods that are no longer injected.
    Stage.CALLS: (
        "ValidatingAdmissionPolicyBinding",
        "ValidatingAdmissionPolicy",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ),
    Stage.SERVER: (
        "Deployment",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "Service",
        "NetworkPolicy",
        "PodMonitor",
        "PrometheusRule",
        "RoleBinding",
        "ClusterRoleBinding",
    ),
    Stage.STATE: ("ConfigMap", "Secret", "Lease", "Role", "ClusterRole", "ServiceAccount"),
}
_KINDS: Final = [(stage, kind) for stage, kinds in _ORDER.items() for kind in kinds]
_STAGES: Final = {kind: stage for stage, kind in _KINDS}
_POSITIONS: Final = {kind: position for position, (_, kind) in enumerate(_KINDS)}


@dataclass(frozen=True, slots=True)
class InstalledObject:
    """An object that an installation may have in a cluster."""

    stage: Stage
    api_version: str
    kind: str
    name: str = NAME
    namespaced: bool = True

    @property
    def plural(self) -> str:
        """The plural of its kind, as in API paths."""
        kind = self.kind.lower()
        return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"

    def path(self, namespace: str) -> str:
        """Its path at the API server; `namespace` is Linkerd's."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{root}{f'/namespaces/{namespace}' if self.namespaced else ''}/{self.plural}/{self.name}"

    def reference(self, namespace: str) -> JSON:
        """The fields of it that `kubectl delete -f` needs."""
        metadata = {"name": self.name, **({"namespace": namespace} if self.namespaced else {})}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}

    def describe(self, namespace: str) -> str:
        """Its kind and name, such as `Deployment linkerd/linkerd-webhook`."""
        return f"{self.kind} {namespace}/{self.name}" if self.namespaced else f"{self.kind} {self.name}"


def _installed(tree: JSON) -> InstalledObject:
    kind, metadata = tree["kind"], tree["metadata"]
    return InstalledObject(_STAGES[kind], tree["apiVersion"], kind, metadata["name"], "namespace" in metadata)


def _position(installed: InstalledObject) -> int:
    """The self-test's configuration goes first: without it, a server that still runs adopts no configuration and puts
    no rules into one."""
    first = installed.kind == "MutatingWebhookConfiguration" and installed.name == SELF_TEST_NAME
    return -1 if first else _POSITIONS[installed.kind]


# All objects that there may be, in the order in which they are deleted.
INSTALLED_OBJECTS: Final = tuple(
    sorted(map(_installed, (*(one.tree for one in OBJECTS), *CREATED_BY_SERVER)), key=_position)
)


def installed_object(kind: str, name: str = NAME) -> InstalledObject:
    """The object of this kind and name. Raises `StopIteration` if there is none."""
    return next(installed for installed in INSTALLED_OBJECTS if (installed.kind, installed.name) == (kind, name))


SELF_TEST: Final = installed_object("MutatingWebhookConfiguration", SELF_TEST_NAME)
OWN_INJECTOR: Final = installed_object("MutatingWebhookConfiguration")

# Of kinds that another program brings, and there only if the settings below `monitoring` ask for them.
POD_MONITOR: Final = installed_object("PodMonitor")
ALERTS: Final = installed_object("PrometheusRule")

# The webhook configurations of Linkerd and its extensions, which may have been adopted.
ADOPTABLE: Final = tuple(
    InstalledObject(Stage.CALLS, "admissionregistration.k8s.io/v1", kind, name, namespaced=False)
    for kind, name in ADOPTABLE_NAMES
)


def is_ours(installed: InstalledObject, body: Mapping[str, Any]) -> bool:
    """Whether an object with one of our names is ours, by its labels. A Lease has no labels, so its name decides."""
    labels = mapping(mapping(body.get("metadata")).get("labels"))
    return installed.kind == "Lease" or any(labels.get(label) == NAME for label in _LABELS)


def installed_in(body: Mapping[str, Any]) -> set[str]:
    """The Namespaces of the installations that a cluster-scoped object of ours belongs to: those of the Service of its
    webhooks, or of the subjects of a binding."""
    services = (called_service(webhook) for webhook in sequence(body.get("webhooks")))
    namespaces = {service.get("namespace") for service in services if service.get("name") == NAME}
    namespaces |= {mapping(subject).get("namespace") for subject in sequence(body.get("subjects"))}
    return {namespace for namespace in namespaces if isinstance(namespace, str)}


def called_service(webhook: object) -> JSON:
    """The Service that a webhook of a configuration calls, {} for a URL."""
    return mapping(mapping(mapping(webhook).get("clientConfig")).get("service"))
