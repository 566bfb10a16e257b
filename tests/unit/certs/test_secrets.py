"""What can be wrong with the two Secrets, in words."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from certs.secrets import read_ca, read_leaf, secret
from tests.unit.certs.test_reconciler import builder, rsa_ca

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
CA = issue_ca("root", now=NOW)
LEAF = issue_leaf(CA, ["a"], now=NOW)


def body(pair: CertificateAndKey, **more: bytes | None) -> dict[str, Any]:
    data = {"tls.crt": pair.certificate, "tls.key": pair.key, **{k.replace("_", "."): v for k, v in more.items()}}
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items() if value is not None}
    return {"type": "kubernetes.io/tls", "metadata": {"name": "x"}, "data": encoded}


class TestReading:
    """A Secret in."""

    def test_a_good_one_holds_both(self) -> None:
        ca = read_ca("x", body(CA, next_crt=LEAF.certificate), NOW)
        assert ca.held is not None
        assert ca.next is None
        assert ca.next_why_not == "data[next.key] is missing"

    @pytest.mark.parametrize(
        ("stored", "says"),
        [
            (None, "the Secret does not exist"),
            (body(CA, tls_key=None), "data[tls.key] is missing"),
            (body(CA, tls_crt=b""), "data[tls.crt] is missing"),
            (body(CA, tls_crt=b"x"), "data[tls.crt]: the file is not PEM"),
            (body(CA, tls_key=LEAF.key), "data[tls.key]: the private key does not belong to the certificate"),
            (body(LEAF), "data[tls.crt]: the certificate is not a CA (basicConstraints CA:TRUE is missing)"),
            (body(issue_ca("x", now=NOW - timedelta(days=366))), "data[tls.crt]: the certificate expired at"),
            (
                body(issue_ca("x", now=NOW + timedelta(minutes=11))),
                "data[tls.crt]: the certificate is not valid before",
            ),
            ({"data": {"tls.crt": "%", "tls.key": "%"}}, "data[tls.crt] is not base64"),
            ({"data": {"tls.crt": "\u00fc", "tls.key": "%"}}, "data[tls.crt] is not base64"),
            ({"data": 7, "metadata": 7}, "data[tls.crt] is missing"),
        ],
    )
    def test_what_is_wrong_with_a_ca_is_said(self, stored: dict[str, Any] | None, says: str) -> None:
        read = read_ca("x", stored, NOW)
        assert read.held is None
        assert read.why_not.startswith(says)

    def test_a_ca_from_five_minutes_ahead_is_fine(self) -> None:
        assert read_ca("x", body(issue_ca("x", now=NOW + timedelta(minutes=9))), NOW).held is not None

    def test_a_ca_that_must_not_sign_is_no_ca(self) -> None:
        from cryptography import x509

        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        made = builder("x", "x", key.public_key(), None).add_extension(usage, critical=True).sign(key, hashes.SHA256())
        assert "lacks keyCertSign" in read_ca("x", body(_pem(made, key)), NOW).why_not

    def test_an_rsa_key_is_fine_and_one_that_clients_may_not_know_is_not(self) -> None:
        assert read_ca("x", body(rsa_ca()), datetime(2026, 5, 1, 12, tzinfo=UTC)).held is not None
        for key in (ec.generate_private_key(ec.SECP256K1()), ed25519.Ed25519PrivateKey.generate()):
            algorithm = hashes.SHA256() if isinstance(key, ec.EllipticCurvePrivateKey) else None
            made = builder("x", "x", key.public_key(), None).sign(key, algorithm)
            assert "the CA's key cannot be used" in read_ca("x", body(_pem(made, key)), NOW).why_not

    def test_the_ca_of_a_leaf_is_known_where_it_is_the_leaf_s(self) -> None:
        assert read_leaf("x", body(LEAF, ca_crt=CA.certificate), NOW).issuer is not None
        assert read_leaf("x", body(LEAF, ca_crt=issue_ca("x").certificate), NOW).issuer is None
        assert read_leaf("x", body(LEAF, ca_crt=b"junk"), NOW).issuer is None


class TestWriting:
    """A Secret out."""

    def test_one_that_is_there_keeps_what_is_not_changed(self) -> None:
        result = {**body(CA, extra=b"1"), "metadata": {"name": "x", "resourceVersion": "5", "annotations": {"a": "b"}}}
        changed = secret("n", read_ca("x", result, NOW), {"tls.key": b"2", "extra": None}, {"a": None, "c": "d"})
        assert changed["metadata"] == {"name": "x", "resourceVersion": "5", "annotations": {"c": "d"}}
        assert changed["data"] == {**body(CA)["data"], "tls.key": "Mg=="}
        assert "extra" in result["data"], "what was read stays as it was"

    def test_one_of_another_type_is_made_anew_with_its_data_and_wishes(self) -> None:
        result = {**body(CA), "type": "Opaque"}
        result["metadata"] = {"resourceVersion": "5", "annotations": {"linkerd-webhook/rotate": "leaf@x", "a": "b"}}
        changed = secret("n", read_ca("x", result, NOW), {}, {})
        assert changed["type"] == "kubernetes.io/tls"
        assert changed["data"] == body(CA)["data"]
        assert changed["metadata"]["annotations"] == {"linkerd-webhook/rotate": "leaf@x"}
        assert "resourceVersion" not in changed["metadata"]


def _pem(certificate: Any, key: Any) -> CertificateAndKey:
    return CertificateAndKey(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
