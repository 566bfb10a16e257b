"""An answer from memory is the answer that would have been worked out."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.injector.builders import EDGE, LINES, SERVICE_ACCOUNT, injector, mesh
from webhook.cluster.interface import Namespace
from webhook.injector.inject import Injector
from webhook.injector.memo import Injection, Memo
from webhook.review import Patch, parse, render

# Few values each, so that Pods agree in all that a key has, and differ in one thing only.
ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "linkerd.io/inject": st.sampled_from(["enabled", "ingress", "disabled"]),
        "config.linkerd.io/opaque-ports": st.sampled_from(["db", "80,db", "90-91"]),
        "config.linkerd.io/proxy-cpu-limit": st.sampled_from(["1", "bad"]),
        "config.linkerd.io/enable-debug-sidecar": st.sampled_from(["true", "false"]),
        "config.linkerd.io/proxy-additional-env": st.sampled_from(['[{"name":"A","value":"1"}]', "bad"]),
        "config.linkerd.io/unknown": st.just("x"),
        "resource.opentelemetry.io/team": st.sampled_from(["a", "b"]),
        "example.org/other": st.text(max_size=3),
    },
)
LABELS = st.fixed_dictionaries(
    {}, optional={"app.kubernetes.io/name": st.sampled_from(["a", "b"]), "app": st.just("a")}
)
PORT = st.fixed_dictionaries(
    {"containerPort": st.sampled_from([80, 3306])}, optional={"name": st.sampled_from(["db", "web"])}
)
PROBE = st.fixed_dictionaries(
    {}, optional={"httpGet": st.fixed_dictionaries({"port": st.sampled_from([80, 81, "web"])})}
)
CAPABILITIES = st.fixed_dictionaries({}, optional={"add": st.just(["A"]), "drop": st.sampled_from([["ALL"], []])})
CONTAINER = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"])},
    optional={
        "ports": st.lists(PORT, max_size=2),
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "securityContext": st.fixed_dictionaries({}, optional={"capabilities": CAPABILITIES}),
        "volumeMounts": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["t", "u"]), "mountPath": st.just(SERVICE_ACCOUNT)}),
            max_size=1,
        ),
    },
)
SPEC = st.fixed_dictionaries(
    {},
    optional={
        "containers": st.lists(CONTAINER, max_size=2),
        "initContainers": st.lists(CONTAINER, max_size=1),
        "volumes": st.lists(st.just({"name": "v"}), max_size=1),
    },
)
POD = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries({}, optional={"annotations": ANNOTATIONS, "labels": LABELS}),
        "spec": SPEC,
    },
)
WORKLOAD = st.sampled_from([None, ("deployment", "a"), ("deployment", "b"), ("job", "a")])
TRACING = {
    "proxy__tracing__enabled": True,
    "proxy__tracing__collector": {"endpoint": "c:1", "meshIdentity": {"serviceAccountName": "a", "namespace": "b"}},
}


def answer(using: Injector, pod: Any, namespace: dict[str, str], within: str, workload: Any) -> bytes:
    """The response to a Pod, as the API server gets it."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    body = {"uid": "u", "kind": kind, "namespace": within, "operation": "CREATE", "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": body}
    request = parse(orjson.dumps(review))
    return render("u", request.api_version, using.decide(request, Namespace(within, namespace, {}), workload))


REMEMBERING = {line: injector(line, **(TRACING if line == EDGE else {"clusterDomain": "a.example"})) for line in LINES}


@pytest.mark.parametrize("line", LINES)
@settings(max_examples=400, deadline=None)
@given(pod=POD, namespace=ANNOTATIONS, within=st.sampled_from(["shop", "till"]), workload=WORKLOAD)
def test_a_pod_is_answered_from_memory_as_it_would_be_anew(
    line: str, pod: Any, namespace: dict[str, str], within: str, workload: Any
) -> None:
    remembering = REMEMBERING[line]
    fresh = Injector(remembering.mesh)
    anew = answer(fresh, pod, namespace, within, workload)
    assert answer(remembering, pod, namespace, within, workload) == anew
    assert answer(remembering, pod, namespace, within, workload) == anew


PLAIN: dict[str, Any] = {"metadata": {}, "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}]}]}}


def changed(**parts: Any) -> dict[str, Any]:
    """The plain Pod with other metadata, or something in its spec or first container besides."""
    spec = PLAIN["spec"] | parts.get("spec", {})
    if "container" in parts:
        spec = spec | {"containers": [spec["containers"][0] | parts["container"]]}
    return {"metadata": parts.get("metadata", {}), "spec": spec}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(
    "variant",
    [
        changed(metadata={"annotations": {"example.org/other": ""}}),
        changed(metadata={"labels": {"app": "a"}}),
        changed(metadata={"labels": {"app.kubernetes.io/name": "a"}}),
        changed(container={"ports": [{"containerPort": 3306}]}),
        changed(container={"livenessProbe": {"httpGet": {"port": 81}}}),
        changed(container={"volumeMounts": [{"name": "t", "mountPath": SERVICE_ACCOUNT}]}),
        changed(container={"securityContext": {"capabilities": {"drop": ["ALL"]}}}),
        changed(spec={"volumes": [{"name": "v"}]}),
        changed(spec={"containers": []}),
        changed(spec={"initContainers": [{"name": "i"}]}),
        changed(spec={"initContainers": [{"name": "i", "ports": [{"containerPort": 3306}]}]}),
        changed(spec={"initContainers": [{"name": "i", "readinessProbe": {"httpGet": {"port": 82}}}]}),
        {"spec": PLAIN["spec"]},
        {"metadata": {}},
    ],
)
def test_a_pod_that_differs_in_one_thing_is_not_answered_with_the_others_patch(line: str, variant: Any) -> None:
    enabled = {"linkerd.io/inject": "enabled"}
    mesh_ = REMEMBERING[line].mesh
    for first, second in ((PLAIN, variant), (changed(spec={"initContainers": [{"name": "i"}]}), variant)):
        using = Injector(mesh_)
        answer(using, first, enabled, "shop", None)
        assert answer(using, second, enabled, "shop", None) == answer(Injector(mesh_), second, enabled, "shop", None)


def test_memory_is_bounded_and_keeps_what_was_asked_for_last() -> None:
    memo = Memo(capacity=2)
    injections = [Injection(Patch([{"op": "add", "path": "/a", "value": n}]), (), {}) for n in range(3)]
    memo.put("a", injections[0])
    memo.put("b", injections[1])
    assert memo.get("a") == injections[0]
    memo.put("c", injections[2])
    assert memo.get("b") is None
    assert memo.get("a") == injections[0]
    assert memo.get("c") == injections[2]


def test_a_very_large_injection_is_not_kept() -> None:
    memo = Memo()
    memo.put("a", Injection(Patch([{"op": "add", "path": "/a", "value": "x" * 100_000}]), (), {}))
    assert memo.get("a") is None


def test_pods_that_differ_in_nothing_that_counts_share_one_patch() -> None:
    using = Injector(mesh())
    pods = [
        {"metadata": {"name": f"p-{n}"}, "spec": {"containers": [{"name": "a", "image": f"a:{n}"}]}} for n in (1, 2)
    ]
    first, second = (answer(using, pod, {"linkerd.io/inject": "enabled"}, "shop", None) for pod in pods)
    assert first == second
    assert b'"patch"' in first
