"""What is read of workloads among manifests: by what Servers select them, and where they listen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from webhook.cluster.workloads import PROXY_PORTS, may_change_all, may_make_pods, workload_of

TEMPLATE = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"prometheus.io/port": "9100"}},
    "spec": {
        "containers": [{"name": "a", "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 81}]}],
        "initContainers": [{"name": "b", "restartPolicy": "Always", "ports": [{"containerPort": 82, "name": "side"}]}],
    },
}


def test_labels_ports_and_further_numbers_are_read() -> None:
    workload = workload_of({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": TEMPLATE}})
    assert workload is not None
    assert (workload.kind, workload.name, workload.labels) == ("Deployment", "web", {"app": "web"})
    assert workload.ports == {8080: "http", 81: "", 82: "side", **PROXY_PORTS}
    assert 9100 in workload.mentioned
    assert 9101 not in workload.mentioned


@pytest.mark.parametrize(
    "text",
    ["--addr=:9090", "0.0.0.0:9090", "http://localhost:9090/x", "9090", "[::]:9090", "a9090b"],
)
def test_a_port_in_any_text_of_the_template_is_found(text: str) -> None:
    spec = {"containers": [{"name": "a", "args": [text]}]}
    workload = workload_of({"kind": "Pod", "metadata": {"name": "web"}, "spec": spec})
    assert workload is not None
    assert 9090 in workload.mentioned


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "Pod"},
        {"kind": "Pod", "spec": {"containers": []}},
        {"kind": "Deployment", "spec": {"template": {"spec": {"containers": {}}}}},
        {"kind": "Deployment", "spec": {"template": []}},
        {"kind": "Service", "spec": {"ports": [{"port": 80}]}},
        {"kind": "ConfigMap", "spec": 5},
    ],
)
def test_what_has_no_containers_is_not_a_workload(body: Any) -> None:
    assert workload_of(body) is None


def test_an_external_workload_has_labels_and_ports_of_its_own() -> None:
    metadata = {"name": "vm", "labels": {"app": "db", "x": 5}}
    workload = workload_of(
        {"kind": "ExternalWorkload", "metadata": metadata, "spec": {"ports": [{"port": 1, "name": "a"}]}}
    )
    assert workload is not None
    assert (workload.is_external, workload.labels, workload.ports) == (True, {"app": "db"}, {1: "a"})


@pytest.mark.parametrize(
    ("group", "kind", "may"),
    [
        ("", "ConfigMap", False),
        ("policy.linkerd.io", "Server", False),
        ("monitoring.coreos.com", "ServiceMonitor", False),
        ("monitoring.coreos.com", "Prometheus", True),
        ("argoproj.io", "Application", True),
        ("helm.toolkit.fluxcd.io", "HelmRelease", True),
    ],
)
def test_an_operator_s_objects_may_have_pods(group: str, kind: str, may: bool) -> None:
    assert may_make_pods(group, kind) is may


def test_a_kustomization_changes_others_whether_it_says_its_kind_or_not() -> None:
    assert may_change_all({"kind": "Kustomization"})
    assert may_change_all({"resources": ["a.yaml"]})
    assert not may_change_all({"kind": "Deployment", "resources": []})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["kind", "metadata", "spec", "template", "containers", "ports", "labels", "containerPort", "name"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@forall(st.dictionaries(st.sampled_from(["kind", "metadata", "spec"]), ANYTHING))
def test_nothing_that_an_object_holds_raises(body: Any) -> None:
    workload_of(body)
