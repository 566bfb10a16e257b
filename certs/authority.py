"""Issues the server's certificates and renews them: one write at a time, each decided from the stored Secrets.

A rotation of the CA takes these steps. The new CA is stored as the next CA. Every caBundle gets it beside the current
CA. Once every API server has had time to read the caBundles, the next CA becomes the current one and signs a new
serving certificate. Then the `Reconciler` removes the old CA from the caBundles. A crash between two writes loses
nothing, as the next decision is made from what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs import secrets
from certs.bundle import salvage, write
from certs.inspect import signed_by
from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from certs.renewal import due
from certs.rotation import CABundles, Do, Observed, Step, decide, time
from certs.secrets import Held, Stored
from webhook.kube.errors import ApiError, ApiServerUnreachable, Conflict, NotFound, explain
from webhook.kube.interface import JSON, Api, find
from webhook.kube.webhookconfigurations import FIELD_MANAGER, ServiceReference


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long issued certificates are valid."""

    ca: timedelta = timedelta(days=365)
    leaf: timedelta = timedelta(days=30)


class Authority:
    """Writes the Secrets of the CA and of the serving certificate. Only the leader calls it.

    `problems` says which steps have failed since the last `read`.
    """

    def __init__(
        self,
        api: Api,
        service: ServiceReference,
        names: Sequence[str],
        lifetimes: Lifetimes | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`names` are the DNS names of the serving certificate, `clock` returns the time in UTC.

        `service` gives the Secrets' Namespace, and their names: the Service's name with `-ca` and `-tls`.
        """
        self.problems: list[str] = []
        self.ca = Stored(f"{service.name}-ca", why_not="the Secret has not been read")
        self.leaf = Stored(f"{service.name}-tls", why_not="the Secret has not been read")
        self._api = api
        self._service = service
        self._names = tuple(names)
        self._lifetimes = lifetimes or Lifetimes()
        self._clock = clock
        self._root = f"/api/v1/namespaces/{service.namespace}/secrets"
        self._refused: set[str] = set()
        self._waiting: list[str] = []

    async def read(self) -> None:
        """Read both Secrets. Raises `ApiError` and `TimeoutError`."""
        self.problems, self._refused = [], set()
        await self._read_secrets()

    async def _read_secrets(self) -> None:
        now = self._clock()
        self.ca = secrets.read_ca(self.ca.name, await self._get(self.ca.name), now)
        self.leaf = secrets.read_leaf(self.leaf.name, await self._get(self.leaf.name), now)

    def required_cas(self) -> bytes:
        """The CAs that every caBundle must hold, as PEM: the current CA, the next one, and the one that signed the
        stored leaf."""
        pairs = [held.pair for held in (self.ca.held, self.ca.next) if held]
        cas = [ca for pair in pairs for ca in salvage(pair.certificate)[0]]
        if self.leaf.issuer is not None and not self._of_current_ca():
            cas.append(self.leaf.issuer)
        return write(cas)

    def serving(self) -> x509.Certificate | None:
        """The stored leaf, which the replicas serve; None if it cannot be used."""
        return self.leaf.held.certificate if self.leaf.held else None

    def rotation_is_complete(self) -> bool:
        """Whether the current CA signed the leaf and no next CA is stored: then clients need no other CA."""
        return self._of_current_ca() and not self.ca.has_next

    def _of_current_ca(self) -> bool:
        ca, leaf = self.ca.held, self.leaf.held
        return ca is not None and leaf is not None and signed_by(leaf.certificate, ca.certificate)

    async def step(self, bundles: CABundles) -> str:
        """Take the next step and describe it; "" if there is none. Raises `ApiError` and `TimeoutError`."""
        steps = decide(Observed(self._clock(), self.ca, self.leaf, self._names, bundles))
        self._waiting = [step.why for step in steps if step.do is Do.WAIT]
        for step in steps:
            target = self.leaf if step.do is Do.NEW_LEAF else self.ca
            if step.do is Do.WAIT or target.name in self._refused or not self._may_write(target, step):
                continue
            try:
                await self._write(target, step)
            except (ApiServerUnreachable, NotFound, Conflict):
                raise
            except ApiError as error:
                # The API server may accept a write of the other Secret.
                self._refused.add(target.name)
                self.problems.append(f"{self._name(target)}: cannot {step.do.value} ({step.why}): {explain(error)}")
                continue
            await self._read_secrets()
            return f"{self._name(target)}: {step.do.value} ({step.why})"
        return ""

    def _may_write(self, target: Stored, step: Step) -> bool:
        if not target.ours and step.do is not Do.CLEAR_REQUEST:
            self._refused.add(target.name)
            self.problems.append(
                f"{self._name(target)}: cannot {step.do.value} ({step.why}), as the Secret's label "
                f"{secrets.MANAGED_BY} is not {secrets.MANAGER}: delete the Secret, and this server creates a new one; "
                "or renew the certificate in it yourself and install with --existing-secret"
            )
        return target.ours

    async def _write(self, target: Stored, step: Step) -> None:
        data, annotations = self._change(step)
        body = secrets.secret(self._service.namespace, target, data, annotations)
        query = {"fieldManager": FIELD_MANAGER}
        if target.body is not None and not target.unchangeable:
            # The body has the resourceVersion that was read: if the Secret has changed since, this is a conflict.
            await self._api.send("PUT", f"{self._root}/{target.name}", body, query=query)
            return
        if target.body is not None:
            version = target.body["metadata"].get("resourceVersion")
            options: JSON = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": version}}
            await self._api.send("DELETE", f"{self._root}/{target.name}", options)
        await self._api.send("POST", self._root, body, query=query)

    def _name(self, stored: Stored) -> str:
        return f"Secret {self._service.namespace}/{stored.name}"

    def _change(self, step: Step) -> tuple[dict[str, bytes | None], dict[str, str | None]]:
        """The changes of a step to the data and the annotations of its Secret; None removes a key."""
        if step.do is Do.NEW_LEAF:
            ca = self._current_ca()
            pair = issue_leaf(ca.pair, self._names, lifetime=self._lifetimes.leaf, now=self._clock())
            request = self.ca.request if self.ca.requested_part == "leaf" else (self.leaf.handled_request or None)
            return {**_tls(pair), secrets.CA: ca.pair.certificate}, {secrets.ROTATED: request}
        if step.do is Do.CLEAR_REQUEST:
            return {}, {secrets.ROTATE: None}
        no_next: dict[str, bytes | None] = {secrets.NEXT_CERTIFICATE: None, secrets.NEXT_KEY: None}
        if step.do is Do.DROP_NEXT:
            return no_next, {}
        if step.do is Do.PROMOTE and self.ca.next is not None:
            return {**_tls(self.ca.next.pair), **no_next}, {}
        pair = issue_ca(f"{self._service.name} CA", lifetime=self._lifetimes.ca, now=self._clock())
        if step.do is Do.STORE_NEXT:
            request = None if self.ca.requested_part == "ca" else (self.ca.request or None)
            return {secrets.NEXT_CERTIFICATE: pair.certificate, secrets.NEXT_KEY: pair.key}, {secrets.ROTATE: request}
        return {**_tls(pair), **no_next}, {}

    def _current_ca(self) -> Held:
        assert self.ca.held is not None  # noqa: S101 - `decide` asks for a leaf only if there is a usable CA
        return self.ca.held

    async def _get(self, name: str) -> JSON | None:
        return await find(self._api, f"{self._root}/{name}")

    def state(self) -> dict[str, str]:
        """A description of the certificates and of what the next step waits for, for logs and the admin page."""
        state = {"leaf": _describe(self.leaf.held, self.leaf.why_not), "CA": _describe(self.ca.held, self.ca.why_not)}
        if self.ca.has_next:
            state["next CA"] = _describe(self.ca.next, self.ca.next_why_not)
        if self._waiting:
            state["waiting"] = "; ".join(self._waiting)
        return state


def _tls(pair: CertificateAndKey) -> dict[str, bytes | None]:
    return {secrets.CERTIFICATE: pair.certificate, secrets.KEY: pair.key}


def _describe(held: Held | None, why_not: str) -> str:
    if held is None:
        return why_not
    certificate = held.certificate
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()[:12]
    return f"sha256 {fingerprint}, expires {time(certificate.not_valid_after_utc)}, renewed {time(due(certificate))}"
