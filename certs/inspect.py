"""Reads and checks certificate chains and their keys before they are used."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from certs.bundle import contents
from certs.pem import Block, blocks

# The issuer's clock may be ahead of the clock of this machine by so much.
CLOCK_SKEW = timedelta(minutes=5)

# TLS libraries refuse shorter RSA keys.
RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class LeafCertificate:
    """The fields of a serving certificate. Times are UTC; `names` are the DNS names and IP addresses in its SANs."""

    subject: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]


class CertificateError(Exception):
    """A pair of certificate and key that must not be used. `part` is where the fault is: `certificate` or `key`."""

    def __init__(self, part: Literal["certificate", "key"], message: str) -> None:
        super().__init__(message)
        self.part = part
        self.message = message


def check_pair(chain_pem: bytes, key_pem: bytes, now: datetime) -> LeafCertificate:
    """Check that the key belongs to the leaf of the chain, and that the leaf is valid at `now`; return the leaf.

    `now` must have a time zone. Raises `CertificateError`.
    """
    leaf = _leaf(chain_pem)
    key = _key(key_pem)
    if _public_bytes(key) != leaf.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ):
        raise CertificateError("key", "the private key does not belong to the certificate")
    if leaf.not_valid_after_utc <= now:
        raise CertificateError("certificate", f"the certificate expired at {_time(leaf.not_valid_after_utc)}")
    if leaf.not_valid_before_utc > now + CLOCK_SKEW:
        raise CertificateError(
            "certificate",
            f"the certificate is not valid before {_time(leaf.not_valid_before_utc)}, and the time is {_time(now)}",
        )
    return describe(leaf)


def describe(leaf: x509.Certificate) -> LeafCertificate:
    """The fields of a certificate."""
    return LeafCertificate(
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        serial=leaf.serial_number,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        names=_names(leaf),
    )


def check_ca(certificate_pem: bytes, key_pem: bytes, now: datetime) -> x509.Certificate:
    """Check that a certificate is a CA that may sign leaves with this key and is valid at `now`; return the CA.

    `now` must have a time zone. Raises `CertificateError`.
    """
    check_pair(certificate_pem, key_pem, now)
    certificate = _leaf(certificate_pem)
    _check_key(certificate)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        constraints = None
    if constraints is None or not constraints.ca:
        raise CertificateError("certificate", "the certificate is not a CA (basicConstraints CA:TRUE is missing)")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return certificate
    if not usage.key_cert_sign:
        raise CertificateError("certificate", "the CA must not sign certificates (keyUsage lacks keyCertSign)")
    return certificate


def _check_key(certificate: x509.Certificate) -> None:
    """Check that all TLS clients support signatures of the CA's key."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS:
        return
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1):
        return
    raise CertificateError(
        "certificate",
        "the CA's key cannot be used: create an elliptic curve key (P-256, P-384 or P-521), or an RSA key of at least "
        f"{RSA_BITS} bits",
    )


@functools.lru_cache(maxsize=256)
def signed_by(leaf: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether the CA has signed the certificate."""
    try:
        leaf.verify_directly_issued_by(ca)
    except Exception:
        # The library raises many different exceptions for certificates that the CA has not signed.
        return False
    return True


def chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a chain, the leaf first. Raises `CertificateError` if there are none.

    Blocks that Go ignores in a bundle are ignored here as well.
    """
    content = contents(pem)
    if content.certificates:
        return content.certificates
    if content.broken:
        raise CertificateError("certificate", f"the certificate cannot be read: {content.broken[0][1]}")
    what = "PEM without a certificate" if content.others else "not PEM" if pem.strip() else "empty"
    raise CertificateError("certificate", f"the file is {what}: write a certificate chain in PEM, the leaf first")


def key_text(pem: bytes) -> bytes:
    """The first private key of a file, as PEM without the rest of the file. Raises `CertificateError`."""
    pem_blocks = [block for block in blocks(pem) if isinstance(block, Block)]
    for block in pem_blocks:
        if block.content is not None and (block.type == "PRIVATE KEY" or block.type.endswith(" PRIVATE KEY")):
            return block.text
    if pem_blocks:
        raise CertificateError("key", "the file does not hold a private key that can be read")
    what = "not PEM" if pem.strip() else "empty"
    raise CertificateError("key", f"the file is {what}: write a private key in PEM")


def _leaf(chain_pem: bytes) -> x509.Certificate:
    return chain(chain_pem)[0]


def _key(key_pem: bytes) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(key_text(key_pem), password=None)
    except TypeError:
        raise CertificateError("key", "the private key is encrypted: write one without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        # The library's message may quote the input, and a private key must not be logged.
        raise CertificateError("key", "the file does not hold a private key that can be read") from None


def _public_bytes(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return (
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
