"""Explanations on the admin port."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.kube.http import FakeApiServer, served
from tests.unit.injector.builders import mesh
from webhook.kube.api import ApiServer
from webhook.review import JSON
from webhook.server.explaining import Explainer


def ask(tmp_path: Path, namespace: str, pod: str, timeout: float = 5.0, times: int = 1) -> list[tuple[int, JSON]]:
    """The answers to so many simultaneous questions about a cluster with one Pod."""

    async def run(kubeconfig: Path) -> list[tuple[int, JSON]]:
        api = await ApiServer.from_kubeconfig(kubeconfig)
        try:
            explainer = Explainer(api, mesh, timeout)
            return list(await asyncio.gather(*(explainer.answer(namespace, pod) for _ in range(times))))
        finally:
            await api.close()

    with served(tmp_path) as (server, kubeconfig):
        populate(server)
        return asyncio.run(run(kubeconfig))


def populate(server: FakeApiServer) -> None:
    server.set_namespace("shop", **{"linkerd.io/inject": "enabled"})
    server.add("/api/v1/pods", "shop", "cart", kind="Pod", spec={"containers": [{"name": "web"}]})


def test_a_pod_is_explained(tmp_path: Path) -> None:
    ((code, body),) = ask(tmp_path, "shop", "cart")
    assert code == 200
    assert (body["object"], body["meshed"], body["reason"]) == ("Pod shop/cart", False, "webhook_missing")


def test_a_pod_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    ((code, body),) = ask(tmp_path, "shop", "nobody")
    assert code == 404
    assert "nobody" in body["error"]


def test_what_is_no_name_is_a_bad_request(tmp_path: Path) -> None:
    assert [code for code, _ in ask(tmp_path, "shop", "../secrets")] == [400]
    assert [code for code, _ in ask(tmp_path, "", "cart")] == [400]


def test_one_pod_is_explained_at_a_time(tmp_path: Path) -> None:
    assert sorted(code for code, _ in ask(tmp_path, "shop", "cart", times=3)) == [200, 429, 429]


def test_an_explanation_that_takes_too_long_ends(tmp_path: Path) -> None:
    ((code, body),) = ask(tmp_path, "shop", "cart", timeout=0.0)
    assert code == 504
    assert "did not answer" in body["error"]
