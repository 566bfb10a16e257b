"""Whether the API server reaches this server: it is asked to, with a change that is never made.

A dry run on a ConfigMap of our own matches the self-test's configuration and nothing else does. The answer that comes
back through the API server proves the whole way: its network, our Service, the caBundle, the certificate. Where it does
not come back, the API server says why in its own words, and no Pod had to fail for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webhook.install.configurations import SELF_TEST as CONFIG_MAP
from webhook.install.configurations import SELF_TEST_LABEL as LABEL
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError, Forbidden, NotFound, Unreachable, explain
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import FIELD_MANAGER, Service
from webhook.review import AdmissionRequest, Answer

ANSWERED_BY: Final = "linkerd-webhook/answered-by"

# Seconds: the API server waits two for the webhook.
WITHIN: Final = 10.0

_MERGE: Final = "application/merge-patch+json"


class SelfTest:
    """The webhook: marks the object that it is shown with who has answered."""

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


@dataclass(frozen=True, slots=True)
class Reach:
    """The outcome: who answered, or why nobody did (a sentence with what to do)."""

    answered_by: str = ""
    problem: str = ""


async def reach(api: ApiServer, service: Service) -> Reach:
    """Ask the API server to call us. Never raises for what goes wrong on the way."""
    path = f"/api/v1/namespaces/{service.namespace}/configmaps/{CONFIG_MAP}"
    query = {"dryRun": "All", "fieldManager": FIELD_MANAGER}
    try:
        body = await api.send("PATCH", path, {"metadata": {"labels": {LABEL: "true"}}}, _MERGE, query, WITHIN)
    except TimeoutError:
        return Reach(problem=f"the API server did not answer the self-test within {WITHIN:.0f} s")
    except ApiError as error:
        return Reach(problem=_why(error, service))
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    answered = annotations.get(ANSWERED_BY) if isinstance(annotations, dict) else None
    if isinstance(answered, str) and answered:
        return Reach(answered_by=answered)
    return Reach(
        problem="the API server took the self-test's change without calling us: MutatingWebhookConfiguration "
        f"{CONFIG_MAP} is missing or was changed; apply what `linkerd-webhook install` prints"
    )


def _why(error: ApiError, service: Service) -> str:
    where = f"ConfigMap {service.namespace}/{CONFIG_MAP}"
    if isinstance(error, NotFound):
        return f"{where} does not exist: apply what `linkerd-webhook install` prints"
    if isinstance(error, Forbidden):
        return f"{where}: {explain(error, 'patch on it')}"
    if isinstance(error, Unreachable):
        return explain(error)
    return (
        f"the API server cannot call Service {service.namespace}/{service.name}: {error.message}. Until it can, no "
        "configuration is put into force. Where this lasts, a firewall may stand between API server and Pods: see "
        "--port and --host-network of `linkerd-webhook install`"
    )
