"""References to other objects, as Linkerd compares them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.policy.builders import BOTH, EDGE, STABLE
from webhook.policy.targets import (
    GATEWAY,
    NAMESPACE,
    POLICY,
    SERVER,
    canonical,
    fold,
    means_egress_network,
    means_service,
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


class TestParents:
    @pytest.mark.parametrize(
        ("parent", "meant"),
        [
            ({"kind": "Service"}, True),
            ({"kind": "SERVICE", "group": ""}, True),
            ({"kind": "Service", "group": None}, True),
            ({"kind": "Service", "group": "Core"}, True),
            ({"group": "core"}, False),
            ({}, False),
            ({"kind": None}, False),
            ({"kind": "Service", "group": POLICY}, False),
            ({"kind": "\u017fervice"}, False),
        ],
    )
    def test_are_services_by_their_kind(self, parent: Any, meant: bool) -> None:
        assert means_service(parent) is meant

    @pytest.mark.parametrize(
        ("parent", "meant"),
        [
            ({"kind": "EgressNetwork", "group": POLICY}, True),
            ({"kind": "egressnetwork", "group": "POLICY.linkerd.io"}, True),
            ({"kind": "EgressNetwork"}, False),
            ({"kind": "EgressNetwork", "group": ""}, False),
            ({"group": POLICY}, False),
            ({"kind": "Server", "group": POLICY}, False),
        ],
    )
    def test_are_egress_networks_by_group_and_kind(self, parent: Any, meant: bool) -> None:
        assert means_egress_network(parent) is meant
