"""Whether a rollout has ended, by a workload's status, as `kubectl rollout status` judges it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from webhook.kube.fields import mapping, mappings, number, text
from webhook.kube.interface import JSON


@dataclass(frozen=True, slots=True)
class Rollout:
    """How far a rollout is: `done`, or what it waits for. `failed`: it will not get there by itself."""

    done: bool
    waits_for: str = ""
    failed: bool = False


def rollout(kind: str, body: JSON) -> Rollout:
    """The rollout of a Deployment, StatefulSet or DaemonSet, as the API server returns it."""
    status = mapping(body, "status")
    if number(status, "observedGeneration") < number(body, "metadata", "generation"):
        return Rollout(False, "its controller has not seen the restart yet")
    if kind == "DaemonSet":
        return _daemon_set(status)
    wanted = number(body, "spec", "replicas", default=1)
    return _deployment(wanted, status) if kind == "Deployment" else _stateful_set(wanted, status)


def _deployment(wanted: int, status: JSON) -> Rollout:
    for condition in mappings(status, "conditions"):
        if text(condition, "type") == "Progressing" and text(condition, "reason") == "ProgressDeadlineExceeded":
            return Rollout(False, text(condition, "message") or "its progress deadline is over", failed=True)
    updated, available = number(status, "updatedReplicas"), number(status, "availableReplicas")
    if updated < wanted:
        return Rollout(False, f"{updated} of {wanted} Pods are made anew{_why_none(status)}")
    if number(status, "replicas") > updated:
        return Rollout(False, f"{number(status, 'replicas') - updated} old Pods have not ended")
    if available < updated:
        return Rollout(False, f"{available} of {updated} new Pods are available")
    return Rollout(True)


def _why_none(status: JSON) -> str:
    """Why Pods cannot be created (a quota, an admission webhook), behind a colon; "" where the status does not tell."""
    for condition in mappings(status, "conditions"):
        if text(condition, "type") == "ReplicaFailure" and text(condition, "status") == "True":
            return f": {text(condition, 'message') or text(condition, 'reason')}"
    return ""


def _stateful_set(wanted: int, status: JSON) -> Rollout:
    ready = number(status, "readyReplicas")
    if ready < wanted:
        return Rollout(False, f"{ready} of {wanted} Pods are ready")
    if text(status, "updateRevision") != text(status, "currentRevision"):
        return Rollout(False, f"{number(status, 'updatedReplicas')} of {wanted} Pods are made anew")
    return Rollout(True)


def _daemon_set(status: JSON) -> Rollout:
    wanted, updated = number(status, "desiredNumberScheduled"), number(status, "updatedNumberScheduled")
    if updated < wanted:
        return Rollout(False, f"{updated} of {wanted} Pods are made anew")
    available = number(status, "numberAvailable")
    return Rollout(True) if available >= wanted else Rollout(False, f"{available} of {wanted} Pods are available")
