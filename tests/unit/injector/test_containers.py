"""The injected containers and volumes: what both lines make of a small Pod, and what changes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.injector.builders import (
    CONFIG,
    EDGE,
    LINES,
    SERVICE_ACCOUNT,
    STABLE,
    container,
    env_of,
    init_of,
    inject,
    injector,
    named,
    names,
    pod,
    proxy_of,
)
from webhook.review import JSON

# Short, and every one written out: what a proxy is told, in order.
EDGE_MESH: dict[str, Any] = {
    "linkerdVersion": "edge-26.8.5",
    "clusterNetworks": "10.0.0.0/8",
    "identityTrustDomain": "trust.example",
    "proxy__image__name": "example.org/proxy",
    "proxy__logLevel": "warn",
    "proxy__opaquePorts": "25,3306",
    "proxy__inbound": {"server": {"http2": {"keepAliveInterval": "10s"}}},
    "proxy__outbound": None,
}
WHO = [("_pod_name", "metadata.name"), ("_pod_ns", "metadata.namespace")]
SERVICES = "serviceaccount.identity.linkerd.trust.example"
IDENTITY = [
    ("_pod_sa", "spec.serviceAccountName"),
    ("_l5d_ns", "linkerd"),
    ("_l5d_trustdomain", "trust.example"),
    ("LINKERD2_PROXY_IDENTITY_DIR", "/var/run/linkerd/identity/end-entity"),
    (
        "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS",
        "-----BEGIN CERTIFICATE-----\nbm90IGEgcmVhbCBvbmU=\n-----END CERTIFICATE-----\n",
    ),
    ("LINKERD2_PROXY_IDENTITY_TOKEN_FILE", "/var/run/secrets/tokens/linkerd-identity-token"),
    ("LINKERD2_PROXY_IDENTITY_SVC_ADDR", "linkerd-identity-headless.linkerd.svc.cluster.local.:8080"),
    ("LINKERD2_PROXY_IDENTITY_LOCAL_NAME", f"$(_pod_sa).$(_pod_ns).{SERVICES}"),
    ("LINKERD2_PROXY_IDENTITY_SVC_NAME", f"linkerd-identity.linkerd.{SERVICES}"),
    ("LINKERD2_PROXY_DESTINATION_SVC_NAME", f"linkerd-destination.linkerd.{SERVICES}"),
    ("LINKERD2_PROXY_POLICY_SVC_NAME", f"linkerd-destination.linkerd.{SERVICES}"),
]
EDGE_ENV = [
    *WHO,
    ("_pod_uid", "metadata.uid"),
    ("_pod_ip", "status.podIP"),
    ("_pod_nodeName", "spec.nodeName"),
    ("_pod_containerName", "linkerd-proxy"),
    ("LINKERD2_PROXY_CORES", "1"),
    ("LINKERD2_PROXY_CORES_MIN", "1"),
    ("LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED", "false"),
    ("LINKERD2_PROXY_LOG", "warn,[{headers}]=off,[{request}]=off"),
    ("LINKERD2_PROXY_LOG_FORMAT", "plain"),
    ("LINKERD2_PROXY_DESTINATION_SVC_ADDR", "linkerd-dst-headless.linkerd.svc.cluster.local.:8086"),
    ("LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS", "10.0.0.0/8"),
    ("LINKERD2_PROXY_POLICY_SVC_ADDR", "linkerd-policy.linkerd.svc.cluster.local.:8090"),
    ("LINKERD2_PROXY_POLICY_WORKLOAD", '{"ns":"$(_pod_ns)", "pod":"$(_pod_name)"}\n'),
    ("LINKERD2_PROXY_INBOUND_DEFAULT_POLICY", "all-unauthenticated"),
    ("LINKERD2_PROXY_POLICY_CLUSTER_NETWORKS", "10.0.0.0/8"),
    ("LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT", "3s"),
    ("LINKERD2_PROXY_CONTROL_STREAM_IDLE_TIMEOUT", "5m"),
    ("LINKERD2_PROXY_CONTROL_STREAM_LIFETIME", "1h"),
    ("LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT", "100ms"),
    ("LINKERD2_PROXY_OUTBOUND_CONNECT_TIMEOUT", "1000ms"),
    ("LINKERD2_PROXY_OUTBOUND_DISCOVERY_IDLE_TIMEOUT", "5s"),
    ("LINKERD2_PROXY_INBOUND_DISCOVERY_IDLE_TIMEOUT", "90s"),
    ("LINKERD2_PROXY_CONTROL_LISTEN_ADDR", "0.0.0.0:4190"),
    ("LINKERD2_PROXY_ADMIN_LISTEN_ADDR", "0.0.0.0:4191"),
    ("LINKERD2_PROXY_OUTBOUND_LISTEN_ADDR", "127.0.0.1:4140"),
    ("LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS", "127.0.0.1:4140"),
    ("LINKERD2_PROXY_INBOUND_LISTEN_ADDR", "0.0.0.0:4143"),
    ("LINKERD2_PROXY_INBOUND_IPS", "status.podIPs"),
    ("LINKERD2_PROXY_INBOUND_PORTS", "80"),
    ("LINKERD2_PROXY_DESTINATION_PROFILE_SUFFIXES", "svc.cluster.local."),
    ("LINKERD2_PROXY_INBOUND_ACCEPT_KEEPALIVE", "10000ms"),
    ("LINKERD2_PROXY_OUTBOUND_CONNECT_KEEPALIVE", "10000ms"),
    ("LINKERD2_PROXY_INBOUND_ACCEPT_USER_TIMEOUT", "30s"),
    ("LINKERD2_PROXY_OUTBOUND_CONNECT_USER_TIMEOUT", "30s"),
    ("LINKERD2_PROXY_OUTBOUND_METRICS_HOSTNAME_LABELS", "false"),
    ("LINKERD2_PROXY_INBOUND_SERVER_HTTP2_KEEP_ALIVE_INTERVAL", "10s"),
    ("LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION", "25,3306"),
    (
        "LINKERD2_PROXY_DESTINATION_CONTEXT",
        '{"ns":"$(_pod_ns)", "nodeName":"$(_pod_nodeName)", "pod":"$(_pod_name)"}\n',
    ),
    *IDENTITY,
]
STABLE_ENV = [
    *WHO,
    ("_pod_nodeName", "spec.nodeName"),
    ("LINKERD2_PROXY_LOG", "warn"),
    ("LINKERD2_PROXY_LOG_FORMAT", "plain"),
    ("LINKERD2_PROXY_DESTINATION_SVC_ADDR", "linkerd-dst-headless.linkerd.svc.cluster.local.:8086"),
    ("LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS", "10.0.0.0/8"),
    ("LINKERD2_PROXY_POLICY_SVC_ADDR", "linkerd-policy.linkerd.svc.cluster.local.:8090"),
    ("LINKERD2_PROXY_POLICY_WORKLOAD", "$(_pod_ns):$(_pod_name)"),
    ("LINKERD2_PROXY_INBOUND_DEFAULT_POLICY", "all-unauthenticated"),
    ("LINKERD2_PROXY_POLICY_CLUSTER_NETWORKS", "10.0.0.0/8"),
    ("LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT", "100ms"),
    ("LINKERD2_PROXY_OUTBOUND_CONNECT_TIMEOUT", "1000ms"),
    ("LINKERD2_PROXY_CONTROL_LISTEN_ADDR", "0.0.0.0:4190"),
    ("LINKERD2_PROXY_ADMIN_LISTEN_ADDR", "0.0.0.0:4191"),
    ("LINKERD2_PROXY_OUTBOUND_LISTEN_ADDR", "127.0.0.1:4140"),
    ("LINKERD2_PROXY_INBOUND_LISTEN_ADDR", "0.0.0.0:4143"),
    ("LINKERD2_PROXY_INBOUND_IPS", "status.podIPs"),
    ("LINKERD2_PROXY_INBOUND_PORTS", "80"),
    ("LINKERD2_PROXY_DESTINATION_PROFILE_SUFFIXES", "svc.cluster.local."),
    ("LINKERD2_PROXY_INBOUND_ACCEPT_KEEPALIVE", "10000ms"),
    ("LINKERD2_PROXY_OUTBOUND_CONNECT_KEEPALIVE", "10000ms"),
    ("LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION", "25,3306"),
    ("LINKERD2_PROXY_DESTINATION_CONTEXT", '{"ns":"$(_pod_ns)", "nodeName":"$(_pod_nodeName)"}\n'),
    *IDENTITY,
]


def pairs(body: JSON) -> list[tuple[str, str]]:
    """The proxy's variables, each with its value or the field that it is taken from."""
    return [
        (v["name"], v["value"] if "value" in v else v["valueFrom"]["fieldRef"]["fieldPath"])
        for v in proxy_of(body)["env"]
    ]


def listening() -> JSON:
    """A Pod that listens on port 80."""
    return pod(containers=[container(ports=[{"containerPort": 80}])])


class TestProxy:
    def test_edges_is_told_all_of_this_in_this_order(self) -> None:
        assert pairs(inject(listening(), injector(EDGE, **EDGE_MESH))) == EDGE_ENV

    def test_stables_is_told_all_of_this_in_this_order(self) -> None:
        assert pairs(inject(listening(), injector(STABLE))) == STABLE_ENV

    def test_edges_container_has_all_this_beside(self) -> None:
        proxy = proxy_of(inject(listening(), injector(EDGE, **EDGE_MESH)))
        del proxy["env"]
        assert proxy == {
            "name": "linkerd-proxy",
            "image": "example.org/proxy:edge-26.8.5",
            "imagePullPolicy": "IfNotPresent",
            "ports": [
                {"name": "linkerd-proxy", "containerPort": 4143},
                {"name": "linkerd-admin", "containerPort": 4191},
            ],
            "livenessProbe": {
                "httpGet": {"path": "/live", "port": 4191},
                "initialDelaySeconds": 10,
                "timeoutSeconds": 1,
            },
            "readinessProbe": {
                "httpGet": {"path": "/ready", "port": 4191},
                "initialDelaySeconds": 2,
                "timeoutSeconds": 1,
            },
            "startupProbe": {
                "httpGet": {"path": "/ready", "port": 4191},
                "initialDelaySeconds": 0,
                "periodSeconds": 1,
                "failureThreshold": 120,
            },
            "resources": None,
            "restartPolicy": "Always",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "runAsUser": 2102,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [
                {"name": "linkerd-identity-end-entity", "mountPath": "/var/run/linkerd/identity/end-entity"},
                {"name": "linkerd-identity-token", "mountPath": "/var/run/secrets/tokens"},
            ],
        }

    def test_stables_container_has_all_this_beside(self) -> None:
        proxy = proxy_of(inject(listening(), injector(STABLE)))
        del proxy["env"]
        assert proxy == {
            "name": "linkerd-proxy",
            "image": "example.org/proxy:stable-2.12.2",
            "imagePullPolicy": "IfNotPresent",
            "ports": [
                {"name": "linkerd-proxy", "containerPort": 4143},
                {"name": "linkerd-admin", "containerPort": 4191},
            ],
            "livenessProbe": {"httpGet": {"path": "/live", "port": 4191}, "initialDelaySeconds": 10},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 4191}, "initialDelaySeconds": 2},
            "lifecycle": {"postStart": {"exec": {"command": ["/usr/lib/linkerd/linkerd-await", "--timeout=2m"]}}},
            "resources": None,
            "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsUser": 2102},
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [
                {"name": "linkerd-identity-end-entity", "mountPath": "/var/run/linkerd/identity/end-entity"},
                {"name": "linkerd-identity-token", "mountPath": "/var/run/secrets/tokens"},
            ],
        }

    @pytest.mark.parametrize("line", LINES)
    def test_the_control_planes_namespace_and_domains_reach_every_name(self, line: str) -> None:
        using = injector(line, namespace="mesh", clusterDomain="c.example", identityTrustDomain="")
        got = inject(pod(), using)
        env = env_of(got)
        assert env["_l5d_ns"] == "mesh"
        assert env["_l5d_trustdomain"] == "c.example"
        assert env["LINKERD2_PROXY_DESTINATION_SVC_ADDR"] == "linkerd-dst-headless.mesh.svc.c.example.:8086"
        assert env["LINKERD2_PROXY_IDENTITY_SVC_ADDR"] == "linkerd-identity-headless.mesh.svc.c.example.:8080"
        assert env["LINKERD2_PROXY_POLICY_SVC_NAME"] == (
            "linkerd-destination.mesh.serviceaccount.identity.mesh.c.example"
        )
        assert env["LINKERD2_PROXY_DESTINATION_PROFILE_SUFFIXES"] == "svc.c.example."
        assert got["metadata"]["labels"]["linkerd.io/control-plane-ns"] == "mesh"

    def test_with_ipv6_it_listens_on_all_addresses(self) -> None:
        env = env_of(inject(pod(), injector(disableIPv6=False)))
        assert env["LINKERD2_PROXY_INBOUND_LISTEN_ADDR"] == "[::]:4143"
        assert env["LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS"] == "127.0.0.1:4140,[::1]:4140"

    def test_a_security_context_in_the_values_replaces_all_others(self) -> None:
        using = injector(proxy__securityContext={"runAsUser": 9, "x": True})
        assert proxy_of(inject(pod({f"{CONFIG}proxy-uid": "5"}), using))["securityContext"] == {
            "runAsUser": 9,
            "x": True,
        }

    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize(
        ("anchors", "written"),
        [
            (b"A\n", "A\n"),
            (b"A", "A\n"),
            (b"\n  A\r\nB\rC\n\n", "A\nB\nC\n"),
        ],
    )
    def test_the_trust_anchors_are_trimmed_to_one_kind_of_line_end(
        self, line: str, anchors: bytes, written: str
    ) -> None:
        env = env_of(inject(pod(), injector(line, anchors=anchors)))
        assert env["LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"] == written

    @pytest.mark.parametrize("line", LINES)
    def test_their_hash_is_an_annotation(self, line: str) -> None:
        got = inject(pod(), injector(line, anchors=b"A\n"))
        assert got["metadata"]["annotations"]["linkerd.io/trust-root-sha256"] == (
            "06f961b802bc46ee168555f066d28f4f0e9afdf3f88174c1ee6f9de004fc30a0"
        )

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("10s", "10s"),
            (5, "5"),
            (2.5, "2.5"),
            (10_000_000, "1e+07"),
            (True, "true"),
            (None, None),
            ([1, "a", None], "[1 a <nil>]"),
            ({"b": 1, "a": False}, "map[a:false b:1]"),
        ],
    )
    def test_a_parameter_of_any_type_is_written_as_go_prints_it(self, value: Any, text: str | None) -> None:
        using = injector(proxy__inbound={"server": {"http2": {"someParam": value}}})
        assert env_of(inject(pod(), using))["LINKERD2_PROXY_INBOUND_SERVER_HTTP2_SOME_PARAM"] == text

    def test_parameters_are_sorted_at_every_level(self) -> None:
        using = injector(proxy__inbound={"z": {"p": {"b": 1, "a": 2}}, "a": {"q": {"x": 3}, "p": None}, "n": None})
        got = [name for name, _ in pairs(inject(pod(), using)) if name.startswith("LINKERD2_PROXY_INBOUND_")]
        assert [name for name in got if name.split("_")[3] in ("Z", "A", "N")] == [
            "LINKERD2_PROXY_INBOUND_A_Q_X",
            "LINKERD2_PROXY_INBOUND_Z_P_A",
            "LINKERD2_PROXY_INBOUND_Z_P_B",
        ]

    @pytest.mark.parametrize("line", LINES)
    def test_resources_of_the_values_are_its_own(self, line: str) -> None:
        using = injector(
            line, proxy__resources={"cpu": {"request": "10m"}, "memory": {"limit": "1Gi", "request": "1Mi"}}
        )
        assert proxy_of(inject(pod(), using))["resources"] == {
            "limits": {"memory": "1Gi"},
            "requests": {"cpu": "10m", "memory": "1Mi"},
        }

    def test_no_pull_policy_at_all_is_null(self) -> None:
        assert proxy_of(inject(pod(), injector(imagePullPolicy="")))["imagePullPolicy"] is None


class TestInit:
    def test_edges_redirects_the_traffic(self) -> None:
        assert init_of(inject(listening(), injector(EDGE, **EDGE_MESH))) == {
            "name": "linkerd-init",
            "image": "example.org/proxy:edge-26.8.5",
            "imagePullPolicy": "IfNotPresent",
            "command": ["/usr/lib/linkerd/linkerd2-proxy-init"],
            "args": [
                *("--firewall-bin-path", "iptables-nft", "--firewall-save-bin-path", "iptables-nft-save"),
                "--ipv6=false",
                *("--incoming-proxy-port", "4143", "--outgoing-proxy-port", "4140", "--proxy-uid", "2102"),
                *("--inbound-ports-to-ignore", "4190,4191,4567,4568", "--outbound-ports-to-ignore", "4567,4568"),
            ],
            "resources": None,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]},
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "runAsGroup": 65534,
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [{"name": "linkerd-proxy-init-xtables-lock", "mountPath": "/run"}],
        }

    def test_stables_has_an_image_and_resources_of_its_own(self) -> None:
        assert init_of(inject(listening(), injector(STABLE))) == {
            "name": "linkerd-init",
            "image": "example.org/proxy-init:v2",
            "imagePullPolicy": "IfNotPresent",
            "args": [
                *("--incoming-proxy-port", "4143", "--outgoing-proxy-port", "4140", "--proxy-uid", "2102"),
                *("--inbound-ports-to-ignore", "4190,4191,4567,4568", "--outbound-ports-to-ignore", "4567,4568"),
            ],
            "resources": {"limits": {"cpu": "100m", "memory": "20Mi"}, "requests": {"cpu": "10m", "memory": "20Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]},
                "privileged": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "runAsUser": 65534,
            },
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [{"name": "linkerd-proxy-init-xtables-lock", "mountPath": "/run"}],
        }

    @pytest.mark.parametrize(
        ("line", "mesh", "expected"),
        [
            (EDGE, {"runAsRoot": True}, (False, False, False, 0, 0)),
            (EDGE, {"privileged": True}, (True, True, True, 65534, 65534)),
            (EDGE, {"runAsRoot": True, "privileged": True}, (True, True, False, 0, 0)),
            (EDGE, {"runAsRoot": True, "closeWaitTimeoutSecs": 5}, (True, True, False, 0, 0)),
            (EDGE, {"runAsUser": 0, "runAsGroup": 0}, (False, False, True, 65534, 65534)),
            (EDGE, {"runAsUser": 7, "runAsGroup": 8}, (False, False, True, 7, 8)),
            (STABLE, {"runAsRoot": True}, (True, False, False, 0, None)),
            (STABLE, {"closeWaitTimeoutSecs": 5}, (True, True, False, 0, None)),
            (STABLE, {"runAsUser": 7}, (False, False, True, 7, None)),
        ],
    )
    def test_its_privileges_follow_the_values(self, line: str, mesh: JSON, expected: tuple[Any, ...]) -> None:
        using = injector(line, **{f"proxyInit__{key}": value for key, value in mesh.items()})
        context = init_of(inject(pod(), using))["securityContext"]
        keys = ("allowPrivilegeEscalation", "privileged", "runAsNonRoot", "runAsUser", "runAsGroup")
        assert tuple(context.get(key) for key in keys) == expected

    @pytest.mark.parametrize(
        ("mode", "flags"),
        [
            ("legacy", []),
            ("nft", ["--firewall-bin-path", "iptables-nft", "--firewall-save-bin-path", "iptables-nft-save"]),
        ],
    )
    @pytest.mark.parametrize("line", LINES)
    def test_its_mode_chooses_the_programs(self, line: str, mode: str, flags: list[str]) -> None:
        args = init_of(inject(pod(), injector(line, proxyInit__iptablesMode=mode)))["args"]
        assert [a for a in args if "firewall" in a or "iptables" in a] == flags

    @pytest.mark.parametrize("line", LINES)
    def test_its_logs_follow_the_values(self, line: str) -> None:
        args = init_of(inject(pod(), injector(line, proxyInit__logLevel="debug", proxyInit__logFormat="json")))["args"]
        assert args[-4:] == ["--log-format", "json", "--log-level", "debug"]

    def test_with_ipv6_it_is_not_told_to_leave_it(self) -> None:
        assert "--ipv6=false" not in init_of(inject(pod(), injector(disableIPv6=False)))["args"]

    @pytest.mark.parametrize("line", LINES)
    def test_nothing_to_skip_is_no_flag(self, line: str) -> None:
        using = injector(line, proxyInit__ignoreInboundPorts="", proxyInit__ignoreOutboundPorts="")
        args = init_of(inject(pod(), using))["args"]
        assert args[args.index("--inbound-ports-to-ignore") + 1] == "4190,4191"
        assert "--outbound-ports-to-ignore" not in args


class TestValidator:
    def test_edges_stands_in_for_init_under_cni(self) -> None:
        got = inject(pod(), injector(EDGE, **EDGE_MESH, cniEnabled=True))
        assert names(got["spec"]["initContainers"]) == ["linkerd-network-validator", "linkerd-proxy"]
        assert named(got, "linkerd-network-validator") == {
            "name": "linkerd-network-validator",
            "image": "example.org/proxy:edge-26.8.5",
            "imagePullPolicy": "IfNotPresent",
            "command": ["/usr/lib/linkerd/linkerd2-network-validator"],
            "args": [
                *("--log-format", "plain", "--log-level", "debug"),
                *("--connect-addr", "1.1.1.1:20001", "--listen-addr", "0.0.0.0:4140", "--timeout", "10s"),
            ],
            "resources": None,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsGroup": 65534,
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }

    def test_with_ipv6_its_addresses_are_of_that_kind(self) -> None:
        args = named(inject(pod(), injector(cniEnabled=True, disableIPv6=False)), "linkerd-network-validator")["args"]
        assert ("[fd00::1]:20001" in args, "[::]:4140" in args) == (True, True)

    def test_addresses_and_security_context_of_the_values_are_used(self) -> None:
        using = injector(
            cniEnabled=True,
            networkValidator__connectAddr="9.9.9.9:1",
            networkValidator__listenAddr="0.0.0.0:2",
            networkValidator__securityContext={"runAsUser": 1},
        )
        validator = named(inject(pod(), using), "linkerd-network-validator")
        assert validator["args"][4:8] == ["--connect-addr", "9.9.9.9:1", "--listen-addr", "0.0.0.0:2"]
        assert validator["securityContext"] == {"runAsUser": 1}

    def test_stables_does_nothing_but_be_there(self) -> None:
        got = inject(pod(), injector(STABLE, cniEnabled=True))
        assert [(c["name"], c["args"]) for c in got["spec"]["initContainers"]] == [("noop", ["-v"])]

    @pytest.mark.parametrize("line", LINES)
    def test_under_cni_nothing_locks_xtables(self, line: str) -> None:
        got = inject(pod(), injector(line, cniEnabled=True))
        assert names(got["spec"]["volumes"]) == ["linkerd-identity-end-entity", "linkerd-identity-token"]


class TestVolumes:
    @pytest.mark.parametrize("line", LINES)
    def test_they_are_these_behind_the_pods(self, line: str) -> None:
        got = inject(pod(volumes=[{"name": "own"}]), injector(line))
        assert got["spec"]["volumes"] == [
            {"name": "own"},
            {"name": "linkerd-proxy-init-xtables-lock", "emptyDir": {}},
            {"name": "linkerd-identity-end-entity", "emptyDir": {"medium": "Memory"}},
            {
                "name": "linkerd-identity-token",
                "projected": {
                    "sources": [
                        {
                            "serviceAccountToken": {
                                "path": "linkerd-identity-token",
                                "expirationSeconds": 86400,
                                "audience": "identity.l5d.io",
                            }
                        }
                    ]
                },
            },
        ]

    @pytest.mark.parametrize("line", LINES)
    def test_without_a_projected_token_the_pods_own_is_used(self, line: str) -> None:
        mount = {"name": "token", "mountPath": SERVICE_ACCOUNT, "readOnly": True}
        body = pod(containers=[container(volumeMounts=[{"name": "x", "mountPath": "/x"}, mount])])
        got = inject(body, injector(line, identity__serviceAccountTokenProjection=False))
        assert "linkerd-identity-token" not in names(got["spec"]["volumes"])
        assert env_of(got)["LINKERD2_PROXY_IDENTITY_TOKEN_FILE"] == f"{SERVICE_ACCOUNT}/token"
        assert proxy_of(got)["volumeMounts"][-1] == mount
        assert init_of(got)["volumeMounts"][-1] == mount


class TestServiceAccountMount:
    @pytest.mark.parametrize("line", LINES)
    def test_the_first_containers_is_given_to_ours(self, line: str) -> None:
        mount = {"name": "token", "mountPath": SERVICE_ACCOUNT}
        got = inject(pod(containers=[container(volumeMounts=[mount])]), injector(line))
        expected = {"name": "token", "mountPath": SERVICE_ACCOUNT, "readOnly": False}
        assert proxy_of(got)["volumeMounts"][-1] == expected
        assert init_of(got)["volumeMounts"][-1] == expected

    @pytest.mark.parametrize("line", LINES)
    def test_where_it_has_none_the_values_say(self, line: str) -> None:
        given = {"name": "sa", "mountPath": "/sa", "readOnly": True}
        got = inject(pod(), injector(line, proxy__saMountPath=given))
        assert proxy_of(got)["volumeMounts"][-1] == given
        assert init_of(got)["volumeMounts"][-1] == given


@pytest.mark.parametrize("line", LINES)
class TestCapabilities:
    def with_capabilities(self, capabilities: Any) -> JSON:
        """A Pod whose first container has these."""
        return pod(containers=[container(securityContext={"capabilities": capabilities}), container("other")])

    @pytest.mark.parametrize(
        ("given", "of_proxy", "of_init"),
        [
            ({"drop": ["ALL"]}, {"drop": ["ALL"]}, {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]}),
            (
                {"add": ["X"], "drop": ["NET_RAW", "Y", "NET_ADMIN"]},
                {"add": ["X"], "drop": ["NET_RAW", "Y", "NET_ADMIN"]},
                {"add": ["NET_ADMIN", "NET_RAW", "X"], "drop": ["Y"]},
            ),
            ({"drop": ["NET_RAW"]}, {"drop": ["NET_RAW"]}, {"add": ["NET_ADMIN", "NET_RAW"]}),
            ({}, None, {"add": ["NET_ADMIN", "NET_RAW"]}),
            ({"add": None, "drop": []}, None, {"add": ["NET_ADMIN", "NET_RAW"]}),
        ],
    )
    def test_the_first_containers_are_given_to_ours(
        self, line: str, given: JSON, of_proxy: JSON | None, of_init: JSON
    ) -> None:
        got = inject(self.with_capabilities(given), injector(line))
        assert proxy_of(got)["securityContext"]["capabilities"] == of_proxy
        assert init_of(got)["securityContext"]["capabilities"] == of_init

    def test_where_it_has_none_the_values_say(self, line: str) -> None:
        got = inject(self.with_capabilities(None), injector(line, proxy__capabilities={"add": ["V"]}))
        assert proxy_of(got)["securityContext"]["capabilities"] == {"add": ["V"]}
        assert init_of(got)["securityContext"]["capabilities"] == {"add": ["NET_ADMIN", "NET_RAW", "V"]}

    def test_the_init_containers_own_in_the_values_are_its_own(self, line: str) -> None:
        got = inject(pod(), injector(line, proxyInit__capabilities={"drop": ["V"]}))
        assert "capabilities" not in proxy_of(got)["securityContext"]
        assert init_of(got)["securityContext"]["capabilities"] == {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["V"]}

    def test_nobodys_are_none(self, line: str) -> None:
        assert "capabilities" not in proxy_of(inject(pod(), injector(line)))["securityContext"]


class TestPlacement:
    BODY: JSON = pod(containers=[container("a"), container("b")], initContainers=[container("i")])

    @pytest.mark.parametrize(
        ("line", "native", "await_", "init", "containers"),
        [
            (EDGE, True, True, ["linkerd-init", "linkerd-proxy", "i"], ["a", "b"]),
            (EDGE, True, False, ["linkerd-init", "linkerd-proxy", "i"], ["a", "b"]),
            (EDGE, False, True, ["i", "linkerd-init"], ["linkerd-proxy", "a", "b"]),
            (EDGE, False, False, ["i", "linkerd-init"], ["a", "b", "linkerd-proxy"]),
            (STABLE, True, True, ["i", "linkerd-init"], ["linkerd-proxy", "a", "b"]),
            (STABLE, True, False, ["i", "linkerd-init"], ["a", "b", "linkerd-proxy"]),
        ],
    )
    def test_the_proxy_comes_first_where_the_others_wait_for_it(
        self, line: str, native: bool, await_: bool, init: list[str], containers: list[str]
    ) -> None:
        spec = inject(self.BODY, injector(line, proxy__nativeSidecar=native, proxy__await=await_))["spec"]
        assert (names(spec["initContainers"]), names(spec["containers"])) == (init, containers)

    @pytest.mark.parametrize(
        ("native", "await_", "wait", "restart", "startup", "hooks"),
        [
            (True, True, "5", "Always", True, set()),
            (True, False, "5", "Always", False, set()),
            (False, True, "0", None, False, {"postStart"}),
            (False, True, "5", None, False, {"postStart", "preStop"}),
            (False, False, "5", None, False, {"preStop"}),
            (False, False, "0", None, False, set()),
        ],
    )
    def test_a_native_sidecar_has_probes_where_another_has_hooks(
        self, native: bool, await_: bool, wait: str, restart: str | None, startup: bool, hooks: set[str]
    ) -> None:
        body = pod({"config.alpha.linkerd.io/proxy-wait-before-exit-seconds": wait})
        proxy = proxy_of(inject(body, injector(proxy__nativeSidecar=native, proxy__await=await_)))
        assert proxy.get("restartPolicy") == restart
        assert ("startupProbe" in proxy) is startup
        assert set(proxy.get("lifecycle", {})) == hooks

    def test_edge_waits_at_the_admin_port(self) -> None:
        body = pod({f"{CONFIG}admin-port": "4444"})
        proxy = proxy_of(inject(body, injector(proxy__nativeSidecar=False)))
        assert proxy["lifecycle"]["postStart"]["exec"]["command"] == [
            "/usr/lib/linkerd/linkerd-await",
            "--timeout=2m",
            "--port=4444",
        ]


class TestDebug:
    DEBUGGED = pod({f"{CONFIG}enable-debug-sidecar": "true"})

    def test_edges_has_probes_that_never_fail(self) -> None:
        using = injector(
            debugContainer={"image": {"name": "example.org/debug", "pullPolicy": "Always", "version": "d1"}}
        )
        assert named(inject(self.DEBUGGED, using), "linkerd-debug") == {
            "name": "linkerd-debug",
            "image": "example.org/debug:d1",
            "imagePullPolicy": "Always",
            "livenessProbe": {"exec": {"command": ["true"]}},
            "readinessProbe": {"exec": {"command": ["true"]}},
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }

    def test_stables_has_none(self) -> None:
        assert named(inject(self.DEBUGGED, injector(STABLE)), "linkerd-debug") == {
            "name": "linkerd-debug",
            "image": "example.org/debug:d1",
            "imagePullPolicy": "Always",
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }

    @pytest.mark.parametrize(
        ("line", "containers"), [(EDGE, ["app", "linkerd-debug"]), (STABLE, ["linkerd-proxy", "app", "linkerd-debug"])]
    )
    def test_it_comes_behind_the_pods_containers(self, line: str, containers: list[str]) -> None:
        assert names(inject(self.DEBUGGED, injector(line))["spec"]["containers"]) == containers

    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize("await_", [True, False])
    def test_it_may_be_the_first_container(self, line: str, await_: bool) -> None:
        body = pod({f"{CONFIG}enable-debug-sidecar": "true"}, containers=[])
        spec = inject(body, injector(line, proxy__nativeSidecar=False, proxy__await=await_))["spec"]
        expected = ["linkerd-debug", "linkerd-proxy"]
        assert names(spec["containers"]) == (expected[::-1] if await_ else expected)

    @pytest.mark.parametrize("line", LINES)
    def test_nobody_who_did_not_ask_gets_it(self, line: str) -> None:
        body = pod({f"{CONFIG}enable-debug-sidecar": "false"})
        assert "linkerd-debug" not in names(inject(body, injector(line))["spec"]["containers"])
