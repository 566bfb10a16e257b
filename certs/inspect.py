"""Look at a certificate chain and its key before anything is trusted to them."""

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

# The issuer's clock may be ahead of ours by this much.
CLOCK_SKEW = timedelta(minutes=5)

# Shorter RSA keys are refused by TLS libraries.
RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a serving certificate says of itself; times are UTC."""

    subject: str
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]


class CertificateError(Exception):
    """A pair that must not be served. `part` says which of the two is to blame: `certificate` or `key`."""

    def __init__(self, part: Literal["certificate", "key"], message: str) -> None:
        super().__init__(message)
        self.part = part
        self.message = message


def check_pair(chain_pem: bytes, key_pem: bytes, now: datetime) -> Leaf:
    """The leaf of a chain whose key is this one and which is valid at `now` (aware). Raises `CertificateError`."""
    leaf = _leaf(chain_pem)
    key = _key(key_pem)
    if _public_bytes(key) != leaf.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ):
        raise CertificateError("key", "the private key does not belong to the certificate")
    if leaf.not_valid_after_utc <= now:
        raise CertificateError("certificate", f"the certificate has expired since {_time(leaf.not_valid_after_utc)}")
    if leaf.not_valid_before_utc > now + CLOCK_SKEW:
        raise CertificateError(
            "certificate",
            f"the certificate is not valid before {_time(leaf.not_valid_before_utc)}, and now is {_time(now)}",
        )
    return describe(leaf)


def describe(leaf: x509.Certificate) -> Leaf:
    """What a certificate says of itself."""
    return Leaf(
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        serial=leaf.serial_number,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        names=_names(leaf),
    )


def check_ca(certificate_pem: bytes, key_pem: bytes, now: datetime) -> x509.Certificate:
    """A CA that may sign leaves, with this key, valid at `now` (aware). Raises `CertificateError`."""
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
    """What is signed with the key has to be something that every client verifies."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS:
        return
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1):
        return
    raise CertificateError(
        "certificate",
        f"the CA's key cannot be used: make an elliptic curve key (P-256, P-384 or P-521) or RSA with {RSA_BITS} bits",
    )


@functools.lru_cache(maxsize=256)
def signed_by(leaf: x509.Certificate, ca: x509.Certificate) -> bool:
    """Whether a CA has signed a certificate."""
    try:
        leaf.verify_directly_issued_by(ca)
    except Exception:
        # The library has a different exception for each way in which it was not.
        return False
    return True


def chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a chain, at least one, the leaf first. Raises `CertificateError`.

    What Go passes over in a bundle is passed over here.
    """
    found = contents(pem)
    if found.certificates:
        return found.certificates
    if found.broken:
        raise CertificateError("certificate", f"the certificate cannot be read: {found.broken[0][1]}")
    what = "PEM without a certificate" if found.others else "not PEM" if pem.strip() else "empty"
    raise CertificateError("certificate", f"the file is {what}: write a certificate chain in PEM, the leaf first")


def key_text(pem: bytes) -> bytes:
    """The first private key of a file, as PEM and without anything else. Raises `CertificateError`."""
    found = [each for each in blocks(pem) if isinstance(each, Block)]
    for block in found:
        if block.content is not None and (block.type == "PRIVATE KEY" or block.type.endswith(" PRIVATE KEY")):
            return block.text
    if found:
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
        # The library's text may quote the input, and a key belongs in no log.
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
