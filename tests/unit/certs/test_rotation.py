"""The next steps about the two Secrets, decided from what is stored and what the caBundles hold: pure, case by case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from certs.issue import CLOCK_SKEW, CertificateAndKey, issue_ca, issue_leaf
from certs.renewal import JITTER, RENEW_AT, due
from certs.rotation import Do, Observed, Step, decide, time
from certs.secrets import Held, Stored

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
NAMES = ["linkerd-webhook.linkerd.svc"]


def held(pair: CertificateAndKey) -> Held:
    """A pair as a Secret holds it."""
    return Held(pair, x509.load_pem_x509_certificate(pair.certificate))


CA = issue_ca("one", now=NOW)
OTHER = issue_ca("two", now=NOW)
LEAF = issue_leaf(CA, NAMES, now=NOW)


@dataclass
class Bundles:
    """What the caBundles hold: each question has one answer for every certificate."""

    is_present: bool = True
    is_alone: bool = True
    is_settled: bool = True
    accepts: bool = True

    def present(self, ca: x509.Certificate) -> bool:
        """As told."""
        return self.is_present

    def alone(self, ca: x509.Certificate) -> bool:
        """As told."""
        return self.is_alone

    def settled(self, ca: x509.Certificate) -> bool:
        """As told."""
        return self.is_settled

    def accept(self, leaf: x509.Certificate) -> bool:
        """As told."""
        return self.accepts


def steps(ca: Stored, leaf: Stored, now: datetime = NOW, **bundles: bool) -> list[Step]:
    """What is decided."""
    return decide(Observed(now, ca, leaf, NAMES, Bundles(**bundles)))


def stored_ca(
    pair: CertificateAndKey | None = CA, following: CertificateAndKey | None = None, why: str = "", next_why: str = ""
) -> Stored:
    """The CA's Secret."""
    return Stored(
        "ca",
        held=held(pair) if pair else None,
        next=held(following) if following else None,
        why_not=why,
        next_why_not=next_why,
    )


def stored_leaf(pair: CertificateAndKey | None = LEAF, why: str = "") -> Stored:
    """The serving certificate's Secret."""
    return Stored("tls", held=held(pair) if pair else None, why_not=why)


def test_where_all_is_well_there_is_nothing_to_do() -> None:
    assert steps(stored_ca(), stored_leaf()) == []


class TestCA:
    def test_that_is_missing_is_issued_with_the_reason_and_the_leaf_has_to_wait_for_it(self) -> None:
        assert steps(stored_ca(None, why="there is none"), stored_leaf(None)) == [Step(Do.NEW_CA, "there is none")]

    def test_that_is_spoilt_is_followed_by_the_next_one_where_there_is_one(self) -> None:
        plan = steps(stored_ca(None, OTHER, why="its key is another's"), stored_leaf())
        assert plan == [Step(Do.PROMOTE, "its key is another's")]

    def test_whose_next_one_is_spoilt_drops_that_and_says_why(self) -> None:
        assert steps(stored_ca(next_why="it has expired"), stored_leaf()) == [Step(Do.DROP_NEXT, "it has expired")]

    def test_that_gets_old_gets_a_next_one_first_and_says_when_it_expires(self) -> None:
        certificate = held(CA).certificate
        late = due(certificate)
        assert steps(stored_ca(), stored_leaf(issue_leaf(CA, NAMES, now=late)), late - timedelta(seconds=1)) == []
        [step] = steps(stored_ca(), stored_leaf(issue_leaf(CA, NAMES, now=late)), late)
        assert step == Step(Do.STORE_NEXT, f"the CA expires {certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")

    @pytest.mark.parametrize(("settled", "do"), [(True, Do.PROMOTE), (False, Do.WAIT)])
    def test_whose_next_one_is_there_is_followed_once_every_ca_bundle_has_held_that_for_long_enough(
        self, settled: bool, do: Do
    ) -> None:
        [step] = steps(stored_ca(following=OTHER), stored_leaf(), is_settled=settled)
        assert step.do is do


class TestLeaf:
    @pytest.mark.parametrize(
        ("alone", "settled", "do"),
        [(True, False, Do.NEW_LEAF), (False, True, Do.NEW_LEAF), (False, False, Do.WAIT)],
    )
    def test_that_is_missing_is_issued_once_every_ca_bundle_holds_its_ca_alone_or_long_enough(
        self, alone: bool, settled: bool, do: Do
    ) -> None:
        [step] = steps(stored_ca(), stored_leaf(None, "there is none"), is_alone=alone, is_settled=settled)
        assert step.do is do
        assert "there is none" in step.why

    @pytest.mark.parametrize(("settled", "do"), [(True, Do.NEW_LEAF), (False, Do.WAIT)])
    def test_of_another_ca_that_is_trusted_waits_until_the_new_ca_is_known_everywhere(
        self, settled: bool, do: Do
    ) -> None:
        [step] = steps(stored_ca(OTHER), stored_leaf(), is_settled=settled)
        assert step.do is do
        assert "the current CA did not sign it" in step.why

    @pytest.mark.parametrize(("present", "do"), [(True, Do.NEW_LEAF), (False, Do.WAIT)])
    def test_that_nobody_trusts_is_replaced_as_soon_as_its_ca_is_there(self, present: bool, do: Do) -> None:
        [step] = steps(stored_ca(OTHER), stored_leaf(), accepts=False, is_settled=False, is_present=present)
        assert step.do is do

    def test_of_the_same_ca_waits_for_nothing(self) -> None:
        narrow = issue_leaf(CA, ["elsewhere.example.org"], now=NOW)
        [step] = steps(stored_ca(), stored_leaf(narrow), is_settled=False, is_alone=False)
        assert step == Step(Do.NEW_LEAF, f"it is not valid for {NAMES[0]}")

    def test_that_gets_old_is_renewed_and_says_when_it_expires(self) -> None:
        certificate = held(LEAF).certificate
        late = due(certificate)
        assert steps(stored_ca(), stored_leaf(), late - timedelta(seconds=1)) == []
        [step] = steps(stored_ca(), stored_leaf(), late)
        assert step == Step(Do.NEW_LEAF, f"it expires {time(certificate.not_valid_after_utc)}")


def test_a_certificate_is_due_at_two_thirds_of_its_life_give_or_take_a_twentieth() -> None:
    for _ in range(20):
        certificate = held(issue_leaf(CA, NAMES, lifetime=timedelta(days=90), now=NOW)).certificate
        life = certificate.not_valid_after_utc - (certificate.not_valid_before_utc + CLOCK_SKEW)
        part = (due(certificate) - (certificate.not_valid_before_utc + CLOCK_SKEW)) / life
        assert RENEW_AT - JITTER <= part <= RENEW_AT + JITTER
    assert len({due(held(LEAF).certificate) for _ in range(3)}) == 1, "the same certificate always at the same time"


def test_times_are_for_people_in_utc() -> None:
    assert time(NOW) == "2026-08-01T12:00:00Z"
