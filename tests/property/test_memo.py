"""An answer from memory is the answer that would have been worked out."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.injector.builders import EDGE, LINES, SERVICE_ACCOUNT, answer_to, injector, mesh
from webhook.injector.inject import Injector
from webhook.injector.memo import Injection, Memo
from webhook.kube.objects import Namespace
from webhook.review import parse, render

# Few values each, so that Pods agree in all that a key has, and differ in one thing only.
ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "linkerd.io/inject": st.sampled_from(["enabled", "ingress", "disabled"]),
        "config.linkerd.io/opaque-ports": st.sampled_from(["db", "80,db", "90-91"]),
        "config.linkerd.io/proxy-cpu-limit": st.sampled_from(["1", "bad"]),
        "config.linkerd.io/enable-debug-sidecar": st.sampled_from(["true", "false"]),
        "config.linkerd.io/proxy-additional-env": st.sampled_from(['[{"name":"A","value":"1"}]', "bad"]),
        "config.linkerd.io/proxy-enable-native-sidecar": st.sampled_from(["true", "false"]),
        "config.linkerd.io/proxy-gid": st.just("5"),
        "config.linkerd.io/unknown": st.just("x"),
        "resource.opentelemetry.io/team": st.sampled_from(["a", "b"]),
        "example.org/other": st.text(max_size=3),
    },
)
LABELS = st.fixed_dictionaries(
    {}, optional={"app.kubernetes.io/name": st.sampled_from(["a", "b"]), "app": st.just("a")}
)
PORT = st.fixed_dictionaries(
    {"containerPort": st.sampled_from([80, 3306, 4191])},
    optional={"name": st.sampled_from(["db", "web"]), "protocol": st.sampled_from(["TCP", "UDP"])},
)
PROBE = st.fixed_dictionaries(
    {},
    optional={
        "httpGet": st.fixed_dictionaries({"port": st.sampled_from([80, 81, "web"])}),
        "tcpSocket": st.fixed_dictionaries({"port": st.sampled_from([80, 81, "web"])}),
    },
)
IDENTITY: dict[str, st.SearchStrategy[Any]] = {
    "runAsUser": st.sampled_from([1, 2102]),
    "runAsGroup": st.sampled_from([1, 5]),
}
CAPABILITIES: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {}, optional={"add": st.just(["A"]), "drop": st.sampled_from([["ALL"], []])}
)
CONTAINER = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"])},
    optional={
        "ports": st.lists(PORT, max_size=2),
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "startupProbe": PROBE,
        "restartPolicy": st.just("Always"),
        "command": st.sampled_from([["curl", "a"], ["curl"], ["wget"], ["linkerd-await"], ["chown"]]),
        "securityContext": st.fixed_dictionaries({}, optional=IDENTITY | {"capabilities": CAPABILITIES}),
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
        "securityContext": st.fixed_dictionaries({}, optional=IDENTITY),
        "nodeSelector": st.fixed_dictionaries({}, optional={"kubernetes.io/os": st.sampled_from(["linux", "windows"])}),
        "os": st.fixed_dictionaries({}, optional={"name": st.sampled_from(["linux", "windows"])}),
    },
)
POD = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries(
            {}, optional={"annotations": ANNOTATIONS, "labels": LABELS, "ownerReferences": st.just([{"kind": "Job"}])}
        ),
        "spec": SPEC,
    },
)
WORKLOAD = st.sampled_from([None, ("deployment", "a"), ("deployment", "b"), ("job", "a"), ("cronjob", "a")])
NAMESPACE_LABELS = st.fixed_dictionaries(
    {},
    optional={
        "pod-security.kubernetes.io/enforce": st.sampled_from(["baseline", "privileged"]),
        "config.linkerd.io/admission-webhooks": st.sampled_from(["enabled", "disabled"]),
        "linkerd.io/inject": st.just("enabled"),
        "team": st.just("a"),
    },
)
TRACING = {
    "proxy__tracing__enabled": True,
    "proxy__tracing__collector": {"endpoint": "c:1", "meshIdentity": {"serviceAccountName": "a", "namespace": "b"}},
}


def answer(
    using: Injector,
    pod: Any,
    namespace: dict[str, str],
    within: str,
    workload: Any,
    labels: dict[str, str] | None = None,
) -> bytes:
    """The response to a Pod, as the API server gets it."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    body = {"uid": "u", "kind": kind, "namespace": within, "operation": "CREATE", "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": body}
    request = parse(orjson.dumps(review))
    return render(
        "u", request.api_version, answer_to(request, using, Namespace(within, namespace, labels or {}), workload)
    )


REMEMBERING = {
    line: injector(line, **(TRACING if line == EDGE else {"clusterDomain": "a.example", "cniEnabled": True}))
    for line in LINES
}


@pytest.mark.parametrize("line", LINES)
@settings(max_examples=400, deadline=None)
@given(
    pod=POD, namespace=ANNOTATIONS, within=st.sampled_from(["shop", "till"]), workload=WORKLOAD, labels=NAMESPACE_LABELS
)
def test_a_pod_is_answered_from_memory_as_it_would_be_anew(
    line: str, pod: Any, namespace: dict[str, str], within: str, workload: Any, labels: dict[str, str]
) -> None:
    remembering = REMEMBERING[line]
    fresh = Injector(remembering.mesh)
    anew = answer(fresh, pod, namespace, within, workload, labels)
    assert answer(remembering, pod, namespace, within, workload, labels) == anew
    assert answer(remembering, pod, namespace, within, workload, labels) == anew


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
        changed(container={"name": "b", "ports": [{"containerPort": 4191}]}),
        changed(container={"ports": [{"containerPort": 4191, "protocol": "UDP"}]}),
        changed(container={"ports": [{"containerPort": 4191}]}),
        changed(container={"livenessProbe": {"tcpSocket": {"port": 80}}}),
        changed(container={"readinessProbe": {"tcpSocket": {"port": 80}}}),
        changed(container={"startupProbe": {"tcpSocket": {"port": 80}}}),
        changed(container={"startupProbe": {"tcpSocket": {"port": "web"}}}),
        changed(container={"securityContext": {"runAsUser": 2102}}),
        changed(container={"command": ["linkerd-await"]}),
        changed(spec={"securityContext": {"runAsUser": 2102}}),
        changed(spec={"nodeSelector": {"kubernetes.io/os": "windows"}}),
        changed(spec={"os": {"name": "windows"}}),
        changed(spec={"initContainers": [{"name": "i", "command": ["curl"]}]}),
        changed(spec={"initContainers": [{"name": "j", "command": ["curl"]}]}),
        changed(spec={"initContainers": [{"name": "i", "command": ["wget"]}]}),
        changed(spec={"initContainers": [{"name": "i", "restartPolicy": "Always", "command": ["curl"]}]}),
        changed(
            spec={"initContainers": [{"name": "i", "restartPolicy": "Always", "ports": [{"containerPort": 4191}]}]}
        ),
        changed(spec={"initContainers": [{"name": "i", "ports": [{"containerPort": 4191}]}]}),
        changed(metadata={"ownerReferences": [{"kind": "Job"}]}),
        {"spec": PLAIN["spec"]},
        {"metadata": {}},
    ],
)
def test_a_pod_that_differs_in_one_thing_is_not_answered_with_the_others_patch(line: str, variant: Any) -> None:
    enabled = {"linkerd.io/inject": "enabled", "config.linkerd.io/proxy-enable-native-sidecar": "false"}
    mesh_ = REMEMBERING[line].mesh
    firsts = (
        PLAIN,
        changed(spec={"initContainers": [{"name": "i"}]}),
        changed(spec={"initContainers": [{"name": "i", "command": ["curl"]}]}),
        changed(container={"ports": [{"containerPort": 4191}]}),
    )
    for first in firsts:
        for workload in (None, ("job", "a"), ("scaledjob", "a")):
            using = Injector(mesh_)
            answer(using, first, enabled, "shop", workload)
            anew = answer(Injector(mesh_), variant, enabled, "shop", workload)
            assert answer(using, variant, enabled, "shop", workload) == anew


@pytest.mark.parametrize(
    "labels",
    [
        {"pod-security.kubernetes.io/enforce": "restricted"},
        {"config.linkerd.io/admission-webhooks": "disabled"},
        {"linkerd.io/inject": "enabled"},
    ],
)
def test_a_pod_in_a_namespace_with_another_label_is_not_answered_with_the_others_warnings(labels: Any) -> None:
    enabled, mesh_ = {"linkerd.io/inject": "enabled"}, REMEMBERING[EDGE].mesh
    using = Injector(mesh_)
    for others in ({}, dict.fromkeys(labels, "other")):
        answer(using, PLAIN, enabled, "shop", None, others)
    assert answer(using, PLAIN, enabled, "shop", None, labels) == answer(
        Injector(mesh_), PLAIN, enabled, "shop", None, labels
    )


def test_memory_is_bounded_and_keeps_what_was_asked_for_last() -> None:
    memo = Memo(capacity=2)
    injections = [Injection([b"%d" % n], (), {}) for n in range(3)]
    memo.put("a", injections[0])
    memo.put("b", injections[1])
    assert memo.get("a") == injections[0]
    memo.put("c", injections[2])
    assert memo.get("b") is None
    assert memo.get("a") == injections[0]
    assert memo.get("c") == injections[2]


def test_a_very_large_injection_is_not_kept() -> None:
    memo = Memo()
    memo.put("a", Injection([b"x" * 50_000] * 2, (), {}))
    assert memo.get("a") is None


def test_pods_that_differ_in_nothing_that_counts_share_one_patch() -> None:
    using = Injector(mesh())
    pods = [
        {"metadata": {"name": f"p-{n}"}, "spec": {"containers": [{"name": "a", "image": f"a:{n}"}]}} for n in (1, 2)
    ]
    first, second = (answer(using, pod, {"linkerd.io/inject": "enabled"}, "shop", None) for pod in pods)
    assert first == second
    assert b'"patch"' in first


def test_pods_whose_tokens_volumes_have_different_names_share_what_was_worked_out() -> None:
    using = Injector(mesh())
    answers = []
    for name in ("kube-api-access-aaaaa", 'kube-api-access-"\0'):
        mount = {"name": name, "mountPath": SERVICE_ACCOUNT, "readOnly": True}
        pod = changed(container={"volumeMounts": [mount]})
        answers.append(answer(using, pod, {"linkerd.io/inject": "enabled"}, "shop", None))
        assert answers[-1] == answer(Injector(using.mesh), pod, {"linkerd.io/inject": "enabled"}, "shop", None)
        patch = orjson.loads(base64.b64decode(orjson.loads(answers[-1])["response"]["patch"]))
        containers = [value for operation in patch for value in operation["value"] if "volumeMounts" in value]
        assert [container["volumeMounts"][-1] for container in containers] == [mount] * 2
    assert len(using._memo._kept) == 1
