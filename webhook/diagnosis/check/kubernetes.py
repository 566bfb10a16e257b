"""The lines about the API server: whether it can be asked."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import seen


@line(Section.API, "k8s-client", "can initialize the client", hint="k8s-api")
def client(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether there is a kubeconfig, or a Pod's ServiceAccount."""
    if facts.client:
        yield check.error("", "", facts.client)


@line(Section.API, "k8s-query", "can query the Kubernetes API", hint="k8s-api")
def query(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the API server answers, and lets the user in."""
    if facts.problem:
        yield check.error(f"API server {facts.host}".strip(), "", facts.problem)


@line(Section.DATA_PLANE, "namespace", "data plane namespace exists", hint="l5d-data-plane-exists")
def namespace(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the Namespace exists to which the Pods are bounded."""
    seen(facts.version)
    if facts.only and facts.only not in seen(facts.namespaces):
        yield check.error(
            f"Namespace {facts.only}",
            "",
            "does not exist",
            "kubectl get namespaces shows those that do; pass one to -n",
        )
