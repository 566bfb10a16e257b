"""A pair is looked at before it is served, and what is wrong with it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization

from certs.inspect import CertificateError, check_pair
from certs.issue import issue_ca, issue_leaf
from certs.tls import server_context

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
CA = issue_ca("root", now=NOW)
LEAF = issue_leaf(CA, ["a.b.svc", "10.0.0.1"], lifetime=timedelta(days=1), now=NOW)


def problem(chain: bytes, key: bytes, now: datetime = NOW) -> tuple[str, str]:
    with pytest.raises(CertificateError) as error:
        check_pair(chain, key, now)
    return error.value.part, error.value.message


def test_a_good_pair_says_who_it_is_for_and_until_when() -> None:
    """Names, addresses and times."""
    leaf = check_pair(LEAF.certificate, LEAF.key, NOW)
    assert leaf.names == ("a.b.svc", "10.0.0.1")
    assert leaf.not_after == NOW + timedelta(days=1)
    assert leaf.issuer == "CN=root"


def test_a_chain_is_judged_by_its_first_certificate() -> None:
    """The leaf comes first."""
    assert check_pair(LEAF.certificate + CA.certificate, LEAF.key, NOW).subject == "CN=a.b.svc"
    part, message = problem(CA.certificate + LEAF.certificate, LEAF.key)
    assert part == "key"
    assert "does not belong" in message


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        (b"", "empty"),
        (b"hello", "not PEM"),
        (LEAF.key, "PEM without a certificate"),
        (LEAF.certificate[:200] + b"\n-----END CERTIFICATE-----\n", "cannot be read"),
        (LEAF.certificate[:200], "cannot be read"),
    ],
    ids=["empty", "no PEM", "a key", "damaged", "half"],
)
def test_a_file_without_a_certificate_is_the_certificate_s_fault(chain: bytes, says: str) -> None:
    """And says what is there in its place."""
    part, message = problem(chain, LEAF.key)
    assert part == "certificate"
    assert says in message


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (b"", "empty"),
        (b"hello", "not PEM"),
        (LEAF.certificate, "does not hold a private key"),
        (LEAF.key[:100], "does not hold a private key"),
    ],
    ids=["empty", "no PEM", "a certificate", "half"],
)
def test_a_file_without_a_key_is_the_key_s_fault(key: bytes, says: str) -> None:
    """And none of it is quoted."""
    part, message = problem(LEAF.certificate, key)
    assert part == "key"
    assert says in message


def test_what_go_passes_over_in_the_two_files_does_no_harm() -> None:
    """Remarks, parameters and halves of certificates, as copying and `openssl ecparam -genkey` leave them."""
    chain = b"a remark\n" + CA.certificate[:200] + b"\n" + LEAF.certificate + CA.certificate
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    key = parameters + LEAF.key
    assert check_pair(chain, key, NOW).subject == "CN=a.b.svc"
    # Raises where OpenSSL refuses them.
    server_context(chain, key)


def test_an_encrypted_key_is_named_as_such() -> None:
    """Nobody is there to type a password."""
    key = serialization.load_pem_private_key(LEAF.key, None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    assert problem(LEAF.certificate, encrypted) == ("key", "the private key is encrypted: write one without a password")


def test_a_key_of_another_certificate_is_the_key_s_fault() -> None:
    """As happens when only one of the two files was replaced."""
    assert problem(LEAF.certificate, CA.key)[0] == "key"


def test_an_expired_certificate_says_since_when() -> None:
    """In UTC."""
    message = problem(LEAF.certificate, LEAF.key, NOW + timedelta(days=1))
    assert message == ("certificate", "the certificate expired at 2026-05-02T12:00:00Z")


def test_a_certificate_from_the_future_is_refused_beyond_a_clock_s_error() -> None:
    """Five minutes may be the clocks'."""
    begin = NOW - timedelta(minutes=5)
    check_pair(LEAF.certificate, LEAF.key, begin - timedelta(minutes=4))
    part, message = problem(LEAF.certificate, LEAF.key, begin - timedelta(minutes=6))
    assert part == "certificate"
    assert "not valid before 2026-05-01T11:55:00Z" in message
