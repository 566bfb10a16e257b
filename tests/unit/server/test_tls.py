"""The served certificate: checked before it is taken, swapped without a restart."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from certs.inspect import CertificateError
from certs.issue import CertificateAndKey, issue_leaf
from certs.tls import ServedCertificate
from tests.serving import Serving, read_response, request_bytes, review, trust


def served_serial(port: int, ca: CertificateAndKey) -> int:
    with (
        socket.create_connection(("127.0.0.1", port)) as sock,
        trust(ca).wrap_socket(sock, server_hostname="localhost") as connection,
    ):
        result = connection.getpeercert()
        assert result is not None
        return int(str(result["serialNumber"]), 16)


async def test_a_new_pair_serves_the_next_handshakes_and_open_connections_stay(
    serving: Serving, ca: CertificateAndKey
) -> None:
    """No request is lost over a rotation."""
    site = await serving()
    reader, writer = await site.connect()
    before = await asyncio.to_thread(served_serial, site.server.port, ca)
    pair = issue_leaf(ca, ["localhost"])
    site.certificate.serve(site.certificate.check(pair.certificate, pair.key))
    after = await asyncio.to_thread(served_serial, site.server.port, ca)
    assert before != after
    assert site.certificate.leaf is not None
    assert site.certificate.leaf.serial == after
    writer.write(request_bytes(review()))
    assert (await read_response(reader))[0] == 200
    writer.close()


async def test_a_pair_that_does_not_match_changes_nothing(serving: Serving, ca: CertificateAndKey) -> None:
    """OpenSSL alone would drop the key and serve nobody."""
    site = await serving()
    before = await asyncio.to_thread(served_serial, site.server.port, ca)
    with pytest.raises(CertificateError, match="does not belong"):
        site.certificate.serve(
            site.certificate.check(issue_leaf(ca, ["localhost"]).certificate, issue_leaf(ca, ["localhost"]).key)
        )
    assert await asyncio.to_thread(served_serial, site.server.port, ca) == before


async def test_tls_1_2_is_refused_and_1_3_speaks_http_1_1(serving: Serving, ca: CertificateAndKey) -> None:
    """TLS 1.3 at least."""
    site = await serving()

    def connect(maximum: ssl.TLSVersion) -> tuple[str | None, str | None]:
        context = trust(ca)
        context.maximum_version = maximum
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", site.server.port)) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as connection,
        ):
            return connection.version(), connection.selected_alpn_protocol()

    with pytest.raises(ssl.SSLError):
        await asyncio.to_thread(connect, ssl.TLSVersion.TLSv1_2)
    assert await asyncio.to_thread(connect, ssl.TLSVersion.TLSv1_3) == ("TLSv1.3", "http/1.1")


def test_a_certificate_that_expires_while_it_is_served_is_known_to_have(ca: CertificateAndKey) -> None:
    """For `/ready` and the metric."""
    now = datetime.now(UTC)
    certificate = ServedCertificate(clock=lambda: now)
    assert (certificate.not_after, certificate.expired) == (0.0, False)
    pair = issue_leaf(ca, ["localhost"], lifetime=timedelta(hours=1))
    certificate.serve(certificate.check(pair.certificate, pair.key))
    assert abs(certificate.not_after - now.timestamp() - 3600) < 5
    assert not certificate.expired
    now += timedelta(hours=2)
    assert certificate.expired
