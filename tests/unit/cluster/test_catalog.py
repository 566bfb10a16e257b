"""What manifests say exists, and what is kept of the objects of a kind."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.cluster.catalog import OfflineCatalog, limits_of, names, rate_limits, servers
from webhook.cluster.interface import NothingKnown, Presence

POLICY = "policy.linkerd.io"
V1 = "policy.linkerd.io/v1beta3"


def given(api_version: str, kind: str, namespace: str | None, name: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


class TestOffline:
    def test_an_object_that_was_given_is_present_whatever_its_version(self) -> None:
        catalog = OfflineCatalog(
            [given("policy.linkerd.io/v1beta1", "Server", "shop", "web"), given(V1, "Server", "shop", "db")]
        )
        assert catalog.look(POLICY, "Server", "shop", "web") is Presence.PRESENT
        assert catalog.look(POLICY, "Server", "shop", "db") is Presence.PRESENT
        assert sorted(catalog.names(POLICY, "Server", "shop")) == ["db", "web"]

    def test_an_object_is_absent_only_beside_others_of_its_kind_and_namespace(self) -> None:
        catalog = OfflineCatalog([given(V1, "Server", "shop", "web"), given("v1", "Service", "shop", "web")])
        assert catalog.look(POLICY, "Server", "shop", "wbe") is Presence.ABSENT
        assert catalog.look(POLICY, "Server", "bank", "web") is Presence.UNKNOWN
        assert catalog.look(POLICY, "HTTPRoute", "shop", "web") is Presence.UNKNOWN
        assert catalog.look("", "ServiceAccount", "shop", "web") is Presence.UNKNOWN

    def test_a_namespace_that_was_not_given_may_still_be_there(self) -> None:
        catalog = OfflineCatalog([given("v1", "Namespace", None, "shop")])
        assert catalog.look("", "Namespace", "", "shop") is Presence.PRESENT
        assert catalog.look("", "Namespace", "", "bank") is Presence.UNKNOWN

    def test_when_strict_everything_that_was_not_given_is_absent(self) -> None:
        catalog = OfflineCatalog([given("v1", "Namespace", None, "shop")], strict=True)
        assert catalog.look("", "Namespace", "", "bank") is Presence.ABSENT
        assert catalog.look(POLICY, "Server", "bank", "web") is Presence.ABSENT
        assert catalog.look("", "Namespace", "", "shop") is Presence.PRESENT

    @pytest.mark.parametrize(
        ("kind", "namespace", "name"),
        [("ServiceAccount", "shop", "default"), ("Service", "default", "kubernetes")],
    )
    def test_what_kubernetes_makes_itself_need_not_be_given(self, kind: str, namespace: str, name: str) -> None:
        objects = [given("v1", kind, namespace, "web")]
        assert OfflineCatalog(objects).look("", kind, namespace, name) is Presence.PRESENT
        assert OfflineCatalog([], strict=True).look("", kind, namespace, name) is Presence.PRESENT

    def test_the_items_of_a_list_count_and_those_without_a_namespace_are_in_default(self) -> None:
        catalog = OfflineCatalog([{"kind": "List", "items": [given(V1, "Server", None, "web")]}])
        assert catalog.look(POLICY, "Server", "default", "web") is Presence.PRESENT

    def test_servers_are_always_known_and_may_be_none(self) -> None:
        selector = {"matchLabels": {"app": "web"}}
        spec = {"podSelector": selector, "port": 8080, "proxyProtocol": "HTTP/1"}
        catalog = OfflineCatalog([given(V1, "Server", "shop", "web", spec=spec)])
        assert catalog.servers("shop") == {"web": {"podSelector": selector, "port": 8080}}
        assert catalog.servers("bank") == {}
        assert OfflineCatalog([]).servers("shop") == {}

    def test_of_a_server_that_was_given_twice_the_last_counts(self) -> None:
        catalog = OfflineCatalog([given(V1, "Server", "shop", "web", spec={"port": port}) for port in (1, 2)])
        assert catalog.servers("shop") == {"web": {"port": 2}}

    @pytest.mark.parametrize(
        "body",
        [
            None,
            7,
            {},
            {"kind": "Server"},
            {"apiVersion": V1, "kind": "Server"},
            {"apiVersion": V1, "kind": "Server", "metadata": []},
            {"apiVersion": V1, "kind": "Server", "metadata": {"name": ""}},
            {"apiVersion": V1, "kind": "Server", "metadata": {"name": ["web"]}},
            {"apiVersion": V1, "kind": "Server", "metadata": {"name": "web", "namespace": {}}},
            {"apiVersion": 1, "kind": "Server", "metadata": {"name": "web"}},
            {"apiVersion": V1, "kind": ["Server"], "metadata": {"name": "web"}},
            {"apiVersion": V1, "kind": "Server", "metadata": {"name": "web"}, "spec": "odd"},
        ],
    )
    def test_odd_objects_do_no_harm(self, body: Any) -> None:
        OfflineCatalog([body]).servers("default")


class TestObjects:
    def test_are_counted_once_each_and_forgotten_when_removed(self) -> None:
        objects = names()
        for namespace, name in (("shop", "web"), ("shop", "web"), ("shop", "db"), ("bank", "web")):
            objects.put(given("v1", "Service", namespace, name))
        assert objects.count == 3
        objects.remove(given("v1", "Service", "shop", "web"))
        objects.remove(given("v1", "Service", "shop", "web"))
        objects.remove(given("v1", "Service", "nowhere", "web"))
        assert objects.count == 2
        assert list(objects.within("shop")) == ["db"]
        assert list(objects.within("nowhere")) == []

    def test_keep_nothing_of_a_server_but_what_selects_and_the_port(self) -> None:
        objects = servers()
        spec = {"externalWorkloadSelector": {}, "port": "http", "accessPolicy": "deny"}
        objects.put(given(V1, "Server", "shop", "web", spec=spec))
        assert objects.within("shop")["web"] == {"externalWorkloadSelector": {}, "port": "http"}

    @pytest.mark.parametrize("body", [None, [], {"metadata": None}, {"metadata": {}}])
    def test_pass_over_what_has_no_name(self, body: Any) -> None:
        objects = servers()
        objects.put(body)
        objects.remove(body)
        assert objects.count == 0


def test_who_knows_nothing_says_so() -> None:
    catalog = NothingKnown()
    assert catalog.look("", "Service", "shop", "web") is Presence.UNKNOWN
    assert not catalog.names("", "Service", "shop")
    assert catalog.servers("shop") is None


class TestPorts:
    def test_of_a_service_are_numbers_names_and_targets(self) -> None:
        ports = [{"port": 80, "targetPort": 8080}, {"port": 81, "name": "grpc", "targetPort": "g"}, {"port": 82}]
        catalog = OfflineCatalog([given("v1", "Service", "shop", "web", spec={"ports": ports})])
        assert catalog.ports("shop", "web") == ((80, "", 8080), (81, "grpc", "g"), (82, "", 82))
        assert catalog.ports("shop", "db") is catalog.ports("bank", "web") is None

    @pytest.mark.parametrize(
        "spec",
        [None, [], {}, {"ports": []}, {"ports": {}}, {"ports": [7]}, {"ports": [{"port": "80"}]}, {"ports": [{}]}],
    )
    def test_that_make_no_sense_are_unknown(self, spec: Any) -> None:
        assert OfflineCatalog([given("v1", "Service", "shop", "web", spec=spec)]).ports("shop", "web") is None

    def test_of_an_external_name_are_unknown(self) -> None:
        spec = {"type": "ExternalName", "ports": [{"port": 80}]}
        assert OfflineCatalog([given("v1", "Service", "shop", "web", spec=spec)]).ports("shop", "web") is None

    def test_that_many_services_have_are_kept_once(self) -> None:
        objects = [given("v1", "Service", "shop", name, spec={"ports": [{"port": 80}]}) for name in ("a", "b")]
        catalog = OfflineCatalog(objects)
        assert catalog.ports("shop", "a") is catalog.ports("shop", "b")


def limit(name: str, server: object, kind: str = "Server") -> dict[str, Any]:
    spec = {"targetRef": {"kind": kind, "name": server}}
    return given("policy.linkerd.io/v1alpha1", "HTTPLocalRateLimitPolicy", "shop", name, spec=spec)


class TestRateLimits:
    def test_are_found_by_their_server(self) -> None:
        catalog = OfflineCatalog([limit("a", "web"), limit("b", "web"), limit("c", "db"), limit("d", "web", "Service")])
        assert sorted(catalog.rate_limits("shop", "web") or ()) == ["a", "b"]
        assert not catalog.rate_limits("shop", "nothing")
        assert not catalog.rate_limits("bank", "web")

    def test_follow_a_policy_that_moves_to_another_server_or_goes(self) -> None:
        store = rate_limits()
        store.put(limit("a", "web"))
        store.put(limit("b", "web"))
        store.put(limit("a", "db"))
        assert [sorted(limits_of(store.within("shop"), server)) for server in ("web", "db")] == [["b"], ["a"]]
        store.remove(limit("b", "web"))
        assert not limits_of(store.within("shop"), "web")
        assert store.count == 1

    @pytest.mark.parametrize("spec", [None, [], {}, {"targetRef": []}, {"targetRef": {"kind": "Server", "name": []}}])
    def test_that_make_no_sense_are_for_no_server(self, spec: Any) -> None:
        store = rate_limits()
        store.put(given("policy.linkerd.io/v1alpha1", "HTTPLocalRateLimitPolicy", "shop", "a", spec=spec))
        assert store.count == 1
        assert not limits_of(store.within("shop"), "a")
