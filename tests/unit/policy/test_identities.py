"""Mesh identities: names like those in DNS, or SPIFFE ids."""

from __future__ import annotations

import pytest

from tests.unit.policy.builders import say
from webhook.policy.identities import what_is_wrong


@pytest.mark.parametrize(
    "identity",
    [
        *(
            "*",
            "*.example.com",
            "a",
            "a-b",
            "a--b",
            "0",
            "1.2.3.4",
            "web.shop.serviceaccount.identity.linkerd.cluster.local",
        ),
        "a" * 300,
        *("spiffe://td", "spiffe://td/a", "spiffe://td/a/b", "spiffe://td.example.org/ns/shop/sa/web"),
        *("spiffe://a_b-c.d/A_b-C.d", "spiffe://-/a", "spiffe://.../a", "spiffe://td/...", "spiffe://td/..a"),
    ],
)
def test_an_identity_that_a_client_can_have_is_accepted(identity: str) -> None:
    assert what_is_wrong(identity) == ""
    assert say("MeshTLSAuthentication", {"identities": [identity]}).errors == []


@pytest.mark.parametrize(
    "identity",
    [
        *("", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "A", "web.Shop", "a_b", "a b", " a", "a ", "a\n", "\n"),
        *("**", "*a", "a*", "a.*", "*.*", "*.", "*.a.*", "b\u00fccher", "\u0661", "a\u212a"),
        *("http://td/a", "SPIFFE://td/a", "spiffe:/td/a", "spiffe:td", "://"),
        *(
            "spiffe://",
            "spiffe:///",
            "spiffe:///a",
            "spiffe://TD/a",
            "spiffe://td:80/a",
            "spiffe://u@td/a",
            "spiffe://*",
        ),
        *("spiffe://td/", "spiffe://td/a/", "spiffe://td//a", "spiffe://td/a//b", "spiffe://td//"),
        *("spiffe://td/.", "spiffe://td/..", "spiffe://td/a/../b", "spiffe://td/./a"),
        *(
            "spiffe://td/a b",
            "spiffe://td/%41",
            "spiffe://td/a?b",
            "spiffe://td/a#b",
            "spiffe://td/*",
            "spiffe://td/\u00e4",
        ),
        *("spiffe://td/a\n", "spiffe://td\n", "spiffe://td\n/a", " spiffe://td/a"),
    ],
)
def test_an_identity_that_no_client_can_have_is_refused(identity: str) -> None:
    assert what_is_wrong(identity)
    said = say("MeshTLSAuthentication", {"identities": ["*", identity]})
    assert said.errors == ["spec.identities[1]: identity-invalid"]


@pytest.mark.parametrize(
    ("identity", "hint"),
    [
        ("Web.Shop", "write web.shop"),
        ("web ", "take the white space away"),
        ("web.*", "only be the whole first label"),
        ("https://td/a", "have the form spiffe://"),
        ("a..b", "write a name of lower-case letters"),
        ("spiffe:///a", "the trust domain is missing"),
        ("spiffe://TD/a", "lower-case letters"),
        ("spiffe://td/a/", "ends in a slash"),
        ("spiffe://td//a", "empty segment"),
        ("spiffe://td/../a", "dot segment"),
        ("spiffe://td/a b", "write the path with"),
    ],
)
def test_what_is_wrong_is_told(identity: str, hint: str) -> None:
    assert hint in what_is_wrong(identity)
