"""Reads, through the API and by TLS handshakes, what is known of the certificates around a Service."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol

from certs.handshake import ProbeError
from certs.inspect import Leaf, signed_by
from certs.secrets import CA, CERTIFICATE, Stored, read_ca, read_leaf
from certs.tls import verdicts, without_time
from webhook.diagnosis.certificates.facts import Bundle, Kept, Replica, Role, State, Summary, bundle, first
from webhook.diagnosis.reach import NotAllowed
from webhook.install.server import Server, server
from webhook.kube.endpoints import Endpoint, listing, ready
from webhook.kube.errors import ApiError, Forbidden, NotFound, Unauthorized, Unreachable
from webhook.kube.interface import JSON, Api
from webhook.kube.webhookconfigurations import RESOURCES, ROOT, Service, pointing

_FIELD: Final = re.compile(r"(data\[[^\]]+\]):? *(.*)", re.DOTALL)

# Handshakes at a time: a Service may have many replicas.
AT_ONCE: Final = 32


class Reach(Protocol):
    """How replicas are reached: `webhook.diagnosis.reach.Reach`."""

    @property
    def way(self) -> str:
        """`direct` or `port-forward`."""

    async def probe(self, endpoint: Endpoint, name: str, bundle: bytes | None) -> Leaf:
        """What an endpoint serves to who trusts this bundle, or anything for None."""


class CannotReach(Exception):
    """The API server does not answer, or not with what was asked for: nothing is known."""


async def look(
    api: Api, service: Service, reach: Reach, now: datetime, secret: str = "", cluster_domain: str = ""
) -> State:
    """Everything at this moment. Raises `CannotReach`.

    `secret` is the name of the leaf's Secret, where it is another than the Deployment says; with `cluster_domain` the
    state knows which names a self-managed leaf should have. What is forbidden is said in the state, and the rest is
    looked at all the same.
    """
    unseen: list[str] = []
    bundles = await _bundles(api, service, unseen)
    behind, guessed = await _server(api, service)
    ca, leaf = await _secrets(api, service, _leaf_name(service, behind, secret), now, unseen)
    tried = list(dict.fromkeys(each.pem for each in bundles if each.anchors))
    endpoints = await _endpoints(api, service, unseen)
    replicas, trust = await _Asked(reach, service, tried, unseen).ask(endpoints)
    if leaf.held is not None:
        pair = leaf.held.pair
        found = verdicts(pair.certificate, pair.key, tried, service.dns_name)
        trust |= {(_where(service, leaf.name), pem): why for pem, why in found.items()}
    kept = _kept(service, ca, leaf, behind) if not any(" secrets/" in each for each in unseen) else ()
    return State(
        service=service,
        at=now,
        kept=kept,
        replicas=tuple(replicas),
        bundles=tuple(bundles),
        trust=trust,
        unseen=tuple(unseen),
        self_managed=_self_managed(behind, ca, leaf),
        leaf_of_ca=bool(ca.held and leaf.held and signed_by(leaf.held.certificate, ca.held.certificate)),
        asked=ca.asked,
        names=service.dns_names(cluster_domain) if cluster_domain else (),
        server=behind,
        guessed=guessed,
        authority=bool(leaf.body and (leaf.body.get("data") or {}).get(CA)),
        way=reach.way,
    )


def _leaf_name(service: Service, behind: Server | None, given: str) -> str:
    """Where the leaf is kept, "" for in no Secret that is known."""
    if given or behind is None or behind.mode == "self-managed":
        return given or f"{service.name}-tls"
    return behind.secret


def _self_managed(behind: Server | None, ca: Stored, leaf: Stored) -> bool:
    """As the Deployment says; where that is not known, as the Secrets look."""
    if behind is not None:
        return behind.mode == "self-managed"
    return ca.body is not None or (leaf.body is not None and leaf.ours)


async def ask(
    api: Api, method: str, path: str, body: JSON | None = None, query: Mapping[str, str] | None = None
) -> JSON:
    """One request. Raises `ApiError` where the API server says no, and `CannotReach` where it says nothing."""
    content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        return await api.send(method, path, body, content_type, query)
    except TimeoutError:
        raise CannotReach(f"the API server does not answer {method} {path} in time") from None
    except ApiError as error:
        if isinstance(error, Unreachable | Unauthorized) or error.status >= 500:
            raise CannotReach(f"the API server cannot be asked ({method} {path}): {error.message}") from None
        raise


def grant(error: ApiError, verb: str, resource: str, namespace: str = "") -> str:
    """What to grant so that a request is not forbidden any more."""
    within = f" in namespace {namespace}" if namespace else ""
    return f"grant {verb} on {resource}{within} to {error.user or 'this user'}"


async def _get(
    api: Api, path: str, resource: str, verb: str, namespace: str, unseen: list[str], query: JSON | None = None
) -> JSON | None:
    """The object; None where there is none, or it may not be read."""
    try:
        return await ask(api, "GET", path, query=query)
    except ApiError as error:
        if isinstance(error, NotFound):
            return None
        if not isinstance(error, Forbidden):
            raise CannotReach(f"GET {path}: HTTP {error.status}: {error.message}") from None
        unseen.append(f"may not {verb} {resource}: {grant(error, verb, resource, namespace)}")
        return None


async def _bundles(api: Api, service: Service, unseen: list[str]) -> list[Bundle]:
    found = []
    for kind, resource in RESOURCES.items():
        qualified = f"{resource}.admissionregistration.k8s.io"
        body = await _get(api, f"{ROOT}/{resource}", qualified, "list", "", unseen)
        for item in _items(body):
            for entry in pointing({**item, "kind": kind}, service):
                annotations = item["metadata"].get("annotations") or {}
                one = bundle(
                    f"{kind} {entry.configuration}",
                    f"webhooks[{entry.index}].clientConfig.caBundle",
                    entry.webhook,
                    entry.bundle,
                    cert_manager=entry.cert_manager,
                    certificate_of=str(annotations.get(entry.cert_manager, "")) if entry.cert_manager else "",
                )
                found.append(replace(one, junk=(*one.junk, entry.junk)) if entry.junk else one)
    return found


async def _server(api: Api, service: Service) -> tuple[Server | None, str]:
    """The Deployment behind the Service; and what to grant where that cannot be told, "" where it can.

    Who may not read it, as the server itself, sees the rest all the same.
    """
    within = f"namespaces/{service.namespace}"
    where = f"/api/v1/{within}/services/{service.name}"
    lacking: list[str] = []
    body = await _get(api, where, f"services/{service.name}", "get", service.namespace, lacking)
    where = f"/apis/apps/v1/{within}/deployments"
    deployments = await _get(api, where, "deployments.apps", "list", service.namespace, lacking)
    found = server(_items(deployments), body, service)
    return found, "" if found else "; ".join(lacking)


async def _secrets(
    api: Api, service: Service, leaf_name: str, now: datetime, unseen: list[str]
) -> tuple[Stored, Stored]:
    root = f"/api/v1/namespaces/{service.namespace}/secrets"
    ca_name = f"{service.name}-ca"
    ca = await _get(api, f"{root}/{ca_name}", f"secrets/{ca_name}", "get", service.namespace, unseen)
    if not leaf_name:
        return read_ca(ca_name, ca, now), Stored("")
    leaf = await _get(api, f"{root}/{leaf_name}", f"secrets/{leaf_name}", "get", service.namespace, unseen)
    return read_ca(ca_name, ca, now), read_leaf(leaf_name, leaf, now)


def _kept(service: Service, ca: Stored, leaf: Stored, behind: Server | None) -> tuple[Kept, ...]:
    found = []
    # A server that reads files has no CA, and one that is left of before is not of use to it.
    if behind is None or behind.mode == "self-managed":
        found.append(_one(service, ca, "CA", CERTIFICATE, ca.why_not))
        if ca.has_next:
            found.append(_one(service, ca, "next CA", "next.crt", ca.next_why_not))
    return (*found, _one(service, leaf, "leaf", CERTIFICATE, leaf.why_not)) if leaf.name else tuple(found)


def _one(service: Service, stored: Stored, role: Role, key: str, why_not: str) -> Kept:
    data = stored.body.get("data") if stored.body else None
    text = data.get(key) if isinstance(data, dict) else None
    try:
        certificate = first(base64.b64decode(text)) if isinstance(text, str) else None
    except ValueError:
        certificate = None
    place = _FIELD.fullmatch(why_not)
    return Kept(
        _where(service, stored.name),
        role,
        place[1] if place else f"data[{key}]",
        Summary.of(certificate) if certificate else None,
        place[2] if place else why_not,
    )


def _where(service: Service, name: str) -> str:
    return f"Secret {service.namespace}/{name}"


async def _endpoints(api: Api, service: Service, unseen: list[str]) -> list[Endpoint]:
    """Each ready endpoint, each once."""
    root, query = listing(service)
    body = await _get(api, root, "endpointslices.discovery.k8s.io", "list", service.namespace, unseen, query)
    return list(dict.fromkeys(each for item in _items(body) for each in ready(item)))


class _Asked:
    """Asks replicas what they serve, and notes once what may not be asked."""

    def __init__(self, reach: Reach, service: Service, bundles: list[bytes], unseen: list[str]) -> None:
        self._reach = reach
        self._service = service
        self._bundles = bundles
        self._unseen = unseen
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def ask(self, endpoints: list[Endpoint]) -> tuple[list[Replica], dict[tuple[str, bytes], str]]:
        """The replicas, and by who serves and bundle why that does not trust it."""
        found = await asyncio.gather(*map(self._one, endpoints))
        trust = {(replica.where, pem): why for replica, verdict in found for pem, why in verdict.items()}
        return [replica for replica, _ in found], trust

    async def _one(self, endpoint: Endpoint) -> tuple[Replica, dict[bytes, str]]:
        async with self._gate:
            try:
                return await self._replica(endpoint)
            except ProbeError as error:
                return Replica(endpoint.address, endpoint.pod, unreachable=_bare(error, endpoint)), {}
            except NotAllowed as error:
                self._forbidden(str(error))
                return Replica(endpoint.address, endpoint.pod, unreachable="pods/portforward is forbidden"), {}

    async def _replica(self, endpoint: Endpoint) -> tuple[Replica, dict[bytes, str]]:
        """What one endpoint serves, and what each bundle makes of that."""
        name = self._service.dns_name
        verdict: dict[bytes, str] = {}
        leaf = await self._reach.probe(endpoint, name, None)
        for pem in self._bundles:
            try:
                await self._reach.probe(endpoint, name, pem)
                verdict[pem] = ""
            except ProbeError as error:
                if error.kind == "unreachable":
                    raise
                verdict[pem] = _bare(error, endpoint)
        return Replica(endpoint.address, endpoint.pod, leaf), verdict

    def _forbidden(self, message: str) -> None:
        # Since Kubernetes 1.35 a WebSocket needs `create` as well.
        what = grant(ApiError(403, message), "get and create", "pods/portforward", self._service.namespace)
        text = f"may not forward ports to Pods, so what replicas serve is not seen: {what}"
        if text not in self._unseen:
            self._unseen.append(text)


def _bare(error: ProbeError, endpoint: Endpoint) -> str:
    return without_time(error.message.removeprefix(f"{endpoint.host}:{endpoint.port}: "))


def _items(body: JSON | None) -> list[JSON]:
    items: Any = (body or {}).get("items")
    found = items if isinstance(items, list) else []
    return [each for each in found if isinstance(each, dict) and isinstance(each.get("metadata"), dict)]
