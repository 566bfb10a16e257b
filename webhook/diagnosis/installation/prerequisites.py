"""Lines about what single settings need of the cluster: Secrets, cert-manager, CustomResourceDefinitions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from certs.secrets import CA, Stored, read_leaf
from certs.tls import verdicts
from webhook.diagnosis import fixes
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import OUT_OF_PLACE, Line, Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.installation.facts import CERTIFICATES, JSON, POD_MONITORS, PROMETHEUS_RULES, SetupFacts
from webhook.diagnosis.installation.request import InstallRequest
from webhook.diagnosis.unseen import Unseen, seen
from webhook.kube.base64_fields import DataError, decode
from webhook.kube.fields import mapping, sequence

# Every cluster has these.
_SYSTEM_CLASSES: Final = ("system-cluster-critical", "system-node-critical")

# Levels of Pod security that allow no Pod on the nodes' network.
# https://kubernetes.io/docs/concepts/security/pod-security-standards/
_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_NO_HOST_NETWORK: Final = ("baseline", "restricted")


@line(
    Section.SETUP,
    "existing-secret",
    "the Secret of --existing-secret can be served and is trusted",
    hint="https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets",
)
def existing_secret(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the replicas can serve the certificate of that Secret, and the API server trusts it."""
    setup = _asked(facts, bool(_request(facts).existing_secret))
    request = setup.request
    where = f"Secret {request.namespace}/{request.existing_secret}"
    body = seen(setup.existing_secret)
    told = bool(request.ca_bundle or request.inject_ca_from)
    if body is None:
        more = "" if told else f"; it needs {CA} beside tls.crt and tls.key, as --ca-bundle is not given"
        yield check.note(where, "", f"not found: the Pods start once it is created{more}")
        return
    stored = read_leaf(request.existing_secret, body, facts.at)
    if stored.held is None:
        yield check.error(
            where,
            "",
            f"{stored.why_not}: no replica can serve that",
            f"put a certificate for {request.service.dns_name} there ({fixes.ISSUE} makes one, and says how)",
        )
    elif not _ca(body) and not told:
        yield check.error(
            where,
            f"data[{CA}]",
            "missing, and --ca-bundle is not given: the API server would not trust the served certificate, and no "
            "replica would become ready",
            fixes.name_the_ca(where, request.existing_secret),
        )
    elif not request.inject_ca_from:
        yield from _trusted(check, request, where, stored, _ca(body))


def _trusted(check: Check, request: InstallRequest, where: str, stored: Stored, ca: bytes) -> Iterator[CheckFinding]:
    if stored.held is None:
        return
    source, bundle = ("--ca-bundle", request.ca_bundle.encode()) if request.ca_bundle else (CA, ca)
    pair = stored.held.pair
    why = verdicts(pair.certificate, pair.key, [bundle], request.service.dns_name)[bundle]
    if why:
        yield check.error(
            where,
            "data[tls.crt]",
            f"is not trusted by {source} for {request.service.dns_name}: {why}",
            "put a certificate there that this CA has signed for that name, or name the CA that has signed it",
        )


def _ca(body: JSON) -> bytes:
    try:
        return decode(mapping(body, "data").get(CA))
    except DataError:
        return b""


@line(
    Section.SETUP,
    "cert-manager",
    "cert-manager keeps the Secret and the caBundles",
    hint="https://cert-manager.io/docs/concepts/ca-injector/",
)
def cert_manager(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the Certificate of --inject-ca-from writes the Secret that is served, for the Service's name."""
    setup = _asked(facts, bool(_request(facts).inject_ca_from))
    request = setup.request
    if CERTIFICATES not in seen(facts.crds):
        yield check.note(
            f"CustomResourceDefinition {CERTIFICATES}",
            "",
            "not found: cert-manager is not installed, and until it is, the caBundles stay empty and no replica gets "
            "ready",
            "see https://cert-manager.io/docs/installation/, or leave out --inject-ca-from",
        )
        return
    where = f"Certificate {request.inject_ca_from}"
    certificate = seen(setup.certificate)
    if certificate is None:
        yield check.note(where, "", "not found: cert-manager writes the caBundles once it is created")
        return
    secret, name = mapping(certificate, "spec").get("secretName"), request.service.dns_name
    if secret != request.existing_secret:
        yield check.error(
            where,
            "spec.secretName",
            f"differs from --existing-secret {request.existing_secret}",
            "pass the Secret that the Certificate writes as --existing-secret",
            value=str(secret),
        )
    if name not in sequence(certificate, "spec", "dnsNames"):
        yield check.error(where, "spec.dnsNames", f"lacks {name}", "add that name")


@line(
    Section.SETUP,
    "pod-monitor",
    "the cluster knows PodMonitors",
    hint="https://prometheus-operator.dev/docs/getting-started/installation/",
)
def pod_monitor(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the kind exists that another program brings."""
    _asked(facts, _request(facts).pod_monitor)
    yield from _operators_kind(facts, check, POD_MONITORS, "PodMonitor", "--pod-monitor")


@line(
    Section.SETUP,
    "prometheus-rule",
    "the cluster knows PrometheusRules",
    hint="https://prometheus-operator.dev/docs/getting-started/installation/",
)
def prometheus_rule(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the kind exists that another program brings."""
    _asked(facts, _request(facts).alerts)
    yield from _operators_kind(facts, check, PROMETHEUS_RULES, "PrometheusRule", "--alerts")


def _operators_kind(facts: ClusterFacts, check: Check, crd: str, kind: str, flag: str) -> Iterator[CheckFinding]:
    """The error where the cluster lacks a CustomResourceDefinition of the Prometheus operator that a flag needs."""
    if crd not in seen(facts.crds):
        yield check.error(
            f"CustomResourceDefinition {crd}",
            "",
            f"not found: the API server would refuse the {kind}",
            f"install the Prometheus operator's CustomResourceDefinitions first, or leave out {flag}",
        )


@line(
    Section.SETUP,
    "metrics-api",
    "the cluster serves the metrics that autoscaling needs",
    hint="https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/",
)
def metrics_api(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether there is anything to scale by."""
    if seen(_asked(facts, _request(facts).autoscaling).metrics_api) is None:
        yield check.note(
            "APIService v1beta1.metrics.k8s.io",
            "",
            "not found: the cluster has no metrics, and the number of replicas stays the same",
            "install metrics-server, or another server of that API",
        )


@line(
    Section.SETUP,
    "priority-class",
    "the PriorityClass exists",
    hint="https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/",
)
def priority_class(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether Pods can be created with it."""
    name = _request(facts).priority_class
    setup = _asked(facts, bool(name) and name not in _SYSTEM_CLASSES)
    if seen(setup.priority_class) is None:
        yield check.error(
            f"PriorityClass {name}",
            "",
            "not found, and no Pod is created without it",
            "create it, or set another priorityClassName",
        )


@line(
    Section.SETUP,
    "pull-secrets",
    "the Secrets of image.pullSecrets exist",
    hint="https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/",
)
def pull_secrets(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the kubelet can log in to the registry."""
    setup = _asked(facts, bool(_request(facts).pull_secrets))
    for secret, body in setup.pull_secrets.items():
        if seen(body) is None:
            where = f"Secret {setup.request.namespace}/{secret}"
            yield check.note(where, "", "not found, and image.pullSecrets names it", "create it")


@line(
    Section.SETUP,
    "host-network",
    "the Namespace allows Pods on the network of their nodes",
    hint="https://kubernetes.io/docs/concepts/security/pod-security-standards/",
)
def host_network(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the level of Pod security lets the replicas in."""
    request = _asked(facts, _request(facts).host_network).request
    namespace = seen(facts.namespaces).get(request.namespace)
    level = namespace.labels.get(_ENFORCE, "") if namespace else ""
    if level in _NO_HOST_NETWORK:
        yield check.error(
            f"Namespace {request.namespace}",
            f"metadata.labels[{_ENFORCE}]",
            "refuses Pods with hostNetwork",
            "set it to privileged, or leave out --host-network",
            value=level,
        )


def _request(facts: ClusterFacts) -> InstallRequest:
    return seen(facts.setup).request


def _asked(facts: ClusterFacts, asked: bool) -> SetupFacts:
    """The facts about what is to be installed. Raises `Unseen`, by which a line is left out, where it is about a
    setting that this installation does not have."""
    if not asked:
        raise Unseen(OUT_OF_PLACE)
    return seen(facts.setup)


# In the order in which they are reported.
LINES: Final[tuple[Line, ...]] = (
    existing_secret,
    cert_manager,
    pod_monitor,
    prometheus_rule,
    metrics_api,
    priority_class,
    pull_secrets,
    host_network,
)
