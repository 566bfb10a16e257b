"""Facts about the certificates of a Service: what is stored, what is served, and what each caBundle trusts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certs.bundle import contents, write
from certs.inspect import LeafCertificate, describe
from certs.renewal import due
from webhook.diagnosis.unseen import MissingRight, NotSeen, missing_rights
from webhook.install.server_deployment import ServerDeployment
from webhook.kube.webhookconfigurations import ServiceReference

_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

CertificateRole = Literal["CA", "next CA", "leaf"]


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """The fields of a certificate that are shown to users; times are in UTC.

    `serial` and `fingerprint` (SHA-256) are hexadecimal; `renewal` is when the server would replace it.
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
    def of(cls, certificate: x509.Certificate) -> CertificateSummary:
        """The summary of a certificate."""
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
class KeptCertificate:
    """A certificate in a Secret or in a folder, `where`, which may not exist. `field` is its place there, and `why_not`
    says why it cannot be used, "" where it can; `certificate` is then what could be read of it all the same.
    """

    where: str
    role: CertificateRole
    field: str
    certificate: CertificateSummary | None = None
    why_not: str = ""
    exists: bool = True


@dataclass(frozen=True, slots=True)
class Replica:
    """A ready endpoint of the Service: the certificate that it serves, or why that cannot be seen from here
    (`unreachable`, and `not_seen` where a right is missing)."""

    address: str
    pod: str = ""
    leaf: LeafCertificate | None = None
    unreachable: str = ""
    not_seen: NotSeen | None = None

    @property
    def where(self) -> str:
        """Its address and its Pod, for people."""
        return f"replica {self.address} (Pod {self.pod})" if self.pod else f"replica {self.address}"


@dataclass(frozen=True, slots=True)
class CaBundle:
    """The caBundle of a webhook, or a file of CA certificates. `pem` is what a client reads of it: the certificates,
    without the `junk`.

    `cert_manager` is the annotation by which cert-manager writes it, "" for none, and `certificate_of` its value.
    """

    where: str
    field: str
    webhook: str
    anchors: tuple[CertificateSummary, ...] = ()
    junk: tuple[str, ...] = ()
    pem: bytes = b""
    cert_manager: str = ""
    certificate_of: str = ""

    @property
    def fingerprints(self) -> frozenset[str]:
        """Which certificates it holds."""
        return frozenset(anchor.fingerprint for anchor in self.anchors)


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The certificates of a Service at one time, `at` (UTC). A fact that could not be read is `NotSeen`.

    `kept` are the certificates in Secrets or in a folder; `configurations` the caBundles that point at the Service, by
    the kind of their webhook configuration (`files` for CA files); `replicas` the ready endpoints of the Service.
    `trust` tells, by who serves (`where`) and by caBundle (`pem`), why the caBundle does not trust what is served, ""
    where it does.
    """

    service: ServiceReference
    at: datetime
    kept: tuple[KeptCertificate, ...] | NotSeen = ()
    configurations: Mapping[str, tuple[CaBundle, ...] | NotSeen] = field(default_factory=dict)
    replicas: tuple[Replica, ...] | NotSeen = ()
    trust: Mapping[tuple[str, bytes], str] = field(default_factory=dict)
    # The Deployment behind the Service, None where there is none.
    deployment: ServerDeployment | NotSeen | None = None
    # Whether the server issues its certificates itself: as the Deployment says, else as the Secrets look. Whether the
    # serving certificate is of the CA in the CA's Secret; and the rotation that is requested there, "" for none.
    self_managed: bool = False
    leaf_of_ca: bool = False
    asked: str = ""
    # The names that a self-managed serving certificate should have, where that is known.
    names: tuple[str, ...] = ()
    # Whether the Secret of the serving certificate holds `ca.crt`, which then says what to trust.
    authority: bool = False
    # Whether cert-manager keeps that Secret, and renews the certificate.
    by_cert_manager: bool = False
    # How replicas were reached: `direct` or `port-forward`.
    way: str = ""
    # These are the facts of a folder: there is no cluster.
    files: bool = False

    @property
    def certificates(self) -> tuple[KeptCertificate, ...]:
        """The certificates that are kept, as far as they were seen."""
        return () if isinstance(self.kept, NotSeen) else self.kept

    @property
    def ca_bundles(self) -> tuple[CaBundle, ...]:
        """The caBundles that point at the Service, as far as they were seen."""
        seen = (bundles for bundles in self.configurations.values() if not isinstance(bundles, NotSeen))
        return tuple(ca_bundle for bundles in seen for ca_bundle in bundles)

    @property
    def configurations_seen(self) -> bool:
        """Whether the webhook configurations of every kind were seen."""
        return not any(isinstance(bundles, NotSeen) for bundles in self.configurations.values())

    @property
    def ready(self) -> tuple[Replica, ...]:
        """The ready replicas, as far as they were seen."""
        return () if isinstance(self.replicas, NotSeen) else self.replicas

    @property
    def unreachable(self) -> tuple[Replica, ...]:
        """The ready replicas of which it is not known what they serve."""
        return tuple(replica for replica in self.ready if replica.unreachable)

    @property
    def server(self) -> ServerDeployment | None:
        """The Deployment behind the Service, if there is one and it was seen."""
        return None if isinstance(self.deployment, NotSeen) else self.deployment

    @property
    def unseen(self) -> tuple[MissingRight, ...]:
        """The rights without which it is not known whether the certificates fit. What the Deployment says can be
        guessed, so a right to read it is not among them."""
        forwarding = (replica.not_seen for replica in self.ready)
        return missing_rights(*self.configurations.values(), self.kept, self.replicas, *forwarding)

    def kept_as(self, role: CertificateRole) -> KeptCertificate | None:
        """What is kept in a role."""
        return next((kept for kept in self.certificates if kept.role == role), None)

    def certificate(self, role: CertificateRole) -> CertificateSummary | None:
        """The certificate that is kept in a role."""
        kept = self.kept_as(role)
        return kept.certificate if kept else None


def serial(number: int) -> str:
    """A serial number as openssl prints it."""
    text = f"{number:X}"
    return text if len(text) % 2 == 0 else f"0{text}"


def read_bundle(pem: bytes) -> tuple[tuple[x509.Certificate, ...], tuple[str, ...]]:
    """The certificates that the API server reads from a caBundle (PEM), and descriptions of what it ignores."""
    held = contents(pem)
    junk = {number: f"block {number} is a certificate that cannot be read" for number, _ in held.broken}
    junk |= {number: f"block {number} is {what}: only CERTIFICATE counts" for number, what in held.others}
    text = ("text outside of PEM blocks",) if held.text else ()
    return tuple(dict.fromkeys(held.certificates)), (*(junk[number] for number in sorted(junk)), *text)


def read_ca_bundle(where: str, place: str, webhook: str, pem: bytes, **more: str) -> CaBundle:
    """A caBundle (PEM) of a webhook at a field of an object, with what is ignored in it. `more`: other fields of
    `CaBundle`."""
    certificates, junk = read_bundle(pem)
    anchors = tuple(CertificateSummary.of(certificate) for certificate in certificates)
    return CaBundle(where, place, webhook, anchors, junk, write(certificates), **more)


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
