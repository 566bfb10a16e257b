"""The Namespace of a request, or the answer where it cannot be read."""

from __future__ import annotations

from webhook.cluster.interface import Cluster, ClusterError
from webhook.kube.objects import Namespace
from webhook.review import Answer, deny

_STATUS = {
    "not_found": (404, "NotFound"),
    "forbidden": (403, "Forbidden"),
    "timed_out": (504, "Timeout"),
    "unavailable": (503, "ServiceUnavailable"),
}


async def find(cluster: Cluster, name: str) -> Namespace | Answer:
    """The Namespace of this name, from memory where it is there; an answer that refuses if it cannot be read."""
    namespace = cluster.known_namespace(name)
    if namespace is not None:
        return namespace
    try:
        return await cluster.find_namespace(name)
    except ClusterError as error:
        code, reason = _STATUS[error.reason]
        return deny(error.message, code=code, status_reason=reason, reason=f"namespace_{error.reason}")
