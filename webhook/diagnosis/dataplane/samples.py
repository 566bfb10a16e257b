"""The Pods that a Namespace's workloads would make now, as far as Linkerd's containers in them are concerned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from webhook.diagnosis.dataplane.callers import InjectorWebhook, shut_out
from webhook.diagnosis.dataplane.expectation import expect
from webhook.diagnosis.dataplane.workloads import Workload
from webhook.injector.inject import Injector
from webhook.injector.removal import is_added
from webhook.injector.subject import SERVICE_ACCOUNT_PATH
from webhook.kube.fields import mapping, mappings
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace

_TOKEN: Final = {"name": "kube-api-access", "mountPath": SERVICE_ACCOUNT_PATH, "readOnly": True}
# A Pod that is in nobody's way: it keeps to the level `restricted` of the Pod Security Standards.
_SECURITY: Final = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER: Final = {
    "name": "app",
    "image": "example.org/app:1",
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    "volumeMounts": [_TOKEN],
}


class Sample(NamedTuple):
    """A Pod after its injection: its security context, and Linkerd's containers in it. `workload` is what would make
    such a Pod, `Deployment shop/cart`, or "" for any Pod of the Namespace."""

    workload: str
    security: JSON
    containers: tuple[JSON, ...]


def samples(
    injector: Injector, webhooks: tuple[InjectorWebhook, ...], namespace: Namespace, workloads: Iterable[Workload]
) -> Iterator[Sample]:
    """A Pod for each kind of injected Pod that the workloads of a Namespace would make; where it has none, the Pod that
    a workload without annotations would make. None for what would not be injected."""
    seen: set[object] = set()
    workloads = list(workloads)
    for workload in workloads:
        key = frozenset(workload.template_annotations.items())
        if workload.host_network or key in seen or shut_out(webhooks, namespace, workload.template_labels):
            continue
        seen.add(key)
        yield from _sample(injector, namespace, workload.object, workload.template_annotations)
    if not workloads and not shut_out(webhooks, namespace, {}):
        yield from _sample(injector, namespace, "", {})


def _sample(
    injector: Injector, namespace: Namespace, workload: str, annotations: Mapping[str, str]
) -> Iterator[Sample]:
    pod: JSON = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", "namespace": namespace.name, "annotations": dict(annotations)},
        "spec": {"securityContext": _SECURITY, "containers": [_CONTAINER]},
    }
    expected = expect(injector, pod, namespace)
    if not expected.injected:
        return
    added = [
        container
        for key in ("initContainers", "containers")
        for container in mappings(expected.after, "spec", key)
        if is_added(container, first=key == "initContainers")
    ]
    yield Sample(workload, mapping(expected.after, "spec", "securityContext"), tuple(added))
