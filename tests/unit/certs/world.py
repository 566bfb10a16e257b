"""A cluster with a clock of its own: Secrets, webhook configurations, replicas that see late, and a leader."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from certs import secrets
from certs.authority import Authority, Lifetimes
from certs.bundle import salvage, valid
from certs.handshake import ProbeError
from certs.inspect import signed_by
from certs.issue import CertificateAndKey
from certs.reconciler import Reconciler, Round
from tests.kube.configurations import configuration
from tests.kube.store import Store
from webhook.kube.base64_fields import encode
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, ConfigurationName, ServiceReference, path, pointing

START = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
SERVICE = ServiceReference("linkerd", "linkerd-webhook")
NAMES: list[ConfigurationName] = [
    (MUTATING, "linkerd-webhook"),
    (VALIDATING, "linkerd-webhook"),
    (MUTATING, "linkerd-webhook-self-test"),
]
CA = "/api/v1/namespaces/linkerd/secrets/linkerd-webhook-ca"
LEAF = "/api/v1/namespaces/linkerd/secrets/linkerd-webhook-tls"

# Seconds after which the slowest API server has heard of a webhook configuration: less than what is waited for.
HEARD = 9.0


@dataclass
class Replica:
    """Serves what the Secret held some seconds ago, as long as that is any good; else what it served before."""

    late: float = 0.0
    served: x509.Certificate | None = None
    coming: list[tuple[float, JSON]] = field(default_factory=list)


class World:
    """Time passes only where a method says so. `at_all_times` checks after each write that nobody is locked out."""

    def __init__(
        self,
        replicas: int = 2,
        names: list[ConfigurationName] | None = None,
        lifetimes: Lifetimes | None = None,
        beside: dict[ConfigurationName, bytes] | None = None,
    ) -> None:
        """`beside`: the CAs (PEM) that caBundles of a configuration hold beside ours."""
        self.beside = beside or {}
        self.api = Store()
        self.api.written = self._written
        self.names = list(NAMES if names is None else names)
        self.replicas = [Replica() for _ in range(replicas)]
        self.now = START
        self.monotonic = 1000.0
        self.skew = timedelta()
        self.watched = False
        self.unreachable = ""
        self.no_endpoints: Exception | None = None
        self.lifetimes = lifetimes or Lifetimes()
        self._bundles: list[tuple[float, dict[ConfigurationName, bytes]]] = []
        for name in self.names:
            self.api.put(path(name), configuration(*name, webhooks=1 if name[1] == "linkerd-webhook-self-test" else 2))
        self.restart()

    def restart(self) -> None:
        """Another leader, which remembers nothing."""
        authority = Authority(self.api, SERVICE, SERVICE.dns_names(), self.lifetimes, self.clock)
        self.authority = authority
        self.reconciler = Reconciler(
            self.api,
            authority,
            SERVICE,
            lambda: self.names,
            self._endpoints,
            clock=self.clock,
            monotonic=lambda: self.monotonic,
            probe=self._probe,
            beside=lambda body: self.beside.get((body["kind"], body["metadata"]["name"]), b""),
        )

    def clock(self) -> datetime:
        """What the leader takes the time to be."""
        return self.now + self.skew

    def pass_time(self, seconds: float) -> None:
        """Nothing else happens meanwhile, but that replicas see what was stored."""
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds
        self._deliver()

    async def round(self) -> Round:
        """One round of the leader."""
        try:
            return await self.reconciler.round(
                [self.api.objects[path(n)] for n in self.names if path(n) in self.api.objects]
            )
        finally:
            self._deliver()

    async def run(self, seconds: float) -> list[Round]:
        """Rounds, as far apart as each asks for, for so long."""
        end = self.monotonic + seconds
        rounds = []
        while self.monotonic < end:
            rounds.append(await self.round())
            self.pass_time(min(rounds[-1].pause, end - self.monotonic))
            self.check()
        return rounds

    async def days(self, days: float, seconds: float = 2.0) -> list[Round]:
        """Many days, of which the leader is awake a minute at a time."""
        rounds = []
        for _ in range(round(days / seconds)):
            self.pass_time(seconds * 86400 - 60)
            self.check()
            rounds += await self.run(60)
        return rounds

    # What is stored and served.

    def bundle(self, name: ConfigurationName | None = None) -> list[x509.Certificate]:
        """The CAs that the first webhook of a configuration trusts."""
        return list(salvage(self._bundle(name or self.names[0]))[0])

    def _bundle(self, name: ConfigurationName) -> bytes:
        body = self.api.objects.get(path(name))
        return pointing(body, SERVICE)[0].bundle if body else b""

    def edit_bundle(self, name: ConfigurationName, pem: bytes | str, manager: str = "helm") -> None:
        """Somebody else writes a caBundle."""
        body = dict(self.api.objects[path(name)])
        text = pem if isinstance(pem, str) else encode(pem)
        body["webhooks"] = [
            {**webhook, "clientConfig": {**webhook["clientConfig"], "caBundle": text}} for webhook in body["webhooks"]
        ]
        self.api.put(path(name), body, manager)

    def certificate(self, secret: str, key: str = "tls.crt") -> x509.Certificate:
        """What a Secret holds."""
        return x509.load_pem_x509_certificate(self.data(secret, key))

    def data(self, secret: str, key: str = "tls.crt") -> bytes:
        """What a Secret holds."""
        return base64.b64decode(self.api.objects[secret]["data"][key])

    def edit(self, secret: str, **changes: Any) -> None:
        """Change fields of a Secret, as an admin does, by deleting and creating it where it must be."""
        self.api.put(secret, {**self.api.objects[secret], **changes})
        self._written()

    def edit_data(self, secret: str, changes: dict[str, bytes | None]) -> None:
        """Change the data of a Secret."""
        data = dict(self.api.objects[secret]["data"])
        for key, value in changes.items():
            data.pop(key, None)
            if value is not None:
                data[key] = base64.b64encode(value).decode()
        self.edit(secret, data=data)

    def store(self, secret: str, pair: CertificateAndKey, ours: bool = True, **more: Any) -> None:
        """Somebody stores a pair in a Secret of ours, or of their own."""
        labels = dict(secrets.LABELS) if ours else {}
        data = {"tls.crt": base64.b64encode(pair.certificate).decode(), "tls.key": base64.b64encode(pair.key).decode()}
        metadata = {"name": secret.rpartition("/")[2], "namespace": "linkerd", "labels": labels}
        body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}
        self.api.put(secret, {**body, **more})
        self._written()

    def ask(self, what: str) -> None:
        """Ask for a rotation."""
        body = self.api.objects[CA]
        metadata = {**body["metadata"], "annotations": {secrets.ROTATE: f"{what}@2026-05-01T12:00:00Z"}}
        self.edit(CA, metadata=metadata)

    # Replicas, and who calls them.

    def _written(self) -> None:
        body = self.api.objects.get(LEAF)
        for replica in self.replicas:
            if body is not None and (not replica.coming or replica.coming[-1][1] is not body):
                replica.coming.append((self.monotonic + replica.late, body))
        self._bundles.append((self.monotonic, {name: self._bundle(name) for name in self.names}))
        self._deliver()
        self.check()

    def _deliver(self) -> None:
        for replica in self.replicas:
            while replica.coming and replica.coming[0][0] <= self.monotonic:
                held = secrets.read_leaf("", replica.coming.pop(0)[1], self.now).held
                replica.served = held.certificate if held else replica.served

    def trusts(self, bundle: bytes, leaf: x509.Certificate | None) -> bool:
        """Whether an API server with this caBundle accepts a leaf."""
        if leaf is None or not leaf.not_valid_before_utc <= self.now < leaf.not_valid_after_utc:
            return False
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return SERVICE.dns_name in names.get_values_for_type(x509.DNSName) and any(
            signer.not_valid_before_utc <= self.now < signer.not_valid_after_utc for signer in _signers(bundle, leaf)
        )

    def locked_out(self) -> list[str]:
        """Configurations by which a replica cannot be reached."""
        return [
            f"{name} does not trust replica {number}"
            for name in self.names
            for number, replica in enumerate(self.replicas)
            if path(name) in self.api.objects and not self.trusts(self._bundle(name), replica.served)
        ]

    def check(self) -> None:
        """Every replica is trusted by every caBundle that some API server may still go by."""
        if not self.watched:
            return
        heard = [index for index, (at, _) in enumerate(self._bundles) if at <= self.monotonic - HEARD]
        del self._bundles[: heard[-1] if heard else 0]
        for at, bundles in self._bundles:
            for name, bundle in bundles.items():
                for number, replica in enumerate(self.replicas):
                    assert self.trusts(bundle, replica.served), f"{name} of {at} does not trust replica {number}"

    def watch(self) -> None:
        """From now on nobody may be locked out, not for a moment."""
        assert self.locked_out() == []
        self._bundles = [(self.monotonic, {name: self._bundle(name) for name in self.names})]
        self.watched = True

    def settled(self) -> bool:
        """One CA, in every caBundle and nothing beside it but what belongs there, and every replica serves its leaf."""
        ca, leaf = self.certificate(CA), self.certificate(LEAF)
        return (
            "next.crt" not in self.api.objects[CA]["data"]
            and secrets.ROTATE not in self.api.objects[CA]["metadata"].get("annotations", {})
            and signed_by(leaf, ca)
            and all(
                self.bundle(name) == [ca, *valid(self.beside.get(name, b""), self.now)]
                for name in self.names
                if path(name) in self.api.objects
            )
            and all(replica.served == leaf for replica in self.replicas)
            and self.locked_out() == []
        )

    async def _endpoints(self) -> list[tuple[str, int]]:
        if self.no_endpoints is not None:
            raise self.no_endpoints
        return [(str(number), 8443) for number in range(len(self.replicas))]

    async def _probe(self, host: str, port: int, name: str, bundle: bytes) -> None:
        assert name == SERVICE.dns_name
        if self.unreachable == host:
            raise ProbeError("unreachable", f"{host}:{port}: no handshake within 2 s")
        if not self.trusts(bundle, self.replicas[int(host)].served):
            raise ProbeError("untrusted", f"{host}:{port}: unable to get local issuer certificate")


@functools.lru_cache(maxsize=1000)
def _signers(bundle: bytes, leaf: x509.Certificate) -> list[x509.Certificate]:
    return [certificate for certificate in salvage(bundle)[0] if certificate == leaf or signed_by(leaf, certificate)]


async def installed(**more: Any) -> World:
    """A world in which all has settled."""
    world = World(**more)
    await world.run(40)
    assert world.settled()
    world.api.requests.clear()
    return world
