"""The settings that one Pod's proxy gets: what annotations may change of the mesh's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.mesh.config import Mesh
from webhook.mesh.values import Image, Proxy, ProxyInit
from webhook.review import JSON


@dataclass
class Settings:
    """What annotations may change, and what the injected containers take over from the Pod's first one.

    Times are as the proxy reads them (`1000ms`), quantities as Kubernetes does. `capabilities` are those that the first
    container adds and drops, and `own_mount` is whether it has a mount of the service account.
    """

    proxy_image: str
    proxy_version: str
    pull_policy: str
    control_port: int
    inbound_port: int
    admin_port: int
    outbound_port: int
    pod_inbound_ports: str
    shutdown_endpoint: bool
    log_level: str
    log_http_headers: str
    log_format: str
    require_identity_ports: str
    hostname_labels: bool
    outbound_connect_timeout: str
    inbound_connect_timeout: str
    outbound_discovery_timeout: str
    inbound_discovery_timeout: str
    disable_outbound_detect_timeout: bool
    disable_inbound_detect_timeout: bool
    shutdown_grace_period: str
    is_gateway: bool
    is_ingress: bool
    wait_before_exit: int
    native_sidecar: bool
    cpu_request: str
    cpu_limit: str
    cores: int
    workers_minimum: int
    workers_maximum: int
    workers_ratio: float
    memory_request: str
    memory_limit: str
    ephemeral_storage_request: str
    ephemeral_storage_limit: str
    uid: int
    gid: int
    external_profiles: bool
    skip_inbound_ports: str
    skip_outbound_ports: str
    opaque_ports: str
    debug: bool
    debug_image: str
    debug_version: str
    debug_pull_policy: str
    await_proxy: bool
    default_inbound_policy: str
    skip_subnets: str
    access_log: str
    close_wait_seconds: int
    init_image: str
    init_version: str
    init_pull_policy: str
    trace_labels: dict[str, str] | None
    additional_env: list[JSON]
    capabilities: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    own_mount: bool = True
    # The fields that a copy was given another value for; only copies have it.
    changed: set[str] = field(init=False, repr=False, compare=False)

    def with_changes(self, changes: Mapping[str, Any]) -> Settings:
        """A copy with other values for some fields; the values themselves are never changed in place."""
        new = object.__new__(Settings)
        object.__setattr__(new, "__dict__", {**self.__dict__, **changes, "changed": set(changes)})
        return new

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field, and note that."""
        fields = self.__dict__
        fields[name] = value
        if "changed" in fields:
            fields["changed"].add(name)


def from_mesh(mesh: Mesh) -> Settings:
    """The settings of a Pod without any annotation."""
    values = mesh.values
    proxy, init = values.proxy or Proxy(), values.proxy_init or ProxyInit()
    image, init_image = proxy.image or Image(), init.image or Image()
    debug = (values.debug_container.image if values.debug_container else None) or Image()
    ports_, resources, workers = proxy.ports, proxy.resources, proxy.runtime.workers
    return Settings(
        proxy_image=image.name,
        proxy_version=image.version,
        pull_policy=image.pull_policy,
        control_port=ports_.control if ports_ else 0,
        inbound_port=ports_.inbound if ports_ else 0,
        admin_port=ports_.admin if ports_ else 0,
        outbound_port=ports_.outbound if ports_ else 0,
        pod_inbound_ports="",
        shutdown_endpoint=proxy.enable_shutdown_endpoint,
        log_level=proxy.log_level,
        log_http_headers=proxy.log_http_headers,
        log_format=proxy.log_format,
        require_identity_ports=proxy.require_identity_on_inbound_ports,
        hostname_labels=bool(proxy.metrics and proxy.metrics.hostname_labels),
        outbound_connect_timeout=proxy.outbound_connect_timeout,
        inbound_connect_timeout=proxy.inbound_connect_timeout,
        outbound_discovery_timeout=proxy.outbound_discovery_cache_unused_timeout,
        inbound_discovery_timeout=proxy.inbound_discovery_cache_unused_timeout,
        disable_outbound_detect_timeout=proxy.disable_outbound_protocol_detect_timeout,
        disable_inbound_detect_timeout=proxy.disable_inbound_protocol_detect_timeout,
        shutdown_grace_period=proxy.shutdown_grace_period,
        is_gateway=proxy.is_gateway,
        is_ingress=proxy.is_ingress,
        wait_before_exit=proxy.wait_before_exit_seconds,
        native_sidecar=proxy.native_sidecar,
        cpu_request=resources.cpu.request if resources else "",
        cpu_limit=resources.cpu.limit if resources else "",
        cores=proxy.cores,
        workers_minimum=workers.minimum,
        workers_maximum=workers.maximum,
        workers_ratio=workers.maximum_cpu_ratio,
        memory_request=resources.memory.request if resources else "",
        memory_limit=resources.memory.limit if resources else "",
        ephemeral_storage_request=resources.ephemeral_storage.request if resources else "",
        ephemeral_storage_limit=resources.ephemeral_storage.limit if resources else "",
        uid=proxy.uid,
        gid=proxy.gid,
        external_profiles=proxy.enable_external_profiles,
        skip_inbound_ports=init.ignore_inbound_ports,
        skip_outbound_ports=init.ignore_outbound_ports,
        opaque_ports=proxy.opaque_ports,
        debug=False,
        debug_image=debug.name,
        debug_version=debug.version,
        debug_pull_policy=debug.pull_policy,
        await_proxy=proxy.await_,
        default_inbound_policy=proxy.default_inbound_policy,
        skip_subnets=init.skip_subnets,
        access_log=proxy.access_log,
        close_wait_seconds=init.close_wait_timeout_secs,
        init_image=init_image.name,
        init_version=init_image.version,
        init_pull_policy=init_image.pull_policy,
        trace_labels=proxy.tracing.labels if proxy.tracing else None,
        additional_env=[variable.render() for variable in proxy.additional_env or ()],
    )


# Where Linkerd's values have each setting that an annotation can change; empty where they do not have it.
IN_VALUES: Final[Mapping[str, str]] = {
    "proxy_image": "proxy.image.name",
    "proxy_version": "proxy.image.version",
    "pull_policy": "proxy.image.pullPolicy",
    "control_port": "proxy.ports.control",
    "inbound_port": "proxy.ports.inbound",
    "admin_port": "proxy.ports.admin",
    "outbound_port": "proxy.ports.outbound",
    "pod_inbound_ports": "",
    "shutdown_endpoint": "proxy.enableShutdownEndpoint",
    "log_level": "proxy.logLevel",
    "log_http_headers": "proxy.logHTTPHeaders",
    "log_format": "proxy.logFormat",
    "require_identity_ports": "proxy.requireIdentityOnInboundPorts",
    "hostname_labels": "proxy.metrics.hostnameLabels",
    "outbound_connect_timeout": "proxy.outboundConnectTimeout",
    "inbound_connect_timeout": "proxy.inboundConnectTimeout",
    "outbound_discovery_timeout": "proxy.outboundDiscoveryCacheUnusedTimeout",
    "inbound_discovery_timeout": "proxy.inboundDiscoveryCacheUnusedTimeout",
    "disable_outbound_detect_timeout": "proxy.disableOutboundProtocolDetectTimeout",
    "disable_inbound_detect_timeout": "proxy.disableInboundProtocolDetectTimeout",
    "shutdown_grace_period": "proxy.shutdownGracePeriod",
    "is_gateway": "proxy.isGateway",
    "is_ingress": "proxy.isIngress",
    "wait_before_exit": "proxy.waitBeforeExitSeconds",
    "native_sidecar": "proxy.nativeSidecar",
    "cpu_request": "proxy.resources.cpu.request",
    "cpu_limit": "proxy.resources.cpu.limit",
    "workers_ratio": "proxy.runtime.workers.maximumCPURatio",
    "memory_request": "proxy.resources.memory.request",
    "memory_limit": "proxy.resources.memory.limit",
    "ephemeral_storage_request": "proxy.resources.ephemeral-storage.request",
    "ephemeral_storage_limit": "proxy.resources.ephemeral-storage.limit",
    "uid": "proxy.uid",
    "gid": "proxy.gid",
    "external_profiles": "proxy.enableExternalProfiles",
    "skip_inbound_ports": "proxyInit.ignoreInboundPorts",
    "skip_outbound_ports": "proxyInit.ignoreOutboundPorts",
    "opaque_ports": "proxy.opaquePorts",
    "debug": "",
    "debug_image": "debugContainer.image.name",
    "debug_version": "debugContainer.image.version",
    "debug_pull_policy": "debugContainer.image.pullPolicy",
    "await_proxy": "proxy.await",
    "default_inbound_policy": "proxy.defaultInboundPolicy",
    "skip_subnets": "proxyInit.skipSubnets",
    "access_log": "proxy.accessLog",
    "close_wait_seconds": "proxyInit.closeWaitTimeoutSecs",
    "init_image": "proxyInit.image.name",
    "init_version": "proxyInit.image.version",
    "init_pull_policy": "proxyInit.image.pullPolicy",
    "additional_env": "proxy.additionalEnv",
}
