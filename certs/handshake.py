"""Checks by a TLS handshake, in memory or over a socket, that a client which trusts a bundle accepts a server.

The client behaves like the API server, which is written in Go: every certificate in the bundle is a trust anchor, also
an intermediate or the leaf itself, and deviations from RFC 5280 that Go accepts are accepted.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs.bundle import BundleError, salvage
from certs.inspect import LeafCertificate, describe

# The most round trips of a handshake in memory; TLS 1.3 needs two.
FLIGHTS = 8


class ProbeError(Exception):
    """A failed probe. `kind` is `unreachable` (it is not known what the server serves) or `untrusted`."""

    def __init__(self, kind: Literal["unreachable", "untrusted"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Stream(Protocol):
    """A byte stream to and from a server."""

    async def send(self, data: bytes) -> None:
        """Send all of `data`. Raises `ProbeError` or `OSError`."""

    async def receive(self) -> bytes:
        """Return the next bytes, b"" at the end of the stream. Raises `ProbeError` or `OSError`."""


def trusted(context: ssl.SSLContext, bundle: bytes, name: str) -> str:
    """Why a client that trusts only this bundle (PEM) refuses the server `context` for a DNS name.

    "" if the client accepts the server.
    """
    try:
        client_context = _client(bundle)
    except BundleError as error:
        return str(error)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(FLIGHTS):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            return _why(error)
        else:
            return ""
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return f"the server cannot complete the handshake: {error.reason or error}"
    return f"the handshake is not complete after {FLIGHTS} round trips"


async def probe(host: str, port: int, name: str, bundle: bytes | None, within: float = 2.0) -> LeafCertificate:
    """Connect to a server and return its leaf, after a handshake for the DNS name `name`.

    The client trusts only `bundle` (PEM), or any certificate if it is None. `within` is the timeout in seconds. Raises
    `ProbeError`.
    """
    try:
        context = _trusts_anything() if bundle is None else _client(bundle)
    except BundleError as error:
        raise ProbeError("untrusted", str(error)) from None
    try:
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        raise ProbeError("untrusted", f"{host}:{port}: {_why(error)}") from None
    except TimeoutError:
        raise ProbeError("unreachable", f"{host}:{port}: no handshake within {within:g} s") from None
    except (OSError, ValueError) as error:
        raise ProbeError("unreachable", f"{host}:{port}: {error}") from None
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return describe(x509.load_der_x509_certificate(der))
    except ValueError as error:
        raise ProbeError("untrusted", f"{host}:{port}: the certificate cannot be read: {error}") from None
    finally:
        writer.transport.abort()


async def probe_over(stream: Stream, name: str, bundle: bytes | None) -> LeafCertificate:
    """As `probe`, over a stream that is open already, and without a timeout. Raises `ProbeError`."""
    try:
        context = _trusts_anything() if bundle is None else _client(bundle)
    except BundleError as error:
        raise ProbeError("untrusted", str(error)) from None
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(received, sent, server_hostname=name)
    try:
        while not await _step(client, stream, received, sent):
            pass
    except ssl.SSLCertVerificationError as error:
        raise ProbeError("untrusted", _why(error)) from None
    except (OSError, ValueError) as error:
        raise ProbeError("unreachable", str(error)) from None
    return _leaf(client)


async def _step(client: ssl.SSLObject, stream: Stream, received: ssl.MemoryBIO, sent: ssl.MemoryBIO) -> bool:
    """Continue a handshake, send what it produces and wait for a response; return whether it is complete."""
    try:
        client.do_handshake()
        done = True
    except ssl.SSLWantReadError:
        done = False
    # Also the last message of the handshake must reach the server.
    if data := sent.read():
        await stream.send(data)
    if not done:
        data = await stream.receive()
        if not data:
            raise ConnectionResetError("the connection was closed during the TLS handshake")
        received.write(data)
    return done


def _leaf(client: ssl.SSLObject) -> LeafCertificate:
    der = client.getpeercert(binary_form=True)
    try:
        return describe(x509.load_der_x509_certificate(der or b""))
    except ValueError as error:
        raise ProbeError("untrusted", f"the certificate cannot be read: {error}") from None


def _client(bundle: bytes) -> ssl.SSLContext:
    """A client that trusts only the certificates of a bundle. Raises `BundleError` if it holds none."""
    certificates, junk = salvage(bundle)
    if not certificates:
        raise BundleError(junk or "is empty: write the CA certificates into it, in PEM")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN
    # Go ignores the common name, and accepts keys that are too short for OpenSSL's default security level.
    context.hostname_checks_common_name = False
    context.set_ciphers("DEFAULT@SECLEVEL=1")
    for certificate in certificates:
        with contextlib.suppress(ssl.SSLError):
            # Go would reject this certificate as well, and use the others.
            context.load_verify_locations(cadata=certificate.public_bytes(Encoding.DER))
    return context


def _trusts_anything() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=1")
    return context


def _why(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.verify_message} (seen at {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ})"
    return str(error.reason or error)
