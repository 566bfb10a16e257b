"""A TLS server in memory that serves a pair, to try a caBundle on it where nothing listens."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from typing import Final

from certs.handshake import trusted
from certs.inspect import CertificateError
from certs.serving import load

# Two looks at the same thing say the same.
_SEEN: Final = re.compile(r" \(seen at [^)]*\)$")


def verdicts(chain: bytes, key: bytes, bundles: Iterable[bytes], name: str) -> dict[bytes, str]:
    """By bundle (PEM), why a client that trusts just that refuses the pair for a DNS name; "" where it accepts it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        load(context, chain, key)
    except CertificateError as error:
        return dict.fromkeys(bundles, error.message)
    return {bundle: plain(trusted(context, bundle, name)) for bundle in bundles}


def plain(reason: str) -> str:
    """A reason without the time at which it was found."""
    return _SEEN.sub("", reason)
