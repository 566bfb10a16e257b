"""Which objects the proxy injector or one of its Pods will meet, and everything there is to say about them: the one
answer that the webhooks, `review` and `validate` give.

Most manifests need nothing of what says it, and that takes a while to import; so it is imported with the first object
that does, or by `load`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from webhook.findings.suppression import silenced
from webhook.findings.templates import Template, find

if TYPE_CHECKING:
    from webhook.findings.finding import Finding, Path
    from webhook.injector.advice.objects import Advisor
    from webhook.kube.objects import Namespace

# What has no Pod template: a Pod is one itself.
_WITHOUT: Final[Mapping[str, frozenset[str]]] = {"": frozenset(("Namespace", "Pod", "Service"))}
# What every key of Linkerd's and of ours has in it.
_MARK: Final = "linkerd"


def template(group: str, kind: str, body: Mapping[str, Any]) -> Template | None:
    """Where an object that the injector reads, or whose Pods it meets, has its Pod template (an empty path for what is
    one or has none), and what kind makes such Pods of it. None for any other object."""
    if kind in _WITHOUT.get(group, ()):
        return Template((), kind.lower())
    return find(group, kind, body)


def is_concerned(body: Mapping[str, Any], at: Path, namespace: Namespace | None) -> bool:
    """Whether an object has an annotation or label of Linkerd's, or Pods in a Namespace that has one.

    `at` leads to its Pod template; empty for what is none or has none.
    """
    if _is_marked(body):
        return True
    inner: Any = body
    for part in at:
        inner = inner.get(part) if isinstance(inner, dict) else None
        if _is_marked(inner):
            return True
    if namespace is None or not (at or body.get("kind") == "Pod"):
        return False
    return any(_MARK in key for key in (*namespace.annotations, *namespace.labels))


def _is_marked(body: Any) -> bool:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(metadata, dict):
        return False
    for group in ("annotations", "labels"):
        entries = metadata.get(group)
        if isinstance(entries, dict) and any(isinstance(key, str) and _MARK in key for key in entries):
            return True
    return False


def load() -> None:
    """Import what `about` needs for a Service. A server does so at its start: no request is to wait for an import."""
    import webhook.policy.service  # noqa: F401 - imported for its effect on `sys.modules`


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
    """What concerns the injector, and what the proxies of the Service's clients read in its annotations."""
    from webhook.policy.service import check

    findings = advisor.service(body)
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict) or not annotations:
        return findings
    return silenced([*findings, *check(body)], annotations)
