"""The Secret's certificate, as the replica takes it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from certs.inspect import CertificateError
from certs.issue import CertificateAndKey
from certs.tls import ServedCertificate
from webhook.upkeep.served_secret import ServedSecret


def body(pair: CertificateAndKey, **more: Any) -> dict[str, Any]:
    """A Secret as the watch tells it."""
    data = {"tls.crt": pair.certificate, "tls.key": pair.key, **more}
    return {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


class Replica:
    """A certificate, and what was told about it."""

    def __init__(self) -> None:
        self.certificate = ServedCertificate()
        self.told: list[bool] = []
        self.wait = ""
        self.secret = ServedSecret(
            None,  # type: ignore[arg-type]
            "linkerd",
            "linkerd-webhook-tls",
            self.certificate,
            self.told.append,
            lambda *_: self.wait,
        )

    @property
    def serial(self) -> int | None:
        return self.certificate.leaf.serial if self.certificate.leaf else None


@pytest.fixture
def replica() -> Replica:
    """One that serves nothing yet."""
    return Replica()


def test_a_pair_is_served_as_soon_as_it_is_told(replica: Replica, leaf: CertificateAndKey) -> None:
    replica.secret.put(body(leaf))
    assert replica.serial is not None
    assert replica.told == [True]
    assert replica.secret.error == ""


def test_the_same_pair_told_again_is_nothing_new(replica: Replica, leaf: CertificateAndKey) -> None:
    replica.secret.put(body(leaf))
    replica.secret.put(body(leaf))
    assert replica.told == [True]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"data": {"tls.crt": "AAAA"}}, "data[tls.key] is missing"),
        ({"data": {"tls.crt": "%", "tls.key": "AAAA"}}, "data[tls.crt] is not base64"),
        ({"data": {"tls.crt": "AAAA", "tls.key": "AAAA"}}, "data[tls.crt]: the file is not PEM"),
        ({}, "data[tls.crt] is missing"),
        (None, "data[tls.crt] is missing"),
    ],
)
def test_what_is_no_pair_leaves_the_one_before_and_says_which_field(
    replica: Replica, leaf: CertificateAndKey, broken: Any, why: str
) -> None:
    replica.secret.put(body(leaf))
    before = replica.serial
    replica.secret.put(broken)
    assert replica.serial == before
    assert why in replica.secret.problem
    assert "linkerd/linkerd-webhook-tls" in replica.secret.problem
    assert replica.told == [True, False]


def test_half_a_new_pair_leaves_the_one_before(
    replica: Replica, leaf: CertificateAndKey, other_leaf: CertificateAndKey
) -> None:
    replica.secret.put(body(leaf))
    replica.secret.put(body(CertificateAndKey(other_leaf.certificate, leaf.key)))
    assert "data[tls.key]" in replica.secret.problem
    replica.secret.put(body(leaf))
    assert replica.secret.problem == ""


def test_a_deleted_secret_is_served_on_and_said(replica: Replica, leaf: CertificateAndKey) -> None:
    replica.secret.put(body(leaf))
    before = replica.serial
    replica.secret.remove(body(leaf))
    assert replica.serial == before
    assert "deleted" in replica.secret.problem
    replica.secret.put(body(leaf))
    assert replica.secret.problem == ""


class TestAPairThatHasToWait:
    def test_is_served_at_the_next_look_after_the_reason_is_gone(
        self, replica: Replica, leaf: CertificateAndKey, other_leaf: CertificateAndKey
    ) -> None:
        replica.secret.put(body(leaf))
        before, replica.wait = replica.serial, "nobody trusts it yet"
        replica.secret.put(body(other_leaf))
        assert replica.serial == before
        assert "nobody trusts it yet" in replica.secret.problem
        replica.secret.retry()
        assert replica.serial == before
        replica.wait = ""
        replica.secret.retry()
        assert replica.serial != before
        assert replica.secret.problem == ""

    def test_is_forgotten_where_another_comes_first(
        self, replica: Replica, leaf: CertificateAndKey, other_leaf: CertificateAndKey
    ) -> None:
        replica.secret.put(body(leaf))
        before, replica.wait = replica.serial, "not yet"
        replica.secret.put(body(other_leaf))
        replica.wait = ""
        replica.secret.put(body(leaf))
        replica.secret.retry()
        assert replica.serial == before


def test_a_pair_that_openssl_refuses_is_no_reason_to_stop(
    replica: Replica, leaf: CertificateAndKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: bytes) -> None:
        raise CertificateError("certificate", "OpenSSL refuses the pair")

    monkeypatch.setattr(replica.certificate, "check", refuse)
    replica.secret.put(body(leaf))
    assert "OpenSSL refuses the pair" in replica.secret.problem
