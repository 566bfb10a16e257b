"""The proxy's additional variables from three layers, and the attributes of its traces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.injector.builders import ANCHORS, CONFIG, decide, env_of, inject, injector, patched, pod, proxy_of
from tests.unit.injector.releases import mesh_of, values_with
from webhook.injector.inject import Injector
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.releases import choose
from webhook.review import JSON

ENV = f"{CONFIG}proxy-additional-env"
TRACE = "resource.opentelemetry.io/"
COLLECTOR = {"endpoint": "c.example:4317", "meshIdentity": {"serviceAccountName": "c", "namespace": "obs"}}


def text(**variables: str) -> str:
    """The annotation for these variables."""
    return json.dumps([{"name": name, "value": value} for name, value in variables.items()])


def last_env(body: JSON, count: int) -> dict[str, Any]:
    """The last variables of the proxy's, in order."""
    return {variable["name"]: variable.get("value") for variable in proxy_of(body)["env"][-count:]}


class TestAdditionalEnv:
    MESH = injector(proxy__additionalEnv=[{"name": "A", "value": "mesh"}, {"name": "B", "value": "mesh"}])

    def test_three_layers_merge_by_name_in_place(self) -> None:
        namespace = {ENV: text(B="namespace", C="namespace")}
        got = inject(pod({ENV: text(D="pod", C="pod")}), self.MESH, namespace=namespace)
        assert list(last_env(got, 4).items()) == [("A", "mesh"), ("B", "namespace"), ("C", "pod"), ("D", "pod")]

    def test_a_layer_without_any_leaves_the_others(self) -> None:
        assert last_env(inject(pod(), self.MESH, namespace={ENV: "[]"}), 2) == {"A": "mesh", "B": "mesh"}
        assert last_env(inject(pod({ENV: "null"}), self.MESH, namespace={}), 2) == {"A": "mesh", "B": "mesh"}

    @pytest.mark.parametrize(
        ("bad", "problem"),
        [
            ("A=1", '"A=1" is not JSON; write an array of EnvVar objects'),
            ("{}", "want an array of EnvVar objects, got an object"),
            ('[{"name":"A","value":1}]', "[0].value: want text, got 1"),
        ],
    )
    @pytest.mark.parametrize("layer", ["pod", "namespace"])
    def test_a_bad_layer_is_left_out_alone(self, layer: str, bad: str, problem: str) -> None:
        pod_value, namespace_value = (bad, text(A="good")) if layer == "pod" else (text(A="good"), bad)
        body = pod({ENV: pod_value})
        answer = decide(body, self.MESH, namespace={ENV: namespace_value})
        assert answer.warnings == [
            f"{ENV}{' on Namespace shop' if layer == 'namespace' else ''} cannot be read, Linkerd leaves it out: "
            f"{problem} (inject-setting)"
        ]
        assert last_env(patched(body, answer), 2) == {"A": "good", "B": "mesh"}

    def test_a_long_text_that_is_no_json_is_cut_in_the_warning(self) -> None:
        (warning,) = decide(pod({ENV: "x" * 20_000})).warnings
        assert warning == (
            f'{ENV} cannot be read, Linkerd leaves it out: "{"x" * 59}…" is not JSON; write an array of EnvVar objects '
            "(inject-setting)"
        )

    def test_a_long_one_that_is_good_counts(self) -> None:
        assert env_of(inject(pod({ENV: text(A="x" * 20_000)})))["A"] == "x" * 20_000

    def test_a_variable_of_the_proxys_own_is_added_beside_it(self) -> None:
        got = inject(pod({ENV: text(LINKERD2_PROXY_LOG="debug")}))
        result = [v["value"] for v in proxy_of(got)["env"] if v["name"] == "LINKERD2_PROXY_LOG"]
        assert len(result) == 2
        assert result[-1] == "debug"

    def test_the_release_that_reads_experimental_ones_as_a_map_writes_them_by_name(self) -> None:
        values = values_with({"proxy.experimentalEnv": {"Z": 1, "A": "b", "M": None}})
        got = inject(pod(), Injector(mesh_of(choose("edge-24.1.1").line, values)))
        assert proxy_of(got)["env"][-3:] == [
            {"name": "A", "value": "b"},
            {"name": "M", "value": ""},
            {"name": "Z", "value": "1"},
        ]

    @pytest.mark.parametrize(
        ("version", "given"),
        [("edge-24.1.1", [{"name": "A", "value": "b"}]), ("edge-24.1.2", {"A": "b"}), ("edge-26.8.3", {"A": "b"})],
    )
    def test_a_release_refuses_experimental_ones_in_the_shape_of_its_neighbour(self, version: str, given: Any) -> None:
        values = values_with({"proxy.experimentalEnv": given, "linkerdVersion": version})
        with pytest.raises(ConfigError, match=r"^values: proxy\.experimentalEnv"):
            Mesh.load(json.dumps(values).encode(), ANCHORS)

    def test_experimental_ones_of_the_mesh_come_last(self) -> None:
        using = injector(proxy__experimentalEnv=[{"name": "X", "value": "1"}])
        assert list(last_env(inject(pod({ENV: text(A="1")}), using), 2)) == ["A", "X"]

    def test_one_pods_variables_never_reach_the_next(self) -> None:
        inject(pod({ENV: text(A="first", Z="first")}), self.MESH)
        assert last_env(inject(pod(), self.MESH), 2) == {"A": "mesh", "B": "mesh"}

    def test_a_template_has_its_workloads(self) -> None:
        body = {
            "kind": "Deployment",
            "metadata": {"annotations": {ENV: text(A="workload")}},
            "spec": {"template": pod({ENV: text(A="template")})},
        }
        assert env_of(inject(body))["A"] == "workload"


class TestTraces:
    def tracing(self, **fields: Any) -> Injector:
        """An injector of a mesh that traces."""
        given = {"enabled": True, "traceServiceName": "mesh", "collector": COLLECTOR, **fields}
        return injector(proxy__tracing=given)

    def attributes(self, body: JSON) -> str:
        """The proxy's own attributes, a line each."""
        return str(
            env_of(inject(body, self.tracing(labels={"b": "2", "a": "1"})))["LINKERD2_PROXY_TRACE_EXTRA_ATTRIBUTES"]
        )

    def test_the_meshs_are_sorted(self) -> None:
        assert self.attributes(pod()) == "a=1\nb=2\n"

    @pytest.mark.parametrize(
        ("labels", "name"),
        [
            ({"app.kubernetes.io/instance": "i", "app.kubernetes.io/name": "n"}, "i"),
            ({"app.kubernetes.io/name": "n"}, "n"),
            ({"app.kubernetes.io/instance": "", "app.kubernetes.io/name": "n"}, ""),
        ],
    )
    def test_the_service_is_named_by_labels(self, labels: dict[str, str], name: str) -> None:
        assert self.attributes(pod(labels=labels)) == f"a=1\nb=2\nservice.name={name}\n"

    def test_annotations_win_over_all(self) -> None:
        body = pod({f"{TRACE}service.name": "x", f"{TRACE}a": "3"}, labels={"app.kubernetes.io/name": "n"})
        assert self.attributes(body) == "a=3\nb=2\nservice.name=x\n"

    def test_the_collector_and_its_identity_are_named(self) -> None:
        env = env_of(inject(pod(), self.tracing()))
        assert {k.removeprefix("LINKERD2_PROXY_TRACE_"): v for k, v in env.items() if "_TRACE_" in k} == {
            "ATTRIBUTES_PATH": "/var/run/linkerd/podinfo/labels",
            "ANNOTATIONS_PATH": "/var/run/linkerd/podinfo/annotations",
            "PROTOCOL": "opentelemetry",
            "SERVICE_NAME": "mesh",
            "COLLECTOR_SVC_ADDR": "c.example:4317",
            "COLLECTOR_SVC_NAME": "c.obs.serviceaccount.identity.linkerd.cluster.local",
            "EXTRA_ATTRIBUTES": "",
        }

    def test_the_pods_labels_are_mounted(self) -> None:
        got = inject(pod(), self.tracing())
        assert {
            "name": "linkerd-podinfo",
            "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]},
        } in got["spec"]["volumes"]
        assert {"name": "linkerd-podinfo", "mountPath": "/var/run/linkerd/podinfo"} in proxy_of(got)["volumeMounts"]

    def test_a_protocol_in_the_values_is_used(self) -> None:
        got = inject(pod(), self.tracing(protocol="opencensus"))
        assert env_of(got)["LINKERD2_PROXY_TRACE_PROTOCOL"] == "opencensus"

    def test_without_tracing_there_is_no_sign_of_it(self) -> None:
        got = inject(pod({f"{TRACE}a": "1"}))
        assert not [name for name in env_of(got) if "TRACE" in name]
        assert "linkerd-podinfo" not in [volume["name"] for volume in got["spec"]["volumes"]]
