"""Checks that the cluster has what single settings need: Secrets, cert-manager, CustomResourceDefinitions. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from certs.secrets import CA, Stored, read_leaf
from certs.tls import verdicts
from webhook.diagnosis import fixes
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.installation.facts import CERTIFICATES, JSON, POD_MONITORS, InstallationFacts
from webhook.diagnosis.installation.request import InstallRequest
from webhook.kube.base64_fields import DataError, decode

EXISTING_SECRET: Final = Check("existing-secret", "the Secret of --existing-secret can be served and is trusted")
CERT_MANAGER: Final = Check("cert-manager", "cert-manager keeps the Secret and the caBundles")
POD_MONITOR: Final = Check("pod-monitor", "the cluster knows PodMonitors")
METRICS_API: Final = Check("metrics-api", "the cluster serves the metrics that autoscaling needs")
PRIORITY_CLASS: Final = Check("priority-class", "the PriorityClass exists")
PULL_SECRETS: Final = Check("pull-secrets", "the Secrets of image.pullSecrets exist")
HOST_NETWORK: Final = Check("host-network", "the Namespace allows Pods on the network of their nodes")

# Every cluster has these.
_SYSTEM_CLASSES: Final = ("system-cluster-critical", "system-node-critical")

# Levels of Pod security that allow no Pod on the nodes' network.
# https://kubernetes.io/docs/concepts/security/pod-security-standards/
_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_NO_HOST_NETWORK: Final = ("baseline", "restricted")


def check(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    """What these settings need and the cluster lacks (errors), and what may be created later (notes)."""
    if request.existing_secret:
        yield from _existing_secret(request, facts)
    if request.inject_ca_from:
        yield from _cert_manager(request, facts)
    yield from _resources(request, facts)
    yield from _pods(request, facts)


def _existing_secret(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    where = f"Secret {request.namespace}/{request.existing_secret}"
    body = facts.existing_secret
    told = bool(request.ca_bundle or request.inject_ca_from)
    if body is None:
        more = "" if told else f"; it needs {CA} beside tls.crt and tls.key, as --ca-bundle is not given"
        yield EXISTING_SECRET.note(where, "", f"not found: the Pods start once it is created{more}")
        return
    stored = read_leaf(request.existing_secret, body, facts.at)
    if stored.held is None:
        yield EXISTING_SECRET.error(
            where,
            "",
            f"{stored.why_not}: no replica can serve that",
            f"put a certificate for {request.service.dns_name} there ({fixes.ISSUE} makes one, and says how)",
        )
    elif not _ca(body) and not told:
        yield EXISTING_SECRET.error(
            where,
            f"data[{CA}]",
            "missing, and --ca-bundle is not given: the API server would not trust the served certificate, and no "
            "replica would become ready",
            fixes.name_the_ca(where, request.existing_secret),
        )
    elif not request.inject_ca_from:
        yield from _trusted(request, where, stored, _ca(body))


def _trusted(request: InstallRequest, where: str, stored: Stored, ca: bytes) -> Iterator[CheckFinding]:
    if stored.held is None:
        return
    source, bundle = ("--ca-bundle", request.ca_bundle.encode()) if request.ca_bundle else (CA, ca)
    pair = stored.held.pair
    why = verdicts(pair.certificate, pair.key, [bundle], request.service.dns_name)[bundle]
    if why:
        yield EXISTING_SECRET.error(
            where,
            "data[tls.crt]",
            f"is not trusted by {source} for {request.service.dns_name}: {why}",
            "put a certificate there that this CA has signed for that name, or name the CA that has signed it",
        )


def _ca(body: JSON) -> bytes:
    try:
        return decode((body.get("data") or {}).get(CA))
    except DataError:
        return b""


def _cert_manager(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    if CERTIFICATES not in facts.crds:
        yield CERT_MANAGER.note(
            f"CustomResourceDefinition {CERTIFICATES}",
            "",
            "not found: cert-manager is not installed, and until it is, the caBundles stay empty and no replica gets "
            "ready",
            "see https://cert-manager.io/docs/installation/, or leave out --inject-ca-from",
        )
        return
    where = f"Certificate {request.inject_ca_from}"
    if facts.certificate is None:
        yield CERT_MANAGER.note(where, "", "not found: cert-manager writes the caBundles once it is created")
        return
    spec = facts.certificate.get("spec") or {}
    if spec.get("secretName") != request.existing_secret:
        yield CERT_MANAGER.error(
            where,
            "spec.secretName",
            f"differs from --existing-secret {request.existing_secret}",
            "pass the Secret that the Certificate writes as --existing-secret",
            value=str(spec.get("secretName")),
        )
    if request.service.dns_name not in (spec.get("dnsNames") or ()):
        name = request.service.dns_name
        yield CERT_MANAGER.error(where, "spec.dnsNames", f"lacks {name}", "add that name")


def _resources(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    """Kinds that another program brings."""
    if request.pod_monitor and POD_MONITORS not in facts.crds:
        yield POD_MONITOR.error(
            f"CustomResourceDefinition {POD_MONITORS}",
            "",
            "not found: the API server would refuse the PodMonitor",
            "install the Prometheus operator's CustomResourceDefinitions first, or leave out --pod-monitor",
        )
    if request.autoscaling and not facts.metrics_api:
        yield METRICS_API.note(
            "APIService v1beta1.metrics.k8s.io",
            "",
            "not found: the cluster has no metrics, and the number of replicas stays the same",
            "install metrics-server, or another server of that API",
        )


def _pods(request: InstallRequest, facts: InstallationFacts) -> Iterator[CheckFinding]:
    """What keeps Pods from being created or from starting."""
    name = request.priority_class
    if name and name not in _SYSTEM_CLASSES and not facts.priority_class:
        yield PRIORITY_CLASS.error(
            f"PriorityClass {name}",
            "",
            "not found, and no Pod is created without it",
            "create it, or set another priorityClassName",
        )
    for secret in request.pull_secrets:
        if secret not in facts.pull_secrets:
            where = f"Secret {request.namespace}/{secret}"
            yield PULL_SECRETS.note(where, "", "not found, and image.pullSecrets names it", "create it")
    level = (((facts.namespace or {}).get("metadata") or {}).get("labels") or {}).get(_ENFORCE)
    if request.host_network and level in _NO_HOST_NETWORK:
        yield HOST_NETWORK.error(
            f"Namespace {request.namespace}",
            f"metadata.labels[{_ENFORCE}]",
            "refuses Pods with hostNetwork",
            "set it to privileged, or leave out --host-network",
            value=level,
        )
