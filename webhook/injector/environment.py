"""The proxy's environment: a variable a setting, in the order in which the control plane writes them."""

from __future__ import annotations

from typing import Any

import orjson

from webhook.grammar import format_number, snake_case
from webhook.injector.effective import Settings
from webhook.injector.fragments import Part, fixed, items
from webhook.injector.mesh_facts import MeshFacts, need
from webhook.injector.names import PROXY
from webhook.injector.refusal import Refusal
from webhook.injector.settings import LOG_HTTP_HEADERS
from webhook.mesh.values import MeshIdentity
from webhook.review import JSON

HTTP_HEADERS = ("insecure", "off", "")


def variable(name: str, value: str) -> JSON:
    """An environment variable."""
    return {"name": name, "value": value}


def _experimental(facts: MeshFacts) -> list[JSON]:
    if facts.line.has("rule/experimental-env-is-a-map"):
        return [variable(name, text) for name, text in sorted((facts.proxy.experimental_env_map or {}).items())]
    return [v.render() for v in facts.proxy.experimental_env or ()]


def unquoted(name: str, value: str) -> JSON:
    """One that the control plane's templates write without quotes: an empty value is null, as YAML has it."""
    return {"name": name, "value": value or None}


def _field(name: str, path: str) -> JSON:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _if_set(name: str, value: str) -> list[JSON]:
    return [variable(name, value)] if value else []


def _switch(value: bool) -> str:
    return "true" if value else "false"


class Environment:
    """The variables of one mesh's proxies. Whatever the settings of a Pod cannot change is built once, here."""

    def __init__(self, facts: MeshFacts) -> None:
        line, here = facts.line, facts.line.has
        domain, namespace, networks = facts.cluster_domain, facts.namespace, facts.values.cluster_networks
        self._has = here
        self._internal = f"svc.{domain}."
        ipv6 = not facts.values.disable_ipv6 or not here("rule/disable-ipv6-for-listeners")
        self._any = "[::]" if ipv6 and here("rule/listens-on-ipv6") else "0.0.0.0"
        self._outbound_ipv6 = not (facts.values.disable_ipv6 and here("rule/disable-ipv6-for-outbound"))
        self._log_http_headers = HTTP_HEADERS if here("rule/empty-log-http-headers") else HTTP_HEADERS[:2]
        self._who = _who_am_i(line.knows)
        self._destination = [
            variable("LINKERD2_PROXY_DESTINATION_SVC_ADDR", f"linkerd-dst-headless.{namespace}.svc.{domain}.:8086"),
            variable("LINKERD2_PROXY_DESTINATION_PROFILE_NETWORKS", networks),
            variable("LINKERD2_PROXY_POLICY_SVC_ADDR", f"linkerd-policy.{namespace}.svc.{domain}.:8090"),
            variable("LINKERD2_PROXY_POLICY_WORKLOAD", _IN_JSON if here("rule/json-policy-workload") else _IN_TEXT),
        ]
        self._networks = [variable("LINKERD2_PROXY_POLICY_CLUSTER_NETWORKS", networks), *_streams(facts)]
        self._inbound_ips = _field("LINKERD2_PROXY_INBOUND_IPS", "status.podIPs")
        self._sockets = [row for row in _SOCKETS if line.knows(f"env/{row['name']}")]
        self._params = _params(facts)
        self._identity = [*_identity(facts), *_names(facts)]
        self._experimental = _experimental(facts)
        if here("value/proxy.metrics"):
            need(facts.proxy.metrics, "proxy.metrics")
        if here("rule/tracing-must-be-there"):
            need(facts.proxy.tracing, "proxy.tracing")
        self.trace = _Trace(facts) if facts.traces("rule/tracing-enabled") else None

    def parts(self) -> list[Part]:
        """The text of the array that holds the variables, but for its brackets."""
        sections = (
            self._cores,
            lambda s: _if_set("LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_IDENTITY", s.require_identity_ports),
            self._log,
            lambda _: self._destination,
            lambda s: [unquoted("LINKERD2_PROXY_INBOUND_DEFAULT_POLICY", s.default_inbound_policy)],
            lambda _: self._networks,
            self._timeouts,
            self._listen,
            lambda s: [variable("LINKERD2_PROXY_INBOUND_PORTS", s.pod_inbound_ports)],
            self._modes,
            lambda _: self._sockets,
            self._metrics,
            *([self.trace.env] if self.trace is not None else []),
            lambda _: self._params,
            lambda s: _if_set("LINKERD2_PROXY_INBOUND_PORTS_DISABLE_PROTOCOL_DETECTION", s.opaque_ports),
            lambda _: self._identity,
            lambda s: _if_set("LINKERD2_PROXY_ACCESS_LOG", s.access_log),
            lambda s: _if_set("LINKERD2_PROXY_SHUTDOWN_GRACE_PERIOD", s.shutdown_grace_period),
            lambda s: s.additional_env,
            lambda _: self._experimental,
        )
        return [fixed(orjson.dumps(self._who)[1:-1]), *map(items, sections)]

    def _cores(self, s: Settings) -> list[JSON]:
        """How many threads the proxy may use; 0 is not set."""
        if not self._has("env/LINKERD2_PROXY_CORES_MIN"):
            return [variable("LINKERD2_PROXY_CORES", format_number(s.cores))] if s.cores else []
        if s.cores:
            lowest = format_number(s.cores)
        elif s.workers_minimum or s.workers_maximum or s.workers_ratio:
            lowest = format_number(s.workers_minimum or 1)
        else:
            return []
        env = [variable("LINKERD2_PROXY_CORES", lowest), variable("LINKERD2_PROXY_CORES_MIN", lowest)]
        if not s.cores:
            if s.workers_maximum:
                env.append(variable("LINKERD2_PROXY_CORES_MAX", format_number(s.workers_maximum)))
            if s.workers_ratio:
                env.append(variable("LINKERD2_PROXY_CORES_MAX_RATIO", format_number(s.workers_ratio)))
        return env

    def _log(self, s: Settings) -> list[JSON]:
        env, level = [], s.log_level
        if self._has("env/LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED"):
            env.append(variable("LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED", _switch(s.shutdown_endpoint)))
        if self._has("value/proxy.logHTTPHeaders"):
            if s.log_http_headers not in self._log_http_headers:
                shown = s.log_http_headers[:60]
                raise Refusal(
                    f'{LOG_HTTP_HEADERS} is "{shown}", and must be insecure or off: correct the '
                    "annotation on the Pod or its Namespace, or proxy.logHTTPHeaders in the values",
                    "invalid_log_http_headers",
                    annotation=LOG_HTTP_HEADERS,
                )
            if s.log_http_headers != "insecure":
                level += _CLIENTS_HIDE if self._has("rule/only-clients-hide-headers") else _ALL_HIDE
        return [*env, variable("LINKERD2_PROXY_LOG", level), variable("LINKERD2_PROXY_LOG_FORMAT", s.log_format)]

    def _timeouts(self, s: Settings) -> list[JSON]:
        env = []
        for name, value in (
            ("LINKERD2_PROXY_INBOUND_CONNECT_TIMEOUT", s.inbound_connect_timeout),
            ("LINKERD2_PROXY_OUTBOUND_CONNECT_TIMEOUT", s.outbound_connect_timeout),
            ("LINKERD2_PROXY_OUTBOUND_DISCOVERY_IDLE_TIMEOUT", s.outbound_discovery_timeout),
            ("LINKERD2_PROXY_INBOUND_DISCOVERY_IDLE_TIMEOUT", s.inbound_discovery_timeout),
        ):
            if value:
                env.append(variable(name, value))
        if s.disable_outbound_detect_timeout:
            env.append(_OUTBOUND_DETECT)
        if s.disable_inbound_detect_timeout:
            env.append(_INBOUND_DETECT)
        return env

    def _listen(self, s: Settings) -> list[JSON]:
        outbound = f"127.0.0.1:{format_number(s.outbound_port)}"
        env = [
            variable("LINKERD2_PROXY_CONTROL_LISTEN_ADDR", f"{self._any}:{format_number(s.control_port)}"),
            variable("LINKERD2_PROXY_ADMIN_LISTEN_ADDR", f"{self._any}:{format_number(s.admin_port)}"),
            variable("LINKERD2_PROXY_OUTBOUND_LISTEN_ADDR", outbound),
        ]
        if self._has("env/LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS"):
            both = f"{outbound},[::1]:{format_number(s.outbound_port)}" if self._outbound_ipv6 else outbound
            env.append(variable("LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS", both))
        env.append(variable("LINKERD2_PROXY_INBOUND_LISTEN_ADDR", f"{self._any}:{format_number(s.inbound_port)}"))
        return [*env, self._inbound_ips]

    def _modes(self, s: Settings) -> list[JSON]:
        env = []
        if s.is_gateway:
            env.append(variable("LINKERD2_PROXY_INBOUND_GATEWAY_SUFFIXES", self._internal))
        if s.is_ingress:
            env.append(_INGRESS)
        suffixes = "." if s.external_profiles else self._internal
        return [*env, variable("LINKERD2_PROXY_DESTINATION_PROFILE_SUFFIXES", suffixes)]

    def _metrics(self, s: Settings) -> list[JSON]:
        name = "LINKERD2_PROXY_OUTBOUND_METRICS_HOSTNAME_LABELS"
        return [variable(name, _switch(s.hostname_labels))] if self._has(f"env/{name}") else []


# Who asks the policy controller.
_IN_JSON = '{"ns":"$(_pod_ns)", "pod":"$(_pod_name)"}\n'
_IN_TEXT = "$(_pod_ns):$(_pod_name)"
# What keeps headers of requests out of the proxy's log.
_CLIENTS_HIDE = ",linkerd_proxy_http::client[{headers}]=off"
_ALL_HIDE = ",[{headers}]=off,[{request}]=off"
_OUTBOUND_DETECT = variable("LINKERD2_PROXY_OUTBOUND_DETECT_TIMEOUT", "365d")
_INBOUND_DETECT = variable("LINKERD2_PROXY_INBOUND_DETECT_TIMEOUT", "365d")
_INGRESS = variable("LINKERD2_PROXY_INGRESS_MODE", "true")


def _who_am_i(knows: Any) -> list[JSON]:
    rows = [
        _field("_pod_name", "metadata.name"),
        _field("_pod_ns", "metadata.namespace"),
        _field("_pod_uid", "metadata.uid"),
        _field("_pod_ip", "status.podIP"),
        _field("_pod_nodeName", "spec.nodeName"),
        variable("_pod_containerName", PROXY),
    ]
    return [row for row in rows if knows(f"env/{row['name']}")]


# Variables with the same value in every mesh: of the sockets, and what is like them.
_SOCKETS = [
    variable("LINKERD2_PROXY_INBOUND_ACCEPT_KEEPALIVE", "10000ms"),
    variable("LINKERD2_PROXY_OUTBOUND_CONNECT_KEEPALIVE", "10000ms"),
    variable("LINKERD2_PROXY_INBOUND_ACCEPT_USER_TIMEOUT", "30s"),
    variable("LINKERD2_PROXY_OUTBOUND_CONNECT_USER_TIMEOUT", "30s"),
]


def _streams(facts: MeshFacts) -> list[JSON]:
    """Time limits of the streams to the control plane; empty ones are written all the same."""
    if not facts.line.has("env/LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT"):
        return []
    streams = facts.proxy.control.streams if facts.proxy.control else None
    limits = (streams.initial_timeout, streams.idle_timeout, streams.lifetime) if streams else ("", "", "")
    names = ("INITIAL_TIMEOUT", "IDLE_TIMEOUT", "LIFETIME")
    return [variable(f"LINKERD2_PROXY_CONTROL_STREAM_{n}", limit) for n, limit in zip(names, limits, strict=True)]


def _params(facts: MeshFacts) -> list[JSON]:
    """Any parameter of any protocol in any scope, each level in the order of its names."""
    out = []
    for direction, scopes in (("inbound", facts.proxy.inbound), ("outbound", facts.proxy.outbound)):
        for scope, protocols in sorted((scopes or {}).items()):
            for protocol, names in sorted((protocols or {}).items()):
                for name, value in sorted((names or {}).items()):
                    path = "_".join(map(snake_case, (direction, scope, protocol, name)))
                    out.append({"name": f"LINKERD2_PROXY_{path.upper()}", "value": _param(value)})
    return out


def _param(value: Any) -> str | None:
    """A value of any type as the reference's templates print it; null stays null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return _switch(value)
    if isinstance(value, int | float):
        return format_number(value)
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"[{' '.join(_param(item) or '<nil>' for item in value)}]"
    return f"map[{' '.join(f'{key}:{_param(item)}' for key, item in sorted(value.items()))}]"


def _identity(facts: MeshFacts) -> list[JSON]:
    context = '{"ns":"$(_pod_ns)", "nodeName":"$(_pod_nodeName)"'
    context += ', "pod":"$(_pod_name)"}\n' if facts.line.has("rule/pod-in-destination-context") else "}\n"
    anchors = facts.mesh.trust_anchors
    if not anchors:
        raise Refusal(facts.mesh.problems[-1], "no_trust_anchors", code=500)
    token = (
        "/var/run/secrets/tokens/linkerd-identity-token"
        if facts.token_projection
        else "/var/run/secrets/kubernetes.io/serviceaccount/token"
    )
    where = [variable("_l5d_ns", facts.namespace), unquoted("_l5d_trustdomain", facts.trust_domain)]
    return [
        variable("LINKERD2_PROXY_DESTINATION_CONTEXT", context),
        _field("_pod_sa", "spec.serviceAccountName"),
        *(entry for entry in where if facts.line.has(f"env/{entry['name']}")),
        variable("LINKERD2_PROXY_IDENTITY_DIR", "/var/run/linkerd/identity/end-entity"),
        variable("LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", _block(anchors)),
        variable("LINKERD2_PROXY_IDENTITY_TOKEN_FILE", token),
    ]


def _block(text: str) -> str:
    """The trust anchors as a YAML block holds them: trimmed, one kind of line end, one at the end."""
    return "\n".join(text.strip().replace("\r\n", "\n").replace("\r", "\n").split("\n")) + "\n"


def _names(facts: MeshFacts) -> list[JSON]:
    namespace = facts.namespace
    suffix = f"serviceaccount.identity.{namespace}.{facts.trust_domain}"
    address = f"linkerd-identity-headless.{namespace}.svc.{facts.cluster_domain}.:8080"
    return [
        variable("LINKERD2_PROXY_IDENTITY_SVC_ADDR", address),
        variable("LINKERD2_PROXY_IDENTITY_LOCAL_NAME", f"$(_pod_sa).$(_pod_ns).{suffix}"),
        variable("LINKERD2_PROXY_IDENTITY_SVC_NAME", f"linkerd-identity.{namespace}.{suffix}"),
        variable("LINKERD2_PROXY_DESTINATION_SVC_NAME", f"linkerd-destination.{namespace}.{suffix}"),
        variable("LINKERD2_PROXY_POLICY_SVC_NAME", f"linkerd-destination.{namespace}.{suffix}"),
    ]


class _Trace:
    """The proxy's trace settings. Tracing without a collector, or without its identity, refuses the Pod."""

    def __init__(self, facts: MeshFacts) -> None:
        tracing, has = need(facts.proxy.tracing, "proxy.tracing"), facts.line.has
        self._from_labels = has("rule/trace-labels")
        collector = tracing.collector
        endpoint = _wanted(collector.endpoint if collector else "", "endpoint")
        self._head = [
            variable("LINKERD2_PROXY_TRACE_ATTRIBUTES_PATH", "/var/run/linkerd/podinfo/labels"),
            variable("LINKERD2_PROXY_TRACE_ANNOTATIONS_PATH", "/var/run/linkerd/podinfo/annotations"),
            variable("LINKERD2_PROXY_TRACE_PROTOCOL", tracing.protocol or "opentelemetry"),
            unquoted("LINKERD2_PROXY_TRACE_SERVICE_NAME", tracing.trace_service_name),
            variable("LINKERD2_PROXY_TRACE_COLLECTOR_SVC_ADDR", endpoint),
        ]
        if not has("env/LINKERD2_PROXY_TRACE_ANNOTATIONS_PATH"):
            del self._head[1]
        name = _collector_name(facts, collector.mesh_identity if collector else None)
        if name:
            self._head.append(variable("LINKERD2_PROXY_TRACE_COLLECTOR_SVC_NAME", name))

    def env(self, s: Settings) -> list[JSON]:
        """The variables, with the Pod's own attributes, a line each."""
        lines = _OF_POD
        if self._from_labels:
            lines = "".join(f"{key}={value}\n" for key, value in sorted((s.trace_labels or {}).items()))
        return [*self._head, variable("LINKERD2_PROXY_TRACE_EXTRA_ATTRIBUTES", lines)]


_OF_POD = "k8s.pod.ip=$(_pod_ip)\nk8s.pod.uid=$(_pod_uid)\nk8s.container.name=$(_pod_containerName)\n"


def _collector_name(facts: MeshFacts, identity: MeshIdentity | None) -> str:
    """The name that the collector's identity has; empty where a release can do without."""
    account = identity.service_account_name if identity else ""
    has = facts.line.has
    owner = account
    if has("rule/trace-collector-namespace"):
        _wanted(account, "meshIdentity.serviceAccountName")
        owner += "." + _wanted(identity.namespace if identity else "", "meshIdentity.namespace")
    domain = facts.trust_domain if has("rule/trace-collector-in-trust-domain") else facts.cluster_domain
    return f"{owner}.serviceaccount.identity.{facts.namespace}.{domain}" if account else ""


def _wanted(value: str, path: str) -> str:
    if not value:
        raise Refusal(
            f"values: proxy.tracing.collector.{path} is empty, and tracing is enabled: set it, or set "
            "proxy.tracing.enabled to false",
            "tracing_incomplete",
            code=500,
        )
    return value
