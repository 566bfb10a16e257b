"""What refuses an injection, and that nobody else is bothered by it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.injector.builders import (
    CONFIG,
    EDGE,
    INJECT,
    LINES,
    SERVICE_ACCOUNT,
    STABLE,
    container,
    decide,
    injector,
    pod,
)
from webhook.review import JSON

TRACING = {"endpoint": "c:1", "meshIdentity": {"serviceAccountName": "c", "namespace": "n"}}


def tracing(**collector: Any) -> JSON:
    """Values of a mesh that traces, with this of its collector changed."""
    return {"proxy__tracing": {"enabled": True, "collector": {**TRACING, **collector}}}


def incomplete(path: str) -> str:
    """What is said where tracing lacks this."""
    return (
        f"values: proxy.tracing.collector.{path} is empty, and tracing is enabled: set it, or set "
        "proxy.tracing.enabled to false"
    )


def missing(section: str) -> str:
    """What is said where the values lack a section."""
    return (
        f"values: {section} is missing, and no Pod can be injected without it: restore it in the linkerd-config "
        "ConfigMap (`linkerd upgrade` writes it anew)"
    )


CIDR = "is not a network such as 10.0.0.0/8: write networks with commas between and nothing else"
IPTABLES = 'values: proxyInit.iptablesMode is "{}", and must be nft or legacy: set it with `linkerd upgrade`'

# lines, what is changed in the mesh, the identifier, the message
BY_THE_MESH = [
    (LINES, {"clusterNetworks": "10.0.0.0"}, "values_invalid", f'values: clusterNetworks: "10.0.0.0" {CIDR}'),
    (
        LINES,
        {"anchors": b""},
        "values_invalid",
        "the trust anchors are empty, and no proxy gets an identity without one: give a certificate in PEM",
    ),
    (LINES, {"proxyInit__iptablesMode": "bpf"}, "unknown_iptables_mode", IPTABLES.format("bpf")),
    (LINES, {"proxyInit__iptablesMode": "NFT"}, "unknown_iptables_mode", IPTABLES.format("NFT")),
    (LINES, {"proxyInit__iptablesMode": ...}, "unknown_iptables_mode", IPTABLES.format("")),
    (LINES, {"proxyInit__iptablesMode": "x" * 99}, "unknown_iptables_mode", IPTABLES.format("x" * 40)),
    ((EDGE,), tracing(endpoint=""), "tracing_incomplete", incomplete("endpoint")),
    (
        (EDGE,),
        tracing(meshIdentity={"serviceAccountName": "", "namespace": "n"}),
        "tracing_incomplete",
        incomplete("meshIdentity.serviceAccountName"),
    ),
    (
        (EDGE,),
        tracing(meshIdentity={"serviceAccountName": "c"}),
        "tracing_incomplete",
        incomplete("meshIdentity.namespace"),
    ),
    (
        (EDGE,),
        tracing(meshIdentity=None),
        "tracing_incomplete",
        incomplete("meshIdentity.serviceAccountName"),
    ),
    ((EDGE,), {"proxy__tracing": {"enabled": True}}, "tracing_incomplete", incomplete("endpoint")),
    *[
        (LINES, {section.replace(".", "__"): ...}, "values_incomplete", missing(section))
        for section in ("proxy", "proxyInit", "identity", "proxy.image", "proxy.ports", "proxyInit.xtMountPath")
    ],
    *[
        ((EDGE,), {section.replace(".", "__"): ...}, "values_incomplete", missing(section))
        for section in ("proxy.livenessProbe", "proxy.readinessProbe", "proxy.metrics", "proxy.resources")
    ],
    ((EDGE,), {"cniEnabled": True, "networkValidator": ...}, "values_incomplete", missing("networkValidator")),
    ((STABLE,), {"proxyInit__image": ...}, "values_incomplete", missing("proxyInit.image")),
    ((STABLE,), {"proxyInit__resources": ...}, "values_incomplete", missing("proxyInit.resources")),
]
CASES = [(line, *rest) for lines, *rest in BY_THE_MESH for line in lines]


@pytest.mark.parametrize(("line", "changed", "reason", "message"), CASES)
class TestByTheMesh:
    def test_an_injection_is_refused_as_the_servers_fault(
        self, line: str, changed: JSON, reason: str, message: str
    ) -> None:
        # With a token of its own: without `identity` in the values, a Pod that has none is skipped.
        mount = {"name": "t", "mountPath": SERVICE_ACCOUNT}
        answer = decide(pod(containers=[container(volumeMounts=[mount])]), injector(line, **changed))
        assert (answer.allowed, answer.patch, answer.decision) == (False, None, "denied")
        assert (answer.code, answer.status_reason) == (500, "InternalError")
        assert answer.reason == reason
        assert answer.message == message
        assert answer.audit == {"decision": "denied", "reason": f"{reason}: {message}"}

    def test_it_is_known_before_the_first_pod(self, line: str, changed: JSON, reason: str, message: str) -> None:
        refusal = injector(line, **changed).refusal
        assert refusal is not None
        assert (refusal.reason, refusal.message) == (reason, message)

    def test_whoever_is_skipped_is_still_allowed(self, line: str, changed: JSON, reason: str, message: str) -> None:
        using = injector(line, **changed)
        bystanders: list[JSON] = [
            pod({INJECT: "disabled"}),
            pod(hostNetwork=True),
            {**pod(), "metadata": {"name": "p"}},
            {"kind": "Service", "metadata": {"name": "s"}},
            {"kind": "ConfigMap"},
        ]
        for body in bystanders:
            assert decide(body, using).allowed, body


class TestByThePod:
    HEADERS = f"{CONFIG}proxy-log-http-headers"
    CLOSE_WAIT = f"{CONFIG}close-wait-timeout"

    @pytest.mark.parametrize("value", ["on", "Insecure", "OFF", "x" * 100])
    @pytest.mark.parametrize("where", ["pod", "namespace"])
    def test_headers_are_logged_insecurely_or_not_at_all(self, value: str, where: str) -> None:
        annotations = {self.HEADERS: value}
        answer = decide(pod(annotations), namespace={}) if where == "pod" else decide(pod(), namespace=annotations)
        assert (answer.allowed, answer.code, answer.status_reason) == (False, 400, "BadRequest")
        assert answer.reason == "invalid_log_http_headers"
        assert answer.message == (
            f'config.linkerd.io/proxy-log-http-headers is "{value[:60]}", and must be insecure or off: correct the '
            "annotation on the Pod or its Namespace, or proxy.logHTTPHeaders in the values"
        )

    @pytest.mark.parametrize("value", ["insecure", "off", ""])
    def test_these_are_no_reason(self, value: str) -> None:
        assert decide(pod({self.HEADERS: value})).decision == "injected"

    def test_in_the_values_it_refuses_those_that_do_not_say_better(self) -> None:
        using = injector(proxy__logHTTPHeaders="all")
        assert decide(pod(), using).reason == "invalid_log_http_headers"
        assert decide(pod({self.HEADERS: "off"}), using).decision == "injected"
        assert decide(pod({INJECT: "disabled"}), using).decision == "skipped"

    def test_a_close_wait_timeout_needs_root(self) -> None:
        answer = decide(pod({self.CLOSE_WAIT: "30s"}))
        assert (answer.allowed, answer.code, answer.reason) == (False, 400, "close_wait_needs_root")
        assert answer.message == (
            "config.linkerd.io/close-wait-timeout (or proxyInit.closeWaitTimeoutSecs) needs proxyInit.runAsRoot: set "
            "that to true in the values, or remove the timeout"
        )

    def test_in_the_values_it_does_too(self) -> None:
        using = injector(proxyInit__closeWaitTimeoutSecs=5)
        assert decide(pod(), using).reason == "close_wait_needs_root"
        assert decide(pod({self.CLOSE_WAIT: "0s"}), using).decision == "injected"

    @pytest.mark.parametrize(
        ("value", "options"),
        [
            ("30s", {"proxyInit__runAsRoot": True}),
            ("900ms", {}),
            ("soon", {}),
            ("30s", {"cniEnabled": True}),
        ],
    )
    def test_a_timeout_that_comes_to_nothing_is_no_reason(self, value: str, options: JSON) -> None:
        assert decide(pod({self.CLOSE_WAIT: value}), injector(**options)).decision == "injected"

    def test_at_stable_it_makes_root_of_the_init_container(self) -> None:
        assert decide(pod({self.CLOSE_WAIT: "30s"}), injector(STABLE)).decision == "injected"

    def test_stable_knows_nothing_of_headers(self) -> None:
        assert decide(pod({self.HEADERS: "on"}), injector(STABLE)).decision == "injected"

    def test_a_debug_container_needs_an_image_in_the_values(self) -> None:
        debugged = pod({f"{CONFIG}enable-debug-sidecar": "true"})
        cases: tuple[tuple[str, dict[str, Any]], ...] = (
            ("debugContainer", {"debugContainer": ...}),
            ("debugContainer.image", {"debugContainer__image": ...}),
        )
        for section, changed in cases:
            using = injector(**changed)
            assert decide(debugged, using).message == missing(section)
            assert decide(pod(), using).decision == "injected"

    def test_a_native_sidecar_that_is_waited_for_needs_its_startup_probe(self) -> None:
        using = injector(proxy__startupProbe=...)
        assert decide(pod(), using).message == missing("proxy.startupProbe")
        assert decide(pod({f"{CONFIG}proxy-await": "disabled"}), using).decision == "injected"

    def test_a_refusal_wins_over_a_value_that_falls_back(self) -> None:
        answer = decide(pod({self.HEADERS: "on", f"{CONFIG}proxy-uid": "x"}))
        assert answer.reason == "invalid_log_http_headers"

    def test_metrics_learn_of_it(self) -> None:
        assert decide(pod({self.HEADERS: "on"})).facts == {"owner_kind": "pod", "annotation_at": "workload"}
