"""A cluster beside the manifests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.kube.http import FakeApiServer, kubeconfig
from webhook.cluster.catalog import OfflineCatalog
from webhook.cluster.interface import NothingKnown, Presence
from webhook.lint import live
from webhook.lint.live import ClusterUnreachable, Overlay

POLICY = "policy.linkerd.io"
SERVERS = "/apis/policy.linkerd.io/v1beta3/servers"


def server(name: str, port: int = 80) -> dict[str, Any]:
    """A Server of the Namespace shop."""
    return {
        "apiVersion": "policy.linkerd.io/v1beta3",
        "kind": "Server",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"podSelector": {}, "port": port},
    }


@pytest.fixture
async def cluster() -> AsyncIterator[FakeApiServer]:
    """With a Server `there` in it."""
    fake = FakeApiServer()
    await fake.start()
    fake.serve(POLICY, "v1beta3", "Server")
    fake.add(SERVERS, "shop", "there")
    yield fake
    await fake.stop()


class TestOverlay:
    def test_what_is_given_will_be_there(self) -> None:
        both = Overlay(OfflineCatalog([server("given")]), OfflineCatalog([server("there")], strict=True))
        result = [both.look(POLICY, "Server", "shop", name) for name in ("given", "there", "nowhere")]
        assert result == [Presence.PRESENT, Presence.PRESENT, Presence.ABSENT]
        assert both.names(POLICY, "Server", "shop") == {"given", "there"}

    def test_a_given_server_stands_in_for_its_namesake(self) -> None:
        both = Overlay(OfflineCatalog([server("a", 1)]), OfflineCatalog([server("a", 2), server("b", 3)]))
        servers = both.servers("shop")
        assert servers is not None
        assert {name: spec["port"] for name, spec in servers.items()} == {"a": 1, "b": 3}

    def test_of_an_unknown_cluster_nothing_is_known_to_be_absent(self) -> None:
        both = Overlay(OfflineCatalog([server("given")]), NothingKnown())
        assert both.look(POLICY, "Server", "shop", "nowhere") is Presence.UNKNOWN
        assert both.servers("shop") is None


class TestCluster:
    async def test_is_asked_for_what_is_not_given(
        self, cluster: FakeApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "GRACE", 0.3)
        said: list[str] = []

        def work(there: live.ClusterView) -> list[Presence]:
            both = there.over(OfflineCatalog([server("given")]))
            return [both.look(POLICY, "Server", "shop", name) for name in ("given", "there", "nowhere")]

        result = await live._with_cluster(str(kubeconfig(tmp_path, cluster.url)), work, said.append)
        assert result == [Presence.PRESENT, Presence.PRESENT, Presence.ABSENT]
        assert said == []

    async def test_knows_the_namespaces_that_are_not_given(self, cluster: FakeApiServer, tmp_path: Path) -> None:
        cluster.set_namespace("shop", **{"linkerd.io/inject": "enabled"})

        def work(there: live.ClusterView) -> list[Any]:
            shop = there.namespace("shop")
            return [shop and shop.annotations, there.namespace("nowhere")]

        result = await live._with_cluster(str(kubeconfig(tmp_path, cluster.url)), work, print)
        assert result == [{"linkerd.io/inject": "enabled"}, None]

    async def test_that_does_not_answer_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live, "WAIT", 0.3)
        with pytest.raises(ClusterUnreachable, match="does not answer"):
            await live._with_cluster(str(kubeconfig(tmp_path, "http://127.0.0.1:9")), lambda over: None, print)
