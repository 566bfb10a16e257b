"""The values that `linkerd install` or Helm was given, as the `linkerd-config` ConfigMap carries them.

One model for all lines: which keys a line knows stands in `releases.ROWS` (`value/…`), and what it does not know is
taken out before the model sees it. Everything has the zero value that Go gives it: absent sections show as None.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from webhook.mesh.env import EnvVar
from webhook.mesh.gostruct import (
    AnyList,
    AnyObject,
    Boolean,
    GoStruct,
    Int32,
    Int64,
    Number,
    Text,
    TextList,
    TextMap,
    UInt,
)
from webhook.mesh.releases import ROWS, Line


class Image(GoStruct):
    """An image: name, version (its tag) and pull policy."""

    name: Text = ""
    pull_policy: Text = ""
    version: Text = ""


class Ports(GoStruct):
    """The proxy's ports."""

    admin: Int32 = 0
    control: Int32 = 0
    inbound: Int32 = 0
    outbound: Int32 = 0


class Constraints(GoStruct):
    """Limit and request of one resource."""

    limit: Text = ""
    request: Text = ""


class Resources(GoStruct):
    """Resources of a container."""

    cpu: Constraints = Constraints()
    memory: Constraints = Constraints()
    ephemeral_storage: Constraints = Field(default=Constraints(), alias="ephemeral-storage")


class Capabilities(GoStruct):
    """Capabilities of a security context."""

    add: TextList = Field(default_factory=list)
    drop: TextList = Field(default_factory=list)


class VolumeMountPath(GoStruct):
    """A mount of a volume."""

    name: Text = ""
    mount_path: Text = ""
    read_only: Boolean = False


class Probe(GoStruct):
    """Timing of a liveness or readiness probe, in seconds."""

    initial_delay_seconds: UInt = 0
    timeout_seconds: UInt = 0


class StartupProbe(GoStruct):
    """Timing of the startup probe, in seconds."""

    initial_delay_seconds: UInt = 0
    period_seconds: UInt = 0
    failure_threshold: UInt = 0


class ControlStreams(GoStruct):
    """Time limits of the streams to the control plane, as text."""

    initial_timeout: Text = ""
    idle_timeout: Text = ""
    lifetime: Text = ""


class ProxyControl(GoStruct):
    """`proxy.control`."""

    streams: ControlStreams | None = None


class ProxyMetrics(GoStruct):
    """`proxy.metrics`."""

    hostname_labels: Boolean = False


class MeshIdentity(GoStruct):
    """Who the trace collector is."""

    service_account_name: Text = ""
    namespace: Text = ""


class TracingCollector(GoStruct):
    """Where traces go."""

    endpoint: Text = ""
    mesh_identity: MeshIdentity | None = None


class Tracing(GoStruct):
    """`proxy.tracing` and `controller.tracing`."""

    enabled: Boolean = False
    protocol: Text = ""
    labels: TextMap | None = None
    trace_service_name: Text = ""
    collector: TracingCollector | None = None


class Workers(GoStruct):
    """How many CPU cores the proxy's runtime uses."""

    maximum: Int64 = 0
    minimum: Int64 = 0
    maximum_cpu_ratio: Number = Field(default=0.0, alias="maximumCPURatio")


class Runtime(GoStruct):
    """`proxy.runtime`."""

    workers: Workers = Workers()


# Any scope, protocol and parameter: `inbound.server.http2.keepAliveInterval`.
ProxyParams = dict[str, dict[str, AnyObject | None] | None]


class Proxy(GoStruct):
    """`proxy`: the sidecar."""

    capabilities: Capabilities | None = None
    enable_external_profiles: Boolean = False
    image: Image | None = None
    enable_shutdown_endpoint: Boolean = False
    log_level: Text = ""
    log_format: Text = ""
    log_http_headers: Text = Field(default="", alias="logHTTPHeaders")
    sa_mount_path: VolumeMountPath | None = None
    ports: Ports | None = None
    resources: Resources | None = None
    uid: Int64 = 0
    gid: Int64 = 0
    wait_before_exit_seconds: UInt = 0
    is_gateway: Boolean = False
    is_ingress: Boolean = False
    require_identity_on_inbound_ports: Text = ""
    outbound_connect_timeout: Text = ""
    inbound_connect_timeout: Text = ""
    outbound_discovery_cache_unused_timeout: Text = ""
    inbound_discovery_cache_unused_timeout: Text = ""
    disable_outbound_protocol_detect_timeout: Boolean = False
    disable_inbound_protocol_detect_timeout: Boolean = False
    pod_inbound_ports: Text = ""
    opaque_ports: Text = ""
    await_: Boolean = Field(default=False, alias="await")
    default_inbound_policy: Text = ""
    outbound_transport_mode: Text = ""
    access_log: Text = ""
    shutdown_grace_period: Text = ""
    native_sidecar: Boolean = False
    startup_probe: StartupProbe | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    control: ProxyControl | None = None
    metrics: ProxyMetrics | None = None
    tracing: Tracing | None = None
    additional_env: list[EnvVar] | None = None
    experimental_env: list[EnvVar] | None = None
    inbound: ProxyParams | None = None
    outbound: ProxyParams | None = None
    cores: Int64 = 0
    runtime: Runtime = Runtime()
    security_context: AnyObject | None = None


class ProxyInit(GoStruct):
    """`proxyInit`: the init container that redirects traffic."""

    capabilities: Capabilities | None = None
    ignore_inbound_ports: Text = ""
    ignore_outbound_ports: Text = ""
    kube_api_server_ports: Text = Field(default="", alias="kubeAPIServerPorts")
    skip_subnets: Text = ""
    log_level: Text = ""
    log_format: Text = ""
    image: Image | None = None
    sa_mount_path: VolumeMountPath | None = None
    xt_mount_path: VolumeMountPath | None = None
    resources: Resources | None = None
    close_wait_timeout_secs: Int64 = 0
    privileged: Boolean = False
    run_as_root: Boolean = False
    run_as_user: Int64 = 0
    run_as_group: Int64 = 0
    iptables_mode: Text = ""


class NetworkValidator(GoStruct):
    """`networkValidator`: the init container that stands in for `proxyInit` under CNI."""

    log_level: Text = ""
    log_format: Text = ""
    connect_addr: Text = ""
    listen_addr: Text = ""
    timeout: Text = ""
    security_context: AnyObject | None = None


class DebugContainer(GoStruct):
    """`debugContainer`."""

    image: Image | None = None


class TLS(GoStruct):
    """Certificate and CA of a webhook."""

    external_secret: Boolean = False
    key_pem: Text = Field(default="", alias="keyPEM")
    crt_pem: Text = Field(default="", alias="crtPEM")
    ca_bundle: Text = ""
    inject_ca_from: Text = ""
    inject_ca_from_secret: Text = ""


class Requirement(GoStruct):
    """One expression of a label selector."""

    key: Text = ""
    operator: Text = ""
    values: TextList | None = None


class LabelSelector(GoStruct):
    """A label selector."""

    match_labels: TextMap | None = None
    match_expressions: list[Requirement] | None = None


class Webhook(TLS):
    """`proxyInjector`, `profileValidator` and `policyValidator`."""

    namespace_selector: LabelSelector | None = None
    pod_annotations: TextMap | None = None
    additional_env: list[EnvVar] | None = None
    experimental_env: list[EnvVar] | None = None


class IssuerTLS(GoStruct):
    """The issuer's certificate."""

    key_pem: Text = Field(default="", alias="keyPEM")
    crt_pem: Text = Field(default="", alias="crtPEM")


class Issuer(GoStruct):
    """`identity.issuer`."""

    scheme: Text = ""
    clock_skew_allowance: Text = ""
    issuance_lifetime: Text = ""
    tls: IssuerTLS | None = None


class KubeAPI(GoStruct):
    """`identity.kubeAPI`."""

    client_qps: Number = Field(default=0.0, alias="clientQPS")
    client_burst: Int64 = 0


class Identity(GoStruct):
    """`identity`."""

    external_ca: Boolean = Field(default=False, alias="externalCA")
    service_account_token_projection: Boolean = False
    issuer: Issuer | None = None
    kube_api: KubeAPI | None = Field(default=None, alias="kubeAPI")
    pod_annotations: TextMap | None = None
    additional_env: list[EnvVar] | None = None
    experimental_env: list[EnvVar] | None = None


class PodDisruptionBudget(GoStruct):
    """`controller.podDisruptionBudget`."""

    max_unavailable: Text = ""


class Controller(GoStruct):
    """`controller`."""

    pod_disruption_budget: PodDisruptionBudget | None = None
    tracing: Tracing | None = None


class DestinationController(GoStruct):
    """`destinationController`."""

    meshed_http2_client_protobuf: AnyObject | None = Field(default=None, alias="meshedHttp2ClientProtobuf")
    pod_annotations: TextMap | None = None


class PodMonitorPart(GoStruct):
    """One of the PodMonitors."""

    enabled: Boolean = False
    namespace_selector: Text = ""
    honor_timestamps: Boolean | None = None


class PodMonitor(GoStruct):
    """`podMonitor`."""

    enabled: Boolean = False
    scrape_interval: Text = ""
    scrape_timeout: Text = ""
    controller: PodMonitorPart | None = None
    service_mirror: PodMonitorPart | None = None
    proxy: PodMonitorPart | None = None


class PolicyController(GoStruct):
    """`policyController`."""

    image: Image | None = None
    resources: Resources | None = None
    log_level: Text = ""
    probe_networks: TextList | None = None


class Egress(GoStruct):
    """`egress`."""

    global_egress_network_namespace: Text = ""


class Values(GoStruct):
    """The values. Not all of them are read here, but a wrong type anywhere refuses them, as in the reference."""

    controller_image: Text = ""
    controller_replicas: UInt = 0
    controller_uid: Int64 = Field(default=0, alias="controllerUID")
    controller_gid: Int64 = Field(default=0, alias="controllerGID")
    enable_h2_upgrade: Boolean = Field(default=False, alias="enableH2Upgrade")
    enable_pod_anti_affinity: Boolean = False
    node_affinity: AnyObject | None = None
    enable_pod_disruption_budget: Boolean = False
    controller: Controller | None = None
    webhook_failure_policy: Text = ""
    deployment_strategy: AnyObject | None = None
    disable_heart_beat: Boolean = False
    heartbeat_schedule: Text = ""
    cluster_domain: Text = ""
    cluster_networks: Text = ""
    image_pull_policy: Text = ""
    cli_version: Text = ""
    controller_log_level: Text = ""
    controller_log_format: Text = ""
    proxy_container_name: Text = ""
    high_availability: Boolean = False
    cni_enabled: Boolean = False
    enable_endpoint_slices: Boolean = False
    control_plane_tracing: Boolean = False
    control_plane_tracing_namespace: Text = ""
    disable_ipv6: Boolean = Field(default=False, alias="disableIPv6")
    identity_trust_anchors_pem: Text = Field(default="", alias="identityTrustAnchorsPEM")
    identity_trust_domain: Text = ""
    prometheus_url: Text = ""
    image_pull_secrets: list[TextMap] | None = None
    linkerd_version: Text = ""
    revision_history_limit: UInt = 0
    destination_controller: DestinationController | None = None
    heartbeat: AnyObject | None = None
    sp_validator: AnyObject | None = None
    pod_annotations: TextMap | None = None
    pod_labels: TextMap | None = None
    priority_class_name: Text = ""
    pod_monitor: PodMonitor | None = None
    policy_controller: PolicyController | None = None
    proxy: Proxy | None = None
    proxy_init: ProxyInit | None = None
    network_validator: NetworkValidator | None = None
    identity: Identity | None = None
    debug_container: DebugContainer | None = None
    proxy_injector: Webhook | None = None
    profile_validator: Webhook | None = None
    policy_validator: Webhook | None = None
    node_selector: TextMap | None = None
    tolerations: AnyList | None = None
    destination_resources: Resources | None = None
    heartbeat_resources: Resources | None = None
    identity_resources: Resources | None = None
    proxy_injector_resources: Resources | None = None
    destination_proxy_resources: Resources | None = None
    identity_proxy_resources: Resources | None = None
    proxy_injector_proxy_resources: Resources | None = None
    egress: Egress | None = None


# Sections that have keys of their own in `releases.ROWS`.
SECTIONS = frozenset(row.split("/")[1].split(".")[0].lower() for row in ROWS if row.startswith("value/") and "." in row)


def known_to(line: Line, values: dict[str, Any]) -> dict[str, Any]:
    """The values without the keys that this line does not know: as Go ignores them, whatever they hold."""
    hidden = {row.removeprefix("value/").lower() for row in ROWS if row.startswith("value/") and not line.has(row)}

    def keep(section: dict[str, Any], prefix: str) -> dict[str, Any]:
        kept = {}
        for key, value in section.items():
            path = f"{prefix}{key}".lower()
            if path in hidden:
                continue
            kept[key] = keep(value, f"{path}.") if isinstance(value, dict) and path in SECTIONS else value
        return kept

    return keep(values, "")
