"""Findings about one caBundle, for `certs inspect` and for the readiness of a running server. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webhook.diagnosis.finding import Check, CheckFinding

FILLED: Final = Check("ca-bundle-filled", "every caBundle holds a certificate")
TRUSTED: Final = Check("ca-bundle-trusts", "every caBundle trusts every certificate that is served")


def empty(where: str, field: str, junk: Sequence[str] = (), fix: str = "") -> CheckFinding:
    """That a caBundle holds no certificate; `junk` is what it holds instead."""
    message = f"holds no certificate ({'; '.join(junk)})" if junk else "is empty: nothing is trusted"
    return FILLED.error(where, field, message, fix)


def distrusts(
    where: str, field: str, served: str, name: str, why: str, *, fix: str = "", value: str = ""
) -> CheckFinding:
    """That a caBundle (`value`: its certificates) does not trust what is served for a DNS name; `why` is OpenSSL's."""
    return TRUSTED.error(where, field, f"does not trust {served} for {name}: {why}", fix, value)
