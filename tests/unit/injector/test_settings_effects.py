"""Every annotation: what a good value does, and that a bad one falls back to the mesh's with a warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.injector.builders import (
    ALPHA,
    BETA,
    CONFIG,
    EDGE,
    STABLE,
    decide,
    env_of,
    init_of,
    inject,
    injector,
    named,
    names,
    patched,
    pod,
    proxy_of,
)
from webhook.injector.settings import SETTINGS
from webhook.review import JSON

Reader = Callable[[JSON], Any]


def env(name: str) -> Reader:
    """Reads a variable of the proxy's, None where it has none of this name."""
    return lambda body: env_of(body).get(f"LINKERD2_PROXY_{name}")


def resource(kind: str, name: str) -> Reader:
    """Reads a resource of the proxy's."""
    return lambda body: ((proxy_of(body)["resources"] or {}).get(kind) or {}).get(name)


def argument(flag: str) -> Reader:
    """Reads what follows a flag of the init container's."""

    def read(body: JSON) -> str | None:
        args = init_of(body)["args"]
        return args[args.index(flag) + 1] if flag in args else None

    return read


def security(name: str) -> Reader:
    """Reads a field of the proxy's security context."""
    return lambda body: proxy_of(body)["securityContext"].get(name)


def debug(name: str) -> Reader:
    """Reads a field of the debug container's."""
    return lambda body: named(body, "linkerd-debug")[name]


def sleep(body: JSON) -> Any:
    """Reads how long the proxy waits before it stops."""
    hook = proxy_of(body).get("lifecycle", {}).get("preStop")
    return hook["exec"]["command"][1] if hook else None


def is_native(body: JSON) -> bool:
    """Whether the proxy is among the init containers."""
    return "linkerd-proxy" in names(body["spec"]["initContainers"])


def added(body: JSON) -> Any:
    """Reads a variable that nobody but the annotation sets."""
    return env_of(body).get("EXTRA")


DEBUGGED = {f"{CONFIG}enable-debug-sidecar": "true"}


@dataclass(frozen=True)
class Case:
    """An annotation with a good value, where that shows, and what is there without it."""

    annotation: str
    text: str
    read: Reader
    value: Any
    default: Any = None
    line: str = EDGE
    beside: dict[str, str] = field(default_factory=dict)
    mesh: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case(f"{CONFIG}proxy-image", "example.org/p", lambda b: proxy_of(b)["image"], "example.org/p:v0", "l5d/proxy:v0"),
    Case(f"{CONFIG}proxy-version", "v9", lambda b: proxy_of(b)["image"], "l5d/proxy:v9", "l5d/proxy:v0"),
    Case(
        f"{CONFIG}proxy-version",
        "v9",
        lambda b: b["metadata"]["annotations"]["linkerd.io/proxy-version"],
        "v9",
        "v0",
    ),
    Case(f"{CONFIG}image-pull-policy", "Always", lambda b: proxy_of(b)["imagePullPolicy"], "Always", "IfNotPresent"),
    Case(
        f"{CONFIG}image-pull-policy",
        "Never",
        lambda b: init_of(b)["imagePullPolicy"],
        "Never",
        "IfNotPresent",
        line=STABLE,
    ),
    Case(
        f"{CONFIG}init-image",
        "example.org/i",
        lambda b: init_of(b)["image"],
        "example.org/i:v2",
        "example.org/proxy-init:v2",
        line=STABLE,
    ),
    Case(
        f"{CONFIG}init-image-version",
        "v7",
        lambda b: init_of(b)["image"],
        "example.org/proxy-init:v7",
        "example.org/proxy-init:v2",
        line=STABLE,
    ),
    Case(f"{CONFIG}control-port", "4290", env("CONTROL_LISTEN_ADDR"), "0.0.0.0:4290", "0.0.0.0:4190"),
    Case(f"{CONFIG}inbound-port", "4243", lambda b: proxy_of(b)["ports"][0]["containerPort"], 4243, 4143),
    Case(f"{CONFIG}inbound-port", "4243", argument("--incoming-proxy-port"), "4243", "4143"),
    Case(f"{CONFIG}admin-port", "4291", lambda b: proxy_of(b)["livenessProbe"]["httpGet"]["port"], 4291, 4191),
    Case(
        f"{CONFIG}admin-port",
        "4291",
        argument("--inbound-ports-to-ignore"),
        "4190,4291,4567,4568",
        "4190,4191,4567,4568",
    ),
    Case(f"{CONFIG}outbound-port", "4240", env("OUTBOUND_LISTEN_ADDR"), "127.0.0.1:4240", "127.0.0.1:4140"),
    Case(f"{CONFIG}pod-inbound-ports", "81,91", env("INBOUND_PORTS"), "81,91", "", line=STABLE),
    Case(f"{CONFIG}proxy-admin-shutdown", "enabled", env("SHUTDOWN_ENDPOINT_ENABLED"), "true", "false"),
    Case(
        f"{CONFIG}proxy-log-level",
        "debug",
        env("LOG"),
        "debug,[{headers}]=off,[{request}]=off",
        "warn,[{headers}]=off,[{request}]=off",
    ),
    Case(f"{CONFIG}proxy-log-http-headers", "insecure", env("LOG"), "warn", "warn,[{headers}]=off,[{request}]=off"),
    Case(f"{CONFIG}proxy-log-format", "json", env("LOG_FORMAT"), "json", "plain"),
    Case(f"{CONFIG}proxy-require-identity-inbound-ports", "80,90", env("INBOUND_PORTS_REQUIRE_IDENTITY"), "80,90"),
    Case(f"{CONFIG}proxy-metrics-hostname-labels", "t", env("OUTBOUND_METRICS_HOSTNAME_LABELS"), "true", "false"),
    Case(f"{CONFIG}proxy-outbound-connect-timeout", "1.5s", env("OUTBOUND_CONNECT_TIMEOUT"), "1500ms", "1000ms"),
    Case(f"{CONFIG}proxy-inbound-connect-timeout", "1m", env("INBOUND_CONNECT_TIMEOUT"), "60000ms", "100ms"),
    Case(
        f"{CONFIG}proxy-outbound-discovery-cache-unused-timeout",
        "1m30s",
        env("OUTBOUND_DISCOVERY_IDLE_TIMEOUT"),
        "90s",
        "5s",
    ),
    Case(
        f"{CONFIG}proxy-inbound-discovery-cache-unused-timeout",
        "2900ms",
        env("INBOUND_DISCOVERY_IDLE_TIMEOUT"),
        "2s",
        "90s",
    ),
    Case(f"{CONFIG}proxy-disable-outbound-protocol-detect-timeout", "1", env("OUTBOUND_DETECT_TIMEOUT"), "365d"),
    Case(f"{CONFIG}proxy-disable-inbound-protocol-detect-timeout", "TRUE", env("INBOUND_DETECT_TIMEOUT"), "365d"),
    Case(f"{CONFIG}shutdown-grace-period", "2m", env("SHUTDOWN_GRACE_PERIOD"), "120000ms"),
    Case(f"{CONFIG}enable-gateway", "true", env("INBOUND_GATEWAY_SUFFIXES"), "svc.cluster.local."),
    Case(f"{ALPHA}proxy-wait-before-exit-seconds", "7", sleep, "7", mesh={"proxy__nativeSidecar": False}),
    Case(f"{CONFIG}proxy-enable-native-sidecar", "false", is_native, False, True),
    Case(f"{BETA}proxy-enable-native-sidecar", "f", is_native, False, True),
    Case(f"{ALPHA}proxy-enable-native-sidecar", "0", is_native, False, True),
    Case(f"{CONFIG}proxy-cpu-request", "1500m", resource("requests", "cpu"), "1500m"),
    Case(f"{CONFIG}proxy-cpu-request", "1500m", env("CORES_MIN"), "2", "1"),
    Case(f"{CONFIG}proxy-cpu-limit", "2500m", resource("limits", "cpu"), "2500m"),
    Case(f"{CONFIG}proxy-cpu-limit", "2500m", env("CORES_MAX"), "3"),
    Case(f"{CONFIG}proxy-cpu-limit", "2500m", env("CORES"), "3", line=STABLE),
    Case(f"{CONFIG}proxy-cpu-ratio-limit", "0.25", env("CORES_MAX_RATIO"), "0.25"),
    Case(f"{CONFIG}proxy-memory-request", "20Mi", resource("requests", "memory"), "20Mi"),
    Case(f"{CONFIG}proxy-memory-limit", "1G", resource("limits", "memory"), "1G"),
    Case(f"{CONFIG}proxy-ephemeral-storage-request", "1Gi", resource("requests", "ephemeral-storage"), "1Gi"),
    Case(f"{CONFIG}proxy-ephemeral-storage-limit", "2e9", resource("limits", "ephemeral-storage"), "2e9"),
    Case(f"{CONFIG}proxy-uid", "2200", security("runAsUser"), 2200, 2102),
    Case(f"{CONFIG}proxy-uid", "2200", argument("--proxy-uid"), "2200", "2102"),
    Case(f"{CONFIG}proxy-gid", "2300", security("runAsGroup"), 2300),
    Case(f"{CONFIG}proxy-gid", "2300", argument("--proxy-gid"), "2300"),
    Case(f"{CONFIG}enable-external-profiles", "T", env("DESTINATION_PROFILE_SUFFIXES"), ".", "svc.cluster.local."),
    Case(
        f"{CONFIG}skip-inbound-ports",
        "22,8000-8010",
        argument("--inbound-ports-to-ignore"),
        "4190,4191,22,8000-8010",
        "4190,4191,4567,4568",
    ),
    Case(f"{CONFIG}skip-outbound-ports", "25", argument("--outbound-ports-to-ignore"), "25", "4567,4568"),
    Case(f"{CONFIG}opaque-ports", "9000", env("INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION"), "9000", "25,3306"),
    Case(
        f"{CONFIG}enable-debug-sidecar",
        "true",
        lambda b: names(b["spec"]["containers"]),
        ["app", "linkerd-debug"],
        ["app"],
    ),
    Case(f"{CONFIG}debug-image", "example.org/d", debug("image"), "example.org/d:v0", "l5d/debug:v0", beside=DEBUGGED),
    Case(f"{CONFIG}debug-image-version", "v3", debug("image"), "l5d/debug:v3", "l5d/debug:v0", beside=DEBUGGED),
    Case(
        f"{CONFIG}debug-image-pull-policy",
        "Always",
        debug("imagePullPolicy"),
        "Always",
        "IfNotPresent",
        beside=DEBUGGED,
    ),
    Case(f"{CONFIG}proxy-await", "disabled", lambda b: "startupProbe" in proxy_of(b), False, True),
    Case(f"{CONFIG}default-inbound-policy", "deny", env("INBOUND_DEFAULT_POLICY"), "deny", "all-unauthenticated"),
    Case(f"{CONFIG}default-inbound-policy", "audit", env("INBOUND_DEFAULT_POLICY"), "audit", "all-unauthenticated"),
    Case(f"{CONFIG}skip-subnets", "10.1.0.0/16", argument("--subnets-to-ignore"), "10.1.0.0/16"),
    Case(f"{CONFIG}access-log", "apache", env("ACCESS_LOG"), "apache"),
    Case(
        f"{CONFIG}close-wait-timeout",
        "1m1.9s",
        argument("--timeout-close-wait-secs"),
        "61",
        mesh={"proxyInit__runAsRoot": True},
    ),
    Case(f"{CONFIG}proxy-additional-env", '[{"name": "EXTRA", "value": "1"}]', added, "1"),
]

SHORT = {
    "linkerdVersion": "v0",
    "proxy__image__name": "l5d/proxy",
    "proxy__logLevel": "warn",
    "proxy__opaquePorts": "25,3306",
    "debugContainer__image": {"name": "l5d/debug"},
}


def using(case: Case) -> Any:
    """The injector for a case: short names where the line is edge's."""
    return injector(case.line, **({**SHORT, **case.mesh} if case.line == EDGE else case.mesh))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.annotation}-{case.line}")
class TestGoodValues:
    def test_on_the_pod_it_takes_effect_in_silence_and_with_its_source(self, case: Case) -> None:
        body = pod({**case.beside, case.annotation: case.text})
        answer = decide(body, using(case))
        assert case.read(patched(body, answer)) == case.value
        assert answer.warnings == []
        assert f"{case.annotation}={case.text} (pod)" in answer.audit["settings"]

    def test_without_it_the_mesh_decides(self, case: Case) -> None:
        assert case.read(inject(pod(dict(case.beside)), using(case))) == case.default


def test_there_is_a_case_for_every_annotation() -> None:
    assert {case.annotation for case in CASES} == {row.annotation for row in SETTINGS}


SWITCHES = [
    "enable-external-profiles",
    "enable-gateway",
    "enable-debug-sidecar",
    "proxy-metrics-hostname-labels",
    "proxy-disable-outbound-protocol-detect-timeout",
    "proxy-disable-inbound-protocol-detect-timeout",
]
TIMES = [
    ("proxy-outbound-connect-timeout", "1000ms"),
    ("proxy-inbound-connect-timeout", "100ms"),
    ("proxy-outbound-discovery-cache-unused-timeout", "5s"),
    ("proxy-inbound-discovery-cache-unused-timeout", "90s"),
    ("shutdown-grace-period", "none"),
    ("close-wait-timeout", "0"),
]
QUANTITIES = ["cpu-request", "cpu-limit", "memory-request", "memory-limit", "ephemeral-storage-request"]
POLICIES = "all-unauthenticated, all-authenticated, cluster-unauthenticated, cluster-authenticated, deny"

# annotation, a value that is no good, what is wanted, what is used
BAD = [
    *[(f"{CONFIG}{name}", "yes", "true or false", "false") for name in SWITCHES],
    *[(f"{CONFIG}{name}", "5", "a duration such as 300ms, 1.5s or 1h30m", used) for name, used in TIMES],
    *[(f"{CONFIG}proxy-{name}", "1 Gi", "a quantity such as 100m, 0.5, 64Mi or 1G", "none") for name in QUANTITIES],
    (f"{CONFIG}proxy-ephemeral-storage-limit", "lots", "a quantity such as 100m, 0.5, 64Mi or 1G", "none"),
    (f"{CONFIG}control-port", "http", "a whole number of 32 bits", "4190"),
    (f"{CONFIG}inbound-port", "4143.0", "a whole number of 32 bits", "4143"),
    (f"{CONFIG}admin-port", "", "a whole number of 32 bits", "4191"),
    (f"{CONFIG}outbound-port", "99999999999", "a whole number of 32 bits", "4140"),
    (f"{CONFIG}proxy-admin-shutdown", "true", "enabled or disabled", "false"),
    (f"{CONFIG}proxy-await", "Enabled", "enabled or disabled", "true"),
    (f"{ALPHA}proxy-wait-before-exit-seconds", "-1", "a whole number, zero or more", "0"),
    (f"{CONFIG}proxy-enable-native-sidecar", "on", "true or false", "true"),
    (f"{BETA}proxy-enable-native-sidecar", "on", "true or false", "true"),
    (f"{ALPHA}proxy-enable-native-sidecar", "on", "true or false", "true"),
    (f"{CONFIG}proxy-cpu-ratio-limit", "1", "a number between 0 and 1, neither included", "0.0"),
    (f"{CONFIG}proxy-cpu-ratio-limit", "nan", "a number between 0 and 1, neither included", "0.0"),
    (f"{CONFIG}proxy-cpu-ratio-limit", "half", "a number", "0.0"),
    (f"{CONFIG}proxy-uid", "root", "a whole number of 64 bits", "2102"),
    (f"{CONFIG}proxy-gid", "0x10", "a whole number of 64 bits", "-1"),
    (f"{CONFIG}default-inbound-policy", "open", f"one of {POLICIES}, audit", "all-unauthenticated"),
]


@pytest.mark.parametrize(("annotation", "text", "wanted", "used"), BAD)
class TestBadValues:
    def test_the_warning_names_annotation_value_what_is_allowed_and_what_is_used(
        self, annotation: str, text: str, wanted: str, used: str
    ) -> None:
        answer = decide(pod({annotation: text}))
        assert answer.decision == "injected"
        assert answer.warnings == [
            f'{annotation} is "{text}", not {wanted}: the mesh\'s default counts ({used}) (inject-setting)'
        ]
        assert "settings" not in answer.audit

    def test_the_containers_are_as_without_the_annotation(
        self, annotation: str, text: str, wanted: str, used: str
    ) -> None:
        assert inject(pod({annotation: text}))["spec"] == inject(pod())["spec"]

    def test_on_the_pod_it_hides_the_namespaces_good_one(
        self, annotation: str, text: str, wanted: str, used: str
    ) -> None:
        good = next(case for case in CASES if case.annotation == annotation)
        answer = decide(pod({annotation: text}), namespace={annotation: good.text})
        assert answer.warnings == [
            f'{annotation} is "{text}", not {wanted}: the mesh\'s default counts ({used}) (inject-setting)'
        ]
        assert patched(pod({annotation: text}), answer)["spec"] == inject(pod())["spec"]


def test_there_is_a_bad_value_for_every_annotation_that_can_have_one() -> None:
    # Read by grammars of their own, or texts of any kind.
    free = {row.annotation for row in SETTINGS if row.read.__name__ == "_plain"}
    assert {row[0] for row in BAD} == {row.annotation for row in SETTINGS} - free


class TestEmptyValues:
    """An empty value is no value for these, and a bad one for the others."""

    @pytest.mark.parametrize("name", ["enable-debug-sidecar", "close-wait-timeout", "proxy-additional-env"])
    def test_they_have_no_effect_and_no_warning(self, name: str) -> None:
        answer = decide(pod({f"{CONFIG}{name}": ""}))
        assert answer.warnings == []
        assert "settings" not in answer.audit

    @pytest.mark.parametrize(
        ("name", "variable"),
        [("proxy-log-format", "LOG_FORMAT"), ("opaque-ports", "INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION")],
    )
    def test_a_text_may_be_empty(self, name: str, variable: str) -> None:
        assert not env(variable)(inject(pod({f"{CONFIG}{name}": ""})))
