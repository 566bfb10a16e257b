"""Where a Pod is created in a dry run, and what it is."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.check.installed_cluster import InstalledCluster
from webhook.diagnosis.check.dry_run import PREFIX, chosen_namespace, tiny_pod
from webhook.diagnosis.check.installed import needed
from webhook.diagnosis.unseen import Unseen
from webhook.kube.objects import Namespace
from webhook.mesh.spared import ADMISSION

ASKS = {"linkerd.io/inject": "enabled"}


def chosen(cluster: InstalledCluster, *namespaces: Namespace, only: str = "") -> str:
    facts = cluster.facts(namespaces={namespace.name: namespace for namespace in namespaces}, only=only)
    return chosen_namespace(facts, needed(facts))


def test_the_first_that_asks_and_is_not_shut_out_is_chosen() -> None:
    namespaces = (
        Namespace("d", ASKS, {}),
        Namespace("c", {"linkerd.io/inject": "ingress"}, {}),
        Namespace("b", ASKS, {ADMISSION: "disabled"}),
        Namespace("a", {"linkerd.io/inject": "disabled"}, {}),
    )
    assert chosen(InstalledCluster(), *namespaces) == "c"
    assert chosen(InstalledCluster(adopt=True), *namespaces) == "c"
    assert chosen(InstalledCluster.image(), *namespaces) == "c"


def test_linkerds_own_is_not_chosen() -> None:
    with pytest.raises(Unseen, match="no Namespace asks"):
        chosen(InstalledCluster(), Namespace("linkerd", ASKS, {}))


def test_without_any_injector_the_first_that_asks_is_chosen() -> None:
    cluster = InstalledCluster()
    del cluster["MutatingWebhookConfiguration", "linkerd-webhook"]
    assert chosen(cluster, Namespace("shop", ASKS, {})) == "shop"


def test_the_one_that_is_asked_about_counts_alone() -> None:
    shop, plain = Namespace("shop", ASKS, {}), Namespace("plain", {}, {})
    assert chosen(InstalledCluster(), shop, plain, only="shop") == "shop"
    with pytest.raises(Unseen, match="Namespace plain does not ask"):
        chosen(InstalledCluster(), shop, plain, only="plain")
    with pytest.raises(Unseen, match="no Namespace nowhere"):
        chosen(InstalledCluster(), shop, plain, only="nowhere")


def test_where_all_are_shut_out_they_are_named() -> None:
    with pytest.raises(Unseen, match="matches none of the Namespaces b"):
        chosen(InstalledCluster(), Namespace("b", ASKS, {ADMISSION: "disabled"}))


def test_the_pod_is_what_restricted_admits_with_the_server_s_image() -> None:
    pod = tiny_pod(needed(InstalledCluster().facts()), "shop")
    assert pod["metadata"] == {"generateName": PREFIX, "namespace": "shop"}
    [container] = pod["spec"]["containers"]
    assert container["image"] == "registry.example.org/linkerd-webhook:0.1.0"
    context = container["securityContext"]
    assert context["runAsNonRoot"] and not context["allowPrivilegeEscalation"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["resources"]["requests"] == container["resources"]["limits"]
