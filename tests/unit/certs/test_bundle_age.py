"""Since when the caBundles hold what they hold."""

from __future__ import annotations

from datetime import UTC, datetime

from certs.bundle import read
from certs.bundle_age import BundleAge
from certs.issue import issue_ca, issue_leaf
from webhook.kube.webhookconfigurations import MUTATING, Entry

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
OLD, NEW = issue_ca("old", now=NOW), issue_ca("new", now=NOW)
(OLD_CA,), (NEW_CA,) = read(OLD.certificate), read(NEW.certificate)
(LEAF,) = read(issue_leaf(OLD, ["a"], now=NOW).certificate)


def entry(bundle: bytes, name: str = "x") -> Entry:
    return Entry(MUTATING, name, "w", 0, bundle)


class Desk:
    """A ages, and the seconds that pass."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.ages = BundleAge(10.0, lambda: NOW, lambda: self.seconds)


class TestSettled:
    """Long enough in every caBundle."""

    def test_ten_seconds_after_it_was_written_it_is(self) -> None:
        desk = Desk()
        desk.ages.note([entry(b"")], [entry(NEW.certificate)], ())
        desk.seconds = 9.9
        assert (desk.ages.present(NEW_CA), desk.ages.settled(NEW_CA)) == (True, False)
        desk.seconds = 10.0
        assert desk.ages.settled(NEW_CA)
        assert not desk.ages.settled(OLD_CA)

    def test_what_was_taken_out_and_put_back_begins_anew(self) -> None:
        desk = Desk()
        desk.ages.note([], [entry(NEW.certificate)], ())
        desk.seconds = 60.0
        desk.ages.note([entry(b"")], [entry(NEW.certificate)], ())
        assert not desk.ages.settled(NEW_CA)

    def test_what_stays_goes_on(self) -> None:
        desk = Desk()
        desk.ages.note([], [entry(NEW.certificate)], ())
        desk.seconds = 60.0
        desk.ages.note([entry(NEW.certificate)], [entry(NEW.certificate + OLD.certificate)], ())
        assert (desk.ages.settled(NEW_CA), desk.ages.settled(OLD_CA)) == (True, False)

    def test_without_any_ca_bundle_everything_is(self) -> None:
        ages = Desk().ages
        ages.note([], [], ())
        assert ages.present(NEW_CA) and ages.settled(NEW_CA) and ages.alone(NEW_CA)


class TestBlocked:
    """caBundles that cannot be written."""

    def test_one_that_trusts_what_is_served_holds_everything_up(self) -> None:
        desk = Desk()
        desk.ages.note([], [entry(OLD.certificate), entry(NEW.certificate, "y")], {(MUTATING, "x")})
        desk.ages.serve(LEAF)
        assert not desk.ages.present(NEW_CA)

    def test_one_that_does_not_has_nothing_to_lose(self) -> None:
        desk = Desk()
        desk.ages.note([], [entry(b""), entry(NEW.certificate, "y")], {(MUTATING, "x")})
        desk.ages.serve(LEAF)
        assert desk.ages.present(NEW_CA)
        desk.ages.serve(None)
        assert desk.ages.present(NEW_CA)


def test_a_ca_is_alone_where_nothing_else_is_valid() -> None:
    """An expired one beside it counts for nothing."""
    expired = issue_ca("expired", now=NOW.replace(year=2024))
    ages = Desk().ages
    ages.note([], [entry(NEW.certificate + expired.certificate)], ())
    assert ages.alone(NEW_CA)
    ages.note([], [entry(NEW.certificate + OLD.certificate)], ())
    assert not ages.alone(NEW_CA)
