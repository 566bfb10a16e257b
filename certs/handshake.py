"""Whether a client that trusts a bundle accepts what a server serves: asked by doing it, in memory or over a socket.

The verdicts are Go's, as the API server is the client that counts: every certificate in the bundle is an anchor, an
intermediate or the leaf itself included, and RFC 5280 is not insisted on to the letter.
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
from certs.inspect import Leaf, describe

# Messages of a handshake that go back and forth; TLS 1.3 needs two.
FLIGHTS = 8


class ProbeError(Exception):
    """No good end of a probe: `unreachable` (nothing is known of what is served), or `untrusted`."""

    def __init__(self, kind: Literal["unreachable", "untrusted"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Stream(Protocol):
    """Bytes to and from a server, however they get there."""

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises `ProbeError` or `OSError`."""

    async def receive(self) -> bytes:
        """The next bytes, none at the end. Raises `ProbeError` or `OSError`."""


def trusted(context: ssl.SSLContext, bundle: bytes, name: str) -> str:
    """Why a client that trusts exactly this bundle (PEM) refuses what the server context serves for a DNS name.

    "" where it accepts it.
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
            return f"nothing is served: {error.reason or error}"
    return "the handshake came to no end"


async def probe(host: str, port: int, name: str, bundle: bytes | None, within: float = 2.0) -> Leaf:
    """The leaf that is served there, after a handshake that trusts exactly this bundle (PEM), or anything for None.

    Raises `ProbeError`, within so many seconds.
    """
    try:
        context = _anything() if bundle is None else _client(bundle)
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


async def probe_over(stream: Stream, name: str, bundle: bytes | None) -> Leaf:
    """As `probe`, over a stream that is open already and without a bound in time. Raises `ProbeError`."""
    try:
        context = _anything() if bundle is None else _client(bundle)
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
    """Take a handshake as far as what was received goes, and wait for more; whether it is done."""
    try:
        client.do_handshake()
        done = True
    except ssl.SSLWantReadError:
        done = False
    # The server waits for what ends the handshake, too.
    if data := sent.read():
        await stream.send(data)
    if not done:
        data = await stream.receive()
        if not data:
            raise ConnectionResetError("the connection was closed during the TLS handshake")
        received.write(data)
    return done


def _leaf(client: ssl.SSLObject) -> Leaf:
    der = client.getpeercert(binary_form=True)
    try:
        return describe(x509.load_der_x509_certificate(der or b""))
    except ValueError as error:
        raise ProbeError("untrusted", f"the certificate cannot be read: {error}") from None


def _client(bundle: bytes) -> ssl.SSLContext:
    """A client that trusts the certificates of a bundle and no other. Raises `BundleError` where there are none."""
    certificates, junk = salvage(bundle)
    if not certificates:
        raise BundleError(junk or "is empty: nothing is trusted")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags = ssl.VERIFY_X509_PARTIAL_CHAIN
    # Go looks for names in the SANs alone, and takes keys that OpenSSL's default level finds too short.
    context.hostname_checks_common_name = False
    context.set_ciphers("DEFAULT@SECLEVEL=1")
    for certificate in certificates:
        with contextlib.suppress(ssl.SSLError):
            # What OpenSSL does not take, Go would not either; the others still count.
            context.load_verify_locations(cadata=certificate.public_bytes(Encoding.DER))
    return context


def _anything() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=1")
    return context


def _why(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.verify_message} (seen at {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ})"
    return str(error.reason or error)
