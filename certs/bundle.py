"""CA bundles: certificates in PEM, as `caBundle` holds them in base64."""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class BundleError(ValueError):
    """What is no CA bundle: the message says what is wrong with it."""


def read(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a bundle; none for an empty one. Raises `BundleError`."""
    found, junk = salvage(pem)
    if junk:
        raise BundleError(junk)
    return found


@functools.lru_cache(maxsize=64)
def salvage(pem: bytes) -> tuple[tuple[x509.Certificate, ...], str]:
    """The certificates of a bundle that can be read, and what is wrong with the rest, "" for nothing.

    Go does the same: what it cannot read it passes over, and trusts the others.
    """
    if not pem.strip():
        return (), ""
    blocks = _BLOCK.findall(pem)
    if not blocks:
        return (), "holds no certificate, want certificates in PEM"
    found, junk = [], ""
    for number, block in enumerate(blocks, 1):
        try:
            found.append(x509.load_pem_x509_certificate(block))
        except ValueError as error:
            junk = junk or f"holds a certificate that cannot be read (number {number}): {error}"
    if not junk and pem.count(b"-----BEGIN CERTIFICATE-----") > len(blocks):
        junk = "holds a certificate that cannot be read: it has no end"
    return tuple(found), junk


def write(certificates: Iterable[x509.Certificate]) -> bytes:
    """The bundle of these certificates, in their order, each once."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in dict.fromkeys(certificates))


def merge(*bundles: bytes) -> bytes:
    """One bundle of several: each certificate once, where it came first. Raises `BundleError`."""
    return write(certificate for bundle in bundles for certificate in read(bundle))


def decode(text: object) -> bytes:
    """The PEM of a `caBundle`; empty for none. Raises `BundleError`."""
    if text is None or text == "":
        return b""
    if not isinstance(text, str):
        raise BundleError(f"is {type(text).__name__}, want PEM in base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BundleError(f"is no base64: {error}") from None


def encode(pem: bytes) -> str:
    """A `caBundle` of PEM."""
    return base64.b64encode(pem).decode()
