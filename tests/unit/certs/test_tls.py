"""Pairs in contexts, and what clients make of them, without a network."""

from __future__ import annotations

import pytest

from certs.inspect import CertificateError
from certs.issue import issue_ca, issue_leaf
from certs.tls import ServedCertificate, server_context, verdicts

ONE, TWO = issue_ca("one"), issue_ca("two")
LEAF = issue_leaf(ONE, ["web.shop.svc"])
OTHER = issue_leaf(ONE, ["web.shop.svc"])


def test_each_bundle_has_a_verdict_of_its_own() -> None:
    verdict = verdicts(LEAF.certificate, LEAF.key, [ONE.certificate, TWO.certificate], "web.shop.svc")
    assert verdict[ONE.certificate] == ""
    assert "unable to get local issuer certificate" in verdict[TWO.certificate]
    assert "seen at" not in verdict[TWO.certificate]


def test_a_verdict_is_for_a_name() -> None:
    (why,) = verdicts(LEAF.certificate, LEAF.key, [ONE.certificate], "api.shop.svc").values()
    assert "api.shop.svc" in why


def test_a_pair_that_openssl_refuses_is_refused_by_all_for_that_reason() -> None:
    verdict = verdicts(LEAF.certificate, OTHER.key, [ONE.certificate, TWO.certificate], "web.shop.svc")
    assert set(verdict) == {ONE.certificate, TWO.certificate}
    (why,) = set(verdict.values())
    assert why.startswith("OpenSSL refuses the pair: ")


def test_a_refusal_names_its_part_and_openssls_reason() -> None:
    with pytest.raises(CertificateError) as error:
        server_context(LEAF.certificate, OTHER.key)
    assert error.value.part == "certificate"
    assert error.value.message == "OpenSSL refuses the pair: KEY_VALUES_MISMATCH"


def test_a_refused_pair_leaves_what_is_served_as_it_is() -> None:
    served = ServedCertificate()
    served.serve(served.check(LEAF.certificate, LEAF.key))
    before = served.leaf
    with pytest.raises(CertificateError):
        served.check(LEAF.certificate, OTHER.key)
    assert served.leaf is before
