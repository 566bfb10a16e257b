"""What is said of AuthorizationPolicies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, EDGE, JSON, SERVER, STABLE, Said, say
from webhook.policy.objectreferences import GATEWAY, POLICY

MESH_TLS: JSON = {"group": POLICY, "kind": "MeshTLSAuthentication", "name": "clients"}
NETWORK: JSON = {"group": POLICY, "kind": "NetworkAuthentication", "name": "vpn"}
ACCOUNT: JSON = {"kind": "ServiceAccount", "name": "web"}

ROUTES: list[JSON] = [
    {"group": GATEWAY, "kind": "HTTPRoute", "name": "web"},
    {"group": GATEWAY, "kind": "GRPCRoute", "name": "web"},
]


def policy(target: Any = SERVER, authentications: Any = (MESH_TLS,), **options: Any) -> Said:
    """What is said of one with these; `...` leaves a part out."""
    if isinstance(authentications, tuple):
        authentications = list(authentications)
    parts = {"targetRef": target, "requiredAuthenticationRefs": authentications}
    return say("AuthorizationPolicy", {key: part for key, part in parts.items() if part is not ...}, **options)


class TestTarget:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "target",
        [
            SERVER,
            {"group": POLICY, "kind": "HTTPRoute", "name": "web"},
            {"group": "POLICY.Linkerd.io", "kind": "sErVeR", "name": "web"},
            {"kind": "Namespace", "name": "shop"},
            {"group": None, "kind": "Namespace", "name": "shop"},
            {"group": "core", "kind": "Namespace", "name": "shop"},
            {"group": "CORE", "kind": "NAMESPACE", "name": "shop"},
            {**SERVER, "namespace": "bank"},
            {**SERVER, "name": ""},
            [POLICY, "Server", "web"],
            [None, "Namespace", "shop"],
        ],
    )
    def test_is_a_server_a_route_or_the_namespace_whatever_the_case(self, target: Any, line: Any) -> None:
        said = policy(target, line=line)
        assert (said.errors, said.warnings) == ([], [])

    def test_may_have_an_empty_group_at_later_lines(self) -> None:
        target = {"group": "", "kind": "Namespace", "name": "shop"}
        assert policy(target, line=EDGE).errors == []
        assert policy(target, line=STABLE).errors == ["spec.targetRef.kind: authorizationpolicy-target"]

    @pytest.mark.parametrize("target", ROUTES)
    def test_may_be_a_route_of_the_gateway_api_at_later_lines(self, target: JSON) -> None:
        assert policy(target, line=EDGE).errors == []
        assert policy(target, line=STABLE).errors == ["spec.targetRef.kind: authorizationpolicy-target"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "target",
        [
            {"kind": "Server", "name": "web"},
            {"group": "core", "kind": "Server", "name": "web"},
            {"group": f"{POLICY}.", "kind": "Server", "name": "web"},
            {"group": POLICY, "kind": "Namespace", "name": "shop"},
            {"group": POLICY, "kind": "GRPCRoute", "name": "web"},
            {"group": GATEWAY, "kind": "TCPRoute", "name": "web"},
            {"kind": "Service", "name": "web"},
            {"kind": "Pod", "name": "web"},
            {"group": POLICY, "kind": "\u017ferver", "name": "web"},
            {"group": "policy.lin\u212aerd.io", "kind": "Server", "name": "web"},
            {"group": " ", "kind": "Namespace", "name": "shop"},
        ],
    )
    def test_is_of_no_other_kind(self, target: JSON, line: Any) -> None:
        assert policy(target, line=line).errors == ["spec.targetRef.kind: authorizationpolicy-target"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("name", ["bank", "Shop", "shop ", ""])
    def test_is_not_another_namespace(self, name: str, line: Any) -> None:
        said = policy({"kind": "Namespace", "name": name}, line=line)
        assert said.errors == ["spec.targetRef.name: authorizationpolicy-other-namespace"]

    @pytest.mark.parametrize(
        ("target", "errors"),
        [
            (..., ["spec.targetRef: field-missing"]),
            (None, ["spec.targetRef: field-type"]),
            ("web", ["spec.targetRef: field-type"]),
            ([], ["spec.targetRef: field-type"]),
            ([POLICY, "Server"], ["spec.targetRef: field-type"]),
            ([POLICY, "Server", "web", "shop"], ["spec.targetRef: field-type"]),
            ({}, ["spec.targetRef.kind: field-missing", "spec.targetRef.name: field-missing"]),
            ({"kind": None, "name": None}, ["spec.targetRef.kind: field-type", "spec.targetRef.name: field-type"]),
            ({"group": 1, "kind": "Pod", "name": "x"}, ["spec.targetRef.group: field-type"]),
        ],
    )
    def test_is_refused_where_it_cannot_be_read(self, target: Any, errors: list[str]) -> None:
        assert policy(target).errors == errors

    @pytest.mark.parametrize(
        ("target", "hint"),
        [
            ({"kind": "Server", "name": "web"}, "; here, write group: policy.linkerd.io"),
            ({"group": POLICY, "kind": "Namespace", "name": "shop"}, "; here, leave the group out"),
            ({"group": POLICY, "kind": "Servers", "name": "web"}, ' (did you mean "Server.policy.linkerd.io"?)'),
            ({"kind": "Pod", "name": "web"}, "GRPCRoute.gateway.networking.k8s.io"),
        ],
    )
    def test_of_another_kind_is_told_how_to_be_mended(self, target: JSON, hint: str) -> None:
        assert policy(target).message("authorizationpolicy-target").endswith(hint)


class TestAuthentications:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "authentications",
        [
            (MESH_TLS,),
            (NETWORK,),
            (ACCOUNT,),
            (MESH_TLS, NETWORK),
            (NETWORK, ACCOUNT),
            ({**MESH_TLS, "namespace": "bank"},),
            ({**MESH_TLS, "kind": "meshtlsauthentication", "group": POLICY.upper()},),
            ({**ACCOUNT, "group": None},),
            ({**ACCOUNT, "group": "core", "kind": "serviceaccount", "namespace": None},),
            ([POLICY, "NetworkAuthentication", "vpn", None],),
        ],
    )
    def test_are_of_three_kinds_and_of_each_at_most_one(self, authentications: Any, line: Any) -> None:
        said = policy(authentications=authentications, line=line)
        assert (said.errors, said.warnings) == ([], [])

    def test_may_have_an_empty_group_at_later_lines(self) -> None:
        authentications = ({**ACCOUNT, "group": ""},)
        assert policy(authentications=authentications, line=EDGE).errors == []
        assert policy(authentications=authentications, line=STABLE).errors == [
            "spec.requiredAuthenticationRefs[0].kind: authorizationpolicy-authentication"
        ]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "authentication",
        [
            {"kind": "MeshTLSAuthentication", "name": "clients"},
            {**MESH_TLS, "kind": "MeshTLSAuthentications"},
            {**ACCOUNT, "group": POLICY},
            {"kind": "Namespace", "name": "shop"},
            SERVER,
        ],
    )
    def test_are_of_no_other_kind(self, authentication: JSON, line: Any) -> None:
        said = policy(authentications=(NETWORK, authentication), line=line)
        assert said.errors == ["spec.requiredAuthenticationRefs[1].kind: authorizationpolicy-authentication"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("authentication", [MESH_TLS, NETWORK, ACCOUNT])
    def test_are_not_two_of_a_kind(self, authentication: JSON, line: Any) -> None:
        said = policy(authentications=(authentication, {**authentication, "name": "another"}), line=line)
        assert said.errors == ["spec.requiredAuthenticationRefs[1]: authorizationpolicy-authentication-twice"]

    @pytest.mark.parametrize(
        ("authentication", "instead"),
        [
            (MESH_TLS, "one MeshTLSAuthentication with the identities of both"),
            (NETWORK, "one NetworkAuthentication with the networks of both"),
            (ACCOUNT, "one MeshTLSAuthentication with identityRefs to the accounts"),
        ],
    )
    def test_of_a_kind_twice_are_told_what_to_write_instead(self, authentication: JSON, instead: str) -> None:
        said = policy(authentications=(authentication, authentication))
        assert instead in said.message("authorizationpolicy-authentication-twice")

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(("pair", "at"), [((MESH_TLS, ACCOUNT), 1), ((ACCOUNT, MESH_TLS), 0)])
    def test_are_not_identities_in_both_forms(self, pair: Any, at: int, line: Any) -> None:
        said = policy(authentications=pair, line=line)
        assert said.errors == [f"spec.requiredAuthenticationRefs[{at}]: authorizationpolicy-authentication-together"]

    @pytest.mark.parametrize(
        ("authentications", "errors"),
        [
            (..., ["spec.requiredAuthenticationRefs: field-missing"]),
            (None, ["spec.requiredAuthenticationRefs: field-type"]),
            ({}, ["spec.requiredAuthenticationRefs: field-type"]),
            ((None,), ["spec.requiredAuthenticationRefs[0]: field-type"]),
            ((["ServiceAccount", "web"],), ["spec.requiredAuthenticationRefs[0]: field-type"]),
            (([None, "ServiceAccount", "web"],), ["spec.requiredAuthenticationRefs[0]: field-type"]),
            (({"kind": "ServiceAccount"},), ["spec.requiredAuthenticationRefs[0].name: field-missing"]),
            (({**ACCOUNT, "namespace": 1},), ["spec.requiredAuthenticationRefs[0].namespace: field-type"]),
        ],
    )
    def test_are_refused_where_they_cannot_be_read(self, authentications: Any, errors: list[str]) -> None:
        assert policy(authentications=authentications).errors == errors

    def test_of_which_there_are_none_are_warned_of(self) -> None:
        said = policy(authentications=())
        assert (said.errors, said.warnings) == (
            [],
            ["spec.requiredAuthenticationRefs: authorizationpolicy-no-authentication"],
        )

    def test_that_cannot_be_read_are_not_none(self) -> None:
        assert policy(authentications=(None,)).warnings == []
        assert policy(target=5, authentications=()).warnings == []


def test_all_errors_are_told_at_once() -> None:
    said = policy(
        {"kind": "Namespace", "name": "bank"},
        (MESH_TLS, ACCOUNT, MESH_TLS, {"kind": "Pod", "name": "web"}, {"kind": 1, "name": "web"}),
    )
    assert said.errors == [
        "spec.requiredAuthenticationRefs[1]: authorizationpolicy-authentication-together",
        "spec.requiredAuthenticationRefs[2]: authorizationpolicy-authentication-twice",
        "spec.requiredAuthenticationRefs[3].kind: authorizationpolicy-authentication",
        "spec.requiredAuthenticationRefs[4].kind: field-type",
        "spec.targetRef.name: authorizationpolicy-other-namespace",
    ]


@pytest.mark.parametrize("line", BOTH)
def test_the_spec_may_be_an_array_of_the_two(line: Any) -> None:
    assert say("AuthorizationPolicy", [SERVER, [NETWORK]], line=line).errors == []
    assert say("AuthorizationPolicy", [SERVER], line=line).errors == ["spec: field-type"]
