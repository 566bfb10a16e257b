"""Certificates that are issued here: what TLS clients insist on is in them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.issue import CertificateAndKey, issue_ca, issue_leaf

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def read(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


class TestCA:
    """The authority."""

    def test_it_may_sign_certificates_and_no_further_authorities(self) -> None:
        """Critical, as RFC 5280 has it."""
        certificate = read(issue_ca("root").certificate)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


class TestLeaf:
    """The serving certificate."""

    def test_it_is_for_servers_of_these_names_and_addresses(self) -> None:
        """IP addresses are addresses, not names."""
        certificate = read(issue_leaf(issue_ca("root"), ["a.b.svc", "10.0.0.1", "::1"]).certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["a.b.svc"]
        assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "::1"]
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]

    def test_it_names_its_authority_s_key(self) -> None:
        """Python 3.13 verifies nothing without."""
        ca = issue_ca("root")
        certificate = read(issue_leaf(ca, ["a"]).certificate)
        own = read(ca.certificate).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        result = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        assert result == own

    def test_it_begins_a_little_earlier_for_clocks_that_are_behind(self) -> None:
        """Five minutes."""
        certificate = read(issue_leaf(issue_ca("root", now=NOW), ["a"], now=NOW).certificate)
        assert certificate.not_valid_before_utc == NOW - timedelta(minutes=5)

    def test_it_never_outlives_its_authority(self) -> None:
        """However long it was asked for."""
        ca = issue_ca("root", lifetime=timedelta(days=10), now=NOW)
        certificate = read(issue_leaf(ca, ["a"], lifetime=timedelta(days=90), now=NOW).certificate)
        assert certificate.not_valid_after_utc == NOW + timedelta(days=10)

    def test_serial_numbers_differ(self) -> None:
        """They are random."""
        ca = issue_ca("root")
        assert (
            read(issue_leaf(ca, ["a"]).certificate).serial_number
            != read(issue_leaf(ca, ["a"]).certificate).serial_number
        )

    def test_a_name_that_is_too_long_for_a_common_name_stands_in_the_sans(self) -> None:
        """Where clients look."""
        name = "linkerd-proxy-injector." + "n" * 63 + ".svc.cluster.local"
        certificate = read(issue_leaf(issue_ca("root"), [name]).certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [name]

    def test_no_name_is_refused(self) -> None:
        """Nobody could verify it."""
        with pytest.raises(ValueError, match="at least one"):
            issue_leaf(issue_ca("root"), [])

    def test_an_expired_authority_signs_nothing(self) -> None:
        """And says since when."""
        ca = issue_ca("root", lifetime=timedelta(days=1), now=NOW)
        with pytest.raises(ValueError, match="2026-05-02T12:00:00Z"):
            issue_leaf(ca, ["a"], now=NOW + timedelta(days=2))

    def test_a_strict_client_verifies_it(self) -> None:
        """OpenSSL's strict mode, which Python 3.13 has on."""
        ca = issue_ca("root")
        leaf = issue_leaf(ca, ["localhost"])
        client = ssl.create_default_context(cadata=ca.certificate.decode())
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        assert handshake(client, leaf.certificate, leaf.key) == "TLSv1.3"


def handshake(client: ssl.SSLContext, chain: bytes, key: bytes) -> str | None:
    import tempfile
    from pathlib import Path

    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain_file, key_file = Path(folder) / "crt", Path(folder) / "key"
        chain_file.write_bytes(chain)
        key_file.write_bytes(key)
        server.load_cert_chain(chain_file, key_file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[0].version()


BITS = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")


@pytest.mark.parametrize(
    ("pem", "allowed"),
    [
        (issue_ca("root").certificate, {"key_cert_sign", "crl_sign"}),
        (issue_leaf(issue_ca("root"), ["a"]).certificate, {"digital_signature"}),
    ],
    ids=["CA", "leaf"],
)
def test_a_key_may_do_what_it_is_for_and_nothing_else(pem: bytes, allowed: set[str]) -> None:
    """And whoever does not know these limits must not accept the certificate."""
    extensions = read(pem).extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert {bit for bit in (*BITS, "key_cert_sign", "crl_sign") if getattr(usage.value, bit)} == allowed
    assert extensions.get_extension_for_class(x509.BasicConstraints).critical


def test_the_names_and_purpose_of_a_leaf_are_not_critical_as_it_has_a_subject() -> None:
    """RFC 5280, 4.2.1.6."""
    extensions = read(issue_leaf(issue_ca("root"), ["a"]).certificate).extensions
    assert not extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    assert not extensions.get_extension_for_class(x509.ExtendedKeyUsage).critical


def test_a_ca_that_expires_now_signs_no_leaf() -> None:
    ca = issue_ca("root", lifetime=timedelta(hours=1), now=NOW)
    end = read(ca.certificate).not_valid_after_utc
    issue_leaf(ca, ["a"], now=end - timedelta(seconds=1))
    with pytest.raises(ValueError, match="expired"):
        issue_leaf(ca, ["a"], now=end)


def test_a_key_of_another_kind_is_named() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TypeError, match="the CA's key is Ed25519PrivateKey"):
        issue_leaf(CertificateAndKey(issue_ca("root").certificate, text), ["a"])
