"""Gathers the facts about the certificates of a Service: reads objects through the API server, and asks each ready
replica for its certificate by a TLS handshake. All I/O of this room is here, but for `files` and `rotation`."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol

from certs.handshake import ProbeError
from certs.inspect import LeafCertificate, signed_by
from certs.secrets import CA, CERTIFICATE, Stored, read_ca, read_leaf
from certs.tls import verdicts, without_time
from webhook.diagnosis.certificates.facts import (
    CaBundle,
    CertificateFacts,
    CertificateRole,
    CertificateSummary,
    KeptCertificate,
    Replica,
    first,
    read_ca_bundle,
)
from webhook.diagnosis.pod_dialer import PortForwardForbidden
from webhook.diagnosis.unseen import MissingRight, NotSeen, missing_rights
from webhook.install.server_deployment import ServerDeployment, server_deployment
from webhook.kube.endpoints import Endpoint, listing, ready
from webhook.kube.errors import ApiError, ApiServerUnreachable, Forbidden, NotFound, Unauthorized
from webhook.kube.fields import mapping, texts
from webhook.kube.interface import JSON, Api
from webhook.kube.webhookconfigurations import RESOURCES, ROOT, ServiceReference, pointing

_FIELD: Final = re.compile(r"(data\[[^\]]+\]):? *(.*)", re.DOTALL)

# The annotation by which cert-manager marks the Secrets that it keeps, with the name of the Certificate.
_CERTIFICATE_NAME: Final = "cert-manager.io/certificate-name"

# Handshakes at a time: a Service may have many replicas.
AT_ONCE: Final = 32


class Dialer(Protocol):
    """What connects to replicas: `webhook.diagnosis.pod_dialer.PodDialer`."""

    @property
    def way(self) -> str:
        """`direct` or `port-forward`."""

    async def probe(self, endpoint: Endpoint, name: str, bundle: bytes | None) -> LeafCertificate:
        """The certificate that an endpoint serves to a client that trusts this caBundle, or any certificate for None.
        Raises `ProbeError` and `PortForwardForbidden`."""


class GatherError(Exception):
    """The facts could not be gathered: the API server did not answer, or answered with an error."""


async def gather(
    api: Api, service: ServiceReference, dialer: Dialer, now: datetime, secret: str = "", cluster_domain: str = ""
) -> CertificateFacts:
    """The facts at this moment (`now`, UTC). Raises `GatherError`.

    `secret` is the name of the Secret of the serving certificate, "" for the one that the Deployment mounts. With a
    `cluster_domain`, the facts include the names that a self-managed certificate should have. Where a request is
    forbidden, the fact is `NotSeen` and the others are gathered all the same.
    """
    configurations = await _configurations(api, service)
    deployment = await _deployment(api, service)
    behind = None if isinstance(deployment, NotSeen) else deployment
    ca, leaf, hidden = await _secrets(api, service, _leaf_name(service, behind, secret), now)
    ca_bundles = [part for parts in configurations.values() if not isinstance(parts, NotSeen) for part in parts]
    tried = list(dict.fromkeys(ca_bundle.pem for ca_bundle in ca_bundles if ca_bundle.anchors))
    endpoints = await _endpoints(api, service)
    handshakes = _Handshakes(dialer, service, tried)
    replicas = endpoints if isinstance(endpoints, NotSeen) else await handshakes.all(endpoints)
    trust = handshakes.trust
    if leaf.held is not None:
        pair = leaf.held.pair
        reasons = verdicts(pair.certificate, pair.key, tried, service.dns_name)
        trust |= {(_where(service, leaf.name), pem): why for pem, why in reasons.items()}
    return CertificateFacts(
        service=service,
        at=now,
        kept=hidden or _kept(service, ca, leaf, behind),
        configurations=configurations,
        replicas=replicas,
        trust=trust,
        deployment=deployment,
        self_managed=_self_managed(behind, ca, leaf),
        leaf_of_ca=bool(ca.held and leaf.held and signed_by(leaf.held.certificate, ca.held.certificate)),
        asked=ca.request,
        names=service.dns_names(cluster_domain) if cluster_domain else (),
        authority=bool(mapping(leaf.body, "data").get(CA)),
        by_cert_manager=bool(texts(leaf.body, "metadata", "annotations").get(_CERTIFICATE_NAME)),
        way=dialer.way,
    )


def _leaf_name(service: ServiceReference, behind: ServerDeployment | None, given: str) -> str:
    """The name of the Secret of the serving certificate, "" for no Secret that is known."""
    if given or behind is None or behind.mode == "self-managed":
        return given or f"{service.name}-tls"
    return behind.secret


def _self_managed(behind: ServerDeployment | None, ca: Stored, leaf: Stored) -> bool:
    """Whether the server issues its certificates itself: by the Deployment, or by the Secrets if it is not known."""
    if behind is not None:
        return behind.mode == "self-managed"
    return ca.body is not None or (leaf.body is not None and leaf.ours)


async def ask(
    api: Api, method: str, path: str, body: JSON | None = None, query: Mapping[str, str] | None = None
) -> JSON:
    """One request. Raises `ApiError` where the API server refuses it, and `GatherError` where it does not answer."""
    content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        return await api.send(method, path, body, content_type, query)
    except TimeoutError:
        raise GatherError(f"the API server does not answer {method} {path} in time") from None
    except ValueError as error:
        raise GatherError(f"the API server's answer to {method} {path} is not a JSON object: {error}") from None
    except ApiError as error:
        if isinstance(error, ApiServerUnreachable | Unauthorized) or error.status >= 500:
            raise GatherError(f"the API server cannot be asked ({method} {path}): {error.message}") from None
        raise


async def _get(
    api: Api, path: str, resource: str, verb: str, namespace: str, query: JSON | None = None
) -> JSON | NotSeen | None:
    """The object, None where it does not exist."""
    try:
        return await ask(api, "GET", path, query=query)
    except NotFound:
        return None
    except Forbidden as error:
        return NotSeen((MissingRight.of(error, verb, resource, namespace),))
    except ApiError as error:
        raise GatherError(f"GET {path}: HTTP {error.status}: {error.message}") from None


async def _configurations(api: Api, service: ServiceReference) -> dict[str, tuple[CaBundle, ...] | NotSeen]:
    """The caBundles that point at the Service, by the kind of their configuration."""
    bundles: dict[str, tuple[CaBundle, ...] | NotSeen] = {}
    for kind, resource in RESOURCES.items():
        body = await _get(api, f"{ROOT}/{resource}", f"{resource}.admissionregistration.k8s.io", "list", "")
        bundles[kind] = body if isinstance(body, NotSeen) else _ca_bundles(kind, _items(body), service)
    return bundles


def _ca_bundles(kind: str, configurations: list[JSON], service: ServiceReference) -> tuple[CaBundle, ...]:
    bundles = []
    for configuration in configurations:
        annotations = mapping(configuration, "metadata", "annotations")
        for entry in pointing({**configuration, "kind": kind}, service):
            ca_bundle = read_ca_bundle(
                entry.where,
                entry.path,
                entry.webhook,
                entry.bundle,
                cert_manager=entry.cert_manager,
                certificate_of=str(annotations.get(entry.cert_manager, "")) if entry.cert_manager else "",
            )
            bundles.append(replace(ca_bundle, junk=(*ca_bundle.junk, entry.junk)) if entry.junk else ca_bundle)
    return tuple(bundles)


async def _deployment(api: Api, service: ServiceReference) -> ServerDeployment | NotSeen | None:
    """The Deployment behind the Service.

    A user who may not read it, such as the server itself, sees the rest all the same.
    """
    namespace = service.namespace
    within = f"namespaces/{namespace}"
    body = await _get(api, f"/api/v1/{within}/services/{service.name}", f"services/{service.name}", "get", namespace)
    deployments = await _get(api, f"/apis/apps/v1/{within}/deployments", "deployments.apps", "list", namespace)
    behind = server_deployment(_items(deployments), None if isinstance(body, NotSeen) else body, service)
    missing = missing_rights(body, deployments)
    return NotSeen(missing) if behind is None and missing else behind


async def _secrets(
    api: Api, service: ServiceReference, leaf_name: str, now: datetime
) -> tuple[Stored, Stored, NotSeen | None]:
    """What the Secrets of the CA and of the serving certificate hold, and which of them could not be read."""
    ca_name = f"{service.name}-ca"
    bodies = [await _secret(api, service.namespace, name) if name else None for name in (ca_name, leaf_name)]
    missing = missing_rights(*bodies)
    ca, leaf = (None if isinstance(body, NotSeen) else body for body in bodies)
    stored = read_leaf(leaf_name, leaf, now) if leaf_name else Stored("")
    return read_ca(ca_name, ca, now), stored, NotSeen(missing) if missing else None


async def _secret(api: Api, namespace: str, name: str) -> JSON | NotSeen | None:
    return await _get(api, f"/api/v1/namespaces/{namespace}/secrets/{name}", f"secrets/{name}", "get", namespace)


def _kept(
    service: ServiceReference, ca: Stored, leaf: Stored, behind: ServerDeployment | None
) -> tuple[KeptCertificate, ...]:
    kept = []
    # A server that reads files has no CA, and does not use one that is left over.
    if behind is None or behind.mode == "self-managed":
        kept.append(_one(service, ca, "CA", CERTIFICATE, ca.why_not))
        if ca.has_next:
            kept.append(_one(service, ca, "next CA", "next.crt", ca.next_why_not))
    return (*kept, _one(service, leaf, "leaf", CERTIFICATE, leaf.why_not)) if leaf.name else tuple(kept)


def _one(service: ServiceReference, stored: Stored, role: CertificateRole, key: str, why_not: str) -> KeptCertificate:
    if stored.body is None:
        return KeptCertificate(
            _where(service, stored.name), role, f"data[{key}]", why_not="the Secret does not exist", exists=False
        )
    data = stored.body.get("data")
    text = data.get(key) if isinstance(data, dict) else None
    try:
        certificate = first(base64.b64decode(text)) if isinstance(text, str) else None
    except ValueError:
        certificate = None
    place = _FIELD.fullmatch(why_not)
    return KeptCertificate(
        _where(service, stored.name),
        role,
        place[1] if place else f"data[{key}]",
        CertificateSummary.of(certificate) if certificate else None,
        place[2] if place else why_not,
    )


def _where(service: ServiceReference, name: str) -> str:
    return f"Secret {service.namespace}/{name}"


async def _endpoints(api: Api, service: ServiceReference) -> list[Endpoint] | NotSeen:
    """Each ready endpoint of the Service, each once."""
    root, query = listing(service)
    body = await _get(api, root, "endpointslices.discovery.k8s.io", "list", service.namespace, query)
    if isinstance(body, NotSeen):
        return body
    return list(dict.fromkeys(endpoint for endpoint_slice in _items(body) for endpoint in ready(endpoint_slice)))


class _Handshakes:
    """Asks replicas for their certificates. `trust` tells, by replica and caBundle, why that does not trust it."""

    def __init__(self, dialer: Dialer, service: ServiceReference, ca_bundles: list[bytes]) -> None:
        self.trust: dict[tuple[str, bytes], str] = {}
        self._dialer = dialer
        self._service = service
        self._ca_bundles = ca_bundles
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def all(self, endpoints: list[Endpoint]) -> tuple[Replica, ...]:
        """The replicas at these endpoints, in this order."""
        return tuple(await asyncio.gather(*map(self._one, endpoints)))

    async def _one(self, endpoint: Endpoint) -> Replica:
        async with self._gate:
            try:
                return await self._replica(endpoint)
            except ProbeError as error:
                return Replica(endpoint.address, endpoint.pod, unreachable=_bare(error, endpoint))
            except PortForwardForbidden as error:
                lost = "forward ports to Pods, so what replicas serve is not seen"
                # Since Kubernetes 1.35 a WebSocket needs `create` as well.
                right = MissingRight.of(
                    ApiError(403, str(error)), "get and create", "pods/portforward", self._service.namespace, lost
                )
                return Replica(
                    endpoint.address,
                    endpoint.pod,
                    unreachable="pods/portforward is forbidden",
                    not_seen=NotSeen((right,)),
                )

    async def _replica(self, endpoint: Endpoint) -> Replica:
        """The certificate that an endpoint serves. Adds to `trust` whether each caBundle trusts it."""
        name = self._service.dns_name
        reasons: dict[bytes, str] = {}
        replica = Replica(endpoint.address, endpoint.pod, await self._dialer.probe(endpoint, name, None))
        for pem in self._ca_bundles:
            try:
                await self._dialer.probe(endpoint, name, pem)
                reasons[pem] = ""
            except ProbeError as error:
                if error.kind == "unreachable":
                    raise
                reasons[pem] = _bare(error, endpoint)
        self.trust |= {(replica.where, pem): why for pem, why in reasons.items()}
        return replica


def _bare(error: ProbeError, endpoint: Endpoint) -> str:
    return without_time(error.message.removeprefix(f"{endpoint.host}:{endpoint.port}: "))


def _items(body: JSON | NotSeen | None) -> list[JSON]:
    items: Any = body.get("items") if isinstance(body, dict) else None
    listed = items if isinstance(items, list) else []
    return [item for item in listed if isinstance(item, dict) and isinstance(item.get("metadata"), dict)]
