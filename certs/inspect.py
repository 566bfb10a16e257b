"""Look at a certificate chain and its key before anything is trusted to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

# The issuer's clock may be ahead of ours by this much.
CLOCK_SKEW = timedelta(minutes=5)


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
    return Leaf(
        subject=leaf.subject.rfc4514_string(),
        issuer=leaf.issuer.rfc4514_string(),
        serial=leaf.serial_number,
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        names=_names(leaf),
    )


def _leaf(chain_pem: bytes) -> x509.Certificate:
    if not chain_pem.strip():
        raise CertificateError("certificate", "the file is empty, want a certificate chain in PEM, the leaf first")
    if b"-----BEGIN CERTIFICATE-----" not in chain_pem:
        what = "PEM without a certificate" if b"-----BEGIN " in chain_pem else "not PEM"
        raise CertificateError("certificate", f"the file is {what}, want a certificate chain in PEM, the leaf first")
    try:
        return x509.load_pem_x509_certificates(chain_pem)[0]
    except ValueError as error:
        raise CertificateError("certificate", f"the certificate cannot be read: {error}") from None


def _key(key_pem: bytes) -> PrivateKeyTypes:
    if not key_pem.strip():
        raise CertificateError("key", "the file is empty, want a private key in PEM")
    if b"-----BEGIN " not in key_pem:
        raise CertificateError("key", "the file is not PEM, want a private key in PEM")
    try:
        return serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        raise CertificateError("key", "the private key is encrypted, want one without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        # The library's text may quote the input, and a key belongs in no log.
        raise CertificateError("key", "the file holds no private key that can be read") from None


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
