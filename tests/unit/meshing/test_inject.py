"""Manifests have what they need to be meshed, and nothing else changes."""

from __future__ import annotations

import pytest

from tests.unit.meshing.texts import DEPLOYMENT, Result, injected, injecting, taken_out
from webhook.meshing.templates import PodTemplates

ENABLED = "linkerd.io/inject: enabled"


def test_a_template_asks_for_the_proxy_and_no_other_line_changes() -> None:
    assert injected(DEPLOYMENT).difference == ["+       annotations:", f"+         {ENABLED}"]


@pytest.mark.parametrize("manual", [False, True])
def test_what_was_injected_goes_again_to_the_byte(manual: bool) -> None:
    there = injected(DEPLOYMENT, manual=manual)
    assert taken_out(there.text).text == DEPLOYMENT


@pytest.mark.parametrize("manual", [False, True])
def test_injecting_twice_is_as_once(manual: bool) -> None:
    once = injected(DEPLOYMENT, manual=manual).text
    assert injected(once, manual=manual).text == once


def test_manual_puts_the_proxy_in_and_asks_for_none() -> None:
    result = injected(DEPLOYMENT, {"config.linkerd.io/proxy-log-level": "debug"}, manual=True)
    assert result.verbs == [("deployment", "web", "injected")]
    assert "name: linkerd-proxy" in result.text
    assert "name: linkerd-init" in result.text
    assert "config.linkerd.io/proxy-log-level: debug" in result.text
    assert "linkerd.io/inject" not in result.text
    assert "resources: null" not in result.text
    assert all(line.startswith("+") for line in result.difference)


def test_an_own_annotation_counts_more_than_a_flag_for_the_proxy() -> None:
    own = DEPLOYMENT.replace(
        "      labels:", "      annotations:\n        config.linkerd.io/proxy-log-level: trace\n      labels:"
    )
    text = injected(own, {"config.linkerd.io/proxy-log-level": "debug"}, manual=True).text
    assert "config.linkerd.io/proxy-log-level: debug" in text
    assert 'value: "trace' in text


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("extensions/v1beta1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("v1", "ReplicationController"),
        ("batch/v1", "Job"),
    ],
)
def test_every_workload_of_kubernetes_is_known_by_group_and_kind(api_version: str, kind: str) -> None:
    text = DEPLOYMENT.replace("apps/v1", api_version).replace("kind: Deployment", f"kind: {kind}")
    assert injected(text).verbs == [(kind.lower(), "web", "injected")]


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("serving.knative.dev/v1", "Service"), ("example.org/v1", "Deployment"), ("apps/v1", "deployment")],
)
def test_a_foreign_kind_of_the_same_name_is_left_alone(api_version: str, kind: str) -> None:
    text = DEPLOYMENT.replace("apps/v1", api_version).replace("kind: Deployment", f"kind: {kind}")
    result = injected(text)
    assert (result.text, result.outcomes[0].verb) == (text, "skipped")
    assert "has no Pod template that Linkerd knows" in result.outcomes[0].why


def test_a_cron_job_has_its_template_further_down() -> None:
    text = (
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: tidy}\nspec:\n  jobTemplate:\n    spec:\n"
        "      template:\n        spec:\n          containers:\n          - name: a\n            image: b\n"
    )
    assert injected(text).difference == [
        "+         metadata:",
        "+           annotations:",
        f"+             {ENABLED}",
    ]


def test_a_namespace_is_annotated_itself() -> None:
    result = injected("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n")
    assert result.verbs == [("namespace", "shop", "annotated")]
    assert result.difference == ["+   annotations:", f"+     {ENABLED}"]


def test_a_service_takes_opaque_ports_alone() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: db\n"
    assert injected(text).text == text
    result = injected(text, {"config.linkerd.io/opaque-ports": "3306"})
    assert result.difference == ["+   annotations:", '+     config.linkerd.io/opaque-ports: "3306"']


def test_objects_in_lists_within_lists_are_found() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- null\n- apiVersion: v1\n  kind: List\n  items:\n"
        "  - apiVersion: v1\n    kind: Namespace\n    metadata:\n      name: shop\n"
        "- apiVersion: apps/v1\n  kind: DeploymentList\n  items:\n"
        "  - metadata:\n      name: web\n    spec:\n      template:\n        metadata:\n          labels: {app: web}\n"
        "        spec:\n          containers:\n          - name: a\n            image: b\n"
    )
    result = injected(text)
    assert result.verbs == [("namespace", "shop", "annotated"), ("deployment", "web", "injected")]
    assert [line.strip("+ ") for line in result.difference] == ["annotations:", ENABLED, "annotations:", ENABLED]


@pytest.mark.parametrize(
    ("line", "why", "at"),
    [
        ("hostNetwork: true", "hostNetwork is enabled", "hostNetwork: true"),
        ("initContainers: [{name: istio-init, image: a}]", "pod has a sidecar injected already", "    spec:"),
    ],
)
def test_a_workload_that_cannot_be_injected_is_a_problem_with_the_line_of_its_field(
    line: str, why: str, at: str
) -> None:
    text = DEPLOYMENT.replace("      containers:", f"      {line}\n      containers:")
    result = injected(text)
    assert result.text == text
    [problem] = result.problems
    assert (problem.file, problem.message.partition(":")[0]) == ("web.yaml", "Deployment web")
    assert why in problem.message
    assert at in text.splitlines()[problem.line - 1]


def test_a_wrong_annotation_is_a_problem_with_its_line() -> None:
    key = "config.linkerd.io/proxy-log-http-headers"
    lines = DEPLOYMENT.replace("      labels:", f"      annotations:\n        {key}: soon\n      labels:")
    result = injected(lines, manual=True)
    assert result.text == lines
    [problem] = result.problems
    assert key in lines.splitlines()[problem.line - 1]
    assert "soon" in problem.message


@pytest.mark.parametrize("line", ["hostNetwork: true", "initContainers: [{name: istio-init, image: a}]"])
def test_a_workload_that_declines_is_no_problem_whatever_else_it_has(line: str) -> None:
    text = DEPLOYMENT.replace("      containers:", f"      {line}\n      containers:").replace(
        "      labels:", "      annotations:\n        linkerd.io/inject: disabled\n      labels:"
    )
    result = injected(text)
    assert (result.text, result.problems, result.outcomes[0].verb) == (text, [], "skipped")


def test_a_component_of_the_control_plane_needs_manual() -> None:
    text = DEPLOYMENT.replace('app: "web"', "linkerd.io/control-plane-component: identity")
    assert "pass --manual" in injected(text).problems[0].message
    assert not injected(text, manual=True).problems


def test_pod_templates_of_other_kinds_are_found_where_they_are_asked_for() -> None:
    rollout = DEPLOYMENT.replace("apps/v1", "argoproj.io/v1alpha1").replace("kind: Deployment", "kind: Rollout")
    result = Result(rollout, injecting(templates=PodTemplates.of(("known",))))
    assert result.difference == ["+       annotations:", f"+         {ENABLED}"]
    own = DEPLOYMENT.replace("apps/v1", "example.org/v1").replace("kind: Deployment", "kind: Thing")
    result = Result(own, injecting(templates=PodTemplates.of(("Thing.example.org:spec.template",))))
    assert result.verbs == [("thing", "web", "injected")]


def test_each_template_of_a_kind_with_several_is_annotated() -> None:
    text = (
        "apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata:\n  name: train\nspec:\n  tasks:\n"
        "  - name: one\n    template:\n      spec: {containers: [{name: a, image: b}]}\n"
        "  - name: two\n    template:\n      spec: {containers: [{name: a, image: b}]}\n"
    )
    assert Result(text, injecting(templates=PodTemplates.of(("known",)))).text.count(ENABLED) == 2
