"""What settings of an installation need of the cluster: Secrets, cert-manager, CustomResourceDefinitions, rights."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from certs.secrets import CA, read_leaf
from certs.tls import verdicts
from webhook.diagnosis.wanted import JSON, Found, Wanted
from webhook.install.configurations import NAME
from webhook.kube.api import LIST, PLAIN, ApiServer
from webhook.kube.data import DataError, decode
from webhook.kube.errors import Forbidden

_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_PODMONITORS: Final = "podmonitors.monitoring.coreos.com"
_CERTIFICATES: Final = "certificates.cert-manager.io"
_METRICS: Final = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"

# Every cluster has these.
_SYSTEM_CLASSES: Final = ("system-cluster-critical", "system-node-critical")

# Levels of Pod security that allow no Pod on the nodes' network.
# https://kubernetes.io/docs/concepts/security/pod-security-standards/
_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_NO_HOST_NETWORK: Final = ("baseline", "restricted")


async def look(api: ApiServer, wanted: Wanted, found: Found) -> None:
    """Look at all of it. Raises `ApiError` and `TimeoutError`."""
    await _secret(api, wanted, found)
    await _cert_manager(api, wanted, found)
    await _pod_monitor(api, wanted, found)
    await _autoscaling(api, wanted, found)
    await _pods(api, wanted, found)
    await _helm(api, wanted, found)


async def _secret(api: ApiServer, wanted: Wanted, found: Found) -> None:
    if not wanted.existing_secret:
        return
    what = f"Secret {wanted.namespace}/{wanted.existing_secret}"
    path = f"/api/v1/namespaces/{wanted.namespace}/secrets/{wanted.existing_secret}"
    body = await api.find(path, PLAIN)
    told = bool(wanted.ca_bundle or wanted.inject_ca_from)
    if body is None:
        more = "" if told else f"; it needs {CA} beside tls.crt and tls.key, as --ca-bundle is not given"
        found.notes.append(f"{what} is not there yet: the Pods start once it is{more}")
        return
    stored = read_leaf(wanted.existing_secret, body, datetime.now(UTC))
    if stored.held is None:
        found.problems.append(
            f"{what}: {stored.why_not}: no replica can serve that: put a certificate for {wanted.service.dns_name} "
            "there (linkerd-webhook certs issue --out DIR makes one, and says how)"
        )
        return
    ca = _ca(body)
    if not ca and not told:
        found.problems.append(
            f"{what} has no {CA}, and --ca-bundle is not given: the API server would trust nothing that is served, and "
            f"no replica would get ready: pass --ca-bundle FILE with the CA's certificate, or add it to the Secret as "
            f"{CA}, or have cert-manager write the caBundles (--inject-ca-from NAMESPACE/CERTIFICATE)"
        )
    elif not wanted.inject_ca_from:
        where, bundle = ("--ca-bundle", wanted.ca_bundle.encode()) if wanted.ca_bundle else (CA, ca)
        pair = stored.held.pair
        why = verdicts(pair.certificate, pair.key, [bundle], wanted.service.dns_name)[bundle]
        if why:
            found.problems.append(
                f"{what}: data[tls.crt] is not trusted by {where} for {wanted.service.dns_name}: {why}: put a "
                "certificate there that this CA has signed for that name, or name the CA that has signed it"
            )


def _ca(body: JSON) -> bytes:
    try:
        return decode((body.get("data") or {}).get(CA))
    except DataError:
        return b""


async def _cert_manager(api: ApiServer, wanted: Wanted, found: Found) -> None:
    if not wanted.inject_ca_from:
        return
    if await api.find(f"{_CRDS}/{_CERTIFICATES}") is None:
        found.notes.append(
            f"cert-manager is not there (CustomResourceDefinition {_CERTIFICATES}): until it is, nobody writes the "
            "caBundles, and no replica gets ready: see https://cert-manager.io/docs/installation/, or leave out "
            "--inject-ca-from"
        )
        return
    namespace, _, name = wanted.inject_ca_from.partition("/")
    what = f"Certificate {namespace}/{name}"
    body = await api.find(f"/apis/cert-manager.io/v1/namespaces/{namespace}/certificates/{name}", PLAIN)
    if body is None:
        found.notes.append(f"{what} is not there yet: cert-manager writes the caBundles once it is")
        return
    spec = body.get("spec") or {}
    if spec.get("secretName") != wanted.existing_secret:
        found.problems.append(
            f"{what}: spec.secretName is {spec.get('secretName')}, and --existing-secret is {wanted.existing_secret}: "
            "name the Secret that the Certificate writes"
        )
    if wanted.service.dns_name not in (spec.get("dnsNames") or ()):
        found.problems.append(f"{what}: spec.dnsNames lacks {wanted.service.dns_name}: add it")


async def _pod_monitor(api: ApiServer, wanted: Wanted, found: Found) -> None:
    if wanted.pod_monitor and await api.find(f"{_CRDS}/{_PODMONITORS}") is None:
        found.problems.append(
            f"CustomResourceDefinition {_PODMONITORS} is not there, so that the PodMonitor would be refused: install "
            "the Prometheus operator's CustomResourceDefinitions first, or leave out --pod-monitor"
        )


async def _autoscaling(api: ApiServer, wanted: Wanted, found: Found) -> None:
    if wanted.autoscaling and await api.find(_METRICS) is None:
        found.notes.append(
            "the cluster has no metrics API (APIService v1beta1.metrics.k8s.io): nothing is scaled until "
            "metrics-server or another that serves it is there"
        )


async def _pods(api: ApiServer, wanted: Wanted, found: Found) -> None:
    """What keeps Pods from being created or from starting."""
    name = wanted.priority_class
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    if name and name not in _SYSTEM_CLASSES and await api.find(f"{classes}/{name}") is None:
        found.problems.append(
            f"PriorityClass {name} is not there, and no Pod is created without it: create it, or set another "
            "priorityClassName"
        )
    for secret in wanted.pull_secrets:
        if await api.find(f"/api/v1/namespaces/{wanted.namespace}/secrets/{secret}") is None:
            found.notes.append(f"Secret {wanted.namespace}/{secret} of image.pullSecrets is not there yet")
    if wanted.host_network:
        labels = ((await api.find(f"/api/v1/namespaces/{wanted.namespace}")) or {}).get("metadata", {}).get("labels")
        level = (labels or {}).get(_ENFORCE)
        if level in _NO_HOST_NETWORK:
            found.problems.append(
                f"Namespace {wanted.namespace}: metadata.labels[{_ENFORCE}] is {level}, which refuses Pods with "
                "hostNetwork: set it to privileged, or leave out --host-network"
            )


async def _helm(api: ApiServer, wanted: Wanted, found: Found) -> None:
    """A release of the name that README and chart suggest; one of another name is seen by our Deployment."""
    query = {"fieldSelector": "type=helm.sh/release.v1", "labelSelector": f"owner=helm,name={NAME}"}
    try:
        body = await api.get(f"/api/v1/namespaces/{wanted.namespace}/secrets", query, LIST)
    except Forbidden as error:
        found.notes.append(
            f"whether Helm has a release {NAME} in namespace {wanted.namespace} is not known: {error.message}"
        )
        return
    if body.get("items"):
        found.notes.append(managed(wanted.namespace, NAME))


def managed(namespace: str, release: str) -> str:
    """What to say of an installation that Helm keeps."""
    return (
        f"Helm release {release} is in namespace {namespace}, and its next upgrade undoes what kubectl applies: run "
        f"helm upgrade --namespace {namespace} {release} deploy/chart in place of it, or helm uninstall first"
    )
