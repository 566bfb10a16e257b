"""A proxy differs from the one that its Pod would get now where Linkerd would write something else, nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.diagnosis.dataplane.plane import as_stored, container_of, judged, meshed, namespace, plain, workload
from tests.unit.injector.builders import CONFIG, ENABLED, SERVICE_ACCOUNT, container, injector, release
from webhook.diagnosis.dataplane.drift import Drift
from webhook.injector.inject import Injector
from webhook.mesh.releases import LINES
from webhook.review import JSON

_IGNORED = "proxyInit.ignoreOutboundPorts in Linkerd's values"
OLD = "cr.l5d.io/linkerd/proxy:edge-26.1.1"
OTHER_ANCHORS = b"-----BEGIN CERTIFICATE-----\nb3RoZXI=\n-----END CERTIFICATE-----\n"


def paths(differences: tuple[Drift, ...]) -> dict[str, str]:
    """What differs, and why."""
    return {finding.path: finding.why for finding in differences}


BODIES: dict[str, Callable[[], JSON]] = {
    "plain": plain,
    "with ports": lambda: plain(containers=[container(ports=[{"containerPort": 3306}])]),
    "with init containers": lambda: plain(initContainers=[container("setup")]),
    "with capabilities": lambda: plain(
        containers=[container(securityContext={"capabilities": {"add": ["SYS_TIME"], "drop": ["ALL"]}})]
    ),
    "without a token": lambda: plain(automountServiceAccountToken=False, containers=[container()]),
}
SETTINGS: dict[str, dict[str, str]] = {
    "none": {},
    "of the Namespace": {
        f"{CONFIG}proxy-log-level": "debug",
        f"{CONFIG}proxy-cpu-limit": "1500m",
        f"{CONFIG}proxy-memory-request": "0.5Gi",
        f"{CONFIG}opaque-ports": "3306,1-9",
        f"{CONFIG}skip-outbound-ports": "25",
    },
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("kind", BODIES)
def test_a_pod_that_was_just_injected_has_not_drifted(line: str, settings: str, kind: str) -> None:
    within = {**ENABLED, **SETTINGS[settings]}
    state = judged(meshed(release(line), within, BODIES[kind]()), namespace("shop", within), release(line))
    assert (state.meshed, state.would, state.reason, state.drift) == (True, True, "", ())


@pytest.mark.parametrize(
    "options",
    [
        {"cniEnabled": True},
        {"proxy__nativeSidecar": True},
        {"proxy__nativeSidecar": False},
        {"proxy__await": False, "proxy__resources__cpu__limit": "2"},
        {"disableIPv6": False},
    ],
)
def test_whatever_the_values_are_it_has_not_drifted(options: JSON) -> None:
    using = injector(**options)
    annotations = {f"{CONFIG}enable-debug-sidecar": "true", f"{CONFIG}proxy-log-format": "json"}
    pod = meshed(using, body=plain(metadata={"annotations": annotations}))
    assert judged(pod, using=using, made_from=workload(template={"annotations": annotations})).drift == ()


def test_another_image_is_told_with_both_versions() -> None:
    pod = meshed()
    container_of(pod, "linkerd-proxy")["image"] = OLD
    (differences,) = judged(pod).drift
    assert (differences.path.rpartition(".")[2], differences.now, differences.why) == ("image", OLD, "proxy version")
    assert differences.would != OLD


def test_other_trust_anchors_are_told_and_only_these() -> None:
    differences = judged(meshed(), using=injector(anchors=OTHER_ANCHORS)).drift
    assert [finding.why for finding in differences] == ["trust anchors"]
    assert differences[0].path.endswith("env[LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS]")


def test_trust_anchors_in_another_order_are_the_same() -> None:
    one = b"-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----\n"
    pod = meshed(injector(anchors=one + OTHER_ANCHORS))
    assert judged(pod, using=injector(anchors=OTHER_ANCHORS + b"\n" + one)).drift == ()


def test_a_setting_of_the_namespace_is_told_by_its_annotation() -> None:
    within = namespace("shop", {**ENABLED, f"{CONFIG}proxy-log-level": "debug"})
    (differences,) = judged(meshed(), within).drift
    assert differences.path.endswith("[linkerd-proxy].env[LINKERD2_PROXY_LOG]")
    assert differences.why == f"{CONFIG}proxy-log-level of Namespace shop"
    assert str(differences.would).startswith("debug")


def test_a_setting_that_the_namespace_has_no_more_is_told_too() -> None:
    pod = meshed(annotations={**ENABLED, f"{CONFIG}proxy-cpu-limit": "1500m"})
    differences = judged(pod).drift
    whys = {f"{CONFIG}proxy-cpu-limit: 1500m is no longer on Namespace shop"}
    assert {finding.why for finding in differences} == whys
    limit = next(finding for finding in differences if finding.path.endswith("[linkerd-proxy].resources"))
    assert limit.now["limits"] == {"cpu": "1500m"} or limit.now["limits"] == {"cpu": "1.5"}


@pytest.mark.parametrize(
    ("values", "path", "why"),
    [
        ({"proxy__logLevel": "trace"}, "env[LINKERD2_PROXY_LOG]", "proxy.logLevel in Linkerd's values"),
        ({"proxy__uid": 7}, "securityContext.runAsUser", "proxy.uid in Linkerd's values"),
        (
            {"proxyInit__ignoreOutboundPorts": "25"},
            "[linkerd-init].args[--outbound-ports-to-ignore]",
            _IGNORED,
        ),
        ({"clusterNetworks": "10.0.0.0/8"}, "NETWORKS]", "Linkerd's values"),
        ({"proxy__nativeSidecar": False}, "[linkerd-proxy].place", "proxy.nativeSidecar in Linkerd's values"),
    ],
)
def test_a_setting_of_the_values_is_told_by_its_path(values: JSON, path: str, why: str) -> None:
    assert [
        difference
        for difference in judged(meshed(), using=injector(**values)).drift
        if path in difference.path and difference.why == why
    ]


def test_a_setting_of_the_template_is_told_by_the_workload() -> None:
    annotations = {f"{CONFIG}proxy-log-level": "debug"}
    (differences,) = judged(meshed(), made_from=workload(template={"annotations": annotations})).drift
    assert differences.why == f"{CONFIG}proxy-log-level of the Pod template of Deployment shop/cart"


def foreign(proxy: JSON) -> None:
    """What other webhooks write into every container."""
    proxy["env"] += [{"name": "AWS_ROLE_ARN", "value": "arn"}]
    proxy["volumeMounts"] += [
        {"name": "aws-iam-token", "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceaccount"}
    ]
    proxy["resizePolicy"] = [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]
    proxy["securityContext"]["seLinuxOptions"] = {"level": "s0:c1,c2"}


def reordered(proxy: JSON) -> None:
    """Lists in another order."""
    for key in ("env", "ports", "volumeMounts"):
        proxy[key].reverse()


@pytest.mark.parametrize("change", [foreign, reordered])
def test_what_others_add_and_the_order_of_lists_is_no_drift(change: Callable[[JSON], None]) -> None:
    pod = meshed()
    change(container_of(pod, "linkerd-proxy"))
    assert judged(pod).drift == ()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (
            lambda proxy: proxy["env"].append({"name": "LINKERD2_PROXY_OF_OLD", "value": "1"}),
            "env[LINKERD2_PROXY_OF_OLD]",
        ),
        (
            lambda proxy: proxy["volumeMounts"].append({"name": "linkerd-old", "mountPath": "/old"}),
            "volumeMounts[/old]",
        ),
        (lambda proxy: proxy.update(lifecycle={"preStop": {"exec": {"command": ["sleep"]}}}), "lifecycle"),
        (lambda proxy: proxy.update(resources={"limits": {"memory": "64Mi"}}), "resources"),
    ],
)
def test_what_linkerd_wrote_once_and_would_no_more_is_drift(change: Callable[[JSON], Any], path: str) -> None:
    pod = meshed()
    change(container_of(pod, "linkerd-proxy"))
    (differences,) = judged(as_stored(pod)).drift
    assert (differences.path.partition("].")[2], differences.would) == (path, None)


def test_the_defaults_of_a_limit_range_are_no_drift() -> None:
    item = {"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}}
    pod = meshed()
    for name in ("linkerd-proxy", "linkerd-init"):
        container_of(pod, name)["resources"] = {"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}}
    assert judged(pod).drift
    assert judged(pod, limit_ranges=[{"spec": {"limits": [item]}}]).drift == ()


def test_a_mount_that_the_api_server_gave_the_proxy_is_no_drift() -> None:
    pod = meshed()
    init = container_of(pod, "linkerd-init")
    assert any(mount["mountPath"] == SERVICE_ACCOUNT for mount in init["volumeMounts"])
    assert judged(pod).drift == ()


@pytest.mark.parametrize(
    ("variable", "mark"),
    [
        ("LINKERD2_PROXY_TAP_SVC_NAME", "viz.linkerd.io/tap-enabled"),
        ("LINKERD2_PROXY_TRACE_COLLECTOR_SVC_ADDR", "jaeger.linkerd.io/tracing-enabled"),
    ],
)
def test_what_an_extension_adds_is_no_drift(variable: str, mark: str) -> None:
    pod = meshed()
    container_of(pod, "linkerd-proxy")["env"].append({"name": variable, "value": "x"})
    assert len(judged(pod).drift) == 1
    pod["metadata"]["annotations"][mark] = "true"
    assert judged(pod).drift == ()


def test_ports_of_a_container_that_came_after_the_injection_are_no_drift() -> None:
    pod = meshed(body=plain(containers=[container(ports=[{"containerPort": 8080}])]))
    pod["spec"]["containers"].append(container("agent", ports=[{"containerPort": 8126}]))
    assert judged(pod).drift == ()


def test_ports_that_the_pod_has_no_more_are_drift() -> None:
    pod = meshed(body=plain(containers=[container(ports=[{"containerPort": 8080}])]))
    container_of(pod, "app")["ports"] = []
    (differences,) = judged(pod).drift
    assert (differences.path.rpartition(".")[2], differences.now) == ("env[LINKERD2_PROXY_INBOUND_PORTS]", "8080")


def test_under_cni_the_init_container_would_be_another() -> None:
    using: Injector = injector(cniEnabled=True)
    result = paths(judged(meshed(), using=using).drift)
    assert {"initContainers[linkerd-init]", "initContainers[linkerd-network-validator]"} <= result.keys()
