"""Ready only where who is sent here trusts what is served here."""

from __future__ import annotations

import pytest

from certs.issue import CertificateAndKey, issue_leaf
from certs.tls import ServedCertificate
from webhook.kube.webhookconfigurations import MUTATING
from webhook.upkeep.trust import FRESH, Trust

from .conftest import INJECTOR, Known, configuration, webhook


@pytest.fixture
def certificate(leaf: CertificateAndKey) -> ServedCertificate:
    """What is served."""
    result = ServedCertificate()
    result.serve(result.check(leaf.certificate, leaf.key))
    return result


def trust(certificate: ServedCertificate, *bundles: bytes) -> Trust:
    """Configurations with these caBundles."""
    bodies = [configuration((MUTATING, f"c{number}"), webhook("w", element)) for number, element in enumerate(bundles)]
    return Trust(certificate, Known(*bodies))  # type: ignore[arg-type]


class TestReadiness:
    def test_all_ca_bundles_trusting_the_leaf_is_no_problem(
        self, certificate: ServedCertificate, ca: CertificateAndKey
    ) -> None:
        assert trust(certificate, ca.certificate, ca.certificate).problem() == ""

    def test_no_configuration_at_all_is_no_problem(self, certificate: ServedCertificate) -> None:
        assert trust(certificate).problem() == ""

    def test_one_spoilt_ca_bundle_later_on_is_no_reason_but_told(
        self, certificate: ServedCertificate, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        good, spoilt = (configuration((MUTATING, name), webhook("w", ca.certificate)) for name in ("good", "spoilt"))
        known = Known(good, spoilt)
        asked = Trust(certificate, known)  # type: ignore[arg-type]
        assert asked.problem() == ""
        for name in ("spoilt", "good"):
            known.by_name[MUTATING, name] = configuration((MUTATING, name), webhook("w", other_ca.certificate))
            assert f"{MUTATING} {name}" in "".join(asked.others())
            assert (asked.problem() == "") == (name == "spoilt")

    def test_a_stranger_s_configuration_is_told_and_keeps_nobody_from_being_ready(
        self, certificate: ServedCertificate, ca: CertificateAndKey
    ) -> None:
        ours = configuration(INJECTOR, webhook("w", ca.certificate))
        known = Known(ours, configuration((MUTATING, "stranger"), webhook("s")))
        asked = Trust(certificate, known, lambda: [INJECTOR])  # type: ignore[arg-type]
        assert asked.problem() == ""
        assert [MUTATING + " stranger" in other for other in asked.others()] == [True]

    def test_an_empty_ca_bundle_is_said_to_be_empty(self, certificate: ServedCertificate) -> None:
        assert trust(certificate, b"").problem() == (
            f"{MUTATING} c0: webhooks[0].clientConfig.caBundle: is empty: nothing is trusted"
        )

    def test_one_stale_ca_bundle_is_named_with_its_field(
        self, certificate: ServedCertificate, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        problem = trust(certificate, ca.certificate, other_ca.certificate).problem()
        assert f"{MUTATING} c1: webhooks[0].clientConfig.caBundle" in problem
        assert "does not trust what this replica serves for linkerd-webhook.linkerd.svc" in problem

    def test_an_empty_ca_bundle_trusts_nothing(self, certificate: ServedCertificate) -> None:
        assert "caBundle" in trust(certificate, b"").problem()

    def test_old_and_new_ca_side_by_side_trust_the_leaf(
        self, certificate: ServedCertificate, ca: CertificateAndKey, other_ca: CertificateAndKey
    ) -> None:
        assert trust(certificate, other_ca.certificate + ca.certificate).problem() == ""

    def test_a_leaf_for_another_name_is_not_trusted(self, ca: CertificateAndKey) -> None:
        pair, result = issue_leaf(ca, ["somebody.else.svc"]), ServedCertificate()
        result.serve(result.check(pair.certificate, pair.key))
        assert "linkerd-webhook.linkerd.svc" in trust(result, ca.certificate).problem()

    def test_nothing_served_is_a_problem(self, ca: CertificateAndKey) -> None:
        assert trust(ServedCertificate(), ca.certificate).problem() == "no certificate is served yet"

    def test_configurations_that_are_not_listed_yet_are_a_problem(
        self, certificate: ServedCertificate, ca: CertificateAndKey
    ) -> None:
        known = Known(configuration(INJECTOR, webhook("w", ca.certificate)))
        known.synced = False
        assert "not listed yet" in Trust(certificate, known).problem()  # type: ignore[arg-type]

    def test_an_outcome_is_kept_for_a_while_and_then_asked_again(
        self, certificate: ServedCertificate, ca: CertificateAndKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried = []
        monkeypatch.setattr("webhook.upkeep.trust.trusted", lambda *_: tried.append(1) or "")
        now = [0.0]
        known = Known(configuration(INJECTOR, webhook("w", ca.certificate)))
        asked = Trust(certificate, known, clock=lambda: now[0])  # type: ignore[arg-type]
        asked.problem()
        asked.problem()
        assert len(tried) == 1
        now[0] = FRESH + 1
        asked.problem()
        assert len(tried) == 2


class TestANewPair:
    def test_waits_while_a_ca_bundle_trusts_the_old_one_and_not_it(
        self, certificate: ServedCertificate, ca: CertificateAndKey, other_leaf: CertificateAndKey
    ) -> None:
        assert "does not trust" in trust(certificate, ca.certificate).refuses(other_leaf.certificate, other_leaf.key)

    def test_is_served_once_every_ca_bundle_trusts_it(
        self,
        certificate: ServedCertificate,
        ca: CertificateAndKey,
        other_ca: CertificateAndKey,
        other_leaf: CertificateAndKey,
    ) -> None:
        both = ca.certificate + other_ca.certificate
        assert trust(certificate, both).refuses(other_leaf.certificate, other_leaf.key) == ""

    def test_is_served_where_the_old_one_is_not_trusted_either(
        self, certificate: ServedCertificate, other_ca: CertificateAndKey, other_leaf: CertificateAndKey
    ) -> None:
        assert trust(certificate, other_ca.certificate).refuses(other_leaf.certificate, other_leaf.key) == ""

    def test_is_served_where_nothing_is_served_yet(self, ca: CertificateAndKey, other_leaf: CertificateAndKey) -> None:
        assert trust(ServedCertificate(), ca.certificate).refuses(other_leaf.certificate, other_leaf.key) == ""
