"""The certificate that is served: checked before it is taken, and replaced without a restart."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from certs.inspect import CertificateError, Leaf, check_pair
from certs.serving import load
from webhook.server.reload import Contents, Group, Refused

CERTIFICATE = "tls.crt"
KEY = "tls.key"


def _now() -> datetime:
    return datetime.now(UTC)


class Certificate:
    """One `ssl.SSLContext` for TLS 1.3 and later, and what it serves.

    A new pair serves the next handshakes; connections that are open stay as they are.
    """

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self.context = _context()
        self.leaf: Leaf | None = None
        self._clock = clock

    def check(self, chain: bytes, key: bytes) -> Leaf:
        """What the leaf says of itself. Raises `CertificateError` for a pair that must not be served."""
        leaf = check_pair(chain, key, self._clock())
        # OpenSSL takes the chain before it looks at the key. A pair that it refuses halfway must not have touched the
        # context in use, so a fresh one tries it first.
        load(_context(), chain, key)
        return leaf

    def load(self, chain: bytes, key: bytes) -> None:
        """Take a pair, both PEM, into force. Raises `CertificateError`; then the pair before stays."""
        leaf = self.check(chain, key)
        load(self.context, chain, key)
        self.leaf = leaf

    @property
    def not_after(self) -> float:
        """When the served leaf expires, in seconds since 1970; 0 before there is one."""
        return self.leaf.not_after.timestamp() if self.leaf else 0.0

    @property
    def expired(self) -> bool:
        """Whether the served leaf has expired since it was loaded."""
        return self.leaf is not None and self.leaf.not_after <= self._clock()


def group(certificate: Certificate, directory: Path, wait: Callable[[bytes, bytes], str] = lambda *_: "") -> Group:
    """The pair in a directory, as files to load and reload into `certificate`.

    `wait` says why a good pair must not be served yet, "" where it may be.
    """

    def prepare(contents: Contents) -> Callable[[], None]:
        chain, key = contents[CERTIFICATE], contents[KEY]
        try:
            certificate.check(chain, key)
        except CertificateError as error:
            path = directory / (CERTIFICATE if error.part == "certificate" else KEY)
            raise Refused(f"{path}: {error.message}") from error
        why = wait(chain, key)
        if why:
            raise Refused(f"{directory / CERTIFICATE}: not served yet, as who calls would not trust it: {why}")
        return lambda: certificate.load(chain, key)

    return Group("certificate", {name: directory / name for name in (CERTIFICATE, KEY)}, prepare)


def offer(chain: bytes, key: bytes) -> ssl.SSLContext:
    """A context that serves a pair, both PEM, beside the one in use. Raises `CertificateError`."""
    context = _context()
    load(context, chain, key)
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    # The API server keeps its connections and caches no sessions: tickets are bytes for nobody.
    context.num_tickets = 0
    return context
