"""What is said of TLSRoutes and TCPRoutes. One that Linkerd cannot read is stored all the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import JSON, SERVICE, Said, gateway
from webhook.policy.objectreferences import POLICY

KINDS = ["TLSRoute", "TCPRoute"]
RULE: JSON = {"backendRefs": [{"name": "web", "port": 443}]}
EGRESS: JSON = {"group": POLICY, "kind": "EgressNetwork", "name": "out"}


def route(kind: str, spec: Any = ..., **options: Any) -> Said:
    """What is said of a route; the host names that a TLSRoute has to have are filled in."""
    if kind == "TLSRoute" and isinstance(spec, dict):
        spec = {"hostnames": ["web.example.com"], **spec}
    return gateway(kind, spec, **options)


@pytest.mark.parametrize("kind", KINDS)
class TestBoth:
    @pytest.mark.parametrize(
        "spec",
        [
            {"rules": [RULE]},
            {"rules": [RULE], "parentRefs": [SERVICE]},
            {
                "rules": [{**RULE, "name": "only"}],
                "parentRefs": [{**EGRESS, "port": 443}],
                "useDefaultGateways": "None",
            },
        ],
    )
    def test_that_are_in_order_are_not_spoken_of(self, kind: str, spec: JSON) -> None:
        assert route(kind, spec) == []

    @pytest.mark.parametrize("rules", [[], [RULE, RULE], [RULE, RULE, RULE]])
    def test_have_exactly_one_rule(self, kind: str, rules: Any) -> None:
        assert route(kind, {"rules": rules}).errors == ["spec.rules: route-one-rule"]

    @pytest.mark.parametrize("parent", [EGRESS, {**EGRESS, "port": None}, {**EGRESS, "kind": "EGRESSNETWORK"}])
    def test_of_an_egress_network_name_its_port(self, kind: str, parent: JSON) -> None:
        said = route(kind, {"rules": [RULE], "parentRefs": [parent]})
        assert said.errors == ["spec.parentRefs[0].port: route-egress-port"]

    @pytest.mark.parametrize("backend", [{"name": "web"}, {"name": "web", "port": 0}, {"name": "x", "kind": "Bucket"}])
    def test_may_have_a_backend_without_a_port(self, kind: str, backend: JSON) -> None:
        said = route(kind, {"rules": [{"backendRefs": [backend]}]})
        assert (said.errors, said.warnings) == ([], [])

    def test_may_have_no_backend_at_all(self, kind: str) -> None:
        assert route(kind, {"rules": [{"backendRefs": []}]}).errors == []

    @pytest.mark.parametrize(
        ("spec", "field"),
        [
            (..., "spec: field-missing"),
            (None, "spec: field-type"),
            ({}, "spec.rules: field-missing"),
            ({"rules": None}, "spec.rules: field-type"),
            ({"rules": {}}, "spec.rules: field-type"),
            ({"rules": [{}]}, "spec.rules[0].backendRefs: field-missing"),
            ({"rules": [{"backendRefs": None}]}, "spec.rules[0].backendRefs: field-type"),
            ({"rules": [{"backendRefs": [{}]}]}, "spec.rules[0].backendRefs[0].name: field-missing"),
            ({"rules": [RULE, 5]}, "spec.rules[1]: field-type"),
            ({"rules": [], "parentRefs": [{**EGRESS, "name": 5}]}, "spec.parentRefs[0].name: field-type"),
        ],
    )
    def test_that_cannot_be_read_are_passed_over(self, kind: str, spec: Any, field: str) -> None:
        said = route(kind, spec)
        assert said.errors == []
        assert {": gateway-not-read", field} <= set(said.schema)

    def test_that_cannot_be_read_are_not_counted(self, kind: str) -> None:
        said = route(kind, {"rules": [RULE, 5]})
        assert "spec.rules: route-one-rule" not in said.schema

    def test_are_told_all_of_their_errors(self, kind: str) -> None:
        said = route(kind, {"rules": [], "parentRefs": [SERVICE, EGRESS]})
        assert said.errors == ["spec.parentRefs[1].port: route-egress-port", "spec.rules: route-one-rule"]


class TestHostNames:
    @pytest.mark.parametrize("version", ["v1", "v1alpha3", "v1alpha2"])
    @pytest.mark.parametrize("missing", [{}, {"hostnames": None}])
    def test_have_to_be_there_for_tls(self, missing: JSON, version: str) -> None:
        said = gateway("TLSRoute", {"rules": [RULE], **missing}, version=version)
        assert said.errors == []
        assert ": gateway-not-read" in said.schema

    def test_may_be_an_empty_list(self) -> None:
        said = gateway("TLSRoute", {"rules": [RULE], "hostnames": []})
        assert said.errors == []
        assert ": gateway-not-read" not in said.schema

    @pytest.mark.parametrize(("version", "told"), [("v1", True), ("v1alpha3", True), ("v1alpha2", False)])
    def test_that_are_addresses_are_what_only_the_newer_crds_forbid(self, version: str, told: bool) -> None:
        said = gateway("TLSRoute", {"rules": [RULE], "hostnames": ["a.b", "10.0.0.1"]}, version=version)
        assert said.errors == []
        assert ("spec.hostnames[1]: gateway-rule" in said.schema) is told

    def test_are_nobody_s_business_for_tcp(self) -> None:
        assert gateway("TCPRoute", {"rules": [RULE], "hostnames": 5}).errors == []
        assert ": gateway-not-read" not in gateway("TCPRoute", {"rules": [RULE], "hostnames": 5}).schema
