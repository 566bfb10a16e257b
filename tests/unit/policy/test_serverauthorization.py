"""What is said of ServerAuthorizations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, JSON, Said, say

NAMED: JSON = {"name": "web"}
ANYBODY: JSON = {"unauthenticated": True}


def authorization(client: Any = ANYBODY, server: Any = NAMED, **options: Any) -> Said:
    """What is said of one with these; `...` leaves a part out."""
    parts = {"server": server, "client": client}
    return say("ServerAuthorization", {key: part for key, part in parts.items() if part is not ...}, **options)


class TestServer:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "server",
        [
            {"name": "web"},
            {"name": "web", "selector": None},
            {"selector": {}},
            {"selector": {"matchLabels": {"app": "web"}}},
            {"selector": [None, [["app", "Exists", None]]]},
            ["web", None],
        ],
    )
    def test_is_named_or_selected(self, server: Any, line: Any) -> None:
        said = authorization(server=server, line=line)
        assert (said.errors, said.warnings) == ([], [])
        assert "spec.server: serverauthorization-server" not in said.schema

    @pytest.mark.parametrize(
        ("server", "has"),
        [
            ({}, "neither"),
            ({"name": None}, "neither"),
            ({"name": "web", "selector": {}}, "both"),
            (["web", {}], "both"),
        ],
    )
    def test_neither_named_nor_selected_or_both_is_what_only_the_crd_forbids(self, server: Any, has: str) -> None:
        said = authorization(server=server)
        assert said.errors == []
        assert "spec.server: serverauthorization-server" in said.schema
        assert said.message("serverauthorization-server").partition(" has ")[2].startswith(has)

    @pytest.mark.parametrize(
        ("server", "error"),
        [
            (..., "spec.server: field-missing"),
            (None, "spec.server: field-type"),
            ("web", "spec.server: field-type"),
            ([], "spec.server: field-type"),
            (["web"], "spec.server: field-type"),
            ({"name": 5}, "spec.server.name: field-type"),
            ({"selector": "app"}, "spec.server.selector: field-type"),
        ],
    )
    def test_is_refused_where_it_cannot_be_read(self, server: Any, error: str) -> None:
        assert authorization(server=server).errors == [error]


class TestClient:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        "client",
        [
            {"unauthenticated": True},
            {"unauthenticated": True, "meshTLS": None},
            {"unauthenticated": True, "networks": None},
            {"unauthenticated": True, "networks": []},
            {"unauthenticated": True, "networks": [{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]},
            {"meshTLS": {"unauthenticatedTLS": True}},
            {"meshTLS": {"unauthenticatedTLS": True, "identities": [], "serviceAccounts": None}},
            {"meshTLS": {"identities": ["*"]}, "unauthenticated": False},
            {"meshTLS": {"identities": ["NO IDENTITY\n"]}},
            {"meshTLS": {"serviceAccounts": [{"name": "web"}, {"name": "api", "namespace": "bank"}]}},
            {"meshTLS": {"serviceAccounts": [["bank", "api"], [None, "web"]]}},
            {"meshTLS": [False, ["*"], None]},
            [None, True, None],
        ],
    )
    def test_may_be_anybody_or_somebody_of_the_mesh(self, client: Any, line: Any) -> None:
        said = authorization(client, line=line)
        assert (said.errors, said.warnings) == ([], [])

    @pytest.mark.parametrize(
        ("client", "errors"),
        [
            (..., ["spec.client: field-missing"]),
            (None, ["spec.client: field-type"]),
            ([], ["spec.client: field-type"]),
            ({"unauthenticated": None}, ["spec.client.unauthenticated: field-type"]),
            ({"unauthenticated": "true"}, ["spec.client.unauthenticated: field-type"]),
            ({"unauthenticated": 1}, ["spec.client.unauthenticated: field-type"]),
            ({"meshTLS": True}, ["spec.client.meshTLS: field-type"]),
            ({"meshTLS": []}, ["spec.client.meshTLS: field-type"]),
            ({"meshTLS": {"unauthenticatedTLS": None}}, ["spec.client.meshTLS.unauthenticatedTLS: field-type"]),
            ({"meshTLS": {"identities": "*"}}, ["spec.client.meshTLS.identities: field-type"]),
            ({"meshTLS": {"identities": [None]}}, ["spec.client.meshTLS.identities[0]: field-type"]),
            ({"meshTLS": {"serviceAccounts": [{}]}}, ["spec.client.meshTLS.serviceAccounts[0].name: field-missing"]),
            ({"meshTLS": {"serviceAccounts": ["web"]}}, ["spec.client.meshTLS.serviceAccounts[0]: field-type"]),
            ({"meshTLS": {"serviceAccounts": [["web"]]}}, ["spec.client.meshTLS.serviceAccounts[0]: field-type"]),
            ({"networks": {}}, ["spec.client.networks: field-type"]),
            ({"networks": [{}]}, ["spec.client.networks[0].cidr: field-missing"]),
            ({"networks": [{"cidr": "10.0.0.0/33"}]}, ["spec.client.networks[0].cidr: network-cidr"]),
        ],
    )
    def test_is_refused_where_it_cannot_be_read(self, client: Any, errors: list[str]) -> None:
        assert authorization(client).errors == errors

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize("mesh_tls", [{}, {"unauthenticatedTLS": True}, {"identities": ["*"]}])
    def test_cannot_be_unauthenticated_and_authenticated(self, mesh_tls: JSON, line: Any) -> None:
        said = authorization({"unauthenticated": True, "meshTLS": mesh_tls}, line=line)
        assert said.errors == ["spec.client.unauthenticated: serverauthorization-unauthenticated"]

    @pytest.mark.parametrize(
        "named",
        [
            {"identities": ["*"]},
            {"serviceAccounts": [{"name": "web"}]},
            {"identities": ["*"], "serviceAccounts": [{"name": "web"}]},
        ],
    )
    @pytest.mark.parametrize("line", BOTH)
    def test_without_an_identity_cannot_have_one_of_some(self, named: JSON, line: Any) -> None:
        said = authorization({"meshTLS": {"unauthenticatedTLS": True, **named}}, line=line)
        assert said.errors == ["spec.client.meshTLS.unauthenticatedTLS: serverauthorization-unauthenticated-tls"]

    @pytest.mark.parametrize(
        ("client", "field"),
        [
            ({}, "spec.client"),
            ({"unauthenticated": False}, "spec.client"),
            ({"meshTLS": None, "networks": [{"cidr": "10.0.0.0/8"}]}, "spec.client"),
            ({"meshTLS": {}}, "spec.client.meshTLS"),
            ({"meshTLS": {"identities": [], "serviceAccounts": []}}, "spec.client.meshTLS"),
            ({"meshTLS": {"unauthenticatedTLS": False, "identities": None}}, "spec.client.meshTLS"),
        ],
    )
    def test_that_nobody_can_be_is_warned_of(self, client: JSON, field: str) -> None:
        said = authorization(client)
        assert (said.errors, said.warnings) == ([], [f"{field}: serverauthorization-no-client"])

    @pytest.mark.parametrize("client", [{"meshTLS": 5}, {"meshTLS": {"identities": 5}}, {"unauthenticated": "true"}])
    def test_that_cannot_be_read_is_not_warned_of(self, client: JSON) -> None:
        assert authorization(client).warnings == []


class TestWhole:
    def test_is_told_all_of_its_errors(self) -> None:
        client = {
            "unauthenticated": True,
            "networks": [{"cidr": "10.0.0.0/8", "except": ["11.0.0.0/8", "x"]}, {"cidr": "fe80::1%eth0"}],
            "meshTLS": {"unauthenticatedTLS": True, "identities": ["*", 1]},
        }
        assert authorization(client, {"name": 5}).errors == [
            "spec.client.meshTLS.identities[1]: field-type",
            "spec.client.meshTLS.unauthenticatedTLS: serverauthorization-unauthenticated-tls",
            "spec.client.networks[0].except[0]: network-exception-outside",
            "spec.client.networks[0].except[1]: network-cidr",
            "spec.client.networks[1].cidr: network-cidr",
            "spec.client.unauthenticated: serverauthorization-unauthenticated",
            "spec.server.name: field-type",
        ]

    @pytest.mark.parametrize("line", BOTH)
    def test_may_be_an_array_of_the_two(self, line: Any) -> None:
        assert say("ServerAuthorization", [NAMED, ANYBODY], line=line).errors == []
        assert say("ServerAuthorization", [ANYBODY], line=line).errors == ["spec: field-type"]

    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(("version", "old"), [("v1alpha1", True), ("v1beta1", False)])
    def test_of_an_old_version_is_warned_of(self, version: str, old: bool, line: Any) -> None:
        warnings = ["apiVersion: api-version-deprecated"] if old else []
        assert authorization(version=version, line=line).warnings == warnings
