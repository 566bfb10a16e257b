"""Servers that select nothing, or a port that nothing has, among the workloads that were given."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.cluster.catalog import OfflineCatalog
from webhook.cluster.interface import NothingKnown
from webhook.policy.serverworkloads import check

JSON = dict[str, Any]

WEB = {"app": "web"}


def workload(
    name: str = "web", labels: JSON | None = None, *ports: JSON, kind: str = "Deployment", **container: Any
) -> JSON:
    """A workload whose Pods have these labels and declare these ports."""
    template = {
        "metadata": {"labels": WEB if labels is None else labels},
        "spec": {"containers": [{"name": "main", "image": "x", "ports": list(ports), **container}]},
    }
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": {"template": template}}


def other(api_version: str, kind: str, **fields: Any) -> JSON:
    """An object of another kind."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "shop"}, **fields}


def said(port: Any, *objects: JSON, selector: JSON | None = None, field: str = "podSelector") -> list[str]:
    """What is said of a Server of this port among these objects."""
    spec = {field: {"matchLabels": WEB} if selector is None else selector, "port": port}
    return [f"{one.field}: {one.rule.id}: {one.message}" for one in check(spec, "shop", OfflineCatalog(objects))]


HTTP = {"containerPort": 8080, "name": "http"}


class TestSelector:
    def test_that_selects_one_of_the_workloads_is_fine(self) -> None:
        assert said("http", workload("cart", {"app": "cart"}), workload("web", WEB, HTTP)) == []

    def test_that_selects_none_is_told_the_label_and_what_is_there(self) -> None:
        assert said("http", workload("wep", {"app": "wep"}, HTTP)) == [
            "spec.podSelector.matchLabels.app: server-selects-nothing: this Server selects no workload, as none of "
            'Deployment wep has the label app: web (did you mean "wep"?)'
        ]
        (text,) = said("http", workload("a", {"app": "shop"}), workload("b", {"app": "db"}))
        assert text.endswith(": write db or shop")
        (text,) = said("http", workload("a", {}))
        assert text.endswith(": write labels that its Pods have")

    def test_of_expressions_that_selects_none_is_told_as_a_whole(self) -> None:
        selector = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}
        (text,) = said("http", workload("web", WEB, HTTP), selector=selector)
        assert text.startswith("spec.podSelector: server-selects-nothing: ")

    def test_names_a_few_workloads_of_many(self) -> None:
        (text,) = said("http", *(workload(f"w{number}", {"app": "x"}) for number in range(9)))
        assert "Deployment w0, Deployment w1, Deployment w2 and 6 more" in text

    @pytest.mark.parametrize(
        "objects",
        [
            [],
            [other("v1", "Service", spec={})],
            [other("apps/v1", "Deployment", spec={"replicas": 2})],
            # The operator's Pods are nobody's template.
            [workload("a", {"app": "x"}), other("monitoring.coreos.com/v1", "Prometheus")],
            [workload("a", {"app": "x"}), other("argoproj.io/v1alpha1", "Application")],
            # It may add labels.
            [workload("a", {"app": "x"}), {"kind": "Kustomization", "commonLabels": WEB}],
            [workload("a", {"app": "x"}), {"resources": ["a.yaml"], "labels": [{"pairs": WEB}]}],
        ],
    )
    def test_is_not_judged_where_other_workloads_may_be_there(self, objects: list[JSON]) -> None:
        assert said("http", *objects) == []

    def test_is_not_judged_by_the_workloads_of_another_namespace(self) -> None:
        elsewhere = workload("a", {"app": "x"})
        elsewhere["metadata"]["namespace"] = "bank"
        assert said("http", elsewhere) == []

    @pytest.mark.parametrize("selector", [[], "app", {"matchExpressions": [{"key": "a", "operator": "Near"}]}])
    def test_that_makes_no_sense_is_others_business(self, selector: Any) -> None:
        assert said("http", workload("a", {}), selector=selector) == []

    def test_of_external_workloads_looks_at_these_alone(self) -> None:
        machine = other(
            "workload.linkerd.io/v1beta1", "ExternalWorkload", spec={"ports": [{"port": 80, "name": "web"}]}
        )
        machine["metadata"]["labels"] = WEB
        pods = workload("web", WEB, HTTP)
        assert said("web", pods, machine, field="externalWorkloadSelector") == []
        (text,) = said("http", pods, machine, field="externalWorkloadSelector")
        assert text.startswith("spec.port: server-port-missing: no container of ExternalWorkload x has a port named")
        assert said("web", machine) == []

    @pytest.mark.parametrize(
        "template",
        [
            other("v1", "Pod", spec={"containers": [{"name": "a"}]}),
            other("batch/v1", "CronJob", spec={"jobTemplate": {"spec": {"template": workload()["spec"]["template"]}}}),
            other("keda.sh/v1alpha1", "ScaledJob", spec={"jobTargetRef": workload()["spec"]}),
            other("argoproj.io/v1alpha1", "Rollout", spec=workload()["spec"]),
        ],
    )
    def test_looks_at_every_kind_that_has_a_pod_template(self, template: JSON) -> None:
        selector = {"matchLabels": {"app": "nothing"}}
        (text,) = said("http", template, selector=selector)
        assert "server-selects-nothing" in text


class TestPort:
    @pytest.mark.parametrize("port", ["http", 8080, "linkerd-admin", 4191, "linkerd-proxy", 4143, 4190])
    def test_that_a_container_or_the_proxy_has_is_fine(self, port: Any) -> None:
        assert said(port, workload("web", WEB, HTTP)) == []

    def test_name_that_none_has_is_told_those_that_there_are(self) -> None:
        assert said("htp", workload("web", WEB, HTTP)) == [
            'spec.port: server-port-missing: no container of Deployment web has a port named "htp" '
            '(did you mean "http"?)'
        ]
        (text,) = said("admin", workload("web", WEB, HTTP, {"containerPort": 9090}))
        assert text.endswith(': no container of Deployment web has a port named "admin": write 8080 (http) or 9090')
        (text,) = said("http", workload("web", WEB))
        assert text.endswith("as none declares any: write the number of the port on which it listens")

    def test_number_of_the_service_in_place_of_the_container_s_is_told(self) -> None:
        service = other("v1", "Service", spec={"ports": [{"port": 80, "targetPort": "http"}]})
        (text,) = said(80, workload("web", WEB, HTTP), service)
        assert text == (
            "spec.port: server-port-missing: no container of Deployment web has the port 80: write 8080 (http)"
        )

    @pytest.mark.parametrize(
        "objects",
        [
            # Nothing is declared, so that anything may be listened on.
            [workload("web", WEB)],
            [workload("web", WEB, HTTP, args=["--metrics-addr=:9090"])],
            [workload("web", WEB, HTTP, env=[{"name": "ADDR", "value": "0.0.0.0:9090"}])],
            [workload("web", WEB, HTTP, livenessProbe={"httpGet": {"port": 9090}})],
            [workload("web", WEB, HTTP), other("v1", "Service", spec={"ports": [{"port": 90, "targetPort": 9090}]})],
            [workload("web", WEB, HTTP), workload("admin", WEB, {"containerPort": 9090})],
        ],
    )
    def test_number_that_something_hints_at_need_not_be_declared(self, objects: list[JSON]) -> None:
        assert said(9090, *objects) == []

    @pytest.mark.parametrize("port", ["8080", "", "No name", None, 8080.0, [], True])
    def test_that_is_wrong_in_itself_is_others_business(self, port: Any) -> None:
        assert said(port, workload("web", WEB, HTTP)) == []


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert check({"podSelector": {"matchLabels": WEB}, "port": "http"}, "shop", NothingKnown()) == []
