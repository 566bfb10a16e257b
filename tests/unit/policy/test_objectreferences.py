"""References to other objects, as Linkerd compares them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, EDGE, STABLE
from webhook.policy.objectreferences import (
    EGRESS_NETWORK,
    GATEWAY,
    NAMESPACE,
    POLICY,
    SERVER,
    SERVICE,
    Parent,
    canonical,
    fold,
    is_foreign,
    read_parent,
    targets,
)


class TestFolding:
    @pytest.mark.parametrize(
        ("text", "folded"),
        [
            ("Server", "server"),
            ("\u017ferver", "\u017ferver"),
            ("\u212aIND", "\u212aind"),
            ("\u00c4B", "\u00c4b"),
            ("", ""),
        ],
    )
    def test_is_for_ascii_letters_only(self, text: str, folded: str) -> None:
        assert fold(text) == folded


class TestTargets:
    @pytest.mark.parametrize("line", BOTH)
    @pytest.mark.parametrize(
        ("group", "kind", "meant"),
        [
            (POLICY, "Server", True),
            ("Policy.LINKERD.io", "sERVER", True),
            (GATEWAY, "Server", False),
            ("", "Server", False),
            (None, "Server", False),
            (POLICY, "Servers", False),
            (POLICY, "\u017ferver", False),
        ],
    )
    def test_are_compared_by_group_and_kind(self, group: Any, kind: str, meant: bool, line: Any) -> None:
        assert targets({"group": group, "kind": kind}, SERVER, line) is meant

    @pytest.mark.parametrize(
        ("reference", "edge", "stable"),
        [
            ({"kind": "Namespace"}, True, True),
            ({"group": None, "kind": "Namespace"}, True, True),
            ({"group": "core", "kind": "NAMESPACE"}, True, True),
            ({"group": "CORE", "kind": "Namespace"}, True, True),
            ({"group": "", "kind": "Namespace"}, True, False),
            ({"group": "v1", "kind": "Namespace"}, False, False),
            ({"group": " ", "kind": "Namespace"}, False, False),
            ({"group": "core/v1", "kind": "Namespace"}, False, False),
        ],
    )
    def test_of_the_core_group_have_none_or_core_or_at_later_lines_an_empty_one(
        self, reference: Any, edge: bool, stable: bool
    ) -> None:
        assert targets(reference, NAMESPACE, EDGE) is edge
        assert targets(reference, NAMESPACE, STABLE) is stable

    @pytest.mark.parametrize(
        ("reference", "name"),
        [
            ({"kind": "Server", "group": POLICY}, "Server.policy.linkerd.io"),
            ({"kind": "Pod", "group": ""}, "Pod"),
            ({"kind": "Pod"}, "Pod"),
        ],
    )
    def test_are_named_with_their_group(self, reference: Any, name: str) -> None:
        assert canonical(reference) == name


def parent(own: str, **fields: Any) -> Parent:
    return read_parent({"name": "web", **fields}, own)


class TestParents:
    @pytest.mark.parametrize("own", [POLICY, GATEWAY])
    @pytest.mark.parametrize(
        ("group", "kind", "target"),
        [
            ("core", "Service", SERVICE),
            ("", "SERVICE", SERVICE),
            ("Core", "service", SERVICE),
            (POLICY, "Server", SERVER),
            (POLICY.upper(), "egressnetwork", EGRESS_NETWORK),
            (GATEWAY, "Gateway", None),
            ("core", "\u017fervice", None),
            ("networking.istio.io", "Service", None),
            (POLICY, "HTTPRoute", None),
        ],
    )
    def test_are_what_group_and_kind_say(self, group: str, kind: str, target: Any, own: str) -> None:
        assert parent(own, group=group, kind=kind) == Parent(target, target, target)

    @pytest.mark.parametrize("own", [POLICY, GATEWAY])
    def test_that_are_services_without_a_group_are_none_but_meant_and_sent_as_such(self, own: str) -> None:
        assert parent(own, kind="Service") == Parent(None, SERVICE, SERVICE)
        assert parent(own, kind="Service", group=None) == Parent(None, SERVICE, SERVICE)

    @pytest.mark.parametrize("own", [POLICY, GATEWAY])
    @pytest.mark.parametrize("group", [POLICY, GATEWAY])
    def test_that_are_services_of_a_group_that_has_none_are_only_meant(self, group: str, own: str) -> None:
        """What an API server makes of a group that is not written."""
        assert parent(own, kind="Service", group=group) == Parent(None, SERVICE, None)

    def test_of_linkerd_s_own_kinds_get_the_group_of_a_policy_route(self) -> None:
        assert parent(POLICY, kind="Server") == Parent(SERVER, SERVER, None)
        assert parent(POLICY, kind="EgressNetwork") == Parent(EGRESS_NETWORK, EGRESS_NETWORK, None)
        assert parent(GATEWAY, kind="Server") == Parent(None, SERVER, None)
        assert parent(GATEWAY, kind="EgressNetwork", group="") == Parent(None, EGRESS_NETWORK, None)

    @pytest.mark.parametrize("own", [POLICY, GATEWAY])
    def test_without_a_kind_are_gateways_and_meant_as_services_in_the_core_group_alone(self, own: str) -> None:
        assert parent(own) == Parent(None, None, None)
        assert parent(own, group=GATEWAY) == Parent(None, None, None)
        assert parent(own, group="core") == Parent(None, SERVICE, None)

    @pytest.mark.parametrize("broken", [None, [], "web", {"kind": 5}, {"group": [], "kind": "Service"}])
    def test_that_make_no_sense_are_nothing(self, broken: Any) -> None:
        assert read_parent(broken, POLICY) == Parent(None, None, None)


class TestForeignRoutes:
    @pytest.mark.parametrize(
        "spec",
        [
            {"parentRefs": [{"name": "front"}]},
            {"parentRefs": [{"name": "front"}, {"name": "mesh", "kind": "Mesh"}]},
            {"parentRefs": [{"name": "x", "group": "networking.istio.io", "kind": "ServiceEntry"}]},
            {"useDefaultGateways": "All"},
        ],
    )
    def test_have_parents_of_which_none_is_linkerd_s(self, spec: Any) -> None:
        assert is_foreign(GATEWAY, {"spec": spec})
        assert not is_foreign(POLICY, {"spec": spec})

    @pytest.mark.parametrize(
        "spec",
        [
            None,
            [],
            {},
            {"parentRefs": []},
            {"parentRefs": {}},
            {"parentRefs": [{}]},
            {"useDefaultGateways": "None"},
            {"parentRefs": [{"name": "front"}, {"name": "web", "kind": "Service"}]},
            {"parentRefs": [{"name": "web", "kind": "Service", "group": ""}]},
            {"parentRefs": [{"name": "web", "kind": "Server", "group": POLICY}]},
        ],
    )
    def test_are_neither_those_with_one_that_is_nor_those_that_nobody_takes(self, spec: Any) -> None:
        assert not is_foreign(GATEWAY, {"spec": spec})
        assert not is_foreign(GATEWAY, spec)
