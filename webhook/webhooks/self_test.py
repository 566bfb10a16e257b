"""The webhook of the self-test: annotates the self-test's ConfigMap with the name of the replica that answered.

The leader triggers it with `webhook.diagnosis.selftest`.
"""

from __future__ import annotations

from webhook.diagnosis.selftest import ANSWERED_BY
from webhook.kube.interface import JSON
from webhook.review import AdmissionRequest, Answer


class SelfTest:
    """Answers with an annotation that names this replica (`identity`)."""

    name = "self-test"
    path = "/self-test"

    def __init__(self, identity: str) -> None:
        self._identity = identity

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Add the annotation."""
        metadata = request.object.get("metadata") if isinstance(request.object, dict) else None
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        if isinstance(annotations, dict):
            path, value = f"/metadata/annotations/{ANSWERED_BY.replace('/', '~1')}", self._identity
            patch: JSON = {"op": "add", "path": path, "value": value}
        else:
            patch = {"op": "add", "path": "/metadata/annotations", "value": {ANSWERED_BY: self._identity}}
        return Answer(patch=[patch], decision="answered", message=f"answered by {self._identity}")
