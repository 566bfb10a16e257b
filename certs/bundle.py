"""CA bundles: certificates in PEM, as `caBundle` holds them in base64."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.pem import blocks

CERTIFICATE: Final = "CERTIFICATE"


class BundleError(ValueError):
    """What is not a CA bundle: the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bundle holds: certificates in their order; blocks that are passed over, each with its number (from 1)
    and what it is; and whether there is text outside of them. `broken` are those that were to be certificates."""

    certificates: tuple[x509.Certificate, ...] = ()
    broken: tuple[tuple[int, str], ...] = ()
    others: tuple[tuple[int, str], ...] = ()
    text: bool = False


def read(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a bundle; none for an empty one. Raises `BundleError`."""
    found, junk = salvage(pem)
    if junk:
        raise BundleError(junk)
    return found


def salvage(pem: bytes) -> tuple[tuple[x509.Certificate, ...], str]:
    """The certificates of a bundle that can be read, and what is wrong with the rest, "" for nothing.

    Go does the same: what it cannot read it passes over, and trusts the others.
    """
    if not pem.strip():
        return (), ""
    found = contents(pem)
    if not found.certificates and not found.broken:
        return (), "does not hold a certificate: write certificates in PEM"
    why = ""
    if found.broken:
        number, what = found.broken[0]
        why = f"holds a certificate that cannot be read (number {number}): {what}"
    return found.certificates, why


@functools.lru_cache(maxsize=64)
def contents(pem: bytes) -> Contents:
    """What a bundle holds, as Go's `AppendCertsFromPEM` takes and leaves it."""
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
    """The bundle of these certificates, in their order, each once."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in dict.fromkeys(certificates))


def merge(*bundles: bytes) -> bytes:
    """One bundle of several: each certificate once, where it came first. Raises `BundleError`."""
    return write(certificate for bundle in bundles for certificate in read(bundle))
