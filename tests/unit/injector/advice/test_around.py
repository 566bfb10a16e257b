"""What there is to say about a Pod's containers, its kind and its Namespace once a proxy stands beside them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.injector.builders import (
    ALPHA,
    CONFIG,
    EDGE,
    ENABLED,
    LINES,
    STABLE,
    container,
    decide,
    injector,
    pod,
)
from webhook.advice import about
from webhook.findings.finding import Finding
from webhook.injector.advice.objects import Advisor
from webhook.kube.objects import Namespace

NATIVE = f"{CONFIG}proxy-enable-native-sidecar"
ENFORCE = "pod-security.kubernetes.io/enforce"
ADMISSION = "config.linkerd.io/admission-webhooks"


def said(body: Any, line: str = EDGE, **options: Any) -> list[str]:
    """The warnings about a Pod, in values given as for `injector`."""
    given = {key: options.pop(key) for key in ("namespace", "labels", "workload") if key in options}
    return decide(body, injector(line, **options), **given).warnings


def about_namespace(annotations: dict[str, str], labels: dict[str, str], name: str = "shop") -> list[Finding]:
    """What is said about a Namespace."""
    body = {"kind": "Namespace", "metadata": {"name": name, "annotations": annotations, "labels": labels}}
    return about(Advisor(injector()), "namespace", body, (), None)


class TestTheProxysUser:
    PAST = f"so its traffic bypasses the proxy, in plain text: write another runAsUser, or another {CONFIG}proxy-uid"

    @pytest.mark.parametrize("line", LINES)
    def test_a_container_that_has_the_proxys_uid_is_told(self, line: str) -> None:
        body = pod(containers=[container("web"), container("job", securityContext={"runAsUser": 2102})])
        assert said(body, line) == [
            f"container job has the proxy's uid 2102, {self.PAST} [spec.containers[1].securityContext.runAsUser] "
            "(inject-proxy-uid)"
        ]

    def test_one_that_the_pod_gives_counts_unless_the_container_has_its_own(self) -> None:
        containers = [container("web"), container("job", securityContext={"runAsUser": 5})]
        body = pod({f"{CONFIG}proxy-uid": "1000"}, securityContext={"runAsUser": 1000}, containers=containers)
        (warning,) = said(body)
        assert warning.startswith("container web has the proxy's uid 1000")
        assert "[spec.securityContext.runAsUser]" in warning

    def test_an_init_container_counts_where_it_runs_beside_the_proxy(self) -> None:
        first = container("first", securityContext={"runAsUser": 2102})
        assert said(pod({NATIVE: "false"}, initContainers=[first])) == []
        assert len(said(pod({NATIVE: "true"}, initContainers=[first]))) == 1
        assert len(said(pod({NATIVE: "false"}, initContainers=[{**first, "restartPolicy": "Always"}]))) == 1

    def test_a_group_that_the_proxy_has_counts_as_well(self) -> None:
        body = pod({f"{CONFIG}proxy-gid": "5"}, securityContext={"runAsGroup": 5})
        (warning,) = said(body)
        assert "has the proxy's gid 5" in warning

    def test_others_are_passed_over(self) -> None:
        assert said(pod(securityContext={"runAsUser": 1000, "runAsGroup": 2102})) == []
        assert said(pod(securityContext={"runAsUser": 0}, containers=[container(securityContext={})])) == []


class TestPorts:
    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        ("port", "name"), [(4190, "control"), (4191, "admin"), (4143, "inbound"), (4140, "outbound")]
    )
    def test_a_port_that_the_proxy_takes_is_told_with_what_moves_the_proxys(
        self, line: str, port: int, name: str
    ) -> None:
        body = pod(containers=[container("mail", ports=[{"containerPort": 80}, {"containerPort": port}])])
        assert said(body, line) == [
            f"container mail has port {port}, which is the proxy's {name} port, so one of them fails: move the proxy's "
            f"with config.linkerd.io/{name}-port [spec.containers[0].ports[1].containerPort] (inject-port-taken)"
        ]
        assert said(pod({f"{CONFIG}{name}-port": "9999"}, containers=body["spec"]["containers"]), line) == []

    def test_a_port_that_the_proxy_was_moved_to_counts(self) -> None:
        body = pod({f"{CONFIG}admin-port": "8080"}, containers=[container(ports=[{"containerPort": 8080}])])
        assert len(said(body)) == 1

    def test_only_tcp_counts(self) -> None:
        assert said(pod(containers=[container(ports=[{"containerPort": 4190, "protocol": "UDP"}])])) == []
        assert len(said(pod(containers=[container(ports=[{"containerPort": 4190, "protocol": "TCP"}])]))) == 1


class TestProbes:
    @pytest.mark.parametrize("field", ["livenessProbe", "readinessProbe", "startupProbe"])
    def test_one_that_opens_a_connection_and_no_more_is_told(self, field: str) -> None:
        ports = [{"name": "http", "containerPort": 8080}]
        for port in (8080, "http"):
            body = pod(containers=[container("web", ports=ports, **{field: {"tcpSocket": {"port": port}}})])
            assert said(body) == [
                f"{field} of container web opens TCP port 8080, which always succeeds, for the proxy accepts the "
                f"connection: write httpGet, grpc or exec [spec.containers[0].{field}.tcpSocket] (inject-tcp-probe)"
            ]

    def test_a_port_that_does_not_come_by_the_proxy_is_passed_over(self) -> None:
        containers = [container(livenessProbe={"tcpSocket": {"port": 4000}})]
        assert said(pod({f"{CONFIG}skip-inbound-ports": "80,3999-4001"}, containers=containers)) == []

    @pytest.mark.parametrize(
        "probe", [{"httpGet": {"port": 80}}, {"exec": {"command": ["true"]}}, {"grpc": {"port": 80}}, {}]
    )
    def test_others_are_passed_over(self, probe: Any) -> None:
        assert said(pod(containers=[container(livenessProbe=probe, readinessProbe=probe)])) == []


class TestWindows:
    @pytest.mark.parametrize(
        "spec",
        [
            {"os": {"name": "windows"}},
            {"nodeSelector": {"kubernetes.io/os": "windows"}},
            {"nodeSelector": {"beta.kubernetes.io/os": "windows"}},
        ],
    )
    def test_a_pod_for_windows_is_told_to_decline(self, spec: Any) -> None:
        (warning,) = said(pod(**spec))
        assert warning.startswith(
            "the Pod runs on Windows, and Linkerd's proxy runs on Linux only: write linkerd.io/inject: disabled"
        )

    def test_others_are_passed_over(self) -> None:
        assert said(pod(os={"name": "linux"}, nodeSelector={"kubernetes.io/os": "linux", "disk": "windows"})) == []


class TestJobs:
    def test_a_job_without_a_native_sidecar_is_told(self) -> None:
        assert said(pod({NATIVE: "false"}), workload=("job", "backup")) == [
            f'Job backup never completes, for the proxy keeps running beside it: write {NATIVE}: "true", or run its '
            "command by linkerd-await --shutdown (inject-job-never-ends)"
        ]
        (warning,) = said(pod({NATIVE: "false"}), workload=("cronjob", "backup"))
        assert warning.startswith("the Jobs of CronJob backup never complete, for")
        assert said(pod(), STABLE, workload=("job", "backup")) == [
            "Job backup never completes, for the proxy keeps running beside it: run its command by linkerd-await "
            "--shutdown (inject-job-never-ends)"
        ]

    def test_a_job_that_something_else_made_is_a_job(self) -> None:
        body = pod({NATIVE: "false"})
        body["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "scaled-x7"}]
        (warning,) = said(body, workload=("scaledjob", "scaled"))
        assert warning.startswith("Job scaled never completes, for")

    @pytest.mark.parametrize("annotations", [{NATIVE: "true"}, {f"{ALPHA}proxy-enable-native-sidecar": "true"}])
    def test_with_a_native_sidecar_it_ends(self, annotations: dict[str, str]) -> None:
        assert said(pod(annotations), workload=("job", "backup"), proxy__nativeSidecar=False) == []
        assert said(pod(), workload=("job", "backup"), proxy__nativeSidecar=True) == []

    @pytest.mark.parametrize(
        "fields",
        [
            {"command": ["/linkerd-await", "--shutdown", "--", "backup"]},
            {"command": ["sh", "-c"], "args": ["backup; curl -X POST localhost:4191/shutdown"]},
        ],
    )
    def test_one_that_ends_the_proxy_itself_is_passed_over(self, fields: Any) -> None:
        assert said(pod({NATIVE: "false"}, containers=[container(**fields)]), workload=("job", "backup")) == []

    def test_one_whose_proxy_may_be_shut_down_is_passed_over(self) -> None:
        annotations = {NATIVE: "false", f"{CONFIG}proxy-admin-shutdown": "enabled"}
        assert said(pod(annotations), workload=("job", "backup")) == []

    def test_other_workloads_need_not_end(self) -> None:
        assert said(pod({NATIVE: "false"}), workload=("deployment", "web")) == []
        assert said(pod({NATIVE: "false"})) == []


class TestInitContainers:
    OFF = {NATIVE: "false"}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("fields", "program"),
        [
            ({"command": ["sh", "-c", "until wget -q http://db; do sleep 1; done"]}, "wget"),
            ({"command": ["/usr/bin/curl", "http://a"]}, "curl"),
            ({"command": ["sh", "-c", "while ! nc -z db 5432; do :; done"]}, "nc"),
            ({"args": ["git clone https://a /b"], "command": ["sh", "-c"]}, "git clone"),
            ({"image": "curlimages/curl:8.1", "args": ["http://a"]}, "curl"),
            ({"command": ["/scripts/wait-for-it.sh", "db:1"]}, "wait-for-it"),
        ],
    )
    def test_under_cni_one_that_plainly_needs_the_network_is_told(self, fields: Any, program: str) -> None:
        body = pod(self.OFF, initContainers=[container("wait", **fields)])
        assert said(body, cniEnabled=True) == [
            f"init container wait runs {program} before the proxy is there, so it has no network: write {NATIVE}: "
            f'"true", or runAsUser: 2102 on it [spec.initContainers[0]] (inject-init-network)'
        ]

    def test_without_cni_the_redirection_comes_after_them(self) -> None:
        body = pod(self.OFF, initContainers=[container("wait", command=["curl", "a"])])
        assert said(body) == []

    def test_behind_a_native_sidecar_they_have_the_proxy(self) -> None:
        body = pod({NATIVE: "true"}, initContainers=[container("wait", command=["curl", "a"])])
        assert said(body, cniEnabled=True) == []

    @pytest.mark.parametrize(
        "fields",
        [
            {"command": ["chown", "-R", "git", "/var/lib/mysql", "/etc/nc.conf"]},
            {"command": ["sh", "-c", "cp -r /curl-config /nginx"]},
            {"image": "curlimages/curl:8.1", "command": ["chown", "1", "/data"]},
            {"command": ["curl", "a"], "securityContext": {"runAsUser": 2102}},
            {"image": "busybox"},
        ],
    )
    def test_those_that_do_not_plainly_need_it_are_passed_over(self, fields: Any) -> None:
        assert said(pod(self.OFF, initContainers=[container("first", **fields)]), cniEnabled=True) == []

    def test_where_somebody_skips_ports_nothing_is_told(self) -> None:
        body = pod(self.OFF | {f"{CONFIG}skip-outbound-ports": "443"}, initContainers=[container(command=["curl"])])
        assert said(body, cniEnabled=True) == []


class TestPodSecurity:
    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize("level", ["baseline", "restricted"])
    def test_a_level_that_refuses_linkerd_init_is_told(self, line: str, level: str) -> None:
        assert said(pod(), line, labels={ENFORCE: level}) == [
            f"{ENFORCE}: {level} on Namespace shop refuses linkerd-init (NET_ADMIN, NET_RAW), so no injected Pod "
            "starts: write privileged, or use Linkerd's CNI plugin (cniEnabled: true) (inject-pod-security)"
        ]
        assert said(pod(), line, labels={ENFORCE: level}, cniEnabled=True) == []

    def test_the_namespace_is_told_where_it_asks(self) -> None:
        (result,) = about_namespace(ENABLED, {ENFORCE: "restricted"})
        assert (result.rule.id, result.path) == ("inject-pod-security", ("metadata", "labels", ENFORCE))
        assert about_namespace({}, {ENFORCE: "restricted"}) == []

    def test_other_levels_and_modes_are_passed_over(self) -> None:
        for labels in ({ENFORCE: "privileged"}, {"pod-security.kubernetes.io/warn": "restricted"}):
            assert said(pod(), labels=labels) == []
            assert about_namespace(ENABLED, labels) == []

    def test_where_the_namespace_is_not_known_nothing_is_told(self) -> None:
        assert about(Advisor(injector()), "pod", pod(), (), None) == []


class TestNamespacesLeftOut:
    def test_one_that_opted_out_is_told_and_so_are_its_pods(self) -> None:
        (result,) = about_namespace(ENABLED, {ADMISSION: "disabled"})
        assert result.message == (
            f"Namespace shop has the label {ADMISSION}: disabled, so no Pod in it is injected: remove the label, or "
            "linkerd.io/inject"
        )
        assert said(pod(), labels={ADMISSION: "disabled"}) == [f"{result.message} (inject-namespace-left-out)"]
        assert about_namespace({}, {ADMISSION: "disabled"}) == []

    @pytest.mark.parametrize("name", ["kube-system", "cert-manager"])
    def test_those_that_linkerd_leaves_out_are_told_by_their_names(self, name: str) -> None:
        (result,) = about_namespace(ENABLED, {}, name)
        assert result.message.startswith(f"Linkerd's webhook leaves Namespace {name} out, so no Pod in it is injected")
        body = pod()
        body["metadata"]["namespace"] = name
        for namespace in (Namespace(name, {}, {}), None):
            (result,) = about(Advisor(injector()), "pod", body, (), namespace)
            assert result.rule.id == "inject-namespace-left-out"

    def test_the_values_count_where_they_leave_out_others(self) -> None:
        selector = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["a"]}]}
        using = injector(proxyInjector={"namespaceSelector": selector})
        for name in ("kube-system", "a", "shop"):
            metadata = {"name": name, "annotations": ENABLED, "labels": {ADMISSION: "disabled"}}
            body = {"kind": "Namespace", "metadata": metadata}
            assert about(Advisor(using), "namespace", body, (), None) == []

    def test_others_are_passed_over(self) -> None:
        for name, labels in (("kube-public", {}), ("linkerd-viz", {}), ("shop", {ADMISSION: "enabled"})):
            assert about_namespace(ENABLED, labels, name) == []


def test_several_mistakes_of_one_pod_are_told_each() -> None:
    annotations = {
        f"{CONFIG}skip-subnets": "172.17.0.5",
        f"{CONFIG}proxy-log-level": "linkerd=inf",
        f"{CONFIG}proxy-cpu-request": "2",
        f"{CONFIG}proxy-cpu-limit": "1",
        f"{CONFIG}proxy-log-levle": "info",
        f"{CONFIG}proxy-memory-limit": "lots",
    }
    bad = container("web", ports=[{"containerPort": 4191}], livenessProbe={"tcpSocket": {"port": 80}})
    rules = [text.rpartition("(")[2].rstrip(")") for text in said(pod(annotations, containers=[bad]))]
    assert rules == [
        "inject-unknown-annotation",
        "inject-setting",
        "inject-request-over-limit",
        "inject-no-start",
        "inject-no-start",
        "inject-port-taken",
        "inject-tcp-probe",
    ]
