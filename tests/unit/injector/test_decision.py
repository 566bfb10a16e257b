"""Inject or not, and why."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.injector.builders import (
    EDGE,
    INJECT,
    LINES,
    STABLE,
    answer_to,
    container,
    decide,
    injector,
    pod,
    request,
)
from webhook.injector import decision
from webhook.injector.decision import Decision
from webhook.injector.subject import read
from webhook.kube.objects import Namespace
from webhook.review import JSON

ABSENT = "injection_enable_annotation_absent"
DISABLED = "injection_disable_annotation_present"
BAD_POD = "invalid_inject_annotation_at_workload"
BAD_NAMESPACE = "invalid_inject_annotation_at_ns"

HOST_NETWORK = (
    "not injected: the Pod has hostNetwork: true, and a proxy there would redirect the traffic of the whole node; "
    "remove hostNetwork, or write linkerd.io/inject: disabled [spec.hostNetwork] (inject-skipped)"
)
SIDECAR = (
    "not injected: the Pod has a proxy of Linkerd's or Istio's already (by the name or the image of a container); "
    "remove that container, or write linkerd.io/inject: disabled [spec.containers] (inject-skipped)"
)


def plain_pod(inject: str | None = None, **spec: Any) -> JSON:
    """A Pod with this inject annotation, or without one."""
    body = pod(**spec)
    body["metadata"]["annotations"] = {} if inject is None else {INJECT: inject}
    return body


def judge(body: JSON, namespace: str | None = None, *, token_projection: bool = True, names: bool = True) -> Decision:
    """The decision about an object in a Namespace with this inject annotation."""
    annotations = {} if namespace is None else {INJECT: namespace}
    return decision.decide(read(request(body)), annotations, token_projection=token_projection, native_names=names)


class TestAnnotations:
    @pytest.mark.parametrize(
        ("namespace", "pod_value", "reason", "found_at"),
        [
            (None, None, ABSENT, ""),
            (None, "", ABSENT, ""),
            (None, "enabled", "", "workload"),
            (None, "ingress", "", "workload"),
            (None, "disabled", ABSENT, ""),
            (None, "Enabled", BAD_POD, ""),
            ("", None, ABSENT, ""),
            ("", "enabled", "", "workload"),
            ("", "nonsense", BAD_POD, ""),
            ("enabled", None, "", "namespace"),
            ("enabled", "", "", "namespace"),
            ("enabled", "enabled", "", "namespace"),
            ("enabled", "ingress", "", "namespace"),
            ("enabled", "disabled", DISABLED, "workload"),
            ("enabled", "true", BAD_POD, ""),
            ("ingress", None, "", "namespace"),
            ("ingress", "enabled", "", "namespace"),
            ("ingress", "ingress", "", "namespace"),
            ("ingress", "disabled", DISABLED, "workload"),
            ("ingress", "no", BAD_POD, ""),
            ("disabled", None, ABSENT, ""),
            ("disabled", "", ABSENT, ""),
            ("disabled", "enabled", "", "workload"),
            ("disabled", "ingress", "", "workload"),
            ("disabled", "disabled", ABSENT, ""),
            ("disabled", "x", BAD_POD, ""),
            ("nonsense", None, BAD_NAMESPACE, ""),
            ("nonsense", "enabled", BAD_NAMESPACE, ""),
            ("nonsense", "ingress", BAD_NAMESPACE, ""),
            ("nonsense", "disabled", BAD_NAMESPACE, ""),
            ("nonsense", "nonsense", BAD_NAMESPACE, ""),
        ],
    )
    def test_the_namespace_and_the_pod_decide_together(
        self, namespace: str | None, pod_value: str | None, reason: str, found_at: str
    ) -> None:
        verdict = judge(plain_pod(pod_value), namespace)
        assert verdict == Decision(not reason, [reason] if reason else [], found_at)


class TestReasons:
    @pytest.mark.parametrize(
        ("reason", "sentence"),
        [
            ("host_network_enabled", "hostNetwork is enabled"),
            ("sidecar_already_exists", "pod has a sidecar injected already"),
            ("unsupported_resource", "this resource kind is unsupported"),
            (ABSENT, 'neither the namespace nor the pod have the annotation "linkerd.io/inject:enabled"'),
            (DISABLED, 'pod has the annotation "linkerd.io/inject:disabled"'),
            (BAD_POD, 'invalid value for annotation "linkerd.io/inject" at workload'),
            (BAD_NAMESPACE, 'invalid value for annotation "linkerd.io/inject" at namespace'),
            (
                "disabled_automount_service_account_token_account",
                'automountServiceAccountToken set to "false", with Values.identity.serviceAccountTokenProjection '
                'set to "false"',
            ),
        ],
    )
    def test_each_has_an_identifier_and_a_sentence(self, reason: str, sentence: str) -> None:
        assert Decision(False, [reason]).sentence == sentence

    def test_these_are_all(self) -> None:
        assert len(decision.SENTENCES) == 8

    def test_they_are_told_together_in_their_order(self) -> None:
        body = plain_pod("disabled", hostNetwork=True, containers=[container("linkerd-proxy")])
        verdict = judge(body, "enabled", token_projection=False)
        assert verdict.reasons == [
            "host_network_enabled",
            "sidecar_already_exists",
            DISABLED,
            "disabled_automount_service_account_token_account",
        ]
        assert verdict.sentence.startswith("hostNetwork is enabled, pod has a sidecar injected already, pod has the")

    @pytest.mark.parametrize(("namespace", "who"), [(None, "pod"), ("enabled", "namespace")])
    def test_an_injection_says_who_asked_for_it(self, namespace: str | None, who: str) -> None:
        assert judge(plain_pod("enabled"), namespace).sentence == f"the {who} asks for it with linkerd.io/inject"

    @pytest.mark.parametrize("host_network", [None, False])
    def test_a_pod_without_the_hosts_network_has_no_reason(self, host_network: bool | None) -> None:
        assert judge(plain_pod("enabled", hostNetwork=host_network)).inject

    def test_a_kind_without_a_pod_is_unsupported(self) -> None:
        assert judge({"kind": "Service"}, "enabled").reasons == ["unsupported_resource"]


class TestSidecars:
    @pytest.mark.parametrize(
        "body",
        [
            {"name": "linkerd-proxy", "image": "x"},
            {"name": "istio-proxy", "image": "x"},
            {"name": "a", "image": "cr.l5d.io/linkerd/proxy:v1"},
            {"name": "a", "image": "gcr.io/istio-release/proxyv2:1"},
        ],
    )
    def test_a_proxy_among_the_containers_is_one(self, body: JSON) -> None:
        assert judge(plain_pod("enabled", containers=[container(), body])).reasons == ["sidecar_already_exists"]

    @pytest.mark.parametrize(
        "body",
        [
            {"name": "linkerd-init", "image": "x"},
            {"name": "istio-init", "image": "x"},
            {"name": "a", "image": "cr.l5d.io/linkerd/proxy-init:v1"},
            {"name": "a", "image": "gcr.io/istio-release/proxy_init:1"},
        ],
    )
    @pytest.mark.parametrize("names", [True, False])
    def test_its_init_container_is_one(self, body: JSON, names: bool) -> None:
        assert judge(plain_pod("enabled", initContainers=[body]), names=names).reasons == ["sidecar_already_exists"]

    @pytest.mark.parametrize(
        "body",
        [
            {"name": "app", "image": "cr.l5d.io/linkerd/proxy"},
            {"name": "app", "image": "example.org/cr.l5d.io/linkerd/proxy:v1"},
            {"name": "my-linkerd-proxy"},
            {"name": "linkerd-init", "image": "x"},
            {"name": None, "image": None},
            None,
        ],
    )
    def test_what_only_looks_like_one_is_none(self, body: JSON | None) -> None:
        assert judge(plain_pod("enabled", containers=[body])).inject

    @pytest.mark.parametrize(
        "result", [{"name": "linkerd-proxy"}, {"name": "a", "image": "cr.l5d.io/linkerd/proxy:v1"}]
    )
    def test_among_init_containers_it_counts_where_lines_have_native_sidecars(self, result: JSON) -> None:
        body = plain_pod("enabled", initContainers=[result])
        assert not decide(body, injector(EDGE)).patch
        assert decide(body, injector(STABLE)).decision == "injected"


class TestTokens:
    MOUNTED = container(volumeMounts=[{"name": "t", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}])

    @pytest.mark.parametrize(
        ("projection", "automount", "mounted", "injected"),
        [
            (True, None, False, True),
            (True, False, False, True),
            (False, None, True, True),
            (False, True, True, True),
            (False, None, False, False),
            (False, False, True, False),
            (False, False, False, False),
        ],
    )
    def test_without_a_projected_one_the_pod_needs_its_own(
        self, projection: bool, automount: bool | None, mounted: bool, injected: bool
    ) -> None:
        body = plain_pod("enabled", containers=[self.MOUNTED if mounted else container()])
        if automount is not None:
            body["spec"]["automountServiceAccountToken"] = automount
        assert judge(body, token_projection=projection).inject is injected

    def test_only_the_first_container_counts(self) -> None:
        body = plain_pod("enabled", containers=[container(), self.MOUNTED])
        assert not judge(body, token_projection=False).inject


@pytest.mark.parametrize("line", LINES)
class TestWhatIsSaid:
    def test_a_skipped_pod_is_allowed_with_its_reason(self, line: str) -> None:
        answer = decide(plain_pod(), injector(line))
        assert (answer.allowed, answer.patch, answer.decision, answer.reason) == (True, None, "skipped", ABSENT)
        assert answer.message == (
            "Linkerd sidecar proxy injection skipped: neither the namespace nor the pod have the annotation "
            '"linkerd.io/inject:enabled"'
        )
        assert answer.audit == {
            "decision": "skipped",
            "reason": f'{ABSENT}: neither the namespace nor the pod have the annotation "linkerd.io/inject:enabled"',
        }

    @pytest.mark.parametrize(
        ("pod_value", "namespace", "spec", "warnings"),
        [
            ("enabled", None, {"hostNetwork": True}, [HOST_NETWORK]),
            (None, "enabled", {"hostNetwork": True}, [HOST_NETWORK]),
            (
                "yes please",
                "enabled",
                {},
                [
                    'not injected: the Pod has linkerd.io/inject: "yes please"; write enabled, disabled or ingress '
                    "(inject-value)"
                ],
            ),
            (
                "enabled",
                "On",
                {},
                [
                    'not injected: Namespace shop has linkerd.io/inject: "On"; write enabled, disabled or ingress '
                    "(did you mean enabled?) (inject-value)"
                ],
            ),
            (
                "enabled",
                None,
                {"containers": [{"name": "istio-proxy"}]},
                [SIDECAR],
            ),
            (None, None, {"hostNetwork": True}, []),
            ("disabled", "enabled", {"hostNetwork": True}, []),
            ("disabled", "enabled", {}, []),
            (None, "disabled", {}, []),
        ],
    )
    def test_whoever_asks_for_injection_is_told_why_not(
        self, line: str, pod_value: str | None, namespace: str | None, spec: JSON, warnings: list[str]
    ) -> None:
        annotations = {} if namespace is None else {INJECT: namespace}
        answer = decide(plain_pod(pod_value, **spec), injector(line), namespace=annotations)
        assert answer.patch is None
        assert answer.warnings == warnings

    @pytest.mark.parametrize(
        ("pod_value", "namespace", "workload", "facts"),
        [
            (
                "enabled",
                None,
                None,
                {"owner_kind": "pod", "annotation_at": "workload", "skip": "false", "skip_reason": ""},
            ),
            (
                None,
                "enabled",
                ("deployment", "web"),
                {"owner_kind": "deployment", "annotation_at": "namespace", "skip": "false", "skip_reason": ""},
            ),
            (
                None,
                None,
                ("rollout", "web"),
                {"owner_kind": "", "annotation_at": "", "skip": "true", "skip_reason": ABSENT},
            ),
        ],
    )
    def test_metrics_learn_where_the_annotation_was_and_of_whom(
        self,
        line: str,
        pod_value: str | None,
        namespace: str | None,
        workload: tuple[str, str] | None,
        facts: dict[str, str],
    ) -> None:
        annotations = {} if namespace is None else {INJECT: namespace}
        assert decide(plain_pod(pod_value), injector(line), namespace=annotations, workload=workload).facts == facts

    def test_an_injection_says_in_the_audit_log_who_asked(self, line: str) -> None:
        answer = decide(plain_pod("enabled"), injector(line))
        assert answer.message == "Linkerd sidecar proxy injected"
        assert answer.audit == {"decision": "injected", "reason": "the pod asks for it with linkerd.io/inject"}

    @pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "DELETE", "CONNECT"])
    def test_the_operation_does_not_matter(self, line: str, operation: str) -> None:
        asked = request(plain_pod("enabled"))
        asked.operation = operation
        assert answer_to(asked, injector(line), Namespace("shop", {}, {})).decision == "injected"

    def test_where_there_is_no_object_nothing_is_changed(self, line: str) -> None:
        answer = decide(None, injector(line), namespace={INJECT: "enabled"})
        assert (answer.allowed, answer.patch, answer.decision, answer.reason) == (True, None, "unchanged", "no_object")
