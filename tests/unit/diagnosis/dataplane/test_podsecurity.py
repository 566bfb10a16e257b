"""Each rule of the Pod Security Standards that a container of Linkerd's may break is told."""

from __future__ import annotations

import pytest

from webhook.diagnosis.dataplane.podsecurity import violations
from webhook.diagnosis.dataplane.samples import Sample
from webhook.review import JSON

KEEPS: JSON = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 2102,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def broken(level: str, pod: JSON | None = None, **context: object) -> list[str]:
    """What a container breaks that keeps to all rules but for these fields."""
    sample = Sample("", pod or {}, ({"name": "proxy", "securityContext": {**KEEPS, **context}},))
    return [violation.removeprefix("proxy ") for violation in violations(sample, level)]


@pytest.mark.parametrize("level", ["baseline", "restricted", "privileged"])
def test_a_container_that_keeps_to_all(level: str) -> None:
    assert broken(level) == []


@pytest.mark.parametrize(
    ("context", "rule"),
    [
        ({"privileged": True}, "is privileged"),
        ({"capabilities": {"add": ["NET_ADMIN", "CHOWN"], "drop": ["ALL"]}}, "adds the capabilities NET_ADMIN"),
        ({"seccompProfile": {"type": "Unconfined"}}, "has an unconfined seccomp profile"),
    ],
)
def test_the_rules_of_baseline(context: JSON, rule: str) -> None:
    assert broken("baseline", **context) == [rule]
    assert rule in broken("restricted", **context)
    assert broken("privileged", **context) == []


@pytest.mark.parametrize(
    ("context", "rule"),
    [
        ({"allowPrivilegeEscalation": True}, "may escalate its privileges"),
        ({"allowPrivilegeEscalation": None}, "may escalate its privileges"),
        ({"capabilities": {"drop": ["NET_RAW"]}}, "does not drop all capabilities"),
        ({"runAsNonRoot": None}, "may run as root"),
        ({"runAsUser": 0}, "runs as user 0"),
        ({"seccompProfile": None}, "has no seccomp profile"),
    ],
)
def test_the_rules_of_restricted(context: JSON, rule: str) -> None:
    assert broken("restricted", **context) == [rule]
    assert broken("baseline", **context) == []


def test_what_the_pod_says_counts_for_its_containers() -> None:
    pod = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    without = {key: value for key, value in KEEPS.items() if key not in pod}
    assert list(violations(Sample("", pod, ({"name": "proxy", "securityContext": without},)), "restricted")) == []
