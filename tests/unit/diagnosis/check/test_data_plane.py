"""Each line about the data plane fails for what it is about, says where and what to do, and is silent else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.diagnosis.check.installed_cluster import AT
from tests.unit.diagnosis.dataplane.plane import (
    CONFIGURATION,
    container_of,
    deployment,
    meshed,
    namespace,
    owned,
    plain,
    webhooks,
    workloads,
)
from tests.unit.injector.builders import CONFIG, ENABLED, INJECT, mesh
from webhook.diagnosis.check import data_plane
from webhook.diagnosis.check.data_plane import NOT_INSTALLED
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Line, Scope
from webhook.diagnosis.check.run import judge
from webhook.diagnosis.dataplane.facts import PlaneFacts
from webhook.diagnosis.dataplane.podsecurity import ENFORCE
from webhook.diagnosis.dataplane.podstate import PodJudge
from webhook.diagnosis.dataplane.survey import Survey
from webhook.diagnosis.finding import CheckFinding, CheckSeverity
from webhook.diagnosis.unseen import MissingRight, NotAsked, NotSeen
from webhook.injector.inject import Injector
from webhook.kube.objects import Namespace
from webhook.kube.webhookconfigurations import MUTATING
from webhook.mesh.config import Mesh
from webhook.mesh.spared import ADMISSION
from webhook.review import JSON

NAME = "linkerd-proxy-injector-webhook-config"
DISABLED = {INJECT: "disabled"}


def facts(
    *namespaces: Namespace,
    bodies: tuple[JSON, ...] = (),
    pods: tuple[JSON, ...] = (),
    quotas: tuple[JSON, ...] = (),
    limit_ranges: tuple[JSON, ...] = (),
    scope: Scope = Scope.INSTALLED,
    only: str = "",
    using: Mesh | None = None,
) -> ClusterFacts:
    """What is known of a cluster with these Namespaces, workloads and Pods; quotas and ranges are those of shop."""
    there = {element.name: element for element in namespaces or (namespace(),)}
    records = workloads(*bodies) if bodies else type(workloads())()
    survey = Survey(PodJudge(Injector(using or mesh()), webhooks()), there, records)
    for pod in pods:
        survey.add(pod)
    return ClusterFacts(
        at=AT,
        scope=scope,
        namespace="linkerd",
        only=only,
        mesh=using or mesh(),
        namespaces=there,
        configurations={(MUTATING, NAME): CONFIGURATION},
        plane=PlaneFacts(
            workloads=records, pods=survey.result(), quotas={"shop": quotas}, limit_ranges={"shop": limit_ranges}
        ),
    )


def said(line: Line, known: ClusterFacts) -> list[CheckFinding]:
    """What a line finds."""
    (result,) = judge([line], known).results
    return list(result.findings)


def told(line: Line, known: ClusterFacts) -> list[str]:
    """What a line finds, as it is printed."""
    return [finding.line() for finding in said(line, known)]


def shut(name: str = "shop", annotations: dict[str, str] = ENABLED) -> Namespace:
    """A Namespace whose label keeps the injector away."""
    return namespace(name, annotations, **{ADMISSION: "disabled"})


HEALTHY = facts(
    namespace(),
    namespace("plain", {}),
    shut("apart", {}),
    namespace("kube-system", {}),
    Namespace("linkerd", DISABLED, {ADMISSION: "disabled"}),
    bodies=(deployment(), deployment("declined", template={"annotations": DISABLED})),
    pods=(meshed(), plain(owner=owned("DaemonSet", "agent"), hostNetwork=True), plain(within="plain")),
)


@pytest.mark.parametrize("line", data_plane.LINES, ids=lambda line: line.code)
@pytest.mark.parametrize("scope", [Scope.INSTALLED, Scope.PROXY])
def test_a_healthy_data_plane_has_no_finding(line: Line, scope: Scope) -> None:
    assert told(line, replace(HEALTHY, scope=scope)) == []


@pytest.mark.parametrize("line", data_plane.LINES, ids=lambda line: line.code)
def test_without_an_installation_nothing_is_judged(line: Line) -> None:
    unasked = PlaneFacts.unasked(NOT_INSTALLED.reason)
    report = judge([line], replace(HEALTHY, installation=None, plane=unasked))
    assert [skipped.code for skipped in report.skipped] == [line.code]


class TestShutOut:
    line = data_plane.shut_outs

    def test_a_namespace_with_the_label_is_told_which_and_by_what(self) -> None:
        (text,) = told(self.line, facts(shut()))
        assert text.startswith(f"Namespace shop: metadata.annotations[{INJECT}] enabled: its Pods get no proxy: ")
        assert f"namespaceSelector of MutatingWebhookConfiguration {NAME} requires {ADMISSION}!=disabled" in text
        assert f"kubectl label namespace shop {ADMISSION}-" in text

    def test_it_is_an_error_with_proxy(self) -> None:
        (finding,) = said(self.line, facts(shut(), scope=Scope.PROXY))
        assert finding.severity is CheckSeverity.ERROR

    def test_kube_system_is_told_to_give_up(self) -> None:
        (text,) = told(self.line, facts(namespace("kube-system")))
        assert "leave this Namespace alone in every installation" in text
        assert f"kubectl annotate namespace kube-system {INJECT}-" in text

    def test_a_template_that_asks_in_a_namespace_that_does_not(self) -> None:
        asks = deployment(template={"annotations": ENABLED})
        (text,) = told(self.line, facts(shut(annotations={}), bodies=(asks,)))
        assert text.startswith("Deployment shop/cart: spec.template.metadata: its Pods get no proxy")

    def test_a_template_whose_label_the_object_selector_excludes(self) -> None:
        marked = deployment(template={"labels": {"linkerd.io/control-plane-component": "x"}})
        (text,) = told(self.line, facts(bodies=(marked, deployment("other"))))
        assert text.startswith("Deployment shop/cart")
        assert "correct the label linkerd.io/control-plane-component on the Pod template" in text

    def test_workloads_of_a_namespace_that_is_told_are_not_told_as_well(self) -> None:
        assert len(told(self.line, facts(shut(), bodies=(deployment(),)))) == 1

    def test_another_namespace_is_not_looked_at(self) -> None:
        assert told(self.line, facts(shut(), namespace("other"), only="other")) == []


class TestInjectValue:
    line = data_plane.inject_values

    def test_of_a_namespace(self) -> None:
        (text,) = told(self.line, facts(namespace("shop", {INJECT: "true"})))
        assert text == (
            f'Namespace shop: metadata.annotations[{INJECT}] "true": no Pod of it is injected: write enabled, disabled '
            f"or ingress (did you mean enabled?): kubectl annotate --overwrite namespace shop {INJECT}=enabled"
        )

    @pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
    def test_of_a_template(self, kind: str) -> None:
        body = deployment(kind=kind, template={"annotations": {INJECT: "yes"}})
        (finding,) = said(self.line, facts(bodies=(body,)))
        assert (finding.object, finding.value) == (f"{kind} shop/cart", '"yes"')
        assert finding.field.endswith(f"template.metadata.annotations[{INJECT}]")

    @pytest.mark.parametrize("value", ["", "enabled", "disabled", "ingress"])
    def test_values_that_linkerd_knows_are_in_order(self, value: str) -> None:
        assert told(self.line, facts(namespace("shop", {INJECT: value}))) == []


class TestInjectLabel:
    line = data_plane.inject_labels

    def test_of_a_namespace(self) -> None:
        (text,) = told(self.line, facts(namespace("shop", {}, **{INJECT: "enabled"})))
        assert text.startswith(f"Namespace shop: metadata.labels[{INJECT}] enabled: is a label, which does nothing")
        assert f"kubectl annotate namespace shop {INJECT}=enabled" in text

    @pytest.mark.parametrize("body", [
        deployment(template={"labels": {INJECT: "enabled"}}),
        deployment(metadata={"labels": {INJECT: "enabled"}}),
    ])  # fmt: skip
    def test_of_a_workload(self, body: JSON) -> None:
        (finding,) = said(self.line, facts(bodies=(body,)))
        assert finding.object == "Deployment shop/cart"
        assert finding.fix == f"write it into spec.template.metadata.annotations[{INJECT}]"

    def test_beside_the_annotation_it_does_no_harm(self) -> None:
        body = deployment(template={"labels": {INJECT: "enabled"}, "annotations": ENABLED})
        assert told(self.line, facts(namespace("shop", ENABLED, **{INJECT: "x"}), bodies=(body,))) == []


class TestInjectPlace:
    line = data_plane.inject_places

    def test_beside_the_template_of_a_deployment(self) -> None:
        body = deployment(metadata={"annotations": ENABLED})
        (text,) = told(self.line, facts(namespace("shop", {}), bodies=(body,)))
        assert text.startswith(f"Deployment shop/cart: metadata.annotations[{INJECT}] enabled: does nothing there")
        assert 'kubectl -n shop patch deployment cart -p \'{"spec":' in text

    def test_a_job_gets_no_command(self) -> None:
        body = deployment(kind="CronJob", metadata={"annotations": ENABLED})
        (text,) = told(self.line, facts(namespace("shop", {}), bodies=(body,)))
        assert "spec.jobTemplate.spec.template.metadata.annotations" in text and "kubectl" not in text

    @pytest.mark.parametrize(
        ("within", "own", "template"),
        [(ENABLED, ENABLED, {}), ({}, DISABLED, {}), ({}, ENABLED, DISABLED), ({}, ENABLED, ENABLED)],
    )
    def test_where_it_would_change_nothing(
        self, within: dict[str, str], own: dict[str, str], template: dict[str, str]
    ) -> None:
        body = deployment(metadata={"annotations": own}, template={"annotations": template})
        assert told(self.line, facts(namespace("shop", within), bodies=(body,))) == []

    def test_a_workload_that_means_to_decline(self) -> None:
        body = deployment(metadata={"annotations": DISABLED})
        assert len(told(self.line, facts(bodies=(body,)))) == 1


class TestPods:
    def test_pods_without_a_proxy(self) -> None:
        (text,) = told(data_plane.unmeshed, facts(bodies=(deployment(),), pods=(plain(), plain("cart-2"))))
        assert text == (
            "Deployment shop/cart: 2 of its Pods have no proxy: no injector answered when they were created: restart "
            "it: kubectl -n shop rollout restart deployment/cart"
        )

    def test_pods_with_another_proxy(self) -> None:
        pod = meshed()
        container_of(pod, "linkerd-proxy")["image"] = "cr.l5d.io/linkerd/proxy:edge-26.1.1"
        known = facts(bodies=(deployment(),), pods=(pod,), scope=Scope.PROXY)
        (finding,) = said(data_plane.outdated, known)
        assert finding.severity is CheckSeverity.WARNING
        assert "edge-26.1.1" in finding.message and "rollout restart deployment/cart" in finding.fix

    @pytest.mark.parametrize("line", [data_plane.unmeshed, data_plane.outdated])
    def test_a_missing_right_is_named(self, line: Line) -> None:
        unseen = NotSeen((MissingRight("list", "pods", "", 'user "jane"'),))
        (text,) = told(line, replace(facts(), plane=PlaneFacts(pods=unseen)))
        assert text == 'you may not list pods: grant list on pods to user "jane"'

    def test_without_a_mesh_they_are_skipped(self) -> None:
        known = replace(facts(), plane=PlaneFacts(pods=NotAsked("there is no mesh")))
        assert judge([data_plane.outdated], known).skipped[0].reason == "there is no mesh"


def enforcing(level: str, annotations: dict[str, str] = ENABLED) -> Namespace:
    """A Namespace that enforces a Pod Security level."""
    return namespace("shop", annotations, **{ENFORCE: level})


class TestPodSecurity:
    line = data_plane.pod_security

    @pytest.mark.parametrize("level", ["baseline", "restricted"])
    def test_linkerd_init_breaks_it(self, level: str) -> None:
        (text,) = told(self.line, facts(enforcing(level)))
        assert text.startswith(f"Namespace shop: metadata.labels[{ENFORCE}] {level}: the API server refuses Pods")
        assert "linkerd-init adds the capabilities NET_ADMIN, NET_RAW" in text and "cniEnabled" in text

    @pytest.mark.parametrize("level", ["privileged", "nonsense", ""])
    def test_other_levels_let_it_in(self, level: str) -> None:
        assert told(self.line, facts(enforcing(level))) == []

    @pytest.mark.parametrize("level", ["baseline", "restricted"])
    def test_under_cni_there_is_nothing_to_break(self, level: str) -> None:
        assert told(self.line, facts(enforcing(level), using=mesh(cniEnabled=True))) == []

    @pytest.mark.parametrize(
        ("annotations", "body"),
        [({}, deployment()), (ENABLED, deployment(template={"annotations": DISABLED})), (DISABLED, None)],
    )
    def test_where_nothing_would_be_injected(self, annotations: dict[str, str], body: JSON | None) -> None:
        bodies = (body,) if body is not None else ()
        assert told(self.line, facts(enforcing("baseline", annotations), bodies=bodies)) == []

    def test_a_template_that_asks_for_itself(self) -> None:
        body = deployment(template={"annotations": ENABLED})
        assert len(told(self.line, facts(enforcing("baseline", {}), bodies=(body,)))) == 1


def resource_quota(*hard: str, **spec: object) -> JSON:
    """A ResourceQuota on these."""
    return {"metadata": {"namespace": "shop", "name": "compute"}, "spec": {"hard": dict.fromkeys(hard, "10"), **spec}}


def limit_range(**item: object) -> JSON:
    """A LimitRange for containers."""
    return {"metadata": {"namespace": "shop", "name": "sizes"}, "spec": {"limits": [{"type": "Container", **item}]}}


class TestQuota:
    line = data_plane.quota

    def test_a_limit_that_no_container_of_linkerds_has(self) -> None:
        (text,) = told(self.line, facts(quotas=(resource_quota("limits.cpu", "pods"),)))
        assert text.startswith(
            "ResourceQuota shop/compute: spec.hard[limits.cpu]: wants a cpu limit of every container, and linkerd-init "
            "and linkerd-proxy have none, so the API server refuses Pods once they are injected: "
        )
        assert f"{CONFIG}proxy-cpu-limit" in text and "LimitRange with a default for cpu" in text

    def test_every_container_is_named_that_lacks_a_limit_in_any_workload(self) -> None:
        annotations = {f"{CONFIG}proxy-cpu-limit": "1"}
        bodies = (deployment("a", template={"annotations": annotations}), deployment("b"))
        quotas = (resource_quota("limits.memory"),)
        (text,) = told(self.line, facts(bodies=bodies, quotas=quotas))
        assert "and linkerd-init and linkerd-proxy have none" in text

    def test_every_container_is_named_that_is_beyond_a_limit_range(self) -> None:
        within = namespace("shop", {**ENABLED, f"{CONFIG}proxy-cpu-limit": "2"})
        sizes = limit_range(max={"cpu": "1"}, default={"cpu": "3"})
        (text,) = told(self.line, facts(within, limit_ranges=(sizes,)))
        assert "wants a cpu limit of at most 1, and linkerd-init and linkerd-proxy have another one" in text

    def test_the_namespaces_annotation_mends_it(self) -> None:
        within = namespace("shop", {**ENABLED, f"{CONFIG}proxy-cpu-limit": "1"})
        assert told(self.line, facts(within, quotas=(resource_quota("limits.cpu", "requests.cpu"),))) == []

    def test_a_limit_range_mends_it_as_the_api_server_fills_it_in_after_the_webhook(self) -> None:
        sizes = limit_range(default={"cpu": "1"}, defaultRequest={"cpu": "10m"})
        quotas = (resource_quota("limits.cpu", "cpu"),)
        assert told(self.line, facts(quotas=quotas, limit_ranges=(sizes,))) == []

    @pytest.mark.parametrize("wrong", [limit_range(default={"memory": "1Gi"}), limit_range(type="Pod")])
    def test_another_limit_range_does_not(self, wrong: JSON) -> None:
        assert told(self.line, facts(quotas=(resource_quota("limits.cpu"),), limit_ranges=(wrong,)))

    @pytest.mark.parametrize(
        "quota",
        [
            resource_quota("pods", "count/services"),
            resource_quota("limits.cpu", scopes=["BestEffort"]),
            resource_quota("limits.cpu", scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass"}]}),
        ],
    )
    def test_a_quota_of_something_else_is_none_of_ours(self, quota: JSON) -> None:
        assert told(self.line, facts(quotas=(quota,))) == []

    def test_where_nothing_would_be_injected(self) -> None:
        assert told(self.line, facts(namespace("shop", {}), quotas=(resource_quota("limits.cpu"),))) == []

    @pytest.mark.parametrize(
        ("item", "annotation", "field"),
        [
            ({"max": {"memory": "64Mi"}}, "proxy-memory-limit", "spec.limits[].max[memory]"),
            ({"min": {"memory": "1Gi"}}, "proxy-memory-request", "spec.limits[].min[memory]"),
        ],
    )
    def test_what_is_beyond_a_limit_range(self, item: JSON, annotation: str, field: str) -> None:
        within = namespace("shop", {**ENABLED, f"{CONFIG}{annotation}": "256Mi"})
        (finding, *_) = said(self.line, facts(within, limit_ranges=(limit_range(**item),)))
        assert (finding.object, finding.field) == ("LimitRange shop/sizes", field)
