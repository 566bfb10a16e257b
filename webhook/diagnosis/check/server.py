"""The lines about the running server: whether replicas are ready, are called, and inject."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from webhook.diagnosis.certificates import checks
from webhook.diagnosis.check.apply_again import apply_again
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.installation import Configurations, Installation, InstallMode
from webhook.diagnosis.check.installed import needed
from webhook.diagnosis.check.line import Section, line
from webhook.diagnosis.check.server_facts import DryRun, ServerFacts
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.selftest import REACHED, failed
from webhook.diagnosis.unseen import NotAsked, Unseen, known, seen
from webhook.install import guard
from webhook.install.configurations import ADVISOR, NAME, SELF_TEST, SELF_TEST_WEBHOOK
from webhook.kube.fields import mapping, mappings, number, sequence, text
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference, pointing

_PROXY: Final = "linkerd-proxy"
_UNKNOWN: Final = NotAsked("the Service is not one of the installation's")


def running(facts: ClusterFacts) -> tuple[Installation, ServerFacts]:
    """The installation and its server. Raises `Unseen` where there is none."""
    return needed(facts), seen(facts.server)


@line(
    Section.WEBHOOK,
    "replicas",
    "replicas of the server are ready",
    hint="l5d-api-control-ready",
    awaited=True,
)
def replicas(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether Deployment and Service are there, and at least one replica is ready behind the Service; a replica on a
    Node that does not answer is a warning."""
    installation, server = running(facts)
    if installation.mode is not InstallMode.IMAGE and seen(installation.deployments) == ():
        where = f"Deployment {installation.namespace}/{NAME}"
        yield check.error(where, "", "does not exist: no replica runs", apply_again(installation))
        return
    for service, body in server.services.items():
        if seen(body) is None:
            where = f"Service {service.namespace}/{service.name}"
            message = "does not exist, so the API server cannot call the server"
            yield check.error(where, "", message, apply_again(installation))
            continue
        certificates = seen(server.certificates[service])
        # Without that right nobody knows whether any replica is ready.
        seen(certificates.replicas)
        pods = known(server.pods.get(service, ()), ())
        waiting = list(reasons_to_wait(pods))
        for finding in checks.serving(certificates):
            why = f" ({'; '.join(waiting[:_PODS])})" if waiting else ""
            yield check.again(replace(finding, message=f"{finding.message}{why}"))
        yield from (_lost(check, installation, pod) for pod in pods if _is_lost(pod))


def _is_lost(pod: JSON) -> bool:
    """Whether a Pod's node does not answer: a controller has declared the Pod not ready, though its kubelet last wrote
    that all containers are. https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller"""
    conditions = {text(one, "type"): text(one, "status") for one in mappings(pod, "status", "conditions")}
    declared = (conditions.get("ContainersReady"), conditions.get("Ready")) == ("True", "False")
    gates = sequence(pod, "spec", "readinessGates")
    return declared and not gates and not text(pod, "metadata", "deletionTimestamp")


def _lost(check: Check, installation: Installation, pod: JSON) -> CheckFinding:
    node = text(pod, "spec", "nodeName")
    return check.warning(
        f"Pod {installation.namespace}/{text(pod, 'metadata', 'name')}",
        "spec.nodeName",
        "the Node does not answer, so this replica gets no requests",
        f"see kubectl describe node {node}; where it does not come back, kubectl delete node {node}: the Deployment "
        "then starts a replica on another one",
        node,
    )


# Pods of which is said why they do not run.
_PODS: Final = 3


def reasons_to_wait(pods: Iterable[JSON]) -> Iterator[str]:
    """Why Pods are not ready: what their containers wait for, or why no node takes them."""
    for pod in pods:
        name = f"Pod {text(pod, 'metadata', 'name')}"
        for condition in mappings(pod, "status", "conditions"):
            if (text(condition, "type"), text(condition, "status")) == ("PodScheduled", "False"):
                yield f"{name} is on no node: {text(condition, 'message') or text(condition, 'reason')}"
        if _is_lost(pod):
            yield f"{name} is on Node {text(pod, 'spec', 'nodeName')}, which does not answer"
        for key in ("initContainerStatuses", "containerStatuses"):
            for status in mappings(pod, "status", key):
                waits = mapping(status, "state", "waiting")
                reason = text(waits, "reason")
                if reason and reason != "PodInitializing":
                    words = ": ".join(part for part in (reason, text(waits, "message")) if part)
                    yield f"{name}: container {text(status, 'name')} waits: {words}"


@line(
    Section.WEBHOOK,
    "replicas-fail",
    "a webhook that refuses objects without the server has more than one replica",
    hint="https://kubernetes.io/docs/concepts/cluster-administration/admission-webhooks-good-practices/",
)
def replicas_fail(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether there is one replica only, though a webhook has failurePolicy Fail."""
    installation = needed(facts)
    configurations = seen(facts.configurations)
    seen(installation.deployments)
    for service in installation.services:
        deployment = installation.deployment_of(service)
        names = list(_failing(configurations, service))
        if deployment is None or not names or number(deployment, "spec", "replicas", default=1) != 1:
            continue
        name = text(deployment, "metadata", "name")
        yield check.warning(
            f"Deployment {installation.namespace}/{name}",
            "spec.replicas",
            f"one replica, and {', '.join(names)} has failurePolicy Fail: whenever it restarts, the API server refuses "
            "what that matches",
            f"run two at least: kubectl -n {installation.namespace} scale deploy/{name} --replicas=2",
            "1",
        )


def _failing(configurations: Configurations, service: ServiceReference) -> Iterator[str]:
    """The configurations by which objects are refused while the server behind a Service does not answer."""
    for name, body in configurations.items():
        entries = [entry for entry in pointing(body, service) if entry.webhook != SELF_TEST_WEBHOOK]
        if any(text(body["webhooks"][entry.index], "failurePolicy") == "Fail" for entry in entries):
            yield " ".join(name)


@line(
    Section.WEBHOOK,
    REACHED.code,
    REACHED.passes,
    hint="https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/",
)
def webhook_reached(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the API server reaches the server, by the self-test: a dry run that only the server answers."""
    installation, server = running(facts)
    result = seen(server.self_test)
    if result.error is not None and _without_endpoints(server, installation.service):
        yield check.again(failed(result.error, installation.service, without_endpoints=True))
    elif result.finding is not None:
        yield check.again(result.finding)


def _without_endpoints(server: ServerFacts, service: ServiceReference) -> bool:
    """Whether it is known that no replica is ready behind a Service."""
    certificates = known(server.certificates.get(service, _UNKNOWN), None)
    return certificates is not None and certificates.replicas == ()


@line(
    Section.WEBHOOK,
    "webhook-injects",
    "a Pod that asks for a proxy would get one",
    hint="https://linkerd.io/2/features/proxy-injection/",
    optional=True,
)
def webhook_injects(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether a Pod comes back from a dry run with a proxy. What else refuses it is named."""
    installation, server = running(facts)
    tried = seen(server.dry_run)
    where = f"Namespace {tried.namespace}"
    if tried.pod is None:
        yield _refused(facts, installation, check, tried)
        return
    spec = mapping(tried.pod, "spec")
    names = [text(mapping, "name") for key in ("initContainers", "containers") for mapping in mappings(spec, key)]
    if _PROXY not in names:
        yield check.error(
            where,
            "",
            f"a Pod that is created in a dry run comes back without container {_PROXY}, though the Namespace asks",
            f"see the other lines, and {installation.logs()}",
        )


# Refusals that are no webhook's: the Pod of an application may be admitted all the same.
_NOT_OURS: Final = (
    (r"exceeded quota|must specify (limits|requests)", "a ResourceQuota refuses"),
    (r"violates PodSecurity", "Pod Security admission refuses"),
    (r"(maximum|minimum) \S+ usage per|limit to request ratio", "a LimitRange refuses"),
    (r"because it is being terminated", "the Namespace is being deleted, and refuses"),
    (r"error looking up service account|serviceaccount .* not found", "the Namespace has no ServiceAccount yet for"),
    (r"does not support dry run", "a webhook that supports no dry run stands in the way of"),
)


def _refused(facts: ClusterFacts, installation: Installation, check: Check, tried: DryRun) -> CheckFinding:
    """Who refuses the Pod: ours, or a webhook or policy of somebody else. Raises `Unseen` for what concerns no
    injector."""
    where, message = f"Namespace {tried.namespace}", tried.message
    for pattern, who in _NOT_OURS:
        if re.search(pattern, message):
            raise Unseen(NotAsked(f"{who} the Pod of the dry run in {where} ({message})"))
    webhook = re.search(r'(?:admission|calling) webhook "([^"]+)"', message)
    policy = re.search(r"ValidatingAdmissionPolicy '([^']+)'", message)
    if policy and policy[1] == guard.NAME:
        fix = f"see the other lines, and {installation.logs()}"
        return check.error(where, "", f"a Pod comes without a proxy, so the guard refuses it: {message}", fix)
    if policy:
        fix = f"change it, or exempt the Pods: kubectl get validatingadmissionpolicy {policy[1]} -o yaml"
        return check.error(f"ValidatingAdmissionPolicy {policy[1]}", "", _somebody(where, message), fix)
    if webhook:
        return _refused_by(facts, installation, check, where, webhook[1], message)
    raise Unseen(NotAsked(f"the API server refuses the Pod of the dry run in {where} (HTTP {tried.status}: {message})"))


def _refused_by(
    facts: ClusterFacts, installation: Installation, check: Check, where: str, name: str, message: str
) -> CheckFinding:
    """The error about the webhook of this name."""
    for configuration, body in known(facts.configurations, {}).items():
        ours = {entry.webhook for service in installation.services for entry in pointing(body, service)}
        if name in ours or (name in _names(body) and configuration[1] in (NAME, SELF_TEST, ADVISOR)):
            fix = f"see line webhook-reached, and {installation.logs()}"
            return check.error(where, "", f"a Pod is refused, as webhook {name} of ours fails: {message}", fix)
        if name in _names(body):
            kind, configured = configuration
            fix = f"mend or exempt it: kubectl get {kind.lower()} {configured} -o yaml"
            return check.error(" ".join(configuration), "", _somebody(where, message), fix)
    return check.error(f"webhook {name}", "", _somebody(where, message), "see who installed it, and mend or exempt it")


def _names(configuration: JSON) -> list[str]:
    """The names of its webhooks."""
    return [text(webhook, "name") for webhook in mappings(configuration, "webhooks")]


def _somebody(where: str, message: str) -> str:
    return f"refuses a Pod in {where}, and is not linkerd-webhook's: {message}"
