"""What is taken out of a cluster, in which order, and what Linkerd gets back."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from webhook.install.linkerd import ADOPTED_FROM, LINKERDS
from webhook.kube.webhookconfigurations import Service
from webhook.uninstall.plan import (
    OWN_INJECTOR,
    SELF_TEST,
    THINGS,
    RestoreError,
    Stage,
    in_mesh,
    installed_in,
    is_adopted,
    is_ours,
    restored,
)
from webhook.upkeep import adoption

JSON = dict[str, Any]

NAME = "linkerd-webhook"
OURS = Service("linkerd", NAME)


def linkerds(*names: str, annotations: dict[str, str] | None = None) -> JSON:
    """One of Linkerd's configurations, with webhooks of these names."""
    metadata: JSON = {
        "name": "linkerd-proxy-injector-webhook-config",
        "labels": {"linkerd.io/control-plane-ns": "linkerd"},
    }
    if annotations is not None:
        metadata["annotations"] = annotations
    service = {"namespace": "linkerd", "name": "linkerd-proxy-injector", "path": "/"}
    webhooks = [
        {"name": each, "clientConfig": {"service": dict(service), "caBundle": each.encode().hex()}} for each in names
    ]
    return {"kind": "MutatingWebhookConfiguration", "metadata": metadata, "webhooks": webhooks}


def adopt(configuration: JSON) -> JSON:
    """As the server does it."""
    return adoption.adopted(configuration, "/proxy-injector", OURS, "b3Vycw==")


def kinds(stage: Stage) -> list[str]:
    """What goes in a stage."""
    return [each.kind for each in THINGS if each.stage is stage]


class TestOrder:
    """What goes before what."""

    def test_who_calls_the_server_goes_before_the_server_and_that_before_what_it_stores(self) -> None:
        assert [each.stage for each in THINGS] == sorted(each.stage for each in THINGS)
        assert {each for each in kinds(Stage.CALLS) if "Webhook" in each} == {
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        }
        assert {"Deployment", "RoleBinding", "ClusterRoleBinding"} <= set(kinds(Stage.SERVER))
        assert {"Secret", "Lease"} <= set(kinds(Stage.STATE))

    def test_the_self_test_goes_first(self) -> None:
        """Nothing is adopted without it."""
        assert THINGS[0] == SELF_TEST

    def test_a_binding_goes_before_what_it_binds(self) -> None:
        order = [each.kind for each in THINGS]
        assert order.index("ValidatingAdmissionPolicyBinding") < order.index("ValidatingAdmissionPolicy")
        assert order.index("RoleBinding") < order.index("Role")
        assert order.index("ClusterRoleBinding") < order.index("ClusterRole")

    def test_a_path_is_the_api_server_s(self) -> None:
        paths = {each.kind: each.path("mesh") for each in THINGS}
        assert paths["Deployment"] == "/apis/apps/v1/namespaces/mesh/deployments/linkerd-webhook"
        assert paths["ServiceAccount"] == "/api/v1/namespaces/mesh/serviceaccounts/linkerd-webhook"
        assert paths["ClusterRole"] == "/apis/rbac.authorization.k8s.io/v1/clusterroles/linkerd-webhook"
        assert paths["ValidatingAdmissionPolicy"].endswith("/v1/validatingadmissionpolicies/linkerd-webhook-guard")

    def test_a_cluster_wide_object_s_reference_has_no_namespace(self) -> None:
        assert OWN_INJECTOR.reference("mesh")["metadata"] == {"name": NAME}
        assert THINGS[-1].reference("mesh")["metadata"] == {"name": NAME, "namespace": "mesh"}


class TestOurs:
    """Which objects of our names are ours."""

    @pytest.mark.parametrize("key", ["app.kubernetes.io/name", "app.kubernetes.io/managed-by"])
    def test_a_label_with_our_name_makes_it_ours(self, key: str) -> None:
        assert is_ours(THINGS[5], {"metadata": {"labels": {key: NAME}}})

    @pytest.mark.parametrize("labels", [None, {}, {"app.kubernetes.io/name": "something-else"}])
    def test_anything_else_of_that_name_is_not(self, labels: dict[str, str] | None) -> None:
        assert not is_ours(THINGS[5], {"metadata": {"labels": labels}})

    def test_a_lease_is_known_by_its_name(self) -> None:
        lease = next(each for each in THINGS if each.kind == "Lease")
        assert is_ours(lease, {"metadata": {"name": NAME}})

    def test_cluster_wide_objects_tell_which_namespace_they_serve(self) -> None:
        assert installed_in({"subjects": [{"kind": "ServiceAccount", "namespace": "mesh"}]}) == {"mesh"}
        service = {"namespace": "mesh", "name": NAME}
        assert installed_in({"webhooks": [{"clientConfig": {"service": service}}]}) == {"mesh"}
        assert installed_in({"webhooks": [{"clientConfig": {"url": "https://x.example"}}]}) == set()


class TestRestoring:
    """What Linkerd gets back."""

    def test_the_names_are_those_that_the_server_goes_by(self) -> None:
        assert set(LINKERDS) == set(adoption.PATHS)

    @pytest.mark.parametrize("annotations", [None, {"example.org/kept": "yes"}])
    def test_what_was_adopted_is_as_before(self, annotations: dict[str, str] | None) -> None:
        before = linkerds("a.linkerd.io", "b.linkerd.io", annotations=annotations)
        assert is_adopted(adopt(before), "linkerd")
        assert restored(adopt(before), "linkerd") == before

    def test_the_argument_is_left_as_it_is(self) -> None:
        given = adopt(linkerds("a.linkerd.io"))
        kept = copy.deepcopy(given)
        restored(given, "linkerd")
        assert given == kept

    def test_what_somebody_has_written_since_stays_and_only_the_note_goes(self) -> None:
        overwritten = linkerds(
            "a.linkerd.io", annotations={ADOPTED_FROM: json.dumps({"a.linkerd.io": {"url": "https://x"}})}
        )
        assert is_adopted(overwritten, "linkerd")
        assert restored(overwritten, "linkerd") == linkerds("a.linkerd.io")

    def test_what_was_never_adopted_is_not_touched(self) -> None:
        assert not is_adopted(linkerds("a.linkerd.io", annotations={"example.org/x": "y"}), "linkerd")

    def test_a_service_of_our_name_elsewhere_is_not_ours(self) -> None:
        body = adopt(linkerds("a.linkerd.io"))
        del body["metadata"]["annotations"]
        assert is_adopted(body, "linkerd")
        assert not is_adopted(body, "mesh")

    @pytest.mark.parametrize("noted", [None, "", "{", "[]", "{}", '{"a.linkerd.io": {}}', '{"a.linkerd.io": "x"}'])
    def test_without_a_note_that_can_be_read_it_says_what_to_do(self, noted: str | None) -> None:
        body = adopt(linkerds("a.linkerd.io"))
        body["metadata"]["annotations"] = {} if noted is None else {ADOPTED_FROM: noted}
        with pytest.raises(RestoreError, match=r"webhooks\[0\]\.clientConfig .*linkerd upgrade"):
            restored(body, "linkerd")

    def test_a_long_note_is_not_repeated_in_full(self) -> None:
        body = adopt(linkerds("a.linkerd.io"))
        body["metadata"]["annotations"] = {ADOPTED_FROM: "x" * 5000}
        with pytest.raises(RestoreError) as error:
            restored(body, "linkerd")
        assert len(str(error.value)) < 600


class TestInMesh:
    """Which Pods would come back without a proxy."""

    def pod(self, namespace: str, proxy: str = "containers", phase: str = "Running") -> JSON:
        """A Pod with a proxy."""
        spec: JSON = {"containers": [{"name": "web"}], "initContainers": []}
        if proxy:
            spec[proxy].append({"name": "linkerd-proxy"})
        return {"metadata": {"namespace": namespace, "name": "a"}, "spec": spec, "status": {"phase": phase}}

    @pytest.mark.parametrize("proxy", ["containers", "initContainers"])
    def test_a_proxy_counts_wherever_it_is(self, proxy: str) -> None:
        assert in_mesh([self.pod("shop", proxy)], "linkerd") == ["shop/a"]

    def test_the_control_plane_s_own_do_not_count(self) -> None:
        assert in_mesh([self.pod("linkerd")], "linkerd") == []

    def test_pods_without_a_proxy_do_not_count(self) -> None:
        assert in_mesh([self.pod("shop", "")], "linkerd") == []

    @pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
    def test_ended_pods_do_not_count(self, phase: str) -> None:
        assert in_mesh([self.pod("shop", phase=phase)], "linkerd") == []
