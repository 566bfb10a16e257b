"""The part of a Pod that the injector reads, as Kubernetes names it.

Decoded straight from the request's text: what is not named here is passed over and never built. Everything absent or
null is None.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class OwnerReference(Struct, rename="camel"):
    """`metadata.ownerReferences[]`."""

    api_version: str | None = None
    kind: str | None = None
    name: str | None = None
    uid: str | None = None


class ObjectMeta(Struct, rename="camel"):
    """`metadata`."""

    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


class ContainerPort(Struct, rename="camel"):
    """`ports[]` of a container."""

    container_port: Int32 | None = None
    name: str | None = None
    protocol: str | None = None


class VolumeMount(Struct, rename="camel"):
    """`volumeMounts[]` of a container."""

    name: str | None = None
    mount_path: str | None = None
    read_only: bool | None = None


class HTTPGetAction(Struct):
    """`httpGet` of a probe."""

    port: Int32 | str | None = None


class TCPSocketAction(Struct):
    """`tcpSocket` of a probe."""

    port: Int32 | str | None = None


class Probe(Struct, rename="camel"):
    """A readiness, liveness or startup probe."""

    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None


class Capabilities(Struct):
    """`securityContext.capabilities`."""

    add: list[str] | None = None
    drop: list[str] | None = None


class SecurityContext(Struct, rename="camel"):
    """`securityContext` of a container."""

    capabilities: Capabilities | None = None
    run_as_user: Int64 | None = None
    run_as_group: Int64 | None = None


class PodSecurityContext(Struct, rename="camel"):
    """`securityContext` of a Pod."""

    run_as_user: Int64 | None = None
    run_as_group: Int64 | None = None


class PodOS(Struct):
    """`os` of a Pod."""

    name: str | None = None


class Container(Struct, rename="camel"):
    """A container or init container."""

    name: str | None = None
    image: str | None = None
    ports: list[ContainerPort] | None = None
    volume_mounts: list[VolumeMount] | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    restart_policy: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    security_context: SecurityContext | None = None


class Volume(Struct):
    """`volumes[]`: only that it is there counts."""


class PodSpec(Struct, rename="camel"):
    """`spec`."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    volumes: list[Volume] | None = None
    host_network: bool | None = None
    automount_service_account_token: bool | None = None
    security_context: PodSecurityContext | None = None
    node_selector: dict[str, str] | None = None
    os: PodOS | None = None


class Pod(Struct, rename="camel"):
    """A Pod, or the template of one."""

    kind: str | None = None
    metadata: ObjectMeta | None = None
    spec: PodSpec | None = None


class ServicePort(Struct, rename="camel"):
    """`spec.ports[]` of a Service."""

    port: Int32 | None = None
    target_port: Int32 | str | None = None


class ServiceSpec(Struct):
    """`spec` of a Service."""

    ports: list[ServicePort] | None = None


class Service(Struct, rename="camel"):
    """A Service."""

    metadata: ObjectMeta | None = None
    spec: ServiceSpec | None = None
