"""Where settings come from: the Pod, its Namespace, the mesh; and what is said about those that are odd or unknown."""

from __future__ import annotations

import pytest

from tests.unit.injector.builders import (
    ALPHA,
    BETA,
    CONFIG,
    EDGE,
    ENABLED,
    INJECT,
    LINES,
    STABLE,
    decide,
    env_of,
    init_of,
    inject,
    injector,
    names,
    patched,
    pod,
    proxy_of,
    release,
)
from webhook.injector.settings import SETTINGS
from webhook.review import shorten

# What a Pod does not get from its Namespace, and what only one line reads.
NOT_INHERITED = {
    f"{CONFIG}enable-gateway",
    f"{BETA}proxy-enable-native-sidecar",
    f"{CONFIG}proxy-cpu-ratio-limit",
    f"{CONFIG}debug-image",
    f"{CONFIG}debug-image-version",
    f"{CONFIG}debug-image-pull-policy",
    f"{CONFIG}close-wait-timeout",
}
EDGE_ALONE = {
    f"{CONFIG}{name}"
    for name in (
        "proxy-gid",
        "proxy-admin-shutdown",
        "proxy-log-http-headers",
        "proxy-metrics-hostname-labels",
        "proxy-outbound-discovery-cache-unused-timeout",
        "proxy-inbound-discovery-cache-unused-timeout",
        "proxy-disable-outbound-protocol-detect-timeout",
        "proxy-disable-inbound-protocol-detect-timeout",
        "proxy-enable-native-sidecar",
        "proxy-cpu-ratio-limit",
        "proxy-additional-env",
    )
} | {f"{BETA}proxy-enable-native-sidecar", f"{ALPHA}proxy-enable-native-sidecar"}
STABLE_ALONE = {f"{CONFIG}init-image", f"{CONFIG}init-image-version"}
INHERITED = [
    (line, row.annotation, row.annotation not in NOT_INHERITED | foreign)
    for line, foreign in ((EDGE, STABLE_ALONE), (STABLE, EDGE_ALONE))
    for row in SETTINGS
]


class TestInheritance:
    @pytest.mark.parametrize(("line", "annotation", "inherited"), INHERITED)
    def test_a_pod_is_given_what_its_namespace_may_decide(self, line: str, annotation: str, inherited: bool) -> None:
        # Text that every grammar refuses still is inherited: an annotation is.
        text = "insecure" if annotation.endswith("http-headers") else "?"
        got = inject(pod(), injector(line), namespace={annotation: text})
        assert (got["metadata"]["annotations"].get(annotation) == text) is inherited

    @pytest.mark.parametrize("line", LINES)
    def test_a_pods_own_annotation_wins(self, line: str) -> None:
        log_level = f"{CONFIG}proxy-log-level"
        answer = decide(pod({log_level: "debug"}), injector(line), namespace={log_level: "trace"})
        got = patched(pod({log_level: "debug"}), answer)
        assert env_of(got)["LINKERD2_PROXY_LOG"].startswith("debug")
        assert got["metadata"]["annotations"][log_level] == "debug"
        assert answer.audit["settings"] == "config.linkerd.io/proxy-log-level=debug (pod)"

    @pytest.mark.parametrize("line", LINES)
    def test_the_audit_log_tells_each_source(self, line: str) -> None:
        answer = decide(
            pod({f"{CONFIG}proxy-uid": "3000"}), injector(line), namespace={f"{CONFIG}proxy-log-format": "json"}
        )
        assert answer.audit["settings"] == (
            "config.linkerd.io/proxy-log-format=json (namespace); config.linkerd.io/proxy-uid=3000 (pod)"
        )

    def test_a_bad_one_of_the_namespace_falls_to_the_mesh_with_a_warning(self) -> None:
        answer = decide(pod(), namespace={f"{CONFIG}proxy-uid": "root"})
        assert answer.warnings == [
            'config.linkerd.io/proxy-uid on Namespace shop is "root", not a whole number of 64 bits: '
            "the mesh's default counts (2102) (inject-setting)"
        ]
        assert patched(pod(), answer)["metadata"]["annotations"][f"{CONFIG}proxy-uid"] == "root"

    def test_the_namespaces_inject_annotation_is_written_on_the_pod(self) -> None:
        body = pod()
        body["metadata"]["annotations"] = {}
        assert inject(body, namespace=ENABLED)["metadata"]["annotations"][INJECT] == "enabled"

    def test_other_annotations_of_the_namespace_stay_there(self) -> None:
        got = inject(pod(), namespace={"team": "shop", "config.linkerd.io/nonsense": "x"})
        assert not {"team", "config.linkerd.io/nonsense"} & set(got["metadata"]["annotations"])


class TestIngress:
    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        ("pod_value", "namespace", "ingress"),
        [
            ("ingress", None, True),
            ("enabled", "ingress", False),
            ("enabled", None, False),
            (None, "ingress", True),
            ("ingress", "enabled", True),
        ],
    )
    def test_the_proxy_is_in_ingress_mode_where_the_pods_own_or_inherited_annotation_says_so(
        self, line: str, pod_value: str | None, namespace: str | None, ingress: bool
    ) -> None:
        body = pod()
        body["metadata"]["annotations"] = {} if pod_value is None else {INJECT: pod_value}
        got = inject(body, injector(line), namespace={} if namespace is None else {INJECT: namespace})
        assert ("LINKERD2_PROXY_INGRESS_MODE" in env_of(got)) is ingress


class TestNativeSidecarAnnotations:
    STABLE_NAME, BETA_NAME, ALPHA_NAME = (f"{p}proxy-enable-native-sidecar" for p in (CONFIG, BETA, ALPHA))

    @pytest.mark.parametrize(
        ("annotations", "native"),
        [
            ({STABLE_NAME: "false", BETA_NAME: "true", ALPHA_NAME: "true"}, False),
            ({BETA_NAME: "false", ALPHA_NAME: "true"}, False),
            ({ALPHA_NAME: "false"}, False),
            ({STABLE_NAME: "true", ALPHA_NAME: "false"}, True),
            ({STABLE_NAME: "bad", BETA_NAME: "false"}, True),
            ({}, True),
        ],
    )
    def test_the_most_stable_name_hides_the_others_even_when_it_is_bad(
        self, annotations: dict[str, str], native: bool
    ) -> None:
        assert ("linkerd-proxy" in names(inject(pod(annotations))["spec"]["initContainers"])) is native


class TestOddValues:
    """What parses is taken verbatim, with a warning that says what should be."""

    @pytest.mark.parametrize(
        ("name", "text", "should_be"),
        [
            ("proxy-uid", "-1", "an id above 0, for the proxy never runs as root"),
            ("proxy-uid", "0", "an id above 0, for the proxy never runs as root"),
            ("proxy-gid", "-5", "an id of 0 or more"),
            ("control-port", "70000", "a port from 1 to 65535"),
            ("inbound-port", "0", "a port from 1 to 65535"),
            ("admin-port", "-1", "a port from 1 to 65535"),
            ("outbound-port", "65536", "a port from 1 to 65535"),
            ("proxy-outbound-connect-timeout", "-1s", "a duration of 0 or more"),
            ("proxy-inbound-connect-timeout", "-1s", "a duration of 0 or more"),
            ("proxy-outbound-discovery-cache-unused-timeout", "-9s", "a duration of 0 or more"),
            ("proxy-inbound-discovery-cache-unused-timeout", "-9s", "a duration of 0 or more"),
            ("shutdown-grace-period", "-1m", "a duration of 0 or more"),
            ("proxy-cpu-request", "-1", "a quantity above 0"),
            ("proxy-cpu-limit", "0", "a quantity above 0"),
            ("proxy-memory-request", "0Mi", "a quantity above 0"),
            ("proxy-memory-limit", "-1Gi", "a quantity above 0"),
            ("proxy-ephemeral-storage-request", "-1", "a quantity above 0"),
            ("proxy-ephemeral-storage-limit", "0", "a quantity above 0"),
            ("proxy-require-identity-inbound-ports", "http", "ports and ranges with commas between"),
            ("image-pull-policy", "Sometimes", "Always, IfNotPresent or Never"),
            ("proxy-log-format", "xml", "plain or json"),
            ("access-log", "nginx", "apache or json"),
        ],
    )
    def test_the_warning_says_what_should_be(self, name: str, text: str, should_be: str) -> None:
        answer = decide(pod({f"{CONFIG}{name}": text}))
        assert answer.warnings == [
            f'{CONFIG}{name} is "{text}", which Linkerd takes as it is: write {should_be} (inject-setting)'
        ]
        assert answer.audit["settings"] == f"{CONFIG}{name}={text} (pod)"

    def test_a_port_that_is_none_is_used(self) -> None:
        got = inject(pod({f"{CONFIG}inbound-port": "70000", f"{CONFIG}control-port": "-1"}))
        assert proxy_of(got)["ports"][0] == {"containerPort": 70000, "name": "linkerd-proxy"}
        assert env_of(got)["LINKERD2_PROXY_CONTROL_LISTEN_ADDR"] == "0.0.0.0:-1"

    def test_a_user_that_is_none_is_used(self) -> None:
        got = inject(pod({f"{CONFIG}proxy-uid": "-1"}))
        assert proxy_of(got)["securityContext"]["runAsUser"] == -1
        assert "-1" in init_of(got)["args"]

    def test_a_negative_group_is_no_group(self) -> None:
        got = inject(pod({f"{CONFIG}proxy-gid": "-5"}))
        assert "runAsGroup" not in proxy_of(got)["securityContext"]
        assert "--proxy-gid" not in init_of(got)["args"]

    @pytest.mark.parametrize(
        ("text", "written"), [("-300ms", "-300ms"), ("-1s", "-1000ms"), ("1h1h", "7200000ms"), ("1ns", "0ms")]
    )
    def test_a_duration_is_written_in_milliseconds(self, text: str, written: str) -> None:
        got = inject(pod({f"{CONFIG}proxy-inbound-connect-timeout": text}))
        assert env_of(got)["LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT"] == written

    def test_a_port_of_seven_digits_is_written_as_go_writes_it(self) -> None:
        got = inject(pod({f"{CONFIG}admin-port": "1000000"}))
        assert env_of(got)["LINKERD2_PROXY_ADMIN_LISTEN_ADDR"] == "0.0.0.0:1e+06"
        assert proxy_of(got)["ports"][1]["containerPort"] == 1_000_000


class TestUnknownAnnotations:
    @pytest.mark.parametrize(
        ("annotation", "closest"),
        [
            ("config.linkerd.io/proxy-log-levle", "config.linkerd.io/proxy-log-level"),
            ("config.linkerd.io/opaque-port", "config.linkerd.io/opaque-ports"),
            (
                "config.linkerd.io/proxy-wait-before-exit-seconds",
                "config.alpha.linkerd.io/proxy-wait-before-exit-seconds",
            ),
        ],
    )
    def test_the_warning_has_the_closest_known_name(self, annotation: str, closest: str) -> None:
        assert decide(pod({annotation: "x"})).warnings == [
            f"Linkerd does not read {annotation}: did you mean {closest}? (inject-unknown-annotation)"
        ]

    def test_where_nothing_is_close_the_warning_says_no_more(self) -> None:
        assert (
            decide(pod({"config.beta.linkerd.io/zzz": "x"}))
            .warnings[0]
            .startswith("Linkerd does not read config.beta.linkerd.io/zzz: unknown annotation, remove it")
        )

    def test_a_name_of_any_length_is_cut(self) -> None:
        answer = decide(pod({f"config.linkerd.io/{'z' * 1000}": "x"}))
        (warning,) = shorten(answer.warnings)
        assert len(warning) == 256
        assert warning.startswith("Linkerd does not read config.linkerd.io/zzz")
        assert warning.endswith("zzz: unknown annotation, remove it (inject-unknown-annotation)")

    @pytest.mark.parametrize(
        "annotation",
        [
            "config.linkerd.io/trace-collector",
            "config.alpha.linkerd.io/trace-collector-service-account",
            "config.linkerd.io/admission-webhooks",
            "linkerd.io/anything",
            "config.example.org/proxy-uid",
            "prometheus.io/scrape",
            "config",
        ],
    )
    def test_annotations_of_others_are_no_concern(self, annotation: str) -> None:
        assert decide(pod({annotation: "x"})).warnings == []


class TestLines:
    @pytest.mark.parametrize(
        ("line", "annotation"), [*((STABLE, a) for a in sorted(EDGE_ALONE)), *((EDGE, a) for a in sorted(STABLE_ALONE))]
    )
    def test_what_only_another_line_knows_is_said_to_have_no_effect(self, line: str, annotation: str) -> None:
        answer = decide(pod({annotation: "1"}), injector(line))
        (warning,) = answer.warnings
        when = "came with edge-2" if line == STABLE else "was removed with edge-25.11.3 (version-2.20)"
        assert warning.startswith(f"{annotation} {when}")
        assert warning.endswith(f", so it has no effect in {line}: remove it (inject-unknown-annotation)")
        assert patched(pod({annotation: "1"}), answer)["spec"] == inject(pod(), injector(line))["spec"]

    @pytest.mark.parametrize(
        ("line", "annotation", "says"),
        [
            ("stable-2.13.2", f"{CONFIG}proxy-inbound-discovery-cache-unused-timeout",
             "came with edge-23.5.1 (stable-2.13.4), so it has no effect in stable-2.13.2: remove it"),
            ("version-2.15", f"{CONFIG}proxy-gid",
             "came with edge-24.5.4 (version-2.16), so it has no effect in version-2.15: remove it"),
            ("version-2.16", f"{CONFIG}proxy-enable-native-sidecar",
             "came with edge-26.5.2 (version-2.20), so it has no effect in version-2.16: "
             "write config.alpha.linkerd.io/proxy-enable-native-sidecar"),
            ("version-2.20", f"{CONFIG}init-image-version",
             "was removed with edge-25.11.3 (version-2.20), so it has no effect in version-2.20: remove it"),
        ],
    )  # fmt: skip
    def test_the_release_that_an_annotation_came_or_went_with_is_named(
        self, line: str, annotation: str, says: str
    ) -> None:
        answer = decide(pod({annotation: "1"}), release(line))
        assert answer.warnings == [f"{annotation} {says} (inject-unknown-annotation)"]

    @pytest.mark.parametrize(
        ("line", "name", "when"),
        [
            (STABLE, "debug-image", "came with edge-25.3.3 (version-2.18)"),
            (STABLE, "debug-image-version", "came with edge-25.3.3 (version-2.18)"),
            (STABLE, "debug-image-pull-policy", "came with edge-25.3.3 (version-2.18)"),
            (EDGE, "pod-inbound-ports", "was removed with edge-24.4.2 (version-2.16)"),
        ],
    )
    def test_what_a_line_reads_in_vain_is_said_too(self, line: str, name: str, when: str) -> None:
        annotations = {f"{CONFIG}{name}": "Always", f"{CONFIG}enable-debug-sidecar": "true"}
        without = {f"{CONFIG}enable-debug-sidecar": "true"}
        answer = decide(pod(annotations), injector(line))
        assert answer.warnings == [f"{CONFIG}{name} {when}, so it has no effect in {line}: remove it (inject-setting)"]
        assert patched(pod(annotations), answer)["spec"] == inject(pod(without), injector(line))["spec"]

    def test_the_audit_policy_is_known_to_edge_alone(self) -> None:
        answer = decide(pod({f"{CONFIG}default-inbound-policy": "audit"}), injector(STABLE))
        assert answer.warnings == [
            'config.linkerd.io/default-inbound-policy is "audit", not one of all-unauthenticated, all-authenticated, '
            "cluster-unauthenticated, cluster-authenticated, deny, as audit came with edge-24.7.3 (version-2.16): the "
            "mesh's default counts (all-unauthenticated) (inject-setting)"
        ]


class TestCores:
    @pytest.mark.parametrize(
        ("line", "annotations", "expected"),
        [
            (EDGE, {}, {"CORES": "1", "CORES_MIN": "1"}),
            (EDGE, {"cpu-request": "2500m"}, {"CORES": "3", "CORES_MIN": "3"}),
            (EDGE, {"cpu-limit": "4"}, {"CORES": "1", "CORES_MIN": "1", "CORES_MAX": "4"}),
            (EDGE, {"cpu-request": "2", "cpu-limit": "4"}, {"CORES": "2", "CORES_MIN": "2", "CORES_MAX": "4"}),
            (EDGE, {"cpu-ratio-limit": "0.5"}, {"CORES": "1", "CORES_MIN": "1", "CORES_MAX_RATIO": "0.5"}),
            (STABLE, {}, {}),
            (STABLE, {"cpu-request": "2"}, {}),
            (STABLE, {"cpu-limit": "1500m"}, {"CORES": "2"}),
        ],
    )
    def test_they_follow_the_cpu_quantities(
        self, line: str, annotations: dict[str, str], expected: dict[str, str]
    ) -> None:
        got = env_of(inject(pod({f"{CONFIG}proxy-{k}": v for k, v in annotations.items()}), injector(line)))
        prefix = "LINKERD2_PROXY_CORES"
        assert {k: v for k, v in got.items() if k.startswith(prefix)} == {
            f"LINKERD2_PROXY_{k}": v for k, v in expected.items()
        }

    def test_cores_in_the_values_win_at_edge(self) -> None:
        got = env_of(inject(pod({f"{CONFIG}proxy-cpu-limit": "4"}), injector(proxy__cores=2)))
        assert (got["LINKERD2_PROXY_CORES"], got["LINKERD2_PROXY_CORES_MIN"]) == ("2", "2")
        assert "LINKERD2_PROXY_CORES_MAX" not in got

    @pytest.mark.parametrize(
        ("workers", "expected"),
        [
            ({}, {}),
            ({"maximum": 4}, {"CORES": "1", "CORES_MIN": "1", "CORES_MAX": "4"}),
            ({"maximumCPURatio": 0.5}, {"CORES": "1", "CORES_MIN": "1", "CORES_MAX_RATIO": "0.5"}),
            ({"minimum": 3, "maximum": 2}, {"CORES": "3", "CORES_MIN": "3", "CORES_MAX": "2"}),
        ],
    )
    def test_workers_of_the_values_are_told(self, workers: dict[str, float], expected: dict[str, str]) -> None:
        got = env_of(inject(pod(), injector(proxy__runtime={"workers": workers})))
        assert {k: v for k, v in got.items() if "_CORES" in k} == {
            f"LINKERD2_PROXY_{k}": v for k, v in expected.items()
        }


@pytest.mark.parametrize(("annotations", "told"), [({}, "8080"), ({f"{CONFIG}pod-inbound-ports": ""}, "")])
def test_an_empty_list_of_inbound_ports_hides_those_that_the_pod_has(annotations: dict[str, str], told: str) -> None:
    """Also an empty one was written by somebody."""
    body = pod(annotations, containers=[{"name": "app", "ports": [{"containerPort": 8080}]}])
    assert env_of(inject(body, injector(STABLE)))["LINKERD2_PROXY_INBOUND_PORTS"] == told
