"""When a certificate is to be renewed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography import x509

from certs.inspect import LeafCertificate, describe
from certs.issue import CLOCK_SKEW

# A certificate is renewed after this part of its lifetime, plus or minus the jitter: so not all clusters renew at once.
RENEW_AT: Final = 2 / 3
JITTER: Final = 0.05


def due(certificate: x509.Certificate | LeafCertificate) -> datetime:
    """When a certificate is to be renewed, in UTC: after `RENEW_AT` of its lifetime, plus or minus `JITTER`.

    The jitter depends on the serial number, so that it is always the same for a certificate.
    """
    leaf = describe(certificate) if isinstance(certificate, x509.Certificate) else certificate
    begin = leaf.not_before + CLOCK_SKEW
    jitter = (leaf.serial % 1000 / 999 - 0.5) * 2 * JITTER
    return begin + (leaf.not_after - begin) * (RENEW_AT + jitter)


def latest(leaf: LeafCertificate) -> datetime:
    """When a certificate is renewed at the latest, in UTC, if somebody renews it after about `RENEW_AT` of its
    lifetime, as cert-manager does unless it is told otherwise."""
    return leaf.not_before + (leaf.not_after - leaf.not_before) * (RENEW_AT + JITTER)
