"""Whether the guard is complete."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.check.installed_cluster import InstalledCluster, said
from webhook.diagnosis.check.guarded import guard
from webhook.diagnosis.finding import CheckSeverity

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
NAME = "linkerd-webhook-guard"


@pytest.mark.parametrize("mode", ["warn", "deny", "off"])
def test_nothing_is_said_of_each_setting(mode: str) -> None:
    assert said(guard, InstalledCluster(guard=mode).facts()) == []


def test_nothing_is_wanted_of_an_api_server_that_does_not_know_it() -> None:
    facts = InstalledCluster(guard="off").facts(version={"major": "1", "minor": "29+"})
    assert said(guard, facts) == []


@pytest.mark.parametrize(
    ("mode", "kind", "name"),
    [("warn", POLICY, NAME), ("warn", BINDING, NAME), ("deny", BINDING, NAME), ("deny", BINDING, f"{NAME}-waiting")],
)
def test_the_part_that_is_gone_is_a_warning(mode: str, kind: str, name: str) -> None:
    cluster = InstalledCluster(guard=mode)
    del cluster[kind, name]
    [finding] = said(guard, cluster.facts())
    assert (finding.severity, finding.object) == (CheckSeverity.WARNING, f"{kind} {name}")
    assert ("--guard deny" in finding.fix) is (mode == "deny")


def test_a_binding_of_another_policy_is_a_warning() -> None:
    cluster = InstalledCluster()
    cluster[BINDING, NAME]["spec"]["policyName"] = "another"
    [finding] = said(guard, cluster.facts())
    assert finding.text().startswith(f"{BINDING} {NAME}: spec.policyName another: is not {NAME}")
