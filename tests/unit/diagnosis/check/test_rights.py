"""Whether the server has the rights that `install` prints."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.check.installed_cluster import InstalledCluster, said, skipped
from webhook.diagnosis.check.rights import rights
from webhook.diagnosis.finding import CheckSeverity
from webhook.diagnosis.unseen import MissingRight, NotSeen
from webhook.install.configurations import NAME


@pytest.mark.parametrize("paths", [{}, {"adopt": True}, {"certificates__existingSecret": "mine"}], ids=str)
def test_what_install_printed_is_enough(paths: dict[str, Any]) -> None:
    assert said(rights, InstalledCluster(**paths).facts()) == []


def test_more_is_fine() -> None:
    cluster = InstalledCluster()
    cluster["ClusterRole", NAME]["rules"] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    assert said(rights, cluster.facts()) == []


@pytest.mark.parametrize("kind", ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"])
def test_what_does_not_exist_is_named_with_the_command_that_puts_it_back(kind: str) -> None:
    cluster = InstalledCluster(adopt=True)
    del cluster[kind, NAME]
    [finding] = said(rights, cluster.facts())
    assert finding.object.startswith(f"{kind} ")
    assert finding.severity is CheckSeverity.ERROR
    assert "does not exist" in finding.message
    assert "linkerd-webhook install --image registry.example.org/linkerd-webhook:0.1.0 --adopt" in finding.fix


def test_fewer_verbs_are_named() -> None:
    cluster = InstalledCluster()
    for rule in cluster["Role", NAME]["rules"]:
        rule["verbs"] = [verb for verb in rule["verbs"] if verb != "update"]
    [finding] = said(rights, cluster.facts())
    assert finding.field == "rules"
    assert "update on leases.coordination.k8s.io/linkerd-webhook, secrets/linkerd-webhook-ca" in finding.message


def test_what_the_settings_need_is_compared() -> None:
    cluster = InstalledCluster(adopt=True)
    cluster["ClusterRole", NAME]["rules"] = InstalledCluster()["ClusterRole", NAME]["rules"]
    [finding] = said(rights, cluster.facts())
    assert "linkerd-proxy-injector-webhook-config" in finding.message


def test_a_binding_of_another_account_is_told() -> None:
    cluster = InstalledCluster()
    cluster["RoleBinding", NAME]["subjects"][0]["name"] = "another"
    [finding] = said(rights, cluster.facts())
    assert finding.field == "subjects"
    assert "does not name ServiceAccount linkerd/linkerd-webhook" in finding.message


def test_a_binding_of_another_role_has_to_be_deleted_first() -> None:
    cluster = InstalledCluster()
    cluster["RoleBinding", NAME]["roleRef"]["name"] = "another"
    [finding] = said(rights, cluster.facts())
    assert finding.line().startswith("RoleBinding linkerd/linkerd-webhook: roleRef Role another: does not bind Role")
    assert "kubectl -n linkerd delete rolebinding linkerd-webhook, then linkerd-webhook install" in finding.fix


def test_all_missing_rights_are_named() -> None:
    facts = InstalledCluster().facts()
    unseen = {kind: NotSeen((MissingRight("get", f"{kind.lower()}s/{NAME}"),)) for kind in ("Role", "ClusterRole")}
    findings = said(rights, InstalledCluster().facts(rights={**facts.rights, **unseen}))
    assert [finding.message for finding in findings] == [
        "you may not get clusterroles/linkerd-webhook",
        "you may not get roles/linkerd-webhook",
    ]


def test_linkerds_own_roles_are_left_to_linkerd() -> None:
    assert "linkerd check" in skipped(rights, InstalledCluster.image().facts())
