"""A client that trusts a bundle and a server that serves: they come together where Go's would."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from certs.handshake import ProbeError, probe, trusted
from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from tests.unit.certs.test_reconciler import pem

NAME = "linkerd-webhook.linkerd.svc"
CA, OTHER = issue_ca("root"), issue_ca("root")
JUNK = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def server(pair: CertificateAndKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "crt", Path(folder) / "key"
        certificate.write_bytes(pair.certificate)
        key.write_bytes(pair.key)
        context.load_cert_chain(certificate, key)
    return context


def made(
    subject: str, issuer: str, signer: ec.EllipticCurvePrivateKey | None, ca: bool, sans: bool = True
) -> CertificateAndKey:
    """A bare certificate: none of the key identifiers and usages that RFC 5280 asks for."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (subject, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    made.key = key  # type: ignore[attr-defined]
    return pem(builder.sign(signer or key, hashes.SHA256()), key)


def last_key() -> ec.EllipticCurvePrivateKey:
    key: ec.EllipticCurvePrivateKey = made.key  # type: ignore[attr-defined]
    return key


LEAF = issue_leaf(CA, [NAME])


class TestTrusted:
    """In memory."""

    def test_a_leaf_of_a_ca_in_the_bundle_is_trusted(self) -> None:
        assert trusted(server(LEAF), CA.certificate, NAME) == ""
        assert trusted(server(LEAF), OTHER.certificate + CA.certificate, NAME) == "", "of the same name, in any order"

    @pytest.mark.parametrize(
        ("bundle", "name", "says"),
        [
            (OTHER.certificate, NAME, "certificate signature failure|unable to get local issuer"),
            (CA.certificate, "other.svc", "Hostname mismatch"),
            (b"", NAME, "is empty: write the CA certificates into it, in PEM"),
            (b"hello", NAME, "does not hold a certificate"),
            (JUNK, NAME, "cannot be read"),
        ],
    )
    def test_else_it_says_why_not(self, bundle: bytes, name: str, says: str) -> None:
        import re

        assert re.search(says, trusted(server(LEAF), bundle, name))

    def test_junk_beside_a_ca_does_no_harm(self) -> None:
        assert trusted(server(LEAF), JUNK + CA.certificate, NAME) == ""

    def test_an_expired_leaf_is_refused(self) -> None:
        past = datetime.now(UTC) - timedelta(days=2)
        old = issue_leaf(issue := issue_ca("x", now=past), [NAME], lifetime=timedelta(days=1), now=past)
        assert "expired" in trusted(server(old), issue.certificate, NAME)

    def test_an_expired_ca_is_refused(self) -> None:
        past = datetime.now(UTC) - timedelta(days=400)
        ca = issue_ca("x", now=past)
        longer = issue_leaf(CertificateAndKey(issue_ca("x").certificate, ca.key), [NAME])
        assert trusted(server(longer), ca.certificate, NAME) != ""

    def test_a_self_signed_leaf_that_is_no_ca_is_trusted_where_it_is_in_the_bundle(self) -> None:
        leaf = made("leaf", "leaf", None, ca=False)
        assert trusted(server(leaf), leaf.certificate, NAME) == ""
        assert trusted(server(leaf), CA.certificate, NAME) != ""

    def test_an_intermediate_in_the_bundle_is_enough(self) -> None:
        made("root", "root", None, ca=True)
        intermediate = made("intermediate", "root", last_key(), ca=True)
        leaf = made("leaf", "intermediate", last_key(), ca=False)
        assert trusted(server(leaf), intermediate.certificate, NAME) == ""

    def test_a_chain_that_is_served_leads_to_the_root(self) -> None:
        root = made("root", "root", None, ca=True)
        intermediate = made("intermediate", "root", last_key(), ca=True)
        leaf = made("leaf", "intermediate", last_key(), ca=False)
        whole = CertificateAndKey(leaf.certificate + intermediate.certificate, leaf.key)
        assert trusted(server(whole), root.certificate, NAME) == ""
        assert trusted(server(leaf), root.certificate, NAME) != ""

    def test_a_common_name_alone_is_no_name(self) -> None:
        root = made("root", "root", None, ca=True)
        leaf = made(NAME, "root", last_key(), ca=False, sans=False)
        assert "Hostname mismatch" in trusted(server(leaf), root.certificate, NAME)

    def test_a_server_without_a_certificate_is_not_trusted(self) -> None:
        assert trusted(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), CA.certificate, NAME) != ""


@asynccontextmanager
async def listening(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0)

    served = await asyncio.start_server(nothing, "127.0.0.1", 0, ssl=context)
    async with served:
        yield served.sockets[0].getsockname()[1]


class TestProbe:
    """Over a socket."""

    async def test_it_tells_what_is_served(self) -> None:
        async with listening(server(LEAF)) as port:
            for bundle in (CA.certificate, None):
                result = await probe("127.0.0.1", port, NAME, bundle)
                assert result.serial == x509.load_pem_x509_certificate(LEAF.certificate).serial_number

    async def test_without_a_bundle_anything_is_looked_at(self) -> None:
        past = datetime.now(UTC) - timedelta(days=2)
        old = issue_leaf(issue_ca("x", now=past), ["y"], lifetime=timedelta(days=1), now=past)
        async with listening(server(old)) as port:
            assert (await probe("127.0.0.1", port, NAME, None)).names == ("y",)

    @pytest.mark.parametrize("bundle", [OTHER.certificate, b"", b"junk"])
    async def test_what_is_not_trusted_is_told_from_what_is_not_reached(self, bundle: bytes) -> None:
        async with listening(server(LEAF)) as port:
            with pytest.raises(ProbeError) as error:
                await probe("127.0.0.1", port, NAME, bundle)
        assert error.value.kind == "untrusted"

    async def test_nobody_there_is_unreachable(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            with pytest.raises(ProbeError) as error:
                await probe("127.0.0.1", taken.getsockname()[1], NAME, CA.certificate)
        assert error.value.kind == "unreachable"

    async def test_a_server_that_says_nothing_is_unreachable_in_time(self) -> None:
        async with listening(None) as port:
            with pytest.raises(ProbeError, match=r"no handshake within 0.1 s|closed|reset|EOF") as error:
                await probe("127.0.0.1", port, NAME, CA.certificate, within=0.1)
        assert error.value.kind == "unreachable"
