"""Which objects an installation has, in which order they are deleted, and which are ours."""

from __future__ import annotations

import pytest

from webhook.install.objects.all import CREATED_BY_SERVER, OBJECTS
from webhook.install.objects.names import STATUS_PAGE
from webhook.uninstall.objects import (
    INSTALLED_OBJECTS,
    OWN_INJECTOR,
    SELF_TEST,
    Stage,
    installed_in,
    is_ours,
)

NAME = "linkerd-webhook"


def kinds(stage: Stage) -> list[str]:
    """What goes in a stage."""
    return [installed.kind for installed in INSTALLED_OBJECTS if installed.stage is stage]


class TestOrder:
    """What goes before what."""

    def test_every_object_that_is_installed_or_created_by_the_server_is_deleted(self) -> None:
        trees = [*(kind.tree for kind in OBJECTS), *CREATED_BY_SERVER]
        installed = {(tree["apiVersion"], tree["kind"], tree["metadata"]["name"]) for tree in trees}
        assert {(installed.api_version, installed.kind, installed.name) for installed in INSTALLED_OBJECTS} == installed
        assert len(INSTALLED_OBJECTS) == len(trees)

    def test_each_object_has_its_place(self) -> None:
        assert [installed.describe("linkerd") for installed in INSTALLED_OBJECTS] == [
            "MutatingWebhookConfiguration linkerd-webhook-self-test",
            "ValidatingAdmissionPolicyBinding linkerd-webhook-guard",
            "ValidatingAdmissionPolicyBinding linkerd-webhook-guard-waiting",
            "ValidatingAdmissionPolicy linkerd-webhook-guard",
            "MutatingWebhookConfiguration linkerd-webhook",
            "ValidatingWebhookConfiguration linkerd-webhook",
            "ValidatingWebhookConfiguration linkerd-webhook-workload-advisor",
            "Deployment linkerd/linkerd-webhook",
            "HorizontalPodAutoscaler linkerd/linkerd-webhook",
            "PodDisruptionBudget linkerd/linkerd-webhook",
            "Service linkerd/linkerd-webhook",
            "NetworkPolicy linkerd/linkerd-webhook",
            "PodMonitor linkerd/linkerd-webhook",
            "PrometheusRule linkerd/linkerd-webhook",
            "RoleBinding linkerd/linkerd-webhook",
            "ClusterRoleBinding linkerd-webhook",
            "ClusterRoleBinding linkerd-webhook-status-page",
            "ConfigMap linkerd/linkerd-webhook-self-test",
            "ConfigMap linkerd/linkerd-webhook-board",
            "Secret linkerd/linkerd-webhook-ca",
            "Secret linkerd/linkerd-webhook-tls",
            "Lease linkerd/linkerd-webhook",
            "Role linkerd/linkerd-webhook",
            "ClusterRole linkerd-webhook",
            "ClusterRole linkerd-webhook-status-page",
            "ServiceAccount linkerd/linkerd-webhook",
        ]

    def test_who_calls_the_server_goes_before_the_server_and_that_before_what_it_stores(self) -> None:
        assert [installed.stage for installed in INSTALLED_OBJECTS] == sorted(
            installed.stage for installed in INSTALLED_OBJECTS
        )
        assert {kind for kind in kinds(Stage.CALLS) if "Webhook" in kind} == {
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        }
        assert {"Deployment", "RoleBinding", "ClusterRoleBinding"} <= set(kinds(Stage.SERVER))
        assert {"Secret", "Lease"} <= set(kinds(Stage.STATE))

    def test_the_self_test_goes_first(self) -> None:
        """Nothing is adopted without it."""
        assert INSTALLED_OBJECTS[0] == SELF_TEST

    def test_a_binding_goes_before_what_it_binds(self) -> None:
        order = [installed.kind for installed in INSTALLED_OBJECTS]
        assert order.index("ValidatingAdmissionPolicyBinding") < order.index("ValidatingAdmissionPolicy")
        assert order.index("RoleBinding") < order.index("Role")
        assert order.index("ClusterRoleBinding") < order.index("ClusterRole")

    def test_a_path_is_the_api_server_s(self) -> None:
        paths = {one.kind: one.path("mesh") for one in INSTALLED_OBJECTS if one.name != STATUS_PAGE}
        assert paths["Deployment"] == "/apis/apps/v1/namespaces/mesh/deployments/linkerd-webhook"
        assert paths["ServiceAccount"] == "/api/v1/namespaces/mesh/serviceaccounts/linkerd-webhook"
        assert paths["ClusterRole"] == "/apis/rbac.authorization.k8s.io/v1/clusterroles/linkerd-webhook"
        assert paths["ValidatingAdmissionPolicy"].endswith("/v1/validatingadmissionpolicies/linkerd-webhook-guard")

    def test_a_cluster_wide_object_s_reference_has_no_namespace(self) -> None:
        assert OWN_INJECTOR.reference("mesh")["metadata"] == {"name": NAME}
        assert INSTALLED_OBJECTS[-1].reference("mesh")["metadata"] == {"name": NAME, "namespace": "mesh"}


class TestOurs:
    """Which objects of our names are ours."""

    @pytest.mark.parametrize("key", ["app.kubernetes.io/name", "app.kubernetes.io/managed-by"])
    def test_a_label_with_our_name_makes_it_ours(self, key: str) -> None:
        assert is_ours(INSTALLED_OBJECTS[5], {"metadata": {"labels": {key: NAME}}})

    @pytest.mark.parametrize("labels", [None, {}, {"app.kubernetes.io/name": "something-else"}])
    def test_anything_else_of_that_name_is_not(self, labels: dict[str, str] | None) -> None:
        assert not is_ours(INSTALLED_OBJECTS[5], {"metadata": {"labels": labels}})

    def test_a_lease_is_known_by_its_name(self) -> None:
        lease = next(installed for installed in INSTALLED_OBJECTS if installed.kind == "Lease")
        assert is_ours(lease, {"metadata": {"name": NAME}})

    def test_cluster_wide_objects_tell_which_namespace_they_serve(self) -> None:
        assert installed_in({"subjects": [{"kind": "ServiceAccount", "namespace": "mesh"}]}) == {"mesh"}
        service = {"namespace": "mesh", "name": NAME}
        assert installed_in({"webhooks": [{"clientConfig": {"service": service}}]}) == {"mesh"}
        assert installed_in({"webhooks": [{"clientConfig": {"url": "https://x.example"}}]}) == set()
