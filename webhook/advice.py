"""What there is to say about an object that the proxy injector, or one of its Pods, will meet: the one answer that the
webhooks, `review` and `validate` give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.findings.finding import Finding, Path
from webhook.findings.silence import silenced
from webhook.injector.advice.objects import Advisor
from webhook.kube.objects import Namespace
from webhook.policy.service import check as check_service


def about(
    advisor: Advisor,
    kind: str,
    body: Mapping[str, Any],
    template: Path,
    namespace: Namespace | None,
    workload: tuple[str, str] | None = None,
) -> list[Finding]:
    """Everything there is to say about a Namespace, a Service, a Pod, or an object with a Pod template.

    `kind` is in lower case; `template` leads to the Pod template, and is empty for the others. `namespace` is the one
    that the object lives in, None where it is not known; `workload` what a Pod belongs to (kind in lower case, name).
    Never raises for what an object holds.
    """
    if not template and kind == "namespace":
        return advisor.namespace(body)
    if not template and kind == "service":
        return _about_service(advisor, body)
    if template:
        metadata = body.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else ""
        workload = (kind, name if isinstance(name, str) else "")
    return advisor.pod(body, template, namespace, workload)


def _about_service(advisor: Advisor, body: Mapping[str, Any]) -> list[Finding]:
    """Beside what concerns the injector, what the proxies of the Service's clients go by."""
    found = advisor.service(body)
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict) or not annotations:
        return found
    return silenced([*found, *check_service(body)], annotations)
