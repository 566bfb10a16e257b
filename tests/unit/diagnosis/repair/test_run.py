"""Restarts, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import pytest

from webhook.diagnosis.dataplane.workloads import Owner
from webhook.diagnosis.repair.plan import RepairPlan, Restart
from webhook.diagnosis.repair.run import RESTARTED, Look, restart_all
from webhook.kube.errors import ApiError

JSON = dict[str, Any]

READY: JSON = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


class Controllers:
    """An API server whose Deployments come up, but for those in `stuck`."""

    def __init__(self, *stuck: str, forbidden: str = "", selector: JSON | None = None) -> None:
        self.stuck, self.forbidden, self.selector = stuck, forbidden, selector
        self.restarted: list[str] = []
        self.begun = asyncio.Event()
        self.selecting = ""

    async def send(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        content_type: str = "",
        query: Mapping[str, str] | None = None,
    ) -> JSON:
        """A restart."""
        name = path.rpartition("/")[2]
        if name == self.forbidden:
            raise ApiError(403, f'deployments.apps "{name}" is forbidden: User "jane" cannot patch')
        assert (method, content_type) == ("PATCH", "application/merge-patch+json")
        assert body is not None
        assert RESTARTED in body["spec"]["template"]["metadata"]["annotations"]
        self.restarted.append(name)
        self.begun.set()
        return {}

    async def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = "") -> JSON:
        """A Deployment, or its Pods."""
        name = path.rpartition("/")[2]
        if name == "pods":
            self.selecting = (query or {})["labelSelector"]
            waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
            status = {"containerStatuses": [{"name": "web", "state": {"waiting": waiting}}]}
            return {"items": [{"metadata": {"name": "b-1"}, "status": status}]}
        status = READY | ({"availableReplicas": 0} if name in self.stuck else {})
        selector = self.selector or {"matchLabels": {"app": name}}
        return {"metadata": {"generation": 2}, "spec": {"replicas": 1, "selector": selector}, "status": status}

    async def read(self, path: str, query: Mapping[str, str] | None = None, accept: str = "") -> bytes:
        """As `get`, as text."""
        return orjson.dumps(await self.get(path, query, accept))


def plan_of(*names: str) -> RepairPlan:
    """A plan to restart these Deployments."""
    return RepairPlan([Restart(Owner("Deployment", "shop", name), "unmeshed", 1, "", "kubectl …") for name in names])


def fine(_owner: Owner, pods: Iterable[JSON]) -> str:
    """There is nothing wrong with the Pods."""
    assert list(pods)
    return ""


async def run(controllers: Controllers, plan: RepairPlan, look: Look = fine) -> dict[str, tuple[str, str]]:
    """Restart; returns what became of each."""
    await restart_all(controllers, plan, 0.05, lambda _: None, look, interval=0.01)  # type: ignore[arg-type]
    return {restart.owner.name: (restart.result, restart.message) for restart in plan.workloads}


async def test_each_workload_is_restarted_and_waited_for() -> None:
    controllers, plan = Controllers(), plan_of("a", "b")
    results = await run(controllers, plan)
    assert [result for result, _ in results.values()] == ["done", "done"]
    assert controllers.restarted == ["a", "b"]
    assert plan.mended


async def test_the_first_that_does_not_come_up_ends_it_and_says_why() -> None:
    controllers, plan = Controllers("b"), plan_of("a", "b", "c")
    results = await run(controllers, plan)
    assert {name: result for name, (result, _) in results.items()} == {"a": "done", "b": "failed", "c": "skipped"}
    assert controllers.restarted == ["a", "b"]
    assert "0 of 1 new Pods are available" in results["b"][1]
    assert "ImagePullBackOff: no such image" in results["b"][1]
    assert "Deployment shop/b failed" in results["c"][1]


async def test_a_workload_that_selects_by_expressions_alone_tells_its_reasons_too() -> None:
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}
    controllers = Controllers("a", selector=selector)
    results = await run(controllers, plan_of("a"))
    assert "ImagePullBackOff: no such image" in results["a"][1]
    assert controllers.selecting == "app in (a,b)"


async def test_a_workload_whose_new_pods_are_not_as_they_should_be_has_failed_and_ends_it() -> None:
    def look(owner: Owner, pods: Iterable[JSON]) -> str:
        assert [pod["metadata"]["name"] for pod in pods] == ["b-1"]
        return "its Pod has no proxy: why" if owner.name == "b" else ""

    controllers, plan = Controllers(), plan_of("a", "b", "c")
    results = await run(controllers, plan, look)
    assert {name: result for name, (result, _) in results.items()} == {"a": "done", "b": "failed", "c": "skipped"}
    assert results["b"][1] == "it came up, and its Pod has no proxy: why: run linkerd-webhook check"
    assert controllers.restarted == ["a", "b"]
    assert not plan.mended


async def test_a_right_that_is_missing_is_named() -> None:
    results = await run(Controllers(forbidden="a"), plan_of("a"))
    assert results["a"][0] == "failed"
    assert "grant get and patch on deployments.apps in namespace shop" in results["a"][1]


async def test_an_interruption_leaves_what_is_known_of_each() -> None:
    controllers, plan = Controllers("a"), plan_of("a", "b")
    task = asyncio.ensure_future(restart_all(controllers, plan, 60, lambda _: None, fine, interval=0.01))  # type: ignore[arg-type]
    await controllers.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [restart.result for restart in plan.workloads] == ["skipped", "skipped"]
    assert "it was restarted" in plan.workloads[0].message
    assert "it was not restarted" in plan.workloads[1].message
