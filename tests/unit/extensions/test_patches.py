"""What the extensions add to a Pod: to any Pod, and by release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.extensions import jaeger, tap
from webhook.extensions.jaeger import Collector
from webhook.extensions.proxy import BadPodError, annotations_of, find_proxy
from webhook.mesh.releases import ROWS, Line, Release, at, line

COLLECTOR = Collector("collector.linkerd-jaeger:4317", "collector", "opentelemetry", "linkerd-proxy")
NEWEST = line("edge-26.8")

ITEM = st.fixed_dictionaries({"name": st.sampled_from(("podinfo", "linkerd-podinfo", "other"))})
LISTS = st.one_of(st.none(), st.lists(ITEM, max_size=3, unique_by=lambda item: item["name"]))
PROXIES = st.fixed_dictionaries({"name": st.just("linkerd-proxy")}, optional={"env": LISTS, "volumeMounts": LISTS})
TEXTS = st.one_of(st.none(), st.dictionaries(st.sampled_from(("a", "b/c")), st.text(max_size=5)))
PODS = st.fixed_dictionaries(
    {
        "spec": st.fixed_dictionaries(
            {
                "containers": st.lists(st.just({"name": "app"}), max_size=2).flatmap(
                    lambda others: PROXIES.map(lambda proxy: [*others, proxy])
                )
            },
            optional={"volumes": LISTS},
        )
    },
    optional={"metadata": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"annotations": TEXTS}))},
)


def meshed(**proxy: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "app"}, {"name": "linkerd-proxy", **proxy}]}}


def traced(pod: dict[str, Any], release: str, collector: Collector = COLLECTOR, namespace: str = "shop") -> Any:
    proxy = find_proxy(pod, line(release))
    assert proxy is not None
    return jsonpatch.apply_patch(pod, jaeger.patch(pod, proxy, namespace, collector, line(release)))


def variables(pod: Any) -> dict[str, str]:
    result = {entry["name"]: entry["value"] for entry in pod["spec"]["containers"][1]["env"]}
    return {name.removeprefix("LINKERD2_PROXY_TRACE_"): value for name, value in result.items()}


@given(PODS)
def test_the_patch_of_tap_applies_to_any_pod_that_has_the_proxy(pod: dict[str, Any]) -> None:
    proxy = find_proxy(pod, NEWEST)
    assert proxy is not None
    after = jsonpatch.apply_patch(pod, tap.patch(pod, proxy, "tap.identity"))
    assert annotations_of(after)[tap.ENABLED] == "true"
    assert after["spec"]["containers"][-1]["env"][-1] == {"name": tap.VARIABLE, "value": "tap.identity"}
    assert tap.why_not(annotations_of(after), {}) == "tap_enabled_already"


@given(PODS, st.sampled_from(("stable-2.12", "version-2.15", "version-2.18")))
def test_the_patch_of_jaeger_applies_to_any_pod_and_names_a_volume_of_its_own(pod: dict[str, Any], name: str) -> None:
    after = traced(pod, name)
    assert annotations_of(after)[jaeger.ENABLED] == "true"
    volumes = [volume["name"] for volume in after["spec"]["volumes"]]
    assert len(set(volumes)) == len(volumes)
    assert after["spec"]["containers"][-1]["volumeMounts"][-1]["name"] == volumes[-1]


@pytest.mark.parametrize(
    ("release", "names", "volume"),
    [
        ("stable-2.12", {"ATTRIBUTES_PATH", "COLLECTOR_SVC_ADDR", "COLLECTOR_SVC_NAME"}, "podinfo"),
        ("version-2.15", {"ATTRIBUTES_PATH", "COLLECTOR_SVC_ADDR", "COLLECTOR_SVC_NAME"}, "linkerd-podinfo"),
        (
            "version-2.17",
            {"ATTRIBUTES_PATH", "COLLECTOR_SVC_ADDR", "COLLECTOR_SVC_NAME", "PROTOCOL", "SERVICE_NAME"},
            "linkerd-podinfo",
        ),
        (
            "version-2.18",
            {
                "ATTRIBUTES_PATH",
                "COLLECTOR_SVC_ADDR",
                "COLLECTOR_SVC_NAME",
                "PROTOCOL",
                "SERVICE_NAME",
                "EXTRA_ATTRIBUTES",
            },
            "linkerd-podinfo",
        ),
    ],
)
def test_each_release_of_the_jaeger_extension_sets_its_variables(release: str, names: set[str], volume: str) -> None:
    after = traced(meshed(), release)
    assert set(variables(after)) == names
    assert after["spec"]["volumes"][0]["name"] == volume


def outcome(release: Line) -> Any:
    """What the injectors make of a Pod with the proxy and of one whose proxy is a native sidecar."""
    native = {"spec": {"initContainers": [{"name": "linkerd-proxy"}], "containers": [{"name": "app"}]}}
    proxies = [(pod, find_proxy(pod, release)) for pod in (meshed(), native)]
    return [proxy and jaeger.patch(pod, proxy, "shop", COLLECTOR, release) for pod, proxy in proxies]


@pytest.mark.parametrize("row", [row for row in ROWS if row.startswith("extension/")])
def test_a_pod_changes_with_the_first_release_that_has_a_row_and_by_the_row_alone(row: str) -> None:
    year, month, patch = map(int, ROWS[row].since.split("."))
    first, before = at(Release((year, month, patch))), at(Release((year, month, patch - 1)))
    assert (before.has(row), first.has(row)) == (False, True)
    assert outcome(before) != outcome(first)
    assert outcome(replace(first, _rows=first._rows - {row})) == outcome(before)


def test_an_address_without_a_namespace_means_a_collector_in_the_namespace_of_the_request() -> None:
    after = traced(meshed(), "version-2.18", Collector("collector:4317", "otel"), "till")
    assert variables(after)["COLLECTOR_SVC_NAME"] == "otel.till.serviceaccount.identity.linkerd.cluster.local"


def test_the_annotations_of_a_pod_take_precedence_over_those_of_its_namespace_and_stay_its_own() -> None:
    namespace = {"config.linkerd.io/trace-collector": "a.b:1", "config.linkerd.io/trace-collector-name": "shop"}
    own = {"config.linkerd.io/trace-collector": "c.d:2"}
    release = line("version-2.18")
    first = jaeger.collector_for(COLLECTOR, own, namespace, release)
    assert (first.address, first.service_name) == ("c.d:2", "shop")
    assert jaeger.collector_for(COLLECTOR, {}, namespace, release).address == "a.b:1"
    assert jaeger.collector_for(COLLECTOR, {}, {}, release) == COLLECTOR
    assert jaeger.collector_for(COLLECTOR, {}, namespace, line("version-2.16")).service_name == "linkerd-proxy"


def test_a_proxy_among_the_init_containers_is_found_from_2_15_on() -> None:
    pod = {"spec": {"initContainers": [{"name": "linkerd-proxy"}], "containers": [{"name": "app"}]}}
    assert find_proxy(pod, line("stable-2.14")) is None
    result = find_proxy(pod, line("version-2.15"))
    assert result is not None and result.path == "/spec/initContainers/0"


@pytest.mark.parametrize("value", ["1", "t", "T", "true", "TRUE", "True"])
def test_tap_is_switched_off_by_any_spelling_of_true_on_the_pod_or_its_namespace(value: str) -> None:
    assert tap.why_not({tap.DISABLED: value}, {}) == "tap_disabled_by_pod"
    assert tap.why_not({}, {tap.DISABLED: value}) == "tap_disabled_by_namespace"


@pytest.mark.parametrize("value", ["yes", "tRue", "", "0"])
def test_other_values_leave_tap_on(value: str) -> None:
    assert tap.why_not({tap.DISABLED: value, tap.ENABLED: value}, {tap.DISABLED: value}) == ""


def test_a_list_of_the_wrong_type_is_named() -> None:
    pod = meshed(env={})
    proxy = find_proxy(pod, NEWEST)
    assert proxy is not None
    with pytest.raises(BadPodError, match="field env must be a list"):
        tap.patch(pod, proxy, "tap")
