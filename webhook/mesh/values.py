"""The values that `linkerd install` or Helm was given, as the `linkerd-config` ConfigMap carries them.

One model for all lines: which keys a line knows stands in `releases.ROWS` (`value/…`), and what it does not know is
taken out before the model sees it. Everything has the zero value that Go gives it: absent sections show as None.

Only what is read here is modelled. Linkerd's own injector decodes all of its values and stops at a wrong type in any of
them; here a wrong type in a key that has no part in a Pod keeps no Pod from being injected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from webhook.mesh.env import EnvVar
from webhook.mesh.gostruct import (
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
from webhook.mesh.releases import RENAMED, ROWS, Line, why_not


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


class CapabilityLists(GoStruct):
    """CapabilityLists of a security context."""

    add: TextList = Field(default_factory=list)
    drop: TextList = Field(default_factory=list)


class VolumeMountPath(GoStruct):
    """A mount of a volume."""

    name: Text = ""
    mount_path: Text = ""
    read_only: Boolean = False


class ProbeTiming(GoStruct):
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
    """`proxy.tracing`; `enable` is what `enabled` was called first."""

    enable: Boolean = False
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
    """`proxy`: the sidecar. `experimental_env_map` is `proxy.experimentalEnv` in the one release where it is a map."""

    capabilities: CapabilityLists | None = None
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
    access_log: Text = ""
    shutdown_grace_period: Text = ""
    native_sidecar: Boolean = False
    startup_probe: StartupProbe | None = None
    readiness_probe: ProbeTiming | None = None
    liveness_probe: ProbeTiming | None = None
    control: ProxyControl | None = None
    metrics: ProxyMetrics | None = None
    tracing: Tracing | None = None
    additional_env: list[EnvVar] | None = None
    experimental_env: list[EnvVar] | None = None
    experimental_env_map: TextMap | None = Field(default=None, alias="experimentalEnv, a map in this release")
    inbound: ProxyParams | None = None
    outbound: ProxyParams | None = None
    cores: Int64 = 0
    runtime: Runtime = Runtime()
    security_context: AnyObject | None = None


class ProxyInit(GoStruct):
    """`proxyInit`: the init container that redirects traffic."""

    capabilities: CapabilityLists | None = None
    ignore_inbound_ports: Text = ""
    ignore_outbound_ports: Text = ""
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
    enable_security_context: Boolean = False
    security_context: AnyObject | None = None


class DebugContainer(GoStruct):
    """`debugContainer`."""

    image: Image | None = None


class Requirement(GoStruct):
    """One expression of a label selector."""

    key: Text = ""
    operator: Text = ""
    values: TextList | None = None


class LabelSelector(GoStruct):
    """A label selector."""

    match_labels: TextMap | None = None
    match_expressions: list[Requirement] | None = None


class ProxyInjectorValues(GoStruct):
    """`proxyInjector`."""

    namespace_selector: LabelSelector | None = None


class Identity(GoStruct):
    """`identity`."""

    service_account_token_projection: Boolean = False


class Values(GoStruct):
    """The values. Not all of them are read here, but a wrong type anywhere refuses them, as in the reference."""

    cluster_domain: Text = ""
    cluster_networks: Text = ""
    image_pull_policy: Text = ""
    cni_enabled: Boolean = False
    disable_ipv6: Boolean = Field(default=False, alias="disableIPv6")
    identity_trust_domain: Text = ""
    linkerd_version: Text = ""
    proxy: Proxy | None = None
    proxy_init: ProxyInit | None = None
    network_validator: NetworkValidator | None = None
    identity: Identity | None = None
    debug_container: DebugContainer | None = None
    proxy_injector: ProxyInjectorValues | None = None


def _sections(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


# Sections that have keys of their own in `releases.ROWS`.
SECTIONS = frozenset(
    path.lower() for row in ROWS if row.startswith("value/") for path in _sections(row.removeprefix("value/"))
)


def _hidden_in(line: Line) -> dict[str, str]:
    """The rows of the keys that a line does not know, by the keys' paths in lower case, as Go reads them."""
    return {row.removeprefix("value/").lower(): row for row in ROWS if row.startswith("value/") and not line.has(row)}


_AS_MAP = str(Proxy.model_fields["experimental_env_map"].alias)


def known_to(line: Line, values: dict[str, Any]) -> dict[str, Any]:
    """The values without the keys that this line does not know: as Go ignores them, whatever they hold. A key that has
    another name in this line gets the one by which it is read here."""
    hidden = _hidden_in(line)
    by_map = line.has("rule/experimental-env-is-a-map")

    def keep(section: dict[str, Any], prefix: str) -> dict[str, Any]:
        kept = {}
        for key, value in section.items():
            path = f"{prefix}{key}".lower()
            if path in hidden:
                continue
            name = _AS_MAP if by_map and path == "proxy.experimentalenv" else key
            kept[name] = keep(value, f"{path}.") if isinstance(value, dict) and path in SECTIONS else value
        return kept

    known = keep(values, "")
    for new, old in RENAMED.items():
        if line.knows(f"value/{new}"):
            _rename(known, new.split("."), old.split("."))
    return known


def _rename(values: dict[str, Any], new: list[str], old: list[str]) -> None:
    """Move what stands at one path to another, if there is something."""
    source: Any = values
    for key in new[:-1]:
        source = source.get(key) if isinstance(source, dict) else None
    if not isinstance(source, dict) or new[-1] not in source:
        return
    target = values
    for key in old[:-1]:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            return
    target[old[-1]] = source.pop(new[-1])


def unknown_to(line: Line, values: dict[str, Any]) -> list[str]:
    """The keys that hold something and that this line does not know: each with the release that it came with, or was
    removed with, as `proxy.gid came with edge-24.5.4 (version-2.16)`."""
    hidden = _hidden_in(line)

    def look(section: dict[str, Any], prefix: str) -> Iterator[str]:
        for key, value in section.items():
            path = f"{prefix}{key}"
            if (row := hidden.get(path.lower())) is not None:
                if not _says_nothing(value, path):
                    yield f"{path} {why_not(row, line)}"
            elif isinstance(value, dict) and path.lower() in SECTIONS:
                yield from look(value, f"{path}.")

    return [*look(values, "")]


def _says_nothing(value: Any, path: str) -> bool:
    """Whether a value is what the chart means by "not set": nothing, false, 0, or -1 for a group."""
    if isinstance(value, dict):
        return all(_says_nothing(element, path) for element in value.values())
    return not value or (value == -1 and path.lower() in _GROUPS)


_GROUPS = ("proxy.gid", "proxyinit.runasgroup")
