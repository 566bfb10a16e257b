"""TLS contexts of the server: the served certificate, and checks that clients accept a pair before it is served."""

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
from certs.inspect import CertificateError, LeafCertificate, check_pair

# The time in the message of a failed handshake.
_SEEN: Final = re.compile(r" \(seen at [^)]*\)$")


def server_context(chain: bytes, key: bytes) -> ssl.SSLContext:
    """A context that serves a chain and its key, both PEM, over TLS 1.3 or later. Raises `CertificateError`."""
    context = _context()
    _load(context, chain, key)
    return context


@dataclass(frozen=True, slots=True)
class CheckedPair:
    """A chain and its key, both PEM, that have passed all checks, and the fields of the leaf."""

    chain: bytes
    key: bytes
    leaf: LeafCertificate


class ServedCertificate:
    """An `ssl.SSLContext` for TLS 1.3 and later whose certificate can be replaced.

    A new pair takes effect with the next handshake; open connections are not affected.
    """

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.context = _context()
        self.leaf: LeafCertificate | None = None
        self._clock = clock

    def check(self, chain: bytes, key: bytes) -> CheckedPair:
        """Check that a chain and its key, both PEM, may be served. Raises `CertificateError` if not."""
        leaf = check_pair(chain, key, self._clock())
        # OpenSSL loads the chain before it checks the key. Loading the pair into a new context first makes sure that a
        # bad key does not leave the served context with the new chain.
        server_context(chain, key)
        return CheckedPair(chain, key, leaf)

    def serve(self, pair: CheckedPair) -> None:
        """Serve a checked pair from the next handshake on."""
        _load(self.context, pair.chain, pair.key)
        self.leaf = pair.leaf

    @property
    def not_after(self) -> float:
        """When the served leaf expires, in seconds since 1970; 0 if none is served yet."""
        return self.leaf.not_after.timestamp() if self.leaf else 0.0

    @property
    def expired(self) -> bool:
        """Whether the served leaf has expired; False if none is served yet."""
        return self.leaf is not None and self.leaf.not_after <= self._clock()


def verdicts(chain: bytes, key: bytes, bundles: Iterable[bytes], name: str) -> dict[bytes, str]:
    """For each bundle (PEM), why a client that trusts only this bundle refuses the pair for a DNS name, "" if it does
    not."""
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
    # The API server keeps its connections open and does not resume sessions, so it has no use for tickets.
    context.num_tickets = 0
    return context


def _load(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Load a chain and its key, both PEM, into a context. Raises `CertificateError` if OpenSSL refuses them.

    OpenSSL fails on text that Go ignores, so it gets only the certificates and the key. Python's ssl reads only files,
    and a key must not be written to a disk, so both are passed as files in memory.
    """
    certificates = write(inspect.chain(chain))
    with _memory(certificates) as chain_file, _memory(inspect.key_text(key)) as key_file:
        try:
            context.load_cert_chain(f"/dev/fd/{chain_file.fileno()}", f"/dev/fd/{key_file.fileno()}")
        except ssl.SSLError as error:
            raise CertificateError("certificate", f"OpenSSL refuses the pair: {error.reason or error}") from None


def _memory(data: bytes) -> BinaryIO:
    """An unnamed file with this content, in memory if the system supports it, as the root file system may be
    read-only."""
    if hasattr(os, "memfd_create"):
        file: BinaryIO = os.fdopen(os.memfd_create("pem"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(data)
    file.flush()
    file.seek(0)
    return file
