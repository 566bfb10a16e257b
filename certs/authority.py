"""Certificates that the server issues itself, for ever: one write at a time, each decided from what is stored.

A rotation of the CA: the new CA is stored as the next one; every caBundle gets it beside the old one; once every API
server has had time to hear of that, it signs, and a leaf of it is stored; the rest is the keeper's. A crash between
two writes loses nothing, as the next decision is made from the same facts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from certs import secrets
from certs.bundle import salvage, write
from certs.decision import CABundles, Do, Observed, Step, decide, due, time
from certs.inspect import signed_by
from certs.issue import Pair, issue_ca, issue_leaf
from certs.secrets import Held, Stored
from webhook.kube.errors import ApiError, Conflict, NotFound, Unreachable, explain
from webhook.kube.interface import JSON, Api, find
from webhook.kube.webhookconfigurations import FIELD_MANAGER, Service


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long certificates last."""

    ca: timedelta = timedelta(days=365)
    leaf: timedelta = timedelta(days=30)


class Authority:
    """Keeps both Secrets. Only the leader calls it. `problems`, since the last look, say what could not be done."""

    def __init__(
        self,
        api: Api,
        service: Service,
        names: Sequence[str],
        lifetimes: Lifetimes | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`names`: the DNS names of the serving certificate."""
        self.problems: list[str] = []
        self.ca = Stored(f"{service.name}-ca", why_not="it was not read yet")
        self.leaf = Stored(f"{service.name}-tls", why_not="it was not read yet")
        self._api = api
        self._service = service
        self._names = tuple(names)
        self._lifetimes = lifetimes or Lifetimes()
        self._clock = clock
        self._root = f"/api/v1/namespaces/{service.namespace}/secrets"
        self._refused: set[str] = set()
        self._waiting: list[str] = []

    async def look(self) -> None:
        """Read both Secrets. Raises `ApiError` and `TimeoutError`."""
        self.problems, self._refused = [], set()
        await self._read()

    async def _read(self) -> None:
        now = self._clock()
        self.ca = secrets.read_ca(self.ca.name, await self._get(self.ca.name), now)
        self.leaf = secrets.read_leaf(self.leaf.name, await self._get(self.leaf.name), now)

    def wanted(self) -> bytes:
        """The CAs that every caBundle has to hold, as PEM: the one that signs, the next one, and the leaf's."""
        found = [each for held in (self.ca.held, self.ca.next) if held for each in salvage(held.pair.certificate)[0]]
        if self.leaf.issuer is not None and not self._of_signing_ca():
            found.append(self.leaf.issuer)
        return write(found)

    def serving(self) -> x509.Certificate | None:
        """The leaf that the replicas serve, None where what is stored is no good."""
        return self.leaf.held.certificate if self.leaf.held else None

    def resting(self) -> bool:
        """Whether the leaf is of the only CA there is: then nothing else need be trusted."""
        return self._of_signing_ca() and not self.ca.has_next

    def _of_signing_ca(self) -> bool:
        ca, leaf = self.ca.held, self.leaf.held
        return ca is not None and leaf is not None and signed_by(leaf.certificate, ca.certificate)

    async def step(self, bundles: CABundles) -> str:
        """Take the next step, if there is one, and say it. Raises `ApiError` and `TimeoutError`."""
        steps = decide(Observed(self._clock(), self.ca, self.leaf, self._names, bundles))
        self._waiting = [step.why for step in steps if step.do is Do.WAIT]
        for step in steps:
            target = self.leaf if step.do is Do.NEW_LEAF else self.ca
            if step.do is Do.WAIT or target.name in self._refused or not self._may(target, step):
                continue
            try:
                await self._write(target, step)
            except (Unreachable, NotFound, Conflict):
                raise
            except ApiError as error:
                # What is refused for one Secret may go for the other.
                self._refused.add(target.name)
                self.problems.append(f"{self._name(target)} needs {step.do.value} ({step.why}): {explain(error)}")
                continue
            await self._read()
            return f"{self._name(target)}: {step.do.value} ({step.why})"
        return ""

    def _may(self, target: Stored, step: Step) -> bool:
        if not target.ours and step.do is not Do.GRANTED:
            self._refused.add(target.name)
            self.problems.append(
                f"{self._name(target)} needs {step.do.value} ({step.why}), and is not ours (label {secrets.MANAGED_BY} "
                f"is not {secrets.MANAGER}): delete it, and it is made anew, or keep it up to date yourself and "
                "install with --existing-secret"
            )
        return target.ours

    async def _write(self, target: Stored, step: Step) -> None:
        data, annotations = self._change(step)
        body = secrets.secret(self._service.namespace, target, data, annotations)
        query = {"fieldManager": FIELD_MANAGER}
        if target.body is not None and not target.rigid:
            # With the resourceVersion that was read: who was faster wins, and this is decided anew.
            await self._api.send("PUT", f"{self._root}/{target.name}", body, query=query)
            return
        if target.body is not None:
            version = target.body["metadata"].get("resourceVersion")
            same: JSON = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": version}}
            await self._api.send("DELETE", f"{self._root}/{target.name}", same)
        await self._api.send("POST", self._root, body, query=query)

    def _name(self, stored: Stored) -> str:
        return f"Secret {self._service.namespace}/{stored.name}"

    def _change(self, step: Step) -> tuple[dict[str, bytes | None], dict[str, str | None]]:
        """What a step changes in the data and the annotations of its Secret."""
        if step.do is Do.NEW_LEAF:
            ca = self._signing()
            pair = issue_leaf(ca.pair, self._names, lifetime=self._lifetimes.leaf, now=self._clock())
            asked = self.ca.asked if self.ca.wish == "leaf" else (self.leaf.granted or None)
            return {**_tls(pair), secrets.CA: ca.pair.certificate}, {secrets.ROTATED: asked}
        if step.do is Do.GRANTED:
            return {}, {secrets.ROTATE: None}
        no_next: dict[str, bytes | None] = {secrets.NEXT_CERTIFICATE: None, secrets.NEXT_KEY: None}
        if step.do is Do.DROP_NEXT:
            return no_next, {}
        if step.do is Do.PROMOTE and self.ca.next is not None:
            return {**_tls(self.ca.next.pair), **no_next}, {}
        pair = issue_ca(f"{self._service.name} CA", lifetime=self._lifetimes.ca, now=self._clock())
        if step.do is Do.STORE_NEXT:
            asked = None if self.ca.wish == "ca" else (self.ca.asked or None)
            return {secrets.NEXT_CERTIFICATE: pair.certificate, secrets.NEXT_KEY: pair.key}, {secrets.ROTATE: asked}
        return {**_tls(pair), **no_next}, {}

    def _signing(self) -> Held:
        assert self.ca.held is not None  # noqa: S101 - a leaf is decided upon only where a CA is there
        return self.ca.held

    async def _get(self, name: str) -> JSON | None:
        return await find(self._api, f"{self._root}/{name}")

    def state(self) -> dict[str, str]:
        """How things stand, for people."""
        found = {"leaf": _describe(self.leaf.held, self.leaf.why_not), "CA": _describe(self.ca.held, self.ca.why_not)}
        if self.ca.has_next:
            found["next CA"] = _describe(self.ca.next, self.ca.next_why_not)
        if self._waiting:
            found["waiting"] = "; ".join(self._waiting)
        return found


def _tls(pair: Pair) -> dict[str, bytes | None]:
    return {secrets.CERTIFICATE: pair.certificate, secrets.KEY: pair.key}


def _describe(held: Held | None, why_not: str) -> str:
    if held is None:
        return why_not
    certificate = held.certificate
    print_ = certificate.fingerprint(hashes.SHA256()).hex()[:12]
    return f"sha256 {print_}, expires {time(certificate.not_valid_after_utc)}, renewed {time(due(certificate))}"
