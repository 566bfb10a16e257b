"""Which Pods would come back without a proxy."""

from __future__ import annotations

import pytest

from webhook.kube.interface import JSON
from webhook.uninstall.pods import in_mesh


class TestInMesh:
    """Which Pods would come back without a proxy."""

    def pod(self, namespace: str, proxy: str = "containers", phase: str = "Running") -> JSON:
        """A Pod with a proxy."""
        spec: JSON = {"containers": [{"name": "web"}], "initContainers": []}
        if proxy:
            spec[proxy].append({"name": "linkerd-proxy"})
        return {"metadata": {"namespace": namespace, "name": "a"}, "spec": spec, "status": {"phase": phase}}

    @pytest.mark.parametrize("proxy", ["containers", "initContainers"])
    def test_a_proxy_counts_wherever_it_is(self, proxy: str) -> None:
        assert in_mesh([self.pod("shop", proxy)], "linkerd") == ["shop/a"]

    def test_the_control_plane_s_own_do_not_count(self) -> None:
        assert in_mesh([self.pod("linkerd")], "linkerd") == []

    def test_pods_without_a_proxy_do_not_count(self) -> None:
        assert in_mesh([self.pod("shop", "")], "linkerd") == []

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    def test_ended_pods_do_not_count(self, phase: str) -> None:
        assert in_mesh([self.pod("shop", phase=phase)], "linkerd") == []
