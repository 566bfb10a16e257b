"""Why a field of a proxy would be another one now: the setting that decides about it, and where that stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from webhook.injector import names
from webhook.injector.names import PROXY
from webhook.injector.plan import PlannedSetting, Source
from webhook.injector.settings import SETTINGS

ANCHORS: Final = "trust anchors"
VERSION: Final = "proxy version"

_PREFIX: Final = "LINKERD2_PROXY_"
# The settings by which each variable is written, by its name without the prefix.
_BY_VARIABLE: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        ("CORES", "CORES_MIN", "CORES_MAX", "CORES_MAX_RATIO"), ("workers_ratio", "cpu_limit", "cpu_request")
    ),
    "INBOUND_PORTS_REQUIRE_IDENTITY": ("require_identity_ports",),
    "SHUTDOWN_ENDPOINT_ENABLED": ("shutdown_endpoint",),
    "LOG": ("log_level", "log_http_headers"),
    "LOG_FORMAT": ("log_format",),
    "INBOUND_DEFAULT_POLICY": ("default_inbound_policy",),
    "INBOUND_CONNECT_TIMEOUT": ("inbound_connect_timeout",),
    "OUTBOUND_CONNECT_TIMEOUT": ("outbound_connect_timeout",),
    "OUTBOUND_DISCOVERY_IDLE_TIMEOUT": ("outbound_discovery_timeout",),
    "INBOUND_DISCOVERY_IDLE_TIMEOUT": ("inbound_discovery_timeout",),
    "OUTBOUND_DETECT_TIMEOUT": ("disable_outbound_detect_timeout",),
    "INBOUND_DETECT_TIMEOUT": ("disable_inbound_detect_timeout",),
    "CONTROL_LISTEN_ADDR": ("control_port",),
    "ADMIN_LISTEN_ADDR": ("admin_port",),
    "OUTBOUND_LISTEN_ADDR": ("outbound_port",),
    "OUTBOUND_LISTEN_ADDRS": ("outbound_port",),
    "INBOUND_LISTEN_ADDR": ("inbound_port",),
    "INBOUND_PORTS": ("pod_inbound_ports",),
    "INBOUND_GATEWAY_SUFFIXES": ("is_gateway",),
    "INGRESS_MODE": ("is_ingress",),
    "DESTINATION_PROFILE_SUFFIXES": ("external_profiles",),
    "OUTBOUND_METRICS_HOSTNAME_LABELS": ("hostname_labels",),
    "INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION": ("opaque_ports",),
    "ACCESS_LOG": ("access_log",),
    "SHUTDOWN_GRACE_PERIOD": ("shutdown_grace_period",),
}
_PORTS: Final = ("inbound_port", "admin_port", "control_port", "outbound_port")
# The settings by which each flag of linkerd-init is written.
_BY_FLAG: Final[Mapping[str, tuple[str, ...]]] = {
    "--incoming-proxy-port": ("inbound_port",),
    "--outgoing-proxy-port": ("outbound_port",),
    "--proxy-uid": ("uid",),
    "--proxy-gid": ("gid",),
    "--inbound-ports-to-ignore": ("skip_inbound_ports", "control_port", "admin_port"),
    "--outbound-ports-to-ignore": ("skip_outbound_ports",),
    "--subnets-to-ignore": ("skip_subnets",),
    "--timeout-close-wait-secs": ("close_wait_seconds",),
}
# The settings by which each field of a container is written.
_BY_FIELD: Final[Mapping[str, tuple[str, ...]]] = {
    "imagePullPolicy": ("pull_policy",),
    "lifecycle": ("await_proxy", "wait_before_exit", "native_sidecar"),
    "startupProbe": ("native_sidecar", "await_proxy"),
    "restartPolicy": ("native_sidecar",),
    "place": ("native_sidecar",),
    "ports": _PORTS,
    "livenessProbe": ("admin_port",),
    "readinessProbe": ("admin_port",),
    "securityContext": ("uid", "gid", "close_wait_seconds"),
}
_BY_RESOURCE: Final = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "ephemeral_storage"}

# Which of these a Pod has depends on whether the CNI plugin is in use.
_BY_CNI: Final = frozenset((names.INIT, names.VALIDATOR, names.NOOP))

_ANNOTATIONS: Final = {row.field: row.annotation for row in reversed(SETTINGS)}


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides about a Pod's proxy now: its planned settings, and the names of its Namespace and of the workload
    with its Pod template.

    `lost` are annotations by which the Pod was injected, and that neither it nor its Namespace has any more. `was` and
    `would_be` are the versions of the proxy that it has and would get; where these differ, that explains the rest.
    """

    settings: Sequence[PlannedSetting]
    namespace: str
    workload: str
    lost: Mapping[str, str]
    was: str
    would_be: str


def why(path: Sequence[str], situation: Situation) -> str:
    """What decides about the field of a Pod's shape (`shapes.shape`), as a phrase: `proxy version`, `trust anchors`,
    `config.linkerd.io/proxy-log-level of Namespace shop`, `proxy.logLevel in Linkerd's values`."""
    if path[2:4] == ("env", f"{_PREFIX}IDENTITY_TRUST_ANCHORS"):
        return ANCHORS
    if path[1] in _BY_CNI and len(path) == 2 and situation.was == situation.would_be:
        return "cniEnabled in Linkerd's values"
    decided = [setting for setting in situation.settings if setting.field in fields(path)]
    for setting in decided:
        annotation = _ANNOTATIONS.get(setting.field, "")
        if annotation in situation.lost:
            was = situation.lost[annotation]
            return f"{annotation}: {was} is no longer on Namespace {situation.namespace}"
        if setting.source.at in ("pod", "namespace"):
            return _source(setting.source, situation)
    if situation.was != situation.would_be:
        return VERSION
    source = next(
        (setting.source for setting in decided if setting.source.at == "values" and setting.source.name), None
    )
    return _source(source, situation) if source is not None else "Linkerd's values"


def _source(source: Source, situation: Situation) -> str:
    if source.at == "namespace":
        return f"{source.name} of Namespace {situation.namespace}"
    if source.at == "pod":
        return f"{source.name} of {situation.workload}"
    return f"{source.name} in Linkerd's values"


def fields(path: Sequence[str]) -> tuple[str, ...]:
    """The settings, by their names in `effective.Settings`, on which the field of a Pod's shape depends."""
    container, *rest = path[1:]
    if not rest:
        return ("debug",) if container == names.DEBUG else ()
    match rest:
        case ["env", name, *_]:
            return _BY_VARIABLE.get(name.removeprefix(_PREFIX), () if name.startswith(_PREFIX) else ("additional_env",))
        case ["image", *_]:
            return ("init_image", "init_version") if container == names.INIT else ("proxy_image", "proxy_version")
        case ["resources", kind, what, *_] if container in (PROXY, names.INIT, names.VALIDATOR):
            return (f"{_BY_RESOURCE.get(what, what)}_{kind.removesuffix('s')}",)
        case ["resources", *_]:
            return tuple(f"{what}_{kind}" for what in _BY_RESOURCE.values() for kind in ("limit", "request"))
        case ["args", flag, *_]:
            return _BY_FLAG.get(flag, ())
    return _BY_FIELD.get(rest[0], ())
