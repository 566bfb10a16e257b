"""When a rollout has ended."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.diagnosis.repair.rollout import rollout


def workload(generation: int = 3, **status: Any) -> dict[str, Any]:
    """A workload that its controller has seen."""
    return {
        "metadata": {"generation": generation},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 3, **status},
    }


DONE: dict[str, dict[str, Any]] = {
    "Deployment": {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
    "StatefulSet": {"readyReplicas": 2, "updatedReplicas": 2, "updateRevision": "b", "currentRevision": "b"},
    "DaemonSet": {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2},
}


@pytest.mark.parametrize("kind", DONE)
def test_is_done_once_all_pods_are_new_and_available(kind: str) -> None:
    assert rollout(kind, workload(**DONE[kind])).done


@pytest.mark.parametrize("kind", DONE)
def test_is_not_done_before_the_controller_has_seen_it(kind: str) -> None:
    state = rollout(kind, workload(generation=4, **DONE[kind]))
    assert (state.done, state.waits_for) == (False, "its controller has not seen the restart yet")


@pytest.mark.parametrize(
    ("kind", "status", "waits_for"),
    [
        ("Deployment", {"updatedReplicas": 1}, "1 of 2 Pods are made anew"),
        ("Deployment", {"replicas": 3}, "1 old Pods have not ended"),
        ("Deployment", {"availableReplicas": 0}, "0 of 2 new Pods are available"),
        ("StatefulSet", {"readyReplicas": 1}, "1 of 2 Pods are ready"),
        ("StatefulSet", {"currentRevision": "a", "updatedReplicas": 1}, "1 of 2 Pods are made anew"),
        ("DaemonSet", {"updatedNumberScheduled": 0}, "0 of 2 Pods are made anew"),
        ("DaemonSet", {"numberAvailable": 1}, "1 of 2 Pods are available"),
    ],
)
def test_tells_what_it_waits_for(kind: str, status: dict[str, Any], waits_for: str) -> None:
    state = rollout(kind, workload(**DONE[kind] | status))
    assert (state.done, state.failed, state.waits_for) == (False, False, waits_for)


def test_of_a_deployment_whose_deadline_is_over_has_failed() -> None:
    condition = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "too slow"}
    state = rollout("Deployment", workload(**DONE["Deployment"], conditions=[condition]))
    assert (state.done, state.failed, state.waits_for) == (False, True, "too slow")


def test_of_a_deployment_whose_pods_cannot_be_created_says_why() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    status = DONE["Deployment"] | {"updatedReplicas": 0, "conditions": [condition]}
    assert rollout("Deployment", workload(**status)).waits_for == "0 of 2 Pods are made anew: exceeded quota"


@pytest.mark.parametrize("kind", DONE)
@pytest.mark.parametrize("body", [{}, {"status": []}, {"spec": 1, "status": {"observedGeneration": "x"}}])
def test_survives_fields_of_wrong_types(kind: str, body: dict[str, Any]) -> None:
    rollout(kind, body)
