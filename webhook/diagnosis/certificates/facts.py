"""What is known of the certificates around a Service: what is stored, what is served, and what each caBundle trusts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certs.bundle import contents, write
from certs.decision import due
from certs.inspect import Leaf, describe
from webhook.install.server import Server
from webhook.kube.webhookconfigurations import Service

_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

Role = Literal["CA", "next CA", "leaf"]


@dataclass(frozen=True, slots=True)
class Summary:
    """A certificate for people; times are UTC.

    `serial` and `fingerprint` (SHA-256) are hexadecimal; `renewal` is when a server that keeps it would replace it.
    """

    subject: str
    issuer: str
    serial: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    key: str
    names: tuple[str, ...]
    renewal: datetime

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Summary:
        """What a certificate says of itself."""
        leaf = describe(certificate)
        return cls(
            subject=leaf.subject,
            issuer=leaf.issuer,
            serial=serial(leaf.serial),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            not_before=leaf.not_before,
            not_after=leaf.not_after,
            key=_key(certificate),
            names=leaf.names,
            renewal=due(certificate),
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A certificate in a Secret or a folder, `where`; `field` is its place in there, `why_not` why it is of no use.

    `certificate` may be there all the same: it is what could be read.
    """

    where: str
    role: Role
    field: str
    certificate: Summary | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Replica:
    """A ready endpoint of the Service: what it serves, or why that cannot be seen from here."""

    address: str
    pod: str = ""
    leaf: Leaf | None = None
    unreachable: str = ""

    @property
    def where(self) -> str:
        """How people find it."""
        return f"replica {self.address} (Pod {self.pod})" if self.pod else f"replica {self.address}"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The caBundle of a webhook. `pem` is what a client reads of it: its certificates, with all `junk` left out.

    `cert_manager` is the annotation by which cert-manager writes it, `certificate_of` that annotation's value.
    """

    where: str
    field: str
    webhook: str
    anchors: tuple[Summary, ...] = ()
    junk: tuple[str, ...] = ()
    pem: bytes = b""
    cert_manager: str = ""
    certificate_of: str = ""

    @property
    def fingerprints(self) -> frozenset[str]:
        """Which certificates it holds."""
        return frozenset(each.fingerprint for each in self.anchors)


@dataclass(frozen=True, slots=True)
class State:
    """All of it at one moment. `trust` tells by who serves (`where`) and bundle why the bundle does not trust what is
    served, "" where it does. `unseen` says what could not be looked at, and what to grant."""

    service: Service
    at: datetime
    kept: tuple[Kept, ...] = ()
    replicas: tuple[Replica, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    trust: Mapping[tuple[str, bytes], str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    # Whether the server issues its certificates itself, as its CA is stored; whether the leaf is of that CA; and the
    # rotation that somebody asks for, "" for none.
    self_managed: bool = False
    leaf_of_ca: bool = False
    asked: str = ""
    # The names that a self-managed leaf should have, where that is known.
    names: tuple[str, ...] = ()
    # The Deployment behind the Service, None where there is none or it may not be read: `guessed` then says what to
    # grant, and where certificates come from is guessed by the Secrets.
    server: Server | None = None
    guessed: str = ""
    # Whether the leaf's Secret says by `ca.crt` what to trust.
    authority: bool = False
    # How replicas were asked: `direct` or `port-forward`.
    way: str = ""
    # Files are looked at, and no cluster.
    files: bool = False

    def hidden(self, resource: str) -> bool:
        """Whether objects of a resource could not be looked at."""
        return any(resource in each for each in self.unseen)

    @property
    def unreachable(self) -> tuple[Replica, ...]:
        """The ready replicas of which is not known what they serve."""
        return tuple(each for each in self.replicas if each.unreachable)

    def one(self, role: Role) -> Kept | None:
        """What is kept in a role."""
        return next((each for each in self.kept if each.role == role), None)

    def certificate(self, role: Role) -> Summary | None:
        """The certificate that is kept in a role."""
        kept = self.one(role)
        return kept.certificate if kept else None


def serial(number: int) -> str:
    """A serial number as openssl prints it."""
    text = f"{number:X}"
    return text if len(text) % 2 == 0 else f"0{text}"


def read_bundle(pem: bytes) -> tuple[tuple[x509.Certificate, ...], tuple[str, ...]]:
    """The certificates of a bundle as the API server reads them, and what it passes over, in words."""
    found = contents(pem)
    junk = {number: f"block {number} is a certificate that cannot be read" for number, _ in found.broken}
    junk |= {number: f"block {number} is {what}: only CERTIFICATE counts" for number, what in found.others}
    text = ("text outside of PEM blocks",) if found.text else ()
    return tuple(dict.fromkeys(found.certificates)), (*(junk[number] for number in sorted(junk)), *text)


def bundle(where: str, place: str, webhook: str, pem: bytes, **more: str) -> Bundle:
    """A caBundle as it was read, junk and all."""
    certificates, junk = read_bundle(pem)
    anchors = tuple(Summary.of(each) for each in certificates)
    return Bundle(where, place, webhook, anchors, junk, write(certificates), **more)


def first(pem: bytes) -> x509.Certificate | None:
    """The first certificate of a chain, if it can be read."""
    certificates, _ = read_bundle(pem)
    return certificates[0] if certificates else None


def _key(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, TypeError):
        return "unknown"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__
