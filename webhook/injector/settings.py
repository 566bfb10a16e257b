"""The annotations that set something: `SETTINGS` has a row for each.

What it is called, which field of `effective.Settings` it sets, its grammar, whether a Pod inherits it from its
Namespace. In which release lines a row exists stands in `mesh.releases` (`annotation/…`). The rules are those of
Linkerd's `pkg/inject/inject.go`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webhook.grammar import GrammarError, parse_bool, parse_duration, parse_float, parse_int, parse_quantity, parse_uint
from webhook.injector import ports
from webhook.mesh.releases import came_with

PREFIX = "config.linkerd.io/"
ALPHA = "config.alpha.linkerd.io/"
BETA = "config.beta.linkerd.io/"
PREFIXES = (PREFIX, ALPHA, BETA)
TRACE_ATTRIBUTE = "resource.opentelemetry.io/"
# Labels that name the service in a proxy's traces; the first that is there counts.
TRACE_NAMES = ("app.kubernetes.io/instance", "app.kubernetes.io/name")

ADDITIONAL_ENV = f"{PREFIX}proxy-additional-env"
DEBUG = f"{PREFIX}enable-debug-sidecar"
CLOSE_WAIT = f"{PREFIX}close-wait-timeout"
LOG_HTTP_HEADERS = f"{PREFIX}proxy-log-http-headers"
POD_INBOUND_PORTS = f"{PREFIX}pod-inbound-ports"

INBOUND_POLICIES = (
    "all-unauthenticated",
    "all-authenticated",
    "cluster-unauthenticated",
    "cluster-authenticated",
    "deny",
    "audit",
)


# Grammars: what each takes is what comes out, as the proxy reads it.


def _switch(text: str) -> bool:
    if text in ("enabled", "disabled"):
        return text == "enabled"
    raise GrammarError("enabled or disabled")


def _milliseconds(text: str) -> str:
    nanoseconds = parse_duration(text)
    return f"{_go_int(_seconds(nanoseconds) * 1000)}ms"


def _whole_seconds_text(text: str) -> str:
    return f"{_whole_seconds(text)}s"


def _whole_seconds(text: str) -> int:
    return _go_int(_seconds(parse_duration(text)))


def _seconds(nanoseconds: int) -> float:
    """Go's `Duration.Seconds`: whole seconds and the rest, each as a float, so that rounding comes out the same."""
    sign = -1 if nanoseconds < 0 else 1
    whole, rest = divmod(abs(nanoseconds), 1_000_000_000)
    return sign * (float(whole) + rest / 1e9)


def _go_int(number: float) -> int:
    return int(number)


def _port(text: str) -> int:
    return parse_int(text, 32)


def _ratio(text: str) -> float:
    ratio = parse_float(text)
    if 0.0 < ratio < 1.0:
        return ratio
    raise GrammarError("a number between 0 and 1, neither included")


def read_policy_before_audit(text: str) -> str:
    """An inbound policy of the releases that do not know `audit`."""
    if text in INBOUND_POLICIES[:-1]:
        return text
    known = ", ".join(INBOUND_POLICIES[:-1])
    if text == INBOUND_POLICIES[-1]:
        raise GrammarError(f"one of {known}, as {text} came with {came_with('rule/audit-policy')}")
    raise GrammarError(f"one of {known}")


def _policy_or_audit(text: str) -> str:
    if text in INBOUND_POLICIES:
        return text
    raise GrammarError(f"one of {', '.join(INBOUND_POLICIES)}")


# What is taken though it is hardly meant: the answer is what would be right, or nothing.


def _odd_port(value: Any) -> str:
    return "" if 1 <= value <= ports.HIGHEST else f"a port from 1 to {ports.HIGHEST}"


def _odd_id(value: Any) -> str:
    return "" if 0 <= value < 2**31 else "an id of 0 or more"


def _odd_user(value: Any) -> str:
    return "" if 0 < value < 2**31 else "an id above 0, for the proxy never runs as root"


def _odd_time(value: Any) -> str:
    return "a duration of 0 or more" if str(value).startswith("-") else ""


def _odd_quantity(value: Any) -> str:
    return "" if value.value > 0 else "a quantity above 0"


def _odd_port_list(value: Any) -> str:
    entries = [entry for entry in value.split(",") if entry]
    if all(ports.parse_range(entry) for entry in entries):
        return ""
    return "ports and ranges with commas between"


def _odd_pull_policy(value: Any) -> str:
    return "" if value in ("", "Always", "IfNotPresent", "Never") else "Always, IfNotPresent or Never"


def _odd_log_format(value: Any) -> str:
    return "" if value in ("plain", "json") else "plain or json"


def _odd_access_log(value: Any) -> str:
    return "" if value in ("apache", "json") else "apache or json"


def _plain(text: str) -> str:
    return text


def _never_odd(_value: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One annotation. `read` raises `GrammarError`; `also` are further fields that take the same value; `hidden_by` are
    annotations whose presence alone makes this one count for nothing; `odd` answers what a value that is taken should
    have been. `inherited` is whether Pods take it over from their Namespace, or the rule of the line that says so."""

    annotation: str
    field: str
    read: Callable[[str], Any] = _plain
    inherited: bool | str = True
    odd: Callable[[Any], str] = _never_odd
    also: tuple[str, ...] = ()
    hidden_by: tuple[str, ...] = ()
    effect: str = ""


WAIT_BEFORE_EXIT = f"{ALPHA}proxy-wait-before-exit-seconds"
NATIVE = tuple(f"{prefix}proxy-enable-native-sidecar" for prefix in (PREFIX, BETA, ALPHA))

# Row order is the order of warnings. `effect` names a rule of the line without which the annotation is read in vain.
SETTINGS = (
    Setting(f"{PREFIX}proxy-image", "proxy_image"),
    Setting(f"{PREFIX}proxy-version", "proxy_version"),
    Setting(f"{PREFIX}image-pull-policy", "pull_policy", odd=_odd_pull_policy, also=("init_pull_policy",)),
    Setting(f"{PREFIX}init-image", "init_image"),
    Setting(f"{PREFIX}init-image-version", "init_version"),
    Setting(f"{PREFIX}control-port", "control_port", _port, odd=_odd_port),
    Setting(f"{PREFIX}inbound-port", "inbound_port", _port, odd=_odd_port),
    Setting(f"{PREFIX}admin-port", "admin_port", _port, odd=_odd_port),
    Setting(f"{PREFIX}outbound-port", "outbound_port", _port, odd=_odd_port),
    Setting(
        POD_INBOUND_PORTS,
        "pod_inbound_ports",
        effect="rule/pod-inbound-ports-annotation",
    ),
    Setting(f"{PREFIX}proxy-admin-shutdown", "shutdown_endpoint", _switch),
    Setting(f"{PREFIX}proxy-log-level", "log_level"),
    Setting(LOG_HTTP_HEADERS, "log_http_headers"),
    Setting(f"{PREFIX}proxy-log-format", "log_format", odd=_odd_log_format),
    Setting(f"{PREFIX}proxy-require-identity-inbound-ports", "require_identity_ports", odd=_odd_port_list),
    Setting(f"{PREFIX}proxy-metrics-hostname-labels", "hostname_labels", parse_bool),
    Setting(f"{PREFIX}proxy-outbound-connect-timeout", "outbound_connect_timeout", _milliseconds, odd=_odd_time),
    Setting(f"{PREFIX}proxy-inbound-connect-timeout", "inbound_connect_timeout", _milliseconds, odd=_odd_time),
    Setting(
        f"{PREFIX}proxy-outbound-discovery-cache-unused-timeout",
        "outbound_discovery_timeout",
        _whole_seconds_text,
        odd=_odd_time,
    ),
    Setting(
        f"{PREFIX}proxy-inbound-discovery-cache-unused-timeout",
        "inbound_discovery_timeout",
        _whole_seconds_text,
        odd=_odd_time,
    ),
    Setting(f"{PREFIX}proxy-disable-outbound-protocol-detect-timeout", "disable_outbound_detect_timeout", parse_bool),
    Setting(f"{PREFIX}proxy-disable-inbound-protocol-detect-timeout", "disable_inbound_detect_timeout", parse_bool),
    Setting(f"{PREFIX}shutdown-grace-period", "shutdown_grace_period", _milliseconds, odd=_odd_time),
    Setting(f"{PREFIX}enable-gateway", "is_gateway", parse_bool, inherited=False),
    Setting(WAIT_BEFORE_EXIT, "wait_before_exit", parse_uint),
    Setting(NATIVE[0], "native_sidecar", parse_bool),
    Setting(
        NATIVE[1], "native_sidecar", parse_bool, inherited="rule/beta-native-sidecar-inherited", hidden_by=NATIVE[:1]
    ),
    Setting(NATIVE[2], "native_sidecar", parse_bool, hidden_by=NATIVE[:2]),
    Setting(f"{PREFIX}proxy-cpu-request", "cpu_request", parse_quantity, odd=_odd_quantity),
    Setting(f"{PREFIX}proxy-cpu-limit", "cpu_limit", parse_quantity, odd=_odd_quantity),
    Setting(f"{PREFIX}proxy-cpu-ratio-limit", "workers_ratio", _ratio, inherited=False),
    Setting(f"{PREFIX}proxy-memory-request", "memory_request", parse_quantity, odd=_odd_quantity),
    Setting(f"{PREFIX}proxy-memory-limit", "memory_limit", parse_quantity, odd=_odd_quantity),
    Setting(f"{PREFIX}proxy-ephemeral-storage-request", "ephemeral_storage_request", parse_quantity, odd=_odd_quantity),
    Setting(f"{PREFIX}proxy-ephemeral-storage-limit", "ephemeral_storage_limit", parse_quantity, odd=_odd_quantity),
    Setting(f"{PREFIX}proxy-uid", "uid", parse_int, odd=_odd_user),
    Setting(f"{PREFIX}proxy-gid", "gid", parse_int, odd=_odd_id),
    Setting(f"{PREFIX}enable-external-profiles", "external_profiles", parse_bool),
    Setting(f"{PREFIX}skip-inbound-ports", "skip_inbound_ports"),
    Setting(f"{PREFIX}skip-outbound-ports", "skip_outbound_ports"),
    Setting(ports.OPAQUE_PORTS, "opaque_ports"),
    Setting(DEBUG, "debug", parse_bool),
    Setting(f"{PREFIX}debug-image", "debug_image", inherited=False, effect="rule/debug-image-annotations"),
    Setting(f"{PREFIX}debug-image-version", "debug_version", inherited=False, effect="rule/debug-image-annotations"),
    Setting(
        f"{PREFIX}debug-image-pull-policy",
        "debug_pull_policy",
        inherited=False,
        odd=_odd_pull_policy,
        effect="rule/debug-image-annotations",
    ),
    Setting(f"{PREFIX}proxy-await", "await_proxy", _switch),
    Setting(f"{PREFIX}default-inbound-policy", "default_inbound_policy", _policy_or_audit),
    Setting(f"{PREFIX}skip-subnets", "skip_subnets"),
    Setting(f"{PREFIX}access-log", "access_log", odd=_odd_access_log),
    Setting(CLOSE_WAIT, "close_wait_seconds", _whole_seconds, inherited=False, odd=_odd_time),
    Setting(ADDITIONAL_ENV, "additional_env"),
)

# Read by others than the injector: the tap and jaeger injectors, the control plane.
OTHERS = frozenset(
    f"{prefix}{name}"
    for prefix, names in {
        PREFIX: ("trace-collector", "admission-webhooks"),
        ALPHA: ("trace-collector-service-account",),
    }.items()
    for name in names
)
