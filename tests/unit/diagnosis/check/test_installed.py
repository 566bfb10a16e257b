"""Whether anything is installed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.diagnosis.check.installed_cluster import InstalledCluster, said
from webhook.diagnosis.check.installation import Installation
from webhook.diagnosis.check.installed import installed, needed
from webhook.diagnosis.finding import CheckSeverity
from webhook.diagnosis.unseen import Fact, MissingRight, NotRead, NotSeen, Unseen
from webhook.install.configurations import NAME


def test_nothing_is_said_of_an_installation() -> None:
    assert said(installed, InstalledCluster().facts()) == []
    assert said(installed, InstalledCluster.image().facts()) == []


def test_none_is_a_warning_with_the_command_that_installs_it() -> None:
    facts = replace(InstalledCluster().facts(), installation=None, configurations={}, namespace="mesh")
    [finding] = said(installed, facts)
    assert finding.severity is CheckSeverity.WARNING
    assert finding.message == "linkerd-webhook is not installed"
    assert "linkerd-webhook install --linkerd-namespace mesh --image" in finding.fix


def test_one_in_another_namespace_is_named() -> None:
    cluster = InstalledCluster()
    for webhook in cluster.webhooks("MutatingWebhookConfiguration", NAME):
        webhook["clientConfig"]["service"]["namespace"] = "mesh"
    [finding] = said(installed, cluster.facts(installation=None))
    assert "pass --linkerd-namespace mesh" in finding.fix


def test_a_missing_right_is_an_error_that_names_it() -> None:
    unknown = NotSeen((MissingRight("list", "deployments.apps", "linkerd"),))
    [finding] = said(installed, InstalledCluster().facts(installation=unknown))
    assert finding.severity is CheckSeverity.ERROR
    assert "list deployments.apps" in finding.message
    assert "list deployments.apps" not in skipped_by(unknown)


def skipped_by(installation: Fact[Installation | None]) -> str:
    with pytest.raises(Unseen) as unseen:
        needed(replace(InstalledCluster().facts(), installation=installation))
    return str(unseen.value)


def test_what_needs_an_installation_is_skipped_without_one() -> None:
    assert skipped_by(None) == "linkerd-webhook is not installed"
    assert "not known" in skipped_by(NotRead("broken"))
