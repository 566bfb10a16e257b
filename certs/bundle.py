"""CA bundles: PEM files of certificates. A `caBundle` field holds one in base64."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.pem import blocks

CERTIFICATE: Final = "CERTIFICATE"


class BundleError(ValueError):
    """The PEM is not a valid CA bundle: the message says why."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The content of a bundle.

    `broken` are the CERTIFICATE blocks that cannot be read, each with its number among all blocks (from 1) and the
    reason. `others` are the blocks of other types, each with its number and type. `text` is whether there is text
    outside of the blocks.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    broken: tuple[tuple[int, str], ...] = ()
    others: tuple[tuple[int, str], ...] = ()
    text: bool = False


def read(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a bundle; () if it is empty. Raises `BundleError` if any of them cannot be read."""
    certificates, junk = salvage(pem)
    if junk:
        raise BundleError(junk)
    return certificates


def salvage(pem: bytes) -> tuple[tuple[x509.Certificate, ...], str]:
    """The certificates of a bundle that can be read, and what is wrong with the others ("" if nothing is).

    The API server uses such a bundle likewise: Go's `AppendCertsFromPEM` ignores certificates that it cannot read.
    """
    if not pem.strip():
        return (), ""
    content = contents(pem)
    if not content.certificates and not content.broken:
        return (), "does not hold a certificate: write certificates in PEM"
    why = ""
    if content.broken:
        number, what = content.broken[0]
        why = f"holds a certificate that cannot be read (number {number}): {what}"
    return content.certificates, why


@functools.lru_cache(maxsize=64)
def contents(pem: bytes) -> Contents:
    """The content of a bundle, as Go's `AppendCertsFromPEM` reads it.

    https://pkg.go.dev/crypto/x509#CertPool.AppendCertsFromPEM
    """
    certificates: list[x509.Certificate] = []
    broken: list[tuple[int, str]] = []
    others: list[tuple[int, str]] = []
    number, text = 0, False
    for part in blocks(pem):
        if isinstance(part, bytes):
            text = True
            continue
        number += 1
        if part.type != CERTIFICATE:
            others.append((number, part.type))
        elif part.content is None:
            broken.append((number, "its text is damaged" if b"\n-----END " in part.text else "it has no end"))
        elif part.headers:
            broken.append((number, "it has headers: leave them out"))
        else:
            try:
                certificates.append(x509.load_der_x509_certificate(part.content))
            except ValueError as error:
                broken.append((number, str(error)))
    return Contents(tuple(certificates), tuple(broken), tuple(others), text)


def write(certificates: Iterable[x509.Certificate]) -> bytes:
    """The certificates as a bundle in PEM, in their order and without duplicates."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in dict.fromkeys(certificates))


def merge(*bundles: bytes) -> bytes:
    """One bundle with the certificates of all, without duplicates. Raises `BundleError`."""
    return write(certificate for bundle in bundles for certificate in read(bundle))


def valid(pem: bytes, now: datetime) -> tuple[x509.Certificate, ...]:
    """The certificates of a bundle that can be read and are within their validity period at `now` (UTC)."""
    return tuple(
        certificate
        for certificate in salvage(pem)[0]
        if certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
    )
