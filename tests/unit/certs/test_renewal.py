"""When a certificate is to be renewed, for those who look at one from outside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from certs.inspect import LeafCertificate, describe
from certs.issue import issue_ca, issue_leaf
from certs.renewal import due, latest

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_certificate_and_its_description_are_renewed_at_the_same_time() -> None:
    pair = issue_leaf(issue_ca("ca", now=NOW), ["a.svc"], lifetime=timedelta(days=30), now=NOW)
    (certificate,) = x509.load_pem_x509_certificates(pair.certificate)
    assert due(certificate) == due(describe(certificate))
    assert (due(certificate) - NOW) / timedelta(days=30) == pytest.approx(2 / 3, abs=0.051)


@given(st.integers(1, 2**63), st.integers(3600, 10**9))
def test_nobody_renews_later_than_the_latest(serial: int, seconds: int) -> None:
    leaf = LeafCertificate("CN=a", "CN=b", serial, NOW, NOW + timedelta(seconds=seconds), ())
    assert due(leaf) <= latest(leaf) + timedelta(minutes=5)
    assert leaf.not_before + (leaf.not_after - leaf.not_before) * 2 / 3 <= latest(leaf) < leaf.not_after
