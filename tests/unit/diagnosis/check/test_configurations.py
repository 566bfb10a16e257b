"""Whether webhook configurations send the server what it is installed for, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.check.installed_cluster import CA_BUNDLE, SERVICE, InstalledCluster, linkerds, said
from webhook.diagnosis.check.configurations import adopted, configurations, deadlock, two_injectors
from webhook.diagnosis.finding import CheckFinding, CheckSeverity
from webhook.install.adoption import ADOPTED_FROM, LINKERD_CONFIGURATIONS, PATHS, TAP_INJECTOR
from webhook.install.adoption import adopted as pointed_here
from webhook.install.configurations import NAME
from webhook.kube.objects import Namespace
from webhook.mesh.spared import ADMISSION

MUTATING, VALIDATING = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"
INJECTOR = "linkerd-proxy-injector-webhook-config"
POLICY = "linkerd-policy-validator-webhook-config"

TAP_FLAG = "--tap-service-name=tap.linkerd-viz.serviceaccount.identity.linkerd.cluster.local"


def with_viz(*flags: str, pointed: bool) -> InstalledCluster:
    """An adopting installation with these flags beside Linkerd viz, whose configuration points at the server or not."""
    cluster = InstalledCluster(adopt=True, extraArgs=list(flags))
    vizs = linkerds(TAP_INJECTOR)
    cluster.objects[TAP_INJECTOR] = pointed_here(vizs, PATHS[TAP_INJECTOR], SERVICE, CA_BUNDLE) if pointed else vizs
    return cluster


HEALTHY: dict[str, Any] = {
    "own": InstalledCluster,
    "fail": lambda: InstalledCluster(failurePolicy="Fail"),
    "adopted": lambda: InstalledCluster(adopt=True),
    "with-viz": lambda: with_viz(TAP_FLAG, pointed=True),
    "beside-viz": lambda: with_viz(pointed=False),
    "ready-for-viz": lambda: InstalledCluster(adopt=True, extraArgs=[TAP_FLAG]),
    "without-advisor": lambda: InstalledCluster(workloadAdvice=False),
    "opt-in": lambda: InstalledCluster(namespaces__optIn=True, namespaces__exclude=["billing"]),
    "image": InstalledCluster.image,
    "image-of-one": lambda: InstalledCluster.image("sp-validator"),
}


@pytest.mark.parametrize("way", HEALTHY)
@pytest.mark.parametrize("line", [configurations, adopted, two_injectors, deadlock], ids=lambda line: line.code)
def test_nothing_is_said_of_an_installation_in_each_form(way: str, line: Any) -> None:
    assert said(line, HEALTHY[way]().facts()) == []


class TestConfigurations:
    @pytest.mark.parametrize(
        ("adopt", "name"),
        [
            (False, (MUTATING, NAME)),
            (False, (VALIDATING, NAME)),
            (True, (MUTATING, "linkerd-webhook-self-test")),
            (True, (VALIDATING, "linkerd-webhook-workload-advisor")),
            (True, (MUTATING, INJECTOR)),
            (True, (VALIDATING, POLICY)),
        ],
    )
    def test_one_that_does_not_exist_is_told_once(self, adopt: bool, name: tuple[str, str]) -> None:
        cluster = InstalledCluster(adopt=adopt)
        del cluster[name]
        [finding] = said(configurations, cluster.facts())
        assert (finding.object, finding.message) == (" ".join(name), "does not exist")
        assert ("linkerd upgrade" if name in LINKERD_CONFIGURATIONS else "linkerd-webhook install") in finding.fix

    def test_linkerds_own_is_told_where_the_image_was_exchanged(self) -> None:
        cluster = InstalledCluster.image()
        del cluster[MUTATING, INJECTOR]
        # Whoever answers for policies is not ours.
        del cluster[VALIDATING, POLICY]
        assert [finding.object for finding in said(configurations, cluster.facts())] == [f"{MUTATING} {INJECTOR}"]

    def test_one_that_points_elsewhere_is_told_with_where(self) -> None:
        cluster = InstalledCluster()
        cluster.webhooks(VALIDATING, NAME)[1]["clientConfig"]["service"]["name"] = "another"
        [finding] = said(configurations, cluster.facts())
        assert finding.text() == (
            f"{VALIDATING} {NAME}: webhooks[1].clientConfig Service linkerd/another: "
            "points elsewhere, and has to point at Service linkerd/linkerd-webhook"
        )

    def test_a_url_is_told_as_it_is(self) -> None:
        cluster = InstalledCluster()
        cluster.webhooks(MUTATING, NAME)[0]["clientConfig"] = {"url": "https://example.org"}
        assert said(configurations, cluster.facts())[0].value == "https://example.org"

    def test_a_webhook_that_lacks_is_named(self) -> None:
        cluster = InstalledCluster()
        del cluster.webhooks(VALIDATING, NAME)[:]
        cluster[VALIDATING, NAME]["webhooks"].pop()
        [finding] = said(configurations, cluster.facts())
        assert finding.message == "has no webhook sp-validator.linkerd-webhook.linkerd.io"

    def test_one_with_fail_and_without_rules_is_not_in_force_yet(self) -> None:
        cluster = InstalledCluster(failurePolicy="Fail")
        del cluster.webhooks(MUTATING, NAME)[0]["rules"]
        [finding] = said(configurations, cluster.facts())
        assert "not in force yet" in finding.message
        assert "the leader puts the rules in" in finding.fix
        assert configurations.awaited

    def test_one_with_ignore_and_without_rules_matches_nothing(self) -> None:
        cluster = InstalledCluster()
        cluster.webhooks(MUTATING, NAME)[0]["rules"] = []
        [finding] = said(configurations, cluster.facts())
        assert "nothing matches" in finding.message
        assert "linkerd-webhook install" in finding.fix

    @pytest.mark.parametrize("adopt", [True, False])
    def test_fewer_rules_are_told_with_what_they_miss(self, adopt: bool) -> None:
        cluster = InstalledCluster(adopt=adopt)
        name = INJECTOR if adopt else NAME
        cluster.webhooks(MUTATING, name)[0]["rules"][0]["resources"] = ["services"]
        [finding] = said(configurations, cluster.facts())
        assert finding.field == "webhooks[0].rules"
        assert "do not match CREATE of pods" in finding.message

    def test_one_that_is_to_be_adopted_is_awaited(self) -> None:
        cluster = InstalledCluster(adopt=True)
        cluster.objects[MUTATING, INJECTOR] = linkerds((MUTATING, INJECTOR))
        [finding] = said(configurations, cluster.facts())
        assert "not adopted yet" in finding.message
        assert said(adopted, cluster.facts()) == []


class TestAdopted:
    def overwritten(self) -> InstalledCluster:
        cluster = InstalledCluster(adopt=True)
        fresh = linkerds((MUTATING, INJECTOR))
        fresh["metadata"]["annotations"] = cluster[MUTATING, INJECTOR]["metadata"]["annotations"]
        assert ADOPTED_FROM in fresh["metadata"]["annotations"]
        cluster.objects[MUTATING, INJECTOR] = fresh
        return cluster

    def test_one_that_was_overwritten_is_told_with_the_command_that_adopts_it_again(self) -> None:
        cluster = self.overwritten()
        [finding] = said(adopted, cluster.facts())
        assert finding.object == f"{MUTATING} {INJECTOR}"
        assert finding.severity is CheckSeverity.ERROR
        assert "linkerd-webhook install --adopt --again" in finding.fix
        assert said(configurations, cluster.facts()) == []

    def test_an_extension_s_that_was_overwritten_is_told_as_well(self) -> None:
        cluster = with_viz(TAP_FLAG, pointed=False)
        cluster[TAP_INJECTOR]["metadata"]["annotations"] = {ADOPTED_FROM: "{}"}
        [finding] = said(adopted, cluster.facts())
        assert finding.object == " ".join(TAP_INJECTOR)
        assert "linkerd-webhook install --adopt --again" in finding.fix

    def test_an_extension_s_that_the_server_cannot_answer_for_is_told_with_the_flag(self) -> None:
        [finding] = said(adopted, with_viz(pointed=True).facts())
        assert finding.severity is CheckSeverity.ERROR
        assert "no flag --tap-service-name" in finding.message
        assert "linkerd-webhook install" in finding.fix

    def test_an_extension_s_that_is_not_adopted_yet_or_lacks_rules_is_told(self) -> None:
        [finding] = said(configurations, with_viz(TAP_FLAG, pointed=False).facts())
        assert "not adopted yet" in finding.message
        cluster = with_viz(TAP_FLAG, pointed=True)
        cluster.webhooks(*TAP_INJECTOR)[0]["rules"] = []
        [finding] = said(configurations, cluster.facts())
        assert "linkerd viz install" in finding.fix

    def test_one_that_cert_manager_writes_is_told(self) -> None:
        cluster = InstalledCluster(adopt=True)
        cluster.objects[MUTATING, INJECTOR] = linkerds((MUTATING, INJECTOR))
        annotations = {"cert-manager.io/inject-ca-from": "linkerd/injector"}
        cluster[MUTATING, INJECTOR]["metadata"]["annotations"] = annotations
        [finding] = said(adopted, cluster.facts())
        assert "cert-manager" in finding.message


class TestTwoInjectors:
    def test_linkerds_injector_beside_ours_is_a_warning(self) -> None:
        cluster = InstalledCluster()
        cluster.objects[MUTATING, INJECTOR] = linkerds((MUTATING, INJECTOR))
        [finding] = said(two_injectors, cluster.facts())
        assert finding.severity is CheckSeverity.WARNING
        assert finding.object == f"{MUTATING} {INJECTOR}"
        assert "--adopt" in finding.fix
        assert f"kubectl delete mutatingwebhookconfiguration {INJECTOR}" in finding.fix

    def test_two_that_no_namespace_shares_are_fine(self) -> None:
        cluster = InstalledCluster(namespaces__optIn=True)
        cluster.objects[MUTATING, INJECTOR] = linkerds((MUTATING, INJECTOR))
        assert said(two_injectors, cluster.facts()) == []
        namespaces = {"shop": Namespace("shop", {}, {ADMISSION: "enabled"})}
        assert len(said(two_injectors, cluster.facts(namespaces=namespaces))) == 1

    def test_one_without_rules_does_not_count(self) -> None:
        cluster = InstalledCluster()
        cluster.objects[MUTATING, INJECTOR] = linkerds((MUTATING, INJECTOR))
        cluster.webhooks(MUTATING, INJECTOR)[0]["rules"] = []
        assert said(two_injectors, cluster.facts()) == []

    def test_our_own_beside_an_adopted_one_is_a_warning(self) -> None:
        cluster = InstalledCluster(adopt=True)
        cluster.objects[MUTATING, NAME] = InstalledCluster()[MUTATING, NAME]
        [finding] = said(two_injectors, cluster.facts())
        assert finding.object == f"{MUTATING} {NAME}"
        assert "without --adopt" in finding.message


class TestDeadlock:
    def fails(self, adopt: bool = True) -> InstalledCluster:
        cluster = InstalledCluster(adopt=adopt)
        cluster.webhooks(MUTATING, INJECTOR if adopt else NAME)[0]["failurePolicy"] = "Fail"
        return cluster

    def namespaces(self, **labels: str) -> dict[str, Namespace]:
        return {"linkerd": Namespace("linkerd", {}, labels)}

    def findings_of(self, cluster: InstalledCluster) -> list[CheckFinding]:
        return said(deadlock, cluster.facts(namespaces=self.namespaces()))

    def test_fail_without_the_label_on_our_own_namespace_is_an_error(self) -> None:
        finding = self.findings_of(self.fails())[0]
        assert finding.severity is CheckSeverity.ERROR
        assert finding.text().startswith(
            f"{MUTATING} {INJECTOR}: webhooks[0].failurePolicy Fail: the namespaceSelector"
        )
        assert finding.fix.endswith(f"kubectl label namespace linkerd {ADMISSION}=disabled")

    def test_a_selector_by_name_keeps_the_webhook_away_without_the_label(self) -> None:
        assert self.findings_of(self.fails(adopt=False)) == []

    def test_ignore_stops_nobody(self) -> None:
        assert self.findings_of(InstalledCluster(adopt=True)) == []

    def test_kube_system_counts_too(self) -> None:
        cluster = self.fails(adopt=False)
        cluster.webhooks(MUTATING, NAME)[0]["namespaceSelector"] = {
            "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["linkerd"]}]
        }
        [finding] = self.findings_of(cluster)
        assert "matches Namespace kube-system" in finding.message

    def test_an_object_selector_that_lets_our_pods_alone_is_enough(self) -> None:
        cluster = self.fails()
        cluster.webhooks(MUTATING, INJECTOR)[0]["objectSelector"] = {"matchLabels": {"mesh": "yes"}}
        assert self.findings_of(cluster) == []

    def test_a_webhook_that_is_not_asked_about_pods_stops_none(self) -> None:
        cluster = InstalledCluster(adopt=True)
        cluster.webhooks(VALIDATING, POLICY)[0]["failurePolicy"] = "Fail"
        assert self.findings_of(cluster) == []
