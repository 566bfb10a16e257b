"""Warnings of references that name nothing, and of Servers that share a port."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.cluster import selection
from webhook.cluster.catalog import OfflineCatalog
from webhook.cluster.interface import NothingKnown
from webhook.cluster.selection import requirements_of
from webhook.findings.finding import Finding, Severity
from webhook.policy.missingreferences import check

POLICY = "policy.linkerd.io"
GATEWAY = "gateway.networking.k8s.io"

GIVEN = [
    ("v1", "Namespace", None, "shop"),
    ("v1", "Namespace", None, "bank"),
    ("v1", "Service", "shop", "web-svc"),
    ("v1", "Service", "bank", "ledger"),
    ("v1", "ServiceAccount", "shop", "web"),
    ("v1", "ServiceAccount", "bank", "teller"),
    (f"{POLICY}/v1beta3", "Server", "shop", "web-http"),
    (f"{POLICY}/v1beta3", "HTTPRoute", "shop", "orders"),
    (f"{GATEWAY}/v1", "HTTPRoute", "shop", "carts"),
    (f"{GATEWAY}/v1", "GRPCRoute", "shop", "votes"),
    (f"{POLICY}/v1alpha1", "MeshTLSAuthentication", "shop", "clients"),
    (f"{POLICY}/v1alpha1", "NetworkAuthentication", "bank", "vpn"),
    (f"{POLICY}/v1alpha1", "EgressNetwork", "shop", "outside"),
]


def catalog(*more: dict[str, Any]) -> OfflineCatalog:
    """All there is, the cluster being complete."""
    objects = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}
        for version, kind, namespace, name in GIVEN
    ]
    return OfflineCatalog([*objects, *more], strict=True)


def missing_references(kind: str, spec: Any, group: str = POLICY, name: str = "subject") -> list[str]:
    """What is said about an object in namespace `shop`."""
    return [finding.text for finding in check(group, kind, "shop", name, spec, catalog())]


def target(kind: str, name: str, group: str | None = POLICY, **more: Any) -> dict[str, Any]:
    """A reference."""
    return {**({} if group is None else {"group": group}), "kind": kind, "name": name, **more}


class TestPolicyTarget:
    @pytest.mark.parametrize(
        "reference",
        [
            target("Server", "web-http"),
            target("HTTPRoute", "orders"),
            target("HTTPRoute", "carts", GATEWAY),
            target("GRPCRoute", "votes", GATEWAY),
            target("Namespace", "shop", None),
            target("Namespace", "bank", "core"),
            target("SERVER", "web-http", "Policy.Linkerd.IO"),
        ],
    )
    def test_that_exists_is_not_spoken_of(self, reference: Any) -> None:
        assert missing_references("AuthorizationPolicy", {"targetRef": reference}) == []

    @pytest.mark.parametrize(
        ("reference", "text"),
        [
            (
                target("Server", "vote"),
                'Server "vote" does not exist in namespace shop: create it, or correct the name',
            ),
            (
                target("server", "wbe-http", "POLICY.linkerd.io"),
                'Server "wbe-http" does not exist in namespace shop (did you mean "web-http"?): create it, or '
                "correct the name",
            ),
            (
                target("GRPCRoute", "orders", GATEWAY),
                'GRPCRoute "orders" does not exist in namespace shop: create it, or correct the name',
            ),
            (target("Namespace", "cellar", ""), 'Namespace "cellar" does not exist: create it, or correct the name'),
        ],
    )
    def test_that_does_not_exist_is_named(self, reference: Any, text: str) -> None:
        assert missing_references("AuthorizationPolicy", {"targetRef": reference}) == [f"spec.targetRef.name: {text}"]

    @pytest.mark.parametrize(("name", "group", "other"), [("carts", POLICY, GATEWAY), ("orders", GATEWAY, POLICY)])
    def test_that_is_of_the_other_group_is_recognised(self, name: str, group: str, other: str) -> None:
        text = (
            f'HTTPRoute "{name}" does not exist in namespace shop in the group {group}, but in {other}: '
            f"write group: {other}"
        )
        reference = target("HTTPRoute", name, group)
        assert missing_references("AuthorizationPolicy", {"targetRef": reference}) == [f"spec.targetRef.group: {text}"]

    def test_is_looked_for_in_the_policys_own_namespace_only(self) -> None:
        reference = target("Server", "web-http", namespace="bank")
        assert missing_references("AuthorizationPolicy", {"targetRef": reference}) == []

    @pytest.mark.parametrize("reference", [target("Pod", "web", None), target("Server", "web", None)])
    def test_of_a_kind_that_cannot_be_is_for_others_to_speak_of(self, reference: Any) -> None:
        assert missing_references("AuthorizationPolicy", {"targetRef": reference}) == []

    def test_of_a_rate_limit_is_a_server(self) -> None:
        assert missing_references("HTTPLocalRateLimitPolicy", {"targetRef": target("Server", "web-http")}) == []
        assert missing_references("HTTPLocalRateLimitPolicy", {"targetRef": target("HTTPRoute", "nothing")}) == []
        assert missing_references("HTTPLocalRateLimitPolicy", {"targetRef": target("Server", "nothing")}) == [
            'spec.targetRef.name: Server "nothing" does not exist in namespace shop: create it, or correct the name'
        ]

    def test_of_a_server_authorization_is_a_server_by_name(self) -> None:
        assert missing_references("ServerAuthorization", {"server": {"name": "web-http"}}) == []
        assert missing_references("ServerAuthorization", {"server": {"selector": {}}}) == []
        assert missing_references("ServerAuthorization", {"server": {"name": "nothing"}}) == [
            'spec.server.name: Server "nothing" does not exist in namespace shop: create it, or correct the name'
        ]


class TestAuthentication:
    @pytest.mark.parametrize(
        "reference",
        [
            target("MeshTLSAuthentication", "clients"),
            target("NetworkAuthentication", "vpn", namespace="bank"),
            target("ServiceAccount", "web", None),
            target("ServiceAccount", "web", "CORE", namespace=None),
            target("ServiceAccount", "default", "", namespace="bank"),
        ],
    )
    def test_that_exists_is_not_spoken_of(self, reference: Any) -> None:
        assert missing_references("AuthorizationPolicy", {"requiredAuthenticationRefs": [reference]}) == []

    def test_that_does_not_exist_is_named_with_its_namespace(self) -> None:
        references = [target("NetworkAuthentication", "vpn"), target("MeshTLSAuthentication", "x", namespace="bank")]
        assert missing_references("AuthorizationPolicy", {"requiredAuthenticationRefs": references}) == [
            'spec.requiredAuthenticationRefs[0].name: NetworkAuthentication "vpn" does not exist in namespace shop: '
            "create it, or correct the name",
            'spec.requiredAuthenticationRefs[1].name: MeshTLSAuthentication "x" does not exist in namespace bank: '
            "create it, or correct the name",
        ]

    def test_in_a_namespace_that_does_not_exist_is_at_the_namespace(self) -> None:
        reference = target("NetworkAuthentication", "vpn", namespace="bnak")
        assert missing_references("AuthorizationPolicy", {"requiredAuthenticationRefs": [reference]}) == [
            'spec.requiredAuthenticationRefs[0].namespace: NetworkAuthentication "vpn" does not exist in '
            "namespace bnak, "
            "nor does that namespace: create both, or correct the namespace"
        ]


class TestClient:
    def test_of_an_authentication_is_a_service_account_or_a_namespace(self) -> None:
        there = [
            target("ServiceAccount", "teller", None, namespace="bank"),
            target("Namespace", "bank", None),
            target("Namespace", "shop", "", namespace="ignored"),
        ]
        assert missing_references("MeshTLSAuthentication", {"identityRefs": there}) == []
        missing = [target("ServiceAccount", "teller", None), target("Namespace", "cellar", None)]
        assert missing_references("MeshTLSAuthentication", {"identityRefs": missing}) == [
            'spec.identityRefs[0].name: ServiceAccount "teller" does not exist in namespace shop: create it, or '
            "correct the name",
            'spec.identityRefs[1].name: Namespace "cellar" does not exist: create it, or correct the name',
        ]

    def test_of_a_server_authorization_is_a_service_account(self) -> None:
        accounts = [{"name": "web"}, {"name": "teller", "namespace": "bank"}, {"name": "teller"}]
        assert missing_references("ServerAuthorization", {"client": {"meshTLS": {"serviceAccounts": accounts}}}) == [
            'spec.client.meshTLS.serviceAccounts[2].name: ServiceAccount "teller" does not exist in namespace shop: '
            "create it, or correct the name"
        ]

    def test_of_an_override_is_a_service_account(self) -> None:
        overrides = [{"clientRefs": [target("ServiceAccount", name, None) for name in ("web", "wob")]}]
        assert missing_references("HTTPLocalRateLimitPolicy", {"overrides": overrides}) == [
            'spec.overrides[0].clientRefs[1].name: ServiceAccount "wob" does not exist in namespace shop (did '
            'you mean "web"?): '
            "create it, or correct the name"
        ]


class TestRoute:
    PARENT = target("Server", "web-http")

    @pytest.mark.parametrize(
        "parent",
        [
            PARENT,
            target("Service", "web-svc", "core"),
            target("Service", "ledger", "", namespace="bank"),
            target("EgressNetwork", "outside"),
            target("Gateway", "nothing", GATEWAY),
            {"name": "nothing"},
        ],
    )
    def test_whose_parents_exist_or_are_not_linkerds_is_not_spoken_of(self, parent: Any) -> None:
        for group, kind in ((POLICY, "HTTPRoute"), (GATEWAY, "HTTPRoute"), (GATEWAY, "GRPCRoute")):
            assert missing_references(kind, {"parentRefs": [parent]}, group) == []

    def test_without_a_group_in_its_parent_means_the_routes_own(self) -> None:
        parents = {"parentRefs": [target("Server", "nothing", None)]}
        missing = [
            'spec.parentRefs[0].name: Server "nothing" does not exist in namespace shop: create it, or correct the name'
        ]
        assert missing_references("HTTPRoute", parents, POLICY) == missing
        # Of a Gateway API route it is another group, and the Server is meant nevertheless.
        assert missing_references("HTTPRoute", parents, GATEWAY) == missing

    def test_whose_parent_does_not_exist_is_spoken_of(self) -> None:
        assert missing_references(
            "GRPCRoute", {"parentRefs": [self.PARENT, target("Service", "web", "")]}, GATEWAY
        ) == [
            'spec.parentRefs[1].name: Service "web" does not exist in namespace shop (did you mean "web-svc"?): '
            "create it, or correct the name"
        ]

    def test_whose_backend_does_not_exist_is_spoken_of(self) -> None:
        backends = [
            {"name": "web-svc", "port": 80},
            {"name": "ledger", "namespace": "bank"},
            target("EgressNetwork", "outside"),
            target("Bucket", "nothing", "storage.example.org"),
            target("Service", "nothing", ""),
        ]
        spec = {"parentRefs": [self.PARENT], "rules": [{}, {"backendRefs": backends}]}
        assert missing_references("HTTPRoute", spec) == [
            'spec.rules[1].backendRefs[4].name: Service "nothing" does not exist in namespace shop: create it, '
            "or correct the name"
        ]

    def test_is_told_of_each_missing_backend_once(self) -> None:
        rules = [{"backendRefs": [{"name": "nothing"}, {"name": "nothing"}]}] * 20
        assert len(missing_references("HTTPRoute", {"parentRefs": [self.PARENT], "rules": rules})) == 1

    def test_of_a_gateway_is_not_linkerds_to_judge(self) -> None:
        rules = [{"backendRefs": [{"name": "nothing"}]}]
        parent = target("Gateway", "edge", GATEWAY)
        assert missing_references("HTTPRoute", {"parentRefs": [parent], "rules": rules}, GATEWAY) == []


def server(
    name: str, port: Any, labels: dict[str, str] | None = None, *expressions: Any, **more: Any
) -> dict[str, Any]:
    """A Server of namespace `shop`."""
    selector = {"matchLabels": labels or {}, "matchExpressions": list(expressions)}
    return {
        "apiVersion": f"{POLICY}/v1beta3",
        "kind": "Server",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"podSelector": selector, "port": port, **more},
    }


def shared(one: dict[str, Any], *others: dict[str, Any]) -> list[Finding]:
    """What is said about a Server beside others."""
    return check(POLICY, "Server", "shop", one["metadata"]["name"], one["spec"], catalog(*others))


WEB = {"app": "web"}
IN = {"key": "tier", "operator": "In", "values": ["b", "a"]}
IN_OTHER_ORDER = {"key": "tier", "operator": "In", "values": ["a", "b"]}
EXISTS = {"key": "tier", "operator": "Exists"}


class TestServerPort:
    @pytest.mark.parametrize(
        "other",
        [
            server("other", 80, WEB),
            server("other", 80),
            server("other", 80, {**WEB, "tier": "front"}),
            server("other", 80, WEB, EXISTS),
            server("other", 80, {}, {"key": "app", "operator": "In", "values": ["web"]}),
        ],
    )
    def test_of_the_same_pods_is_shared(self, other: dict[str, Any]) -> None:
        for one, two in (
            (server("one", 80, WEB), other),
            ({**other, "metadata": {"name": "one"}}, server("other", 80, WEB)),
        ):
            (finding,) = shared(one, two)
            assert (finding.field, finding.rule.id) == ("spec.port", "server-port-shared")
            assert finding.message == (
                'Server "other" selects this port of the same workloads, and the proxies apply the oldest Server '
                "alone: write another port, or labels that those workloads do not have"
            )

    @pytest.mark.parametrize(
        "other",
        [
            server("other", 81, WEB),
            server("other", "80", WEB),
            server("one", 80, WEB),
            server("other", 80, {"app": "db"}),
            server("other", 80, {"tier": "front"}),
            server("other", 80, {}, EXISTS),
            server("other", 80, WEB, externalWorkloadSelector={"matchLabels": WEB}),
            server("other", 80, {}, {"key": "app", "operator": "NotIn", "values": ["web"]}),
            server("other", 80, {}, "odd"),
        ],
    )
    def test_of_other_pods_or_perhaps_of_others_is_not_shared(self, other: dict[str, Any]) -> None:
        assert shared(server("one", 80, WEB), other) == []

    def test_is_compared_by_expressions_too(self) -> None:
        assert shared(server("one", 80, {}, IN), server("other", 80, {}, IN_OTHER_ORDER))
        assert not shared(server("one", 80, {}, IN), server("other", 80, {}, {**IN, "values": ["c", "a"]}))

    def test_is_shared_among_external_workloads(self) -> None:
        one, two = server("one", 80, WEB), server("other", 80, WEB)
        for body in (one, two):
            body["spec"]["externalWorkloadSelector"] = body["spec"].pop("podSelector")
        assert shared(one, two)

    def test_that_many_share_names_a_few(self) -> None:
        (finding,) = shared(server("one", 80), *(server(f"other-{number}", 80) for number in range(7)))
        assert 'Servers "other-0", "other-1", "other-2" and 4 more select ' in finding.message

    @pytest.mark.parametrize("port", [None, True, 80.0, [80], {"number": 80}])
    def test_that_is_none_is_not_compared(self, port: Any) -> None:
        assert shared(server("one", port), server("other", port)) == []

    def test_is_compared_with_what_was_worked_out_of_the_others_before(self, monkeypatch: pytest.MonkeyPatch) -> None:
        others = catalog(*(server(f"other-{number}", 8000 + number, {"app": str(number)}) for number in range(10)))
        spec = server("one", 80, WEB)["spec"]
        assert check(POLICY, "Server", "shop", "one", spec, others) == []
        worked_out: list[Any] = []
        monkeypatch.setattr(selection, "requirements_of", lambda body: worked_out.append(body) or requirements_of(body))
        assert check(POLICY, "Server", "shop", "one", spec, others) == []
        assert worked_out == [spec]


KINDS = [
    (POLICY, "Server"),
    (POLICY, "AuthorizationPolicy"),
    (POLICY, "ServerAuthorization"),
    (POLICY, "HTTPLocalRateLimitPolicy"),
    (POLICY, "MeshTLSAuthentication"),
    (POLICY, "HTTPRoute"),
    (GATEWAY, "HTTPRoute"),
    (GATEWAY, "GRPCRoute"),
    (GATEWAY, "TLSRoute"),
    (GATEWAY, "TCPRoute"),
]

FIELDS = [
    *("targetRef", "requiredAuthenticationRefs", "identityRefs", "overrides", "clientRefs", "parentRefs", "rules"),
    *("backendRefs", "server", "client", "meshTLS", "serviceAccounts", "podSelector", "port", "name", "namespace"),
    *("group", "kind", "matchLabels", "matchExpressions"),
]


def odd(depth: int = 0) -> list[Any]:
    """JSON that is nothing in particular."""
    plain: list[Any] = [None, True, 0, -1.5, "", "x", "\ud800", [], {}]
    if depth == 4:
        return plain
    below = odd(depth + 1)
    return plain + [[child] for child in below[::3]] + [dict.fromkeys(FIELDS, child) for child in below]


class TestWhateverHappens:
    @pytest.mark.parametrize(("group", "kind"), KINDS)
    def test_an_odd_spec_raises_nothing(self, group: str, kind: str) -> None:
        for spec in odd():
            check(group, kind, "shop", "subject", spec, catalog())

    @pytest.mark.parametrize(("group", "kind"), KINDS)
    def test_nothing_is_said_where_nothing_is_known(self, group: str, kind: str) -> None:
        references = [target(kind_, "nothing", None) for kind_ in ("Service", "ServiceAccount", "Namespace")]
        references += [target(kind_, "nothing") for kind_ in ("Server", "HTTPRoute", "MeshTLSAuthentication")]
        for reference in references:
            spec = {field: [reference] for field in FIELDS} | {"targetRef": reference, "server": reference, "port": 80}
            assert check(group, kind, "shop", "web.shop.svc.cluster.local", spec, NothingKnown()) == []

    def test_an_odd_name_is_quoted_and_shortened(self) -> None:
        spec = {"identityRefs": [target("ServiceAccount", "a\n" * 100, "", namespace="x y")]}
        (text,) = missing_references("MeshTLSAuthentication", spec)
        assert "\n" not in text
        assert len(text) < 250
        assert 'in namespace "x y", nor' in text

    def test_other_kinds_are_not_spoken_of(self) -> None:
        assert check("apps", "Deployment", "shop", "web", {"targetRef": target("Server", "nothing")}, catalog()) == []

    def test_group_and_kind_of_the_object_are_told_in_any_case(self) -> None:
        spec = {"targetRef": target("Server", "nothing")}
        assert check(POLICY.upper(), "authorizationpolicy", "shop", "subject", spec, catalog())

    def test_every_finding_is_a_warning(self) -> None:
        spec = {"targetRef": target("Server", "nothing")}
        (finding,) = check(POLICY, "AuthorizationPolicy", "", "subject", spec, catalog())
        assert finding.rule.severity is Severity.WARNING
        assert finding.rule.reason == "FieldValueNotFound"
        assert "in namespace default" in finding.message


def shop(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """The Service `shop/shop` with these ports."""
    metadata = {"name": "shop", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": list(ports), **spec}}


class TestPorts:
    """What a route says of a port that a Service does not have."""

    def said(self, service: dict[str, Any], parent: Any = None, backend: Any = None) -> list[str]:
        parents = [target("Service", "shop", "core") | (parent or {})]
        backends = [{"name": "shop"} | (backend or {})]
        spec = {"parentRefs": parents, "rules": [{"backendRefs": backends}]}
        return [
            f"{one.field}: {one.message}" for one in check(POLICY, "HTTPRoute", "shop", "x", spec, catalog(service))
        ]

    def test_of_the_service_are_fine(self) -> None:
        assert self.said(shop({"port": 80}, {"port": 443}), {"port": 80}, {"port": 443}) == []

    def test_that_are_not_written_are_not_looked_at(self) -> None:
        assert self.said(shop({"port": 80})) == []

    def test_of_the_pods_behind_it_are_told_the_service_s(self) -> None:
        said = self.said(shop({"port": 80, "targetPort": 8080}), {"port": 8080}, {"port": 8080})
        advice = 'Service "shop" has no port 8080, its port is 80; 8080 is the targetPort of 80: write 80'
        assert said == [f"spec.parentRefs[0].port: {advice}", f"spec.rules[0].backendRefs[0].port: {advice}"]

    def test_that_it_does_not_have_are_told_those_that_it_has(self) -> None:
        assert self.said(shop({"port": 80}, {"port": 443}), {"port": 81}) == [
            'spec.parentRefs[0].port: Service "shop" has no port 81, its ports are 80, 443: write one of those'
        ]

    @pytest.mark.parametrize(
        "service",
        [
            shop(),
            shop({"port": 80}, type="ExternalName"),
            shop({"port": "80"}),
            shop({"name": "http"}),
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": "shop"}},
        ],
    )
    def test_are_not_told_where_the_service_s_are_not_known(self, service: dict[str, Any]) -> None:
        assert self.said(service, {"port": 81}, {"port": 81}) == []

    @pytest.mark.parametrize("port", [None, "81", 81.0, True, {}])
    def test_that_make_no_sense_are_others_business(self, port: Any) -> None:
        assert self.said(shop({"port": 80}), {"port": port}, {"port": port}) == []

    def test_of_many_only_some_are_named(self) -> None:
        said = self.said(shop(*({"port": number} for number in range(1, 50))), {"port": 99})
        assert said == [
            'spec.parentRefs[0].port: Service "shop" has no port 99, its ports are 1, 2, 3, 4, 5, 6, 7, 8 and others: '
            "write one of those"
        ]

    def test_of_an_egress_network_are_anything(self) -> None:
        spec = {"parentRefs": [target("EgressNetwork", "outside", POLICY, port=81)]}
        assert missing_references("HTTPRoute", spec) == []


class TestSecondRateLimit:
    def said(self, name: str, *others: str, server: str = "web-http") -> list[str]:
        spec = {"targetRef": target("Server", server), "total": {"requestsPerSecond": 1}}
        metadata = {"namespace": "shop"}
        more = [
            {
                "apiVersion": f"{POLICY}/v1alpha1",
                "kind": "HTTPLocalRateLimitPolicy",
                "metadata": {**metadata, "name": other},
                "spec": spec,
            }
            for other in others
        ]
        wanted = {"targetRef": target("Server", "web-http")}
        return [
            f"{one.field}: {one.rule.id}"
            for one in check(POLICY, "HTTPLocalRateLimitPolicy", "shop", name, wanted, catalog(*more))
        ]

    def test_for_one_server_is_warned_of(self) -> None:
        assert self.said("a", "a", "b") == ["spec.targetRef.name: ratelimit-second"]

    def test_is_none_where_there_is_itself_alone_or_one_for_another_server(self) -> None:
        assert self.said("a") == self.said("a", "a") == self.said("a", "b", server="other") == []

    def test_is_not_known_without_a_catalog(self) -> None:
        spec = {"targetRef": target("Server", "web-http")}
        assert check(POLICY, "HTTPLocalRateLimitPolicy", "shop", "a", spec, NothingKnown()) == []
