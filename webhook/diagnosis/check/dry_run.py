"""A Pod that is created in a dry run, to see whether it would be injected: where, and what it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installation import Configurations, Installation
from webhook.diagnosis.check.rules import matches
from webhook.diagnosis.unseen import NotAsked, Unseen, known, seen
from webhook.injector.decision import ENABLING, INJECT
from webhook.install.images import running_ours
from webhook.kube.fields import mappings, text
from webhook.kube.interface import JSON
from webhook.kube.labelselector import selects
from webhook.kube.webhookconfigurations import MUTATING, pointing
from webhook.mesh.spared import NAMESPACE_NAME

# The name under which nothing is ever stored.
PREFIX: Final = "linkerd-webhook-check-"
_IMAGE: Final = "registry.k8s.io/pause:3.10"
_TINY: Final = {"cpu": "1m", "memory": "4Mi"}


def chosen_namespace(facts: ClusterFacts, installation: Installation) -> str:
    """The Namespace in which the Pod is created: the one that is asked about, else the first that asks for proxies and
    is not shut out. Raises `Unseen` where there is none."""
    namespaces = seen(facts.namespaces)
    if facts.only and facts.only not in namespaces:
        raise Unseen(NotAsked(f"there is no Namespace {facts.only}"))
    among = [facts.only] if facts.only else sorted(set(namespaces) - {facts.namespace, installation.namespace})
    asking = [name for name in among if namespaces[name].annotations.get(INJECT, "") in ENABLING]
    where = f"Namespace {facts.only} does not ask" if facts.only else "no Namespace asks"
    if not asking:
        raise Unseen(NotAsked(f"{where} for proxies with {INJECT}: enabled"))
    injectors = list(_injectors(known(facts.configurations, {}), installation))
    for name in asking:
        labels = {NAMESPACE_NAME: name, **namespaces[name].labels}
        if not injectors or any(selects(injector.get("namespaceSelector"), labels) for injector in injectors):
            return name
    shut_out = f"the namespaceSelector of the injector's webhook matches none of the Namespaces {', '.join(asking)}"
    raise Unseen(NotAsked(shut_out))


def _injectors(configurations: Configurations, installation: Installation) -> Iterator[JSON]:
    """Our webhooks that are asked about Pods."""
    for (kind, _), body in configurations.items():
        ours = {entry.webhook for service in installation.services for entry in pointing(body, service)}
        for webhook in mappings(body, "webhooks"):
            if kind == MUTATING and text(webhook, "name") in ours and matches(webhook, "", "pods"):
                yield webhook


def tiny_pod(installation: Installation, namespace: str) -> JSON:
    """A Pod that every Pod Security Standard and quota admits. Its image is the server's own, as it is one that the
    cluster's policies admit."""
    deployments = known(installation.deployments, ())
    images = [text(container, "image") for deployment in deployments for container in running_ours(deployment)]
    container = {
        "name": "check",
        "image": next(iter(images), _IMAGE),
        "resources": {"requests": dict(_TINY), "limits": dict(_TINY)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65534,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    metadata = {"generateName": PREFIX, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
