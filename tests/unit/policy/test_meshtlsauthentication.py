"""What is said of MeshTLSAuthentications."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, EDGE, JSON, STABLE, Said, say
from webhook.policy.objectreferences import POLICY

WEB = "web.shop.serviceaccount.identity.linkerd.cluster.local"
ACCOUNT: JSON = {"kind": "ServiceAccount", "name": "web"}


def authentication(spec: Any = ..., **options: Any) -> Said:
    return say("MeshTLSAuthentication", spec, **options)


def referring(*references: Any, **options: Any) -> Said:
    return authentication({"identityRefs": list(references)}, **options)


class TestIdentities:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("spec", [{"identities": ["*", WEB]}, {"identities": [WEB], "identityRefs": None}])
    def test_are_names(self, spec: Any, line: Any) -> None:
        assert authentication(spec, line=line) == []

    def test_are_judged_one_by_one(self) -> None:
        said = authentication({"identities": [WEB, "Web", "spiffe://td/web", "spiffe://td/"]})
        assert said.errors == ["spec.identities[1]: identity-invalid", "spec.identities[3]: identity-invalid"]

    @pytest.mark.parametrize("identity", ["Web", "", "spiffe://TD/"])
    def test_are_not_judged_by_earlier_lines(self, identity: str) -> None:
        assert authentication({"identities": [identity]}, line=STABLE).errors == []
        assert authentication({"identities": [identity]}, line=EDGE).errors == ["spec.identities[0]: identity-invalid"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("spec", "error"),
        [
            ({"identities": "*"}, "spec.identities: field-type"),
            ({"identities": [None]}, "spec.identities[0]: field-type"),
            ({"identities": [["*"]]}, "spec.identities[0]: field-type"),
        ],
    )
    def test_are_a_list_of_strings(self, spec: Any, error: str, line: Any) -> None:
        assert authentication(spec, line=line).errors == [error]


class TestReferences:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "reference",
        [
            ACCOUNT,
            {**ACCOUNT, "namespace": "bank"},
            {**ACCOUNT, "group": "core", "kind": "serviceACCOUNT"},
            {"kind": "Namespace", "name": "bank"},
            {"kind": "namespace", "name": "bank", "group": None, "namespace": None},
            [None, "ServiceAccount", "web", "bank"],
        ],
    )
    def test_are_to_accounts_and_namespaces(self, reference: Any, line: Any) -> None:
        said = referring(reference, line=line)
        assert (said.errors, said.warnings) == ([], [])

    def test_may_have_an_empty_group_at_later_lines(self) -> None:
        assert referring({**ACCOUNT, "group": ""}, line=EDGE).errors == []
        said = referring({**ACCOUNT, "group": ""}, line=STABLE)
        assert said.errors == ["spec.identityRefs[0].kind: meshtlsauthentication-kind"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "reference",
        [
            {**ACCOUNT, "group": POLICY},
            {"kind": "Pod", "name": "web"},
            {"kind": "Name\u017fpace", "name": "web"},
            {"kind": "Namespace", "name": "web", "group": "v1"},
        ],
    )
    def test_are_to_nothing_else(self, reference: JSON, line: Any) -> None:
        assert referring(reference, line=line).errors == ["spec.identityRefs[0].kind: meshtlsauthentication-kind"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("namespace", ["bank", ""])
    def test_to_a_namespace_are_in_none(self, namespace: str, line: Any) -> None:
        said = referring({"kind": "Namespace", "name": "bank", "namespace": namespace}, line=line)
        assert said.errors == ["spec.identityRefs[0].namespace: meshtlsauthentication-namespaced-namespace"]

    @pytest.mark.parametrize(
        ("reference", "errors"),
        [
            (None, ["spec.identityRefs[0]: field-type"]),
            (["ServiceAccount", "web"], ["spec.identityRefs[0]: field-type"]),
            ({"kind": "Pod"}, ["spec.identityRefs[0].name: field-missing"]),
            (
                {"name": "web", "namespace": 1},
                ["spec.identityRefs[0].kind: field-missing", "spec.identityRefs[0].namespace: field-type"],
            ),
        ],
    )
    def test_are_refused_where_they_cannot_be_read(self, reference: Any, errors: list[str]) -> None:
        assert referring(reference).errors == errors


class TestWhole:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "spec", [{}, {"identities": None}, {"identities": [WEB], "identityRefs": []}, [[WEB], [ACCOUNT]], [None, None]]
    )
    def test_has_one_of_the_two_lists_or_the_crd_forbids_it(self, spec: Any, line: Any) -> None:
        said = authentication(spec, line=line)
        assert (said.errors, said.warnings) == ([], [])
        assert "spec: meshtlsauthentication-one-list" in said.schema

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("spec", [{"identities": []}, {"identityRefs": [], "identities": None}])
    def test_that_names_nobody_is_warned_of(self, spec: Any, line: Any) -> None:
        said = authentication(spec, line=line)
        assert (said.errors, said.warnings) == ([], ["spec: meshtlsauthentication-empty"])
        assert "spec: meshtlsauthentication-one-list" not in said.schema

    def test_that_cannot_be_read_is_not_called_empty(self) -> None:
        said = authentication({"identities": [], "identityRefs": 5})
        assert (said.errors, said.warnings) == (["spec.identityRefs: field-type"], [])

    @pytest.mark.parametrize(
        ("spec", "error"),
        [
            (..., "spec: field-missing"),
            (None, "spec: field-type"),
            ([], "spec: field-type"),
            ([None], "spec: field-type"),
        ],
    )
    def test_is_an_object(self, spec: Any, error: str) -> None:
        assert authentication(spec).errors == [error]

    def test_is_told_all_of_its_errors(self) -> None:
        said = authentication(
            {
                "identities": ["*.", 1, "Web"],
                "identityRefs": [{"kind": "Pod", "name": "x"}, {"kind": "Namespace", "name": "x", "namespace": "y"}, 5],
            }
        )
        assert said.errors == [
            "spec.identities[0]: identity-invalid",
            "spec.identities[1]: field-type",
            "spec.identities[2]: identity-invalid",
            "spec.identityRefs[0].kind: meshtlsauthentication-kind",
            "spec.identityRefs[1].namespace: meshtlsauthentication-namespaced-namespace",
            "spec.identityRefs[2]: field-type",
        ]
