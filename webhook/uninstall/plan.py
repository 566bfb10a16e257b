"""What an installation leaves in a cluster, in the order in which it can go, and what Linkerd gets back. Pure.

Calls end before the server does: a webhook configuration without anybody behind it may keep every Pod out.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from webhook.install.linkerd import ADOPTED_FROM

JSON = dict[str, Any]

NAME: Final = "linkerd-webhook"
PROXY: Final = "linkerd-proxy"
CONTROL_PLANE_NS: Final = "linkerd.io/control-plane-ns"

_OURS: Final = ("app.kubernetes.io/name", "app.kubernetes.io/managed-by")

# Characters of a value that a message repeats.
_SHOWN: Final = 80


class Stage(IntEnum):
    """When something goes; what a later stage has is of use to an earlier one."""

    # Without these nobody calls the server any more.
    CALLS = 1
    # Without these it runs no more, and may write nothing more while it ends.
    SERVER = 2
    # What it would only make anew.
    STATE = 3


@dataclass(frozen=True, slots=True)
class Thing:
    """An object that an installation may have."""

    stage: Stage
    api_version: str
    kind: str
    plural: str
    name: str = NAME
    namespaced: bool = True

    def path(self, namespace: str) -> str:
        """Where the API server has it; `namespace` is Linkerd's."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        return f"{root}{f'/namespaces/{namespace}' if self.namespaced else ''}/{self.plural}/{self.name}"

    def reference(self, namespace: str) -> JSON:
        """As much of it as `kubectl delete -f` needs."""
        metadata = {"name": self.name, **({"namespace": namespace} if self.namespaced else {})}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}

    def describe(self, namespace: str) -> str:
        """`Deployment linkerd/linkerd-webhook`."""
        return f"{self.kind} {namespace}/{self.name}" if self.namespaced else f"{self.kind} {self.name}"


def _admission(kind: str, name: str = NAME) -> Thing:
    version = "admissionregistration.k8s.io/v1"
    plural = "validatingadmissionpolicies" if kind == "ValidatingAdmissionPolicy" else f"{kind.lower()}s"
    return Thing(Stage.CALLS, version, kind, plural, name, namespaced=False)


def _rbac(stage: Stage, kind: str) -> Thing:
    version = "rbac.authorization.k8s.io/v1"
    return Thing(stage, version, kind, f"{kind.lower()}s", namespaced=not kind.startswith("Cluster"))


# The self-test's configuration first: without it, a server that still runs adopts nothing and puts nothing into force.
SELF_TEST: Final = _admission("MutatingWebhookConfiguration", f"{NAME}-self-test")
OWN_INJECTOR: Final = _admission("MutatingWebhookConfiguration")

# Only where that was asked for: its kind is not a cluster's own.
POD_MONITOR: Final = Thing(Stage.SERVER, "monitoring.coreos.com/v1", "PodMonitor", "podmonitors")

# All there may be, in the order in which it goes.
THINGS: Final = (
    SELF_TEST,
    # Before what injects: a guard that refuses would keep Pods out that nothing meshes any more.
    _admission("ValidatingAdmissionPolicyBinding", f"{NAME}-guard"),
    _admission("ValidatingAdmissionPolicyBinding", f"{NAME}-guard-waiting"),
    _admission("ValidatingAdmissionPolicy", f"{NAME}-guard"),
    OWN_INJECTOR,
    _admission("ValidatingWebhookConfiguration"),
    _admission("ValidatingWebhookConfiguration", f"{NAME}-workload-advisor"),
    Thing(Stage.SERVER, "apps/v1", "Deployment", "deployments"),
    Thing(Stage.SERVER, "autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Thing(Stage.SERVER, "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Thing(Stage.SERVER, "v1", "Service", "services"),
    Thing(Stage.SERVER, "networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    POD_MONITOR,
    _rbac(Stage.SERVER, "RoleBinding"),
    _rbac(Stage.SERVER, "ClusterRoleBinding"),
    Thing(Stage.STATE, "v1", "ConfigMap", "configmaps", f"{NAME}-self-test"),
    Thing(Stage.STATE, "v1", "Secret", "secrets", f"{NAME}-ca"),
    Thing(Stage.STATE, "v1", "Secret", "secrets", f"{NAME}-tls"),
    Thing(Stage.STATE, "coordination.k8s.io/v1", "Lease", "leases"),
    _rbac(Stage.STATE, "Role"),
    _rbac(Stage.STATE, "ClusterRole"),
    Thing(Stage.STATE, "v1", "ServiceAccount", "serviceaccounts"),
)


class RestoreError(Exception):
    """A configuration of Linkerd's points at our Service, and what it was before is not known any more."""


def is_ours(thing: Thing, body: Mapping[str, Any]) -> bool:
    """Whether an object of one of our names is ours, by its labels. A Lease has none, but a name that is ours alone."""
    labels = _dict(_dict(body.get("metadata")).get("labels"))
    return thing.kind == "Lease" or any(labels.get(key) == NAME for key in _OURS)


def installed_in(body: Mapping[str, Any]) -> set[str]:
    """The namespaces that a cluster-wide object of ours serves: those of its webhooks' Service, or of its subjects."""
    services = (_service(webhook) for webhook in _list(body.get("webhooks")))
    found = {service.get("namespace") for service in services if service.get("name") == NAME}
    found |= {_dict(subject).get("namespace") for subject in _list(body.get("subjects"))}
    return {each for each in found if isinstance(each, str)}


def is_adopted(configuration: JSON, namespace: str) -> bool:
    """Whether there is anything to give back: what a webhook was before is noted, or one points at our Service."""
    pointing = any(_is_at_ours(webhook, namespace) for webhook in _list(configuration.get("webhooks")))
    return pointing or ADOPTED_FROM in _annotations(configuration)


def restored(configuration: JSON, namespace: str) -> JSON:
    """One of Linkerd's configurations as it was before it was adopted.

    A webhook that somebody has pointed elsewhere since stays there. Raises `RestoreError`.
    """
    found = copy.deepcopy(configuration)
    what = f"{found.get('kind')} {found['metadata'].get('name')}"
    noted = _annotations(found).pop(ADOPTED_FROM, None)
    before = _noted(noted)
    for index, webhook in enumerate(_list(found.get("webhooks"))):
        if not _is_at_ours(webhook, namespace):
            continue
        client = before.get(webhook.get("name"))
        if not isinstance(client, dict) or not client:
            raise RestoreError(
                f"{what}: webhooks[{index}].clientConfig points at Service {namespace}/{NAME}, and "
                f"metadata.annotations[{ADOPTED_FROM}] is {_short(noted)}, which does not tell what "
                f'"{webhook.get("name")}" was before: apply Linkerd\'s own again (linkerd upgrade | kubectl apply -f -,'
                " or helm upgrade), or delete it, then uninstall again"
            )
        webhook["clientConfig"] = client
    if found["metadata"].get("annotations") == {}:
        del found["metadata"]["annotations"]
    return found


def target(configuration: JSON) -> tuple[str, str] | None:
    """Namespace and name of the Service that a configuration's webhooks call, None for a URL."""
    for webhook in _list(configuration.get("webhooks")):
        service = _service(webhook)
        if service:
            return str(service.get("namespace")), str(service.get("name"))
    return None


def in_mesh(pods: Iterable[Any], namespace: str) -> list[str]:
    """namespace/name of each Pod outside Linkerd's namespace that has a proxy and has not ended."""
    found = []
    for pod in pods:
        metadata, spec = _dict(_dict(pod).get("metadata")), _dict(_dict(pod).get("spec"))
        ended = _dict(pod.get("status")).get("phase") in ("Succeeded", "Failed")
        every = [*_list(spec.get("containers")), *_list(spec.get("initContainers"))]
        if not ended and metadata.get("namespace") != namespace and any(c.get("name") == PROXY for c in every):
            found.append(f"{metadata.get('namespace')}/{metadata.get('name')}")
    return found


def _noted(text: object) -> JSON:
    try:
        return _dict(json.loads(text)) if isinstance(text, str) else {}
    except ValueError:
        return {}


def _short(noted: object) -> str:
    text = "missing" if noted is None else repr(noted)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_at_ours(webhook: object, namespace: str) -> bool:
    service = _service(webhook)
    return (service.get("namespace"), service.get("name")) == (namespace, NAME)


def _service(webhook: object) -> JSON:
    return _dict(_dict(_dict(webhook).get("clientConfig")).get("service"))


def _annotations(body: Mapping[str, Any]) -> JSON:
    return _dict(_dict(body.get("metadata")).get("annotations"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> JSON:
    return value if isinstance(value, dict) else {}
