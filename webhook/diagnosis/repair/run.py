"""Restarts workloads, one at a time, and waits for each. All I/O of this room is here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.server import reasons_to_wait
from webhook.diagnosis.repair.plan import RepairPlan, Restart
from webhook.diagnosis.repair.rollout import rollout
from webhook.diagnosis.unseen import known
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.errors import ApiError, explain
from webhook.kube.fields import texts
from webhook.kube.interface import JSON

# The annotation by which `kubectl rollout restart` has a workload's Pods made anew.
RESTARTED: Final = "kubectl.kubernetes.io/restartedAt"

# Seconds between two looks at a rollout.
INTERVAL: Final = 1.0

_PLURALS: Final[Mapping[str, str]] = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
}


async def restart_all(
    api: ApiServer, plan: RepairPlan, within: float, tell: Callable[[str], None], interval: float = INTERVAL
) -> None:
    """Restart the workloads of a plan, in their order, and write into it what becomes of each. The first that does not
    come up within `within` seconds ends it; `interval` is in seconds, too. `tell` is called with what is done."""
    for restart in plan.workloads:
        tell(f"{restart.owner.object}: restarting {restart.pods} {'Pod' if restart.pods == 1 else 'Pods'}")
        try:
            problem = await _restart(api, restart, within, interval)
        except asyncio.CancelledError:
            restart.result, restart.message = "skipped", "interrupted: it was restarted, and not waited for"
            plan.skip("interrupted: it was not restarted")
            raise
        if problem:
            restart.result, restart.message = "failed", problem
            plan.skip(f"{restart.owner.object} did not come up: mend that first, then run repair again")
            return
        restart.result, restart.message = "done", "restarted, and all of its Pods are there"
        tell(f"{restart.owner.object}: done")


async def _restart(api: ApiServer, restart: Restart, within: float, interval: float) -> str:
    """Restart a workload and wait for it; returns why it did not come up, "" if it did."""
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
            return ""
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


async def _reasons(api: ApiServer, restart: Restart, body: JSON) -> str:
    """Why its Pods wait, as far as they tell."""
    labels = texts(body, "spec", "selector", "matchLabels")
    if not labels:
        return ""
    namespace = restart.owner.namespace
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
    pods = await Asker(api).list(f"/api/v1/namespaces/{namespace}/pods", "pods", namespace, query)
    return "; ".join(list(dict.fromkeys(reasons_to_wait(known(pods, ()))))[:3])
