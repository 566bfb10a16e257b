"""The settings of one Pod's proxy: annotations over the Namespace's over the mesh's values, each with its source.

`SETTINGS` has a row an annotation: what it is called, which field of `Settings` it sets, its grammar, whether a Pod
inherits it from its Namespace. In which release lines a row exists, and in which it is inherited otherwise than here,
stands in `mesh.releases` (`annotation/…`). The rules are those of Linkerd's `pkg/inject/inject.go`:

- A Pod's annotation hides its Namespace's, also when its value is no good: the setting then falls to the mesh's values.
- What parses is taken verbatim, however odd, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import orjson

from webhook.grammar import (
    GrammarError,
    Quantity,
    parse_bool,
    parse_duration,
    parse_float,
    parse_int,
    parse_quantity,
    parse_uint,
)
from webhook.injector import ports
from webhook.injector.decision import INGRESS, INJECT
from webhook.injector.subject import Subject
from webhook.mesh.config import Mesh
from webhook.mesh.env import merge_env_vars, read_env_vars
from webhook.mesh.releases import ROWS, Line
from webhook.mesh.values import Image, Proxy, ProxyInit
from webhook.review import JSON

PREFIX = "config.linkerd.io/"
ALPHA = "config.alpha.linkerd.io/"
BETA = "config.beta.linkerd.io/"
PREFIXES = (PREFIX, ALPHA, BETA)
TRACE_ATTRIBUTE = "resource.opentelemetry.io/"

ADDITIONAL_ENV = f"{PREFIX}proxy-additional-env"
DEBUG = f"{PREFIX}enable-debug-sidecar"
CLOSE_WAIT = f"{PREFIX}close-wait-timeout"

INBOUND_POLICIES = (
    "all-unauthenticated",
    "all-authenticated",
    "cluster-unauthenticated",
    "cluster-authenticated",
    "deny",
    "audit",
)


@dataclass(slots=False)
class Settings:
    """What annotations may change. Times are as the proxy reads them (`1000ms`), quantities as Kubernetes does."""

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

    def copy(self) -> Settings:
        """A copy to change; the values themselves are never changed in place."""
        new = object.__new__(Settings)
        new.__dict__.update(self.__dict__)
        return new


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


def _policy(text: str) -> str:
    if text in INBOUND_POLICIES[:-1]:
        return text
    raise GrammarError(f"one of {', '.join(INBOUND_POLICIES[:-1])}")


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
    have been."""

    annotation: str
    field: str
    read: Callable[[str], Any] = _plain
    inherited: bool = True
    odd: Callable[[Any], str] = _never_odd
    also: tuple[str, ...] = ()
    hidden_by: tuple[str, ...] = ()
    effect: str = ""


_NATIVE = tuple(f"{prefix}proxy-enable-native-sidecar" for prefix in (PREFIX, BETA, ALPHA))

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
        f"{PREFIX}pod-inbound-ports",
        "pod_inbound_ports",
        odd=_odd_port_list,
        effect="rule/pod-inbound-ports-annotation",
    ),
    Setting(f"{PREFIX}proxy-admin-shutdown", "shutdown_endpoint", _switch),
    Setting(f"{PREFIX}proxy-log-level", "log_level"),
    Setting(f"{PREFIX}proxy-log-http-headers", "log_http_headers"),
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
    Setting(f"{ALPHA}proxy-wait-before-exit-seconds", "wait_before_exit", parse_uint),
    Setting(_NATIVE[0], "native_sidecar", parse_bool),
    Setting(_NATIVE[1], "native_sidecar", parse_bool, inherited=False, hidden_by=_NATIVE[:1]),
    Setting(_NATIVE[2], "native_sidecar", parse_bool, hidden_by=_NATIVE[:2]),
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
    Setting(f"{PREFIX}skip-inbound-ports", "skip_inbound_ports", odd=_odd_port_list),
    Setting(f"{PREFIX}skip-outbound-ports", "skip_outbound_ports", odd=_odd_port_list),
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


@dataclass(slots=True)
class Resolved:
    """The settings of one Pod. `sources` has, for each annotation that counted, its value and where it was found
    (`pod` or `namespace`); `inherited` are the Namespace's annotations that the Pod is given."""

    settings: Settings
    inherited: dict[str, str] = field(default_factory=dict)
    sources: dict[str, tuple[str, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Resolver:
    """Settles the settings of Pods in one mesh. What depends on the mesh alone is worked out once."""

    def __init__(self, mesh: Mesh) -> None:
        self._line = mesh.line
        self._rows = {row.annotation: row for row in SETTINGS if mesh.line.has(f"annotation/{row.annotation}")}
        self._order = {row.annotation: index for index, row in enumerate(SETTINGS)}
        self._inherited = frozenset(
            {row.annotation for row in self._rows.values() if row.inherited and _in_line(row, mesh.line)} | {INJECT}
        )
        if not mesh.line.has("rule/audit-policy"):
            annotation = f"{PREFIX}default-inbound-policy"
            self._rows[annotation] = Setting(annotation, "default_inbound_policy", _policy)
        self._expand = mesh.line.has("rule/opaque-port-ranges-expand")
        self._init_ports = mesh.line.has("rule/init-container-ports")
        self._request_sets_workers = mesh.line.has("rule/cpu-request-sets-workers")
        self._template_is_own = mesh.line.has("rule/template-annotations-are-own")
        self._tracing = mesh.values.proxy is not None and mesh.values.proxy.tracing is not None
        self.defaults = from_mesh(mesh)

    def inherit(self, subject: Subject, namespace: Mapping[str, str]) -> dict[str, str]:
        """The Namespace's annotations that the Pod takes over: those that it (or its workload) does not have itself."""
        own = subject.annotations
        template = subject.pod_annotations if self._template_is_own else own
        return {
            key: value
            for key, value in namespace.items()
            if key in self._inherited and key not in own and key not in template
        }

    def resolve(self, subject: Subject, namespace: Mapping[str, str], inherited: dict[str, str]) -> Resolved:
        """The settings of a Pod that is injected, given what it inherits."""
        annotations = {**subject.pod_annotations, **inherited} if inherited else subject.pod_annotations
        settings = self.defaults.copy()
        out = Resolved(settings, inherited)
        rows = self._rows
        found = [rows[key] for key in annotations if key in rows]
        if len(found) > 1:
            found.sort(key=lambda row: self._order[row.annotation])
        for row in found:
            self._apply(row, annotations, subject, out)
        if annotations.get(INJECT) == INGRESS:
            settings.is_ingress = True
        if ADDITIONAL_ENV in rows:
            self._merge_env(subject, namespace, out)
        if self._tracing:
            settings.trace_labels = _trace_labels(settings.trace_labels, subject, annotations)
        self._warn_of_the_rest(annotations, namespace, out)
        return out

    def _warn_of_the_rest(self, pod: Mapping[str, str], namespace: Mapping[str, str], out: Resolved) -> None:
        """Annotations that somebody set for the proxy, and that do nothing."""
        for key in pod:
            if key.startswith(PREFIXES) and key not in self._rows and key not in OTHERS:
                out.warnings.append(self._unknown(key, ""))
        for key in namespace:
            if not key.startswith(PREFIXES) or key in self._inherited or key in pod or key in OTHERS:
                continue
            if key in self._rows:
                out.warnings.append(f"{key} on the Namespace: is not inherited; set it on the Pod template")
            else:
                out.warnings.append(self._unknown(key, " on the Namespace"))

    def _apply(self, row: Setting, annotations: Mapping[str, str], subject: Subject, out: Resolved) -> None:
        text = annotations[row.annotation]
        source = "namespace" if row.annotation in out.inherited else "pod"
        if row.annotation == ADDITIONAL_ENV or any(key in annotations for key in row.hidden_by):
            return
        if row.effect and not self._line.has(row.effect):
            out.warnings.append(f"{row.annotation}: has no effect in {self._line.name}")
            return
        # An empty value is no value for these two, in the reference as here.
        if not text and row.annotation in (DEBUG, CLOSE_WAIT):
            return
        if row.annotation == ports.OPAQUE_PORTS:
            value: Any = self._opaque_ports(text, subject, out)
        else:
            try:
                value = row.read(text)
            except GrammarError as error:
                used = _show(getattr(self.defaults, row.field))
                out.warnings.append(f'{row.annotation}: "{_cut(text)}" is not {error}; using {used}')
                return
        right = row.odd(value)
        if isinstance(value, Quantity):
            self._count_cores(row.field, value, out.settings)
            value = text
        setattr(out.settings, row.field, value)
        for name in row.also:
            setattr(out.settings, name, value)
        out.sources[row.annotation] = (text, source)
        if right:
            out.warnings.append(f'{row.annotation}: "{_cut(text)}" is used as it is, but should be {right}')

    def _opaque_ports(self, text: str, subject: Subject, out: Resolved) -> str:
        containers = (*subject.init_containers, *subject.containers) if self._init_ports else subject.containers
        names = ports.named_ports(containers, last_wins=self._init_ports)
        value, refused = ports.read_opaque_ports(text, names, expand=self._expand)
        for entry in refused[:5]:
            if entry or text:
                out.warnings.append(
                    f'{ports.OPAQUE_PORTS}: "{_cut(entry)}" is no port, range or container port name; left out'
                )
        return value

    def _count_cores(self, name: str, quantity: Quantity, settings: Settings) -> None:
        """The proxy starts as many threads as its CPU quantities allow."""
        if name == "cpu_limit":
            settings.cores = settings.cores if self._request_sets_workers else quantity.whole()
            settings.workers_maximum = quantity.whole()
        elif name == "cpu_request" and self._request_sets_workers:
            settings.workers_minimum = quantity.whole()

    def _merge_env(self, subject: Subject, namespace: Mapping[str, str], out: Resolved) -> None:
        """The mesh's variables, the Namespace's and the workload's, by name; a layer that is no good is left out."""
        own = subject.pod_annotations if subject.is_pod else subject.annotations
        for source, layer in (("namespace", namespace), ("pod", own)):
            text = layer.get(ADDITIONAL_ENV)
            if not text:
                continue
            variables, problem = _read_env(text)
            if problem:
                out.warnings.append(f"{ADDITIONAL_ENV} ({source}): {problem}; left out")
            else:
                out.settings.additional_env = merge_env_vars(out.settings.additional_env, variables)
                out.sources[ADDITIONAL_ENV] = (text, source)

    def _unknown(self, annotation: str, where: str) -> str:
        if f"annotation/{annotation}" in ROWS:
            return f"{annotation}{where}: unknown to {self._line.name}, so it has no effect"
        closest = _closest(annotation[:128], frozenset(self._rows))
        hint = f"; did you mean {closest}?" if closest else ""
        return f"{_cut(annotation, 64)}{where}: unknown annotation, no effect{hint}"


def _in_line(row: Setting, line: Line) -> bool:
    return line.has(f"annotation/{row.annotation}")


@lru_cache(maxsize=256)
def _closest(annotation: str, known: frozenset[str]) -> str:
    found = get_close_matches(annotation, known, n=1, cutoff=0.6)
    return found[0] if found else ""


@lru_cache(maxsize=256)
def _parse_env(text: str) -> tuple[list[JSON], str]:
    try:
        return read_env_vars(orjson.loads(text)), ""
    except orjson.JSONDecodeError:
        return [], f'"{_cut(text)}" is not JSON: want an array of EnvVar objects'
    except ValueError as error:
        return [], str(error)


def _read_env(text: str) -> tuple[list[JSON], str]:
    # Long ones are rare, and are not worth keeping.
    return _parse_env(text) if len(text) <= 8192 else _parse_env.__wrapped__(text)


def _trace_labels(labels: dict[str, str] | None, subject: Subject, annotations: Mapping[str, str]) -> dict[str, str]:
    """Resource attributes of the proxy's traces: the mesh's, the service name from labels, and annotations."""
    merged = dict(labels or {})
    name = subject.pod_labels.get("app.kubernetes.io/instance", subject.pod_labels.get("app.kubernetes.io/name"))
    if name is not None:
        merged["service.name"] = name
    for key, value in annotations.items():
        if key.startswith(TRACE_ATTRIBUTE):
            merged[key.removeprefix(TRACE_ATTRIBUTE)] = value
    return merged


def _cut(text: str, length: int = 40) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value in ("", None):
        return "none"
    return _cut(str(value))
