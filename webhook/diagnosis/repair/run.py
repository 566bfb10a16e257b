"""Restarts workloads, one at a time, and waits for each. All I/O of this room is here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.server import reasons_to_wait
from webhook.diagnosis.dataplane.workloads import Owner
from webhook.diagnosis.repair.plan import RepairPlan, Restart
from webhook.diagnosis.repair.rollout import rollout
from webhook.diagnosis.unseen import Fact, Unseen, known, seen
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.errors import ApiError, explain
from webhook.kube.fields import mapping
from webhook.kube.interface import JSON
from webhook.kube.labelselector import query

# The annotation by which `kubectl rollout restart` has a workload's Pods made anew.
RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"

# Seconds between two looks at a rollout.
INTERVAL: Final = 1.0

_PLURALS: Final[Mapping[str, str]] = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
}


# What is still wrong with the Pods of a workload, "" for nothing.
Look = Callable[[Owner, Iterable[JSON]], str]


async def restart_all(
    api: ApiServer, plan: RepairPlan, within: float, tell: Callable[[str], None], look: Look, interval: float = INTERVAL
) -> None:
    """Restart the workloads of a plan, in their order, and write into it what becomes of each. The first that does not
    come up within `within` seconds ends it, and so does one whose new Pods are, by `look`, not as they should be.
    `interval` is in seconds, too. `tell` is called with what is done."""
    for restart in plan.workloads:
        tell(f"{restart.owner.object}: restarting {restart.pods} {'Pod' if restart.pods == 1 else 'Pods'}")
        try:
            problem = await _restart(api, restart, within, interval, look)
        except asyncio.CancelledError:
            restart.result, restart.message = "skipped", "interrupted: it was restarted, and not waited for"
            plan.skip("interrupted: it was not restarted")
            raise
        if problem:
            restart.result, restart.message = "failed", problem
            plan.skip(f"{restart.owner.object} failed: mend that first, then run repair again")
            return
        restart.result, restart.message = "done", "restarted, and all of its new Pods are up, with their proxy"
        tell(f"{restart.owner.object}: done")


async def _restart(api: ApiServer, restart: Restart, within: float, interval: float, look: Look) -> str:
    """Restart a workload, wait for it and look at its Pods; returns what is wrong, "" if it is mended."""
    path = _path(restart)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    change = {"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}
    try:
        body = await api.send(
            "PATCH", path, change, "application/merge-patch+json", {"fieldManager": "kubectl-rollout"}
        )
    except (ApiError, TimeoutError, ValueError) as error:
        return f"it cannot be restarted: {_why(error, restart)}"
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    waits_for, failure = "it was not looked at", f"it did not come up within {within:g} s"
    while loop.time() < end:
        # Its controller writes the status a moment later.
        await asyncio.sleep(interval)
        try:
            body = await api.get(path, accept=PLAIN)
        except (ApiError, TimeoutError, ValueError) as error:
            waits_for = _why(error, restart)
            continue
        state = rollout(restart.owner.kind, body)
        if state.done:
            return await _look_again(api, restart, body, look)
        waits_for = state.waits_for
        if state.failed:
            failure = "it does not come up"
            break
    reasons = await _reasons(api, restart, body)
    return f"{failure}: {waits_for}" + (f": {reasons}" if reasons else "")


def _path(restart: Restart) -> str:
    owner = restart.owner
    return f"/apis/apps/v1/namespaces/{owner.namespace}/{_PLURALS[owner.kind]}/{owner.name}"


def _why(error: Exception, restart: Restart) -> str:
    if isinstance(error, ApiError | TimeoutError):
        plural, namespace = _PLURALS[restart.owner.kind], restart.owner.namespace
        return explain(error, f"get and patch on {plural}.apps in namespace {namespace}")
    return f"the API server's answer is not a JSON object: {error}"


async def _look_again(api: ApiServer, restart: Restart, body: JSON, look: Look) -> str:
    """What is wrong with the new Pods: a rollout ends well without the proxy, too."""
    try:
        problem = look(restart.owner, seen(await _pods(api, restart, body)))
    except Unseen as unseen:
        return f"it came up, and whether its new Pods have their proxy is not known: {unseen}"
    return f"it came up, and {problem}: run linkerd-webhook check" if problem else ""


async def _reasons(api: ApiServer, restart: Restart, body: JSON) -> str:
    """Why its Pods wait, as far as they tell."""
    pods = known(await _pods(api, restart, body), ())
    return "; ".join(list(dict.fromkeys(reasons_to_wait(pods)))[:3])


async def _pods(api: ApiServer, restart: Restart, body: JSON) -> Fact[tuple[JSON, ...]]:
    """The Pods that a workload's selector selects; none for a workload without one, of which there is none."""
    selecting = query(mapping(body, "spec", "selector"))
    if not selecting:
        return ()
    namespace = restart.owner.namespace
    return await Asker(api).list(f"/api/v1/namespaces/{namespace}/pods", "pods", namespace, selecting)
