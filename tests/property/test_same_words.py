"""The webhook and `validate` say the same of the same object."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.injector.builders import injector, request
from webhook import advice
from webhook.advice import about
from webhook.cluster.catalog import OfflineCatalog
from webhook.cluster.offline import OfflineCluster
from webhook.findings.finding import Finding, Severity
from webhook.injector.advice.objects import Advisor
from webhook.injector.inject import Injector
from webhook.injector.settings import SETTINGS
from webhook.kube.objects import Namespace
from webhook.lint.check import check
from webhook.policy.registry import load_all
from webhook.review import AdmissionRequest, GroupVersionKind, GroupVersionResource
from webhook.webhooks.interface import Current
from webhook.webhooks.proxy_injector import ProxyInjector
from webhook.webhooks.workload_advisor import WorkloadAdvisor

VALUES = st.sampled_from(
    ["enabled", "disabled", "true", "", "1", "100m", "64Mi", "8080", "80,x", "10s", "172.17.0.5", "80;90", "é"]
)
KEYS = st.sampled_from(
    [
        *(row.annotation for row in SETTINGS),
        "linkerd.io/inject",
        "linkerd.io/injection",
        "config.linkerd.io/inject",
        "config.linkerd.io/tap",
        "linkerd-webhook/ignore",
        "retry.linkerd.io/http",
        "example.org/other",
    ]
)
ENTRIES = st.dictionaries(KEYS, VALUES | st.just("inject-setting, inject-skipped"), max_size=4)
INJECT = st.fixed_dictionaries(
    {}, optional={"linkerd.io/inject": st.sampled_from(["enabled", "ingress", "disabled", "On"])}
)
LABELS = st.dictionaries(st.sampled_from(["linkerd.io/inject", "linkerd.io/injekt", "app"]), VALUES, max_size=2)
PORTS = st.lists(
    st.fixed_dictionaries(
        {"containerPort": st.sampled_from([80, 4143, 4190, 3306])},
        optional={"protocol": st.sampled_from(["TCP", "UDP"])},
    ),
    max_size=2,
)
PROBE = st.sampled_from([{"tcpSocket": {"port": 80}}, {"httpGet": {"port": 80}}, {"exec": {"command": ["true"]}}])
CONTAINER = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "istio-proxy"]), "image": st.just("registry.example.org/app:1")},
    optional={
        "ports": PORTS,
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "startupProbe": PROBE,
        "restartPolicy": st.just("Always"),
        "command": st.sampled_from([["curl", "a"], ["linkerd-await"], ["sh", "-c", "chown 1 /a"]]),
        "securityContext": st.fixed_dictionaries({}, optional={"runAsUser": st.sampled_from([0, 1000, 2102])}),
    },
)
SPEC = st.fixed_dictionaries(
    {"containers": st.lists(CONTAINER, min_size=1, max_size=2)},
    optional={
        "initContainers": st.lists(CONTAINER, max_size=1),
        "hostNetwork": st.booleans(),
        "automountServiceAccountToken": st.booleans(),
        "restartPolicy": st.sampled_from(["Never", "Always"]),
        "nodeSelector": st.just({"kubernetes.io/os": "windows"}),
        "os": st.just({"name": "windows"}),
        "securityContext": st.fixed_dictionaries({}, optional={"runAsUser": st.sampled_from([1000, 2102])}),
    },
)
OWN = st.builds(lambda a, b: {**a, **b}, ENTRIES, INJECT)
METADATA = st.fixed_dictionaries({"name": st.just("web"), "annotations": OWN, "labels": LABELS})
PODS = st.fixed_dictionaries({"kind": st.just("Pod"), "metadata": METADATA, "spec": SPEC})
SERVICES = st.fixed_dictionaries(
    {
        "kind": st.just("Service"),
        "metadata": METADATA,
        "spec": st.fixed_dictionaries({"ports": st.lists(st.just({"port": 80, "targetPort": 8080}), max_size=1)}),
    }
)
NAMESPACES = st.builds(
    lambda annotations, labels: Namespace("shop", annotations, labels),
    OWN,
    st.dictionaries(
        st.sampled_from(
            ["linkerd.io/inject", "pod-security.kubernetes.io/enforce", "config.linkerd.io/admission-webhooks"]
        ),
        st.sampled_from(["enabled", "disabled", "restricted"]),
        max_size=2,
    ),
)

load_all()
USING = injector()
# Where init containers have no network, and Jobs do not end.
CNI = injector(cniEnabled=True, proxy__nativeSidecar=False)


def by_webhook(body: Any, namespace: Namespace, using: Injector) -> list[str] | None:
    """The warnings of the webhook, whole; None for a refusal."""
    manifest = {
        "kind": "Namespace",
        "metadata": {"name": "shop", "annotations": dict(namespace.annotations), "labels": dict(namespace.labels)},
    }
    webhook = ProxyInjector(Current(using), OfflineCluster([manifest]))
    answer = asyncio.run(webhook.answer(request(body)))
    return answer.warnings if answer.allowed else None


@settings(max_examples=400, deadline=None)
@given(body=st.one_of(PODS, SERVICES), namespace=NAMESPACES, using=st.sampled_from([USING, CNI]))
def test_of_a_pod_or_a_service_in_a_known_namespace(body: Any, namespace: Namespace, using: Injector) -> None:
    said = about(Advisor(using), body["kind"].lower(), body, (), namespace)
    warnings = by_webhook(body, namespace, using)
    refused = any(finding.severity is Severity.ERROR for finding in said)
    assert (warnings is None) is refused
    if warnings is not None:
        assert [text.warning for text in said] == warnings
    if said:
        assert advice.is_concerned(body, (), namespace)


@settings(max_examples=200, deadline=None)
@given(pod=PODS, namespace=NAMESPACES, kind=st.sampled_from(["Deployment", "Job"]), using=st.sampled_from([USING, CNI]))
def test_of_a_template_it_is_what_is_said_of_its_pod_at_another_place(
    pod: Any, namespace: Namespace, kind: str, using: Injector
) -> None:
    at = ("spec", "template")
    workload = {"kind": kind, "metadata": {"name": "web"}, "spec": {"template": pod}}
    owned = {**pod, "metadata": {**pod["metadata"], "ownerReferences": [{"kind": kind, "name": "web"}]}}
    of_pod = about(Advisor(using), "pod", owned, (), namespace, (kind.lower(), "web"))
    of_template = about(Advisor(using), kind.lower(), workload, at, namespace)
    assert of_template == [element._replace(path=(*at, *element.path)) for element in of_pod]


KINDS = st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController"])
OWNED = st.sampled_from([{}, {"ownerReferences": [{"kind": "Deployment", "name": "web", "controller": True}]}])
WORKLOADS = st.builds(
    lambda kind, metadata, owned, pod, replicas: {
        "kind": kind,
        "metadata": {**metadata, **owned},
        "spec": {"template": {key: pod[key] for key in ("metadata", "spec")}, "replicas": replicas},
    },
    KINDS,
    METADATA,
    OWNED,
    PODS,
    st.integers(0, 2),
)
SPACES = st.builds(lambda metadata: {"kind": "Namespace", "metadata": metadata}, METADATA)
APPLIED = st.one_of(WORKLOADS, SPACES)
GROUPS = {"Job": "batch", "ReplicationController": "", "Namespace": ""}


def by_advisor(body: Any, namespace: Namespace | None, before: Any = None) -> list[str]:
    """The warnings of the webhook that looks at what is applied, whole."""
    kind = GroupVersionKind(GROUPS.get(body["kind"], "apps"), "v1", body["kind"])
    operation = "UPDATE" if before is not None else "CREATE"
    asked = AdmissionRequest("u", "v1", kind, GroupVersionResource(), "shop", "web", operation, body, before)
    manifest = namespace and {
        "kind": "Namespace",
        "metadata": {"name": "shop", "annotations": dict(namespace.annotations), "labels": dict(namespace.labels)},
    }
    answer = asyncio.run(WorkloadAdvisor(Current(USING), OfflineCluster([manifest] if manifest else [])).answer(asked))
    assert (answer.allowed, answer.patch, answer.effects) == (True, None, [])
    return answer.warnings


def by_validate(body: Any, namespace: Namespace | None) -> list[str]:
    """What `validate` finds in a manifest, in a Namespace that a cluster knows."""
    said: list[Finding] = []

    def lint(kind: str, body: Any, template: Any, namespace: Namespace | None) -> list[Finding]:
        warnings = about(Advisor(USING), kind, body, template, namespace)
        said.extend(warnings)
        return warnings

    group = GROUPS.get(body["kind"], "apps")
    manifest = {**body, "apiVersion": f"{group}/v1".lstrip("/")}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.json"
        file.write_text(json.dumps(manifest))
        result = check([str(file)], USING.mesh.line, OfflineCatalog, str, lint, lambda _: namespace)
    assert sorted(finding.message for finding in result.findings) == sorted(text.message for text in said)
    return [text.warning for text in said]


def is_made(body: Any) -> bool:
    """Whether a controller made it from a template."""
    return body["kind"] in ("ReplicaSet", "Job") and "ownerReferences" in body["metadata"]


@settings(max_examples=300, deadline=None)
@given(body=APPLIED, namespace=st.none() | NAMESPACES)
def test_of_what_is_applied_the_webhook_says_what_validate_says(body: Any, namespace: Namespace | None) -> None:
    said = by_advisor(body, namespace)
    assert said == ([] if is_made(body) else by_validate(body, namespace))


@settings(max_examples=300, deadline=None)
@given(before=APPLIED, after=APPLIED, namespace=NAMESPACES, kept=st.booleans())
def test_of_an_update_all_is_said_or_nothing_where_it_leaves_alone_what_counts(
    before: Any, after: Any, namespace: Namespace, kept: bool
) -> None:
    if kept or before["kind"] != after["kind"]:
        # Nothing that counts differs: the number of replicas, what others wrote.
        metadata = {**before["metadata"], "resourceVersion": "2"}
        metadata["annotations"] = {**before["metadata"]["annotations"], "example.org/other": "2"}
        after = {**before, "metadata": metadata, "spec": {**before.get("spec", {}), "replicas": 9}}
        assert by_advisor(after, namespace, before) == []
        return
    said = by_advisor(after, namespace, before)
    assert said in ([], by_advisor(after, namespace))
    template = [element.get("spec", {}).get("template") for element in (before, after)]
    linkerd = [
        {key: value for key, value in body["metadata"][group].items() if "linkerd" in key}
        for group in ("annotations", "labels")
        for body in (before, after)
    ]
    if template[0] != template[1] or linkerd[0] != linkerd[1] or linkerd[2] != linkerd[3]:
        assert said == by_advisor(after, namespace)
