"""The Pods that run this program, and which of them are ready: read from a list of Pods. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from webhook.install.configurations import NAME
from webhook.install.images import Image
from webhook.kube.endpoints import Endpoint
from webhook.kube.fields import mapping, mappings, number, text, texts
from webhook.kube.interface import JSON

_NAME_LABEL: Final = "app.kubernetes.io/name"
# Where a container does not name its port: the default of --admin-addr.
_ADMIN_PORT: Final = 9995


@dataclass(frozen=True, slots=True)
class ReplicaPods:
    """The Pods of this program in a namespace: the admin ports of those that are ready, and about each of the others
    its name and why it is not."""

    ready: tuple[Endpoint, ...] = ()
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, pods: Iterable[JSON]) -> ReplicaPods:
        """Read them from the Pods of a namespace. Our own Deployment's come first; those of Linkerd's Deployments that
        run our image count only where there are none of ours."""
        ours = [pod for pod in pods if _container(pod) is not None]
        installed = [pod for pod in ours if texts(pod, "metadata", "labels").get(_NAME_LABEL) == NAME]
        ready, others = [], []
        for pod in sorted(installed or ours, key=lambda pod: text(pod, "metadata", "name")):
            why = why_not_ready(pod)
            if why:
                others.append(f"{text(pod, 'metadata', 'name')}: {why}")
            else:
                ready.append(admin_port(pod))
        return cls(tuple(ready), tuple(others))


def why_not_ready(pod: JSON) -> str:
    """Why a Pod is not to be asked, "" if it is ready."""
    if text(pod, "metadata", "deletionTimestamp"):
        return "it is being deleted"
    if any(text(one, "type") == "Ready" and text(one, "status") == "True" for one in _conditions(pod)):
        return ""
    for status in mappings(pod, "status", "containerStatuses"):
        reason = text(status, "state", "waiting", "reason") or text(status, "state", "terminated", "reason")
        if reason:
            return f"container {text(status, 'name')}: {reason}"
    unscheduled = (text(one, "message") for one in _conditions(pod) if text(one, "reason") == "Unschedulable")
    return next(unscheduled, "") or "not ready"


def admin_port(pod: JSON) -> Endpoint:
    """The admin port of a Pod: the one of our container whose name has "admin" in it, as ours and Linkerd's have."""
    ports = mappings(_container(pod), "ports")
    port = next((number(port, "containerPort") for port in ports if "admin" in text(port, "name")), _ADMIN_PORT)
    return Endpoint(text(pod, "status", "podIP"), port, text(pod, "metadata", "name"))


def _conditions(pod: JSON) -> Iterator[JSON]:
    return mappings(pod, "status", "conditions")


def _container(pod: JSON) -> JSON | None:
    """The container that runs this program: by its image, or by the Pod's label where the image has another name."""
    containers = list(mappings(mapping(pod, "spec"), "containers"))
    for container in containers:
        if Image.parse(text(container, "image")).ours:
            return container
    labelled = texts(pod, "metadata", "labels").get(_NAME_LABEL) == NAME
    return next((one for one in containers if labelled and text(one, "name") == NAME), None)
