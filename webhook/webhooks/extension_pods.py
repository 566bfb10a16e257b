"""What both injectors of Linkerd's extensions do: find the proxy in a Pod, and the Pod's Namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from webhook.cluster.interface import Cluster
from webhook.extensions.proxy import BadPodError, Proxy, annotations_of, find_proxy
from webhook.injector.inject import read_or_answer
from webhook.kube.objects import Namespace
from webhook.mesh.releases import Line
from webhook.review import JSON, AdmissionRequest, Answer, deny
from webhook.webhooks import namespaces


class MeshedPod(NamedTuple):
    """A Pod that has the proxy, with its annotations and its Namespace."""

    pod: Mapping[str, Any]
    annotations: Mapping[str, str]
    proxy: Proxy
    namespace: Namespace


async def meshed_pod(request: AdmissionRequest, cluster: Cluster, line: Line) -> MeshedPod | Answer:
    """The Pod of a request; or the answer, where there is none, it has no proxy, or something cannot be read."""
    subject = read_or_answer(request)
    if isinstance(subject, Answer):
        return subject
    if not subject.is_pod:
        return unchanged("unsupported_kind")
    body = request.object
    if not isinstance(body, dict):
        return unchanged("unsupported_kind")
    try:
        annotations = annotations_of(body)
        proxy = find_proxy(body, line)
    except BadPodError as error:
        return malformed(error)
    if proxy is None:
        return unchanged("no_proxy")
    namespace = await namespaces.find(cluster, request.namespace)
    if isinstance(namespace, Answer):
        return namespace
    return MeshedPod(body, annotations, proxy, namespace)


def unchanged(reason: str) -> Answer:
    """The answer that leaves a Pod as it is."""
    return Answer(decision="unchanged", reason=reason, audit={"decision": "unchanged", "reason": reason})


def patched(operations: Sequence[JSON], decision: str) -> Answer:
    """The answer that changes a Pod."""
    return Answer(patch=operations, decision=decision, audit={"decision": decision})


def malformed(error: BadPodError) -> Answer:
    """The answer for a Pod with a field of the wrong type."""
    return deny(str(error), reason="malformed_object")
