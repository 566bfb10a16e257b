"""The lines about the API server: whether it can be asked, and is new enough."""

from __future__ import annotations

import re
from collections.abc import Iterator

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installed import NOT_INSTALLED
from webhook.diagnosis.check.line import Scope, Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import NotAsked, Unseen, known, seen
from webhook.install.configurations import ADVISOR, NAME, SELF_TEST
from webhook.install.render import OLDEST
from webhook.kube.fields import mappings, sequence, text


@line(Section.API, "k8s-client", "can initialize the client", hint="k8s-api")
def client(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether there is a kubeconfig, or a Pod's ServiceAccount."""
    if facts.client:
        told = "--kubeconfig FILE" in facts.client or "report it" in facts.client
        fix = "" if told else "mend it, or pass another --kubeconfig or --context"
        yield check.error("", "", facts.client, fix)


@line(Section.API, "k8s-query", "can query the Kubernetes API", hint="k8s-api")
def query(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the API server answers, and lets the user in."""
    if facts.problem:
        yield check.error(f"API server {facts.host}".strip(), "", facts.problem)


@line(Section.VERSION, "k8s-version", "is running the minimum Kubernetes API version", hint="k8s-version")
def version(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the API server knows every object of the installation, or of what is to be installed."""
    reported = seen(facts.version)
    matches = [re.match(r"\d{1,6}", str(reported.get(key, ""))) for key in ("major", "minor")]
    numbers = [int(match[0]) for match in matches if match]
    if len(numbers) < len(matches):
        named = text(reported, "gitVersion") or "nothing"
        yield check.note("API server", "", f"its version is not known, as it reports {named}")
        return
    major, minor = numbers
    needs = seen(facts.setup).request.needs if facts.scope is Scope.PRE else _needed(facts)
    if (major, minor) >= needs:
        return
    needed = ".".join(map(str, needs))
    fix = f"add --kube-version {major}.{minor}, which leaves those out and lists them"
    if facts.scope is not Scope.PRE:
        fix = f"upgrade Kubernetes, or install again with --kube-version {major}.{minor}, which leaves those out"
    yield check.error("API server", "", f"is Kubernetes {major}.{minor}, and some of the objects need {needed}", fix)


def _needed(facts: ClusterFacts) -> tuple[int, int]:
    """The oldest version that knows all that is installed, as the objects show."""
    installation = facts.installation
    if installation is None:
        raise Unseen(NotAsked(NOT_INSTALLED))
    result = [OLDEST]
    if known(facts.guards, {}):
        result.append((1, 30))
    ours = [body for (_, name), body in known(facts.configurations, {}).items() if name in (NAME, ADVISOR, SELF_TEST)]
    if any(sequence(webhook, "matchConditions") for body in ours for webhook in mappings(body, "webhooks")):
        result.append((1, 28))
    return max(result)


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
