"""TLS of a server: pairs in contexts, the certificate in force, and how clients take a pair that is not served yet."""

from __future__ import annotations

import os
import re
import ssl
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Final

from certs import inspect
from certs.bundle import write
from certs.handshake import trusted
from certs.inspect import CertificateError, Leaf, check_pair

# Two handshakes with the same certificate fail in the same words but for the time.
_SEEN: Final = re.compile(r" \(seen at [^)]*\)$")


def server_context(chain: bytes, key: bytes) -> ssl.SSLContext:
    """A context that serves a pair, both PEM, by TLS 1.3 and later. Raises `CertificateError`."""
    context = _context()
    _load(context, chain, key)
    return context


@dataclass(frozen=True, slots=True)
class CheckedPair:
    """A chain and its key, both PEM, that may be served; and what the leaf says of itself."""

    chain: bytes
    key: bytes
    leaf: Leaf


class ServedCertificate:
    """One `ssl.SSLContext` for TLS 1.3 and later, and what it serves.

    A new pair serves the next handshakes; connections that are open stay as they are.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.context = _context()
        self.leaf: Leaf | None = None
        self._clock = clock

    def check(self, chain: bytes, key: bytes) -> CheckedPair:
        """A pair that may be put into force. Raises `CertificateError` for one that must not."""
        leaf = check_pair(chain, key, self._clock())
        # OpenSSL takes the chain before it looks at the key. A pair that it refuses halfway must not have touched the
        # context in use, so a fresh one tries it first.
        server_context(chain, key)
        return CheckedPair(chain, key, leaf)

    def serve(self, pair: CheckedPair) -> None:
        """Put a pair into force."""
        _load(self.context, pair.chain, pair.key)
        self.leaf = pair.leaf

    @property
    def not_after(self) -> float:
        """When the served leaf expires, in seconds since 1970; 0 before there is one."""
        return self.leaf.not_after.timestamp() if self.leaf else 0.0

    @property
    def expired(self) -> bool:
        """Whether the served leaf has expired since it was put into force."""
        return self.leaf is not None and self.leaf.not_after <= self._clock()


def verdicts(chain: bytes, key: bytes, bundles: Iterable[bytes], name: str) -> dict[bytes, str]:
    """By bundle (PEM), why a client that trusts just that refuses the pair for a DNS name; "" where it accepts it."""
    try:
        context = server_context(chain, key)
    except CertificateError as error:
        return dict.fromkeys(bundles, error.message)
    return {bundle: without_time(trusted(context, bundle, name)) for bundle in bundles}


def without_time(reason: str) -> str:
    """The reason of a failed handshake without the time at which it failed."""
    return _SEEN.sub("", reason)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["http/1.1"])
    # The API server keeps its connections and caches no sessions: tickets are bytes for nobody.
    context.num_tickets = 0
    return context


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Have a context serve exactly this pair, both PEM. Raises `CertificateError` where OpenSSL refuses it.

    OpenSSL stumbles over what others pass over, so it gets the certificates and the key alone; and from memory, though
    Python's ssl reads only files, as a key should reach no disk.
    """
    certificates = write(inspect.chain(chain))
    with _memory(certificates) as chain_file, _memory(inspect.key_text(key)) as key_file:
        try:
            context.load_cert_chain(f"/dev/fd/{chain_file.fileno()}", f"/dev/fd/{key_file.fileno()}")
        except ssl.SSLError as error:
            raise CertificateError("certificate", f"OpenSSL refuses the pair: {error.reason or error}") from None


def _memory(data: bytes) -> BinaryIO:
    """An unnamed file, in memory where the system has that: the root file system may be read-only."""
    if hasattr(os, "memfd_create"):
        file: BinaryIO = os.fdopen(os.memfd_create("pem"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(data)
    file.flush()
    file.seek(0)
    return file
