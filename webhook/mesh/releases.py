"""Release lines: what exists from which Linkerd on, and until which.

A builder asks `line.has("env/_pod_uid")`; the answer is a row here. A new line is an entry in `LINES` and the rows that
changed with it. What has no row exists in every line. Rows are named by their kind (`value/` a key of the values,
`env/` a variable of the proxy, `flag/` a flag of the init container, `field/` a field of a container, `annotation/` an
annotation that is read, `rule/` a behaviour, `policy/` what the validators go by).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

STABLE_2_12 = "stable-2.12"
EDGE_26_8 = "edge-26.8"

# Oldest first.
LINES = (STABLE_2_12, EDGE_26_8)


@dataclass(frozen=True, slots=True)
class Span:
    """From which line on, and until which (both included); an empty name is no bound."""

    since: str = ""
    until: str = ""

    def covers(self, position: int) -> bool:
        """Whether the line at this position in `LINES` lies within."""
        first = LINES.index(self.since) if self.since else 0
        last = LINES.index(self.until) if self.until else len(LINES) - 1
        return first <= position <= last


_EDGE = Span(since=EDGE_26_8)
_STABLE = Span(until=STABLE_2_12)


def _all(span: Span, kind: str, names: str) -> dict[str, Span]:
    return {f"{kind}/{name}": span for name in names.split()}


ROWS: dict[str, Span] = {
    **_all(
        _EDGE,
        "value",
        """
        controllerGID controller disableIPv6 revisionHistoryLimit destinationController heartbeat spValidator
        networkValidator egress
        proxy.enableShutdownEndpoint proxy.logHTTPHeaders proxy.gid proxy.outboundDiscoveryCacheUnusedTimeout
        proxy.inboundDiscoveryCacheUnusedTimeout proxy.disableOutboundProtocolDetectTimeout
        proxy.disableInboundProtocolDetectTimeout proxy.outboundTransportMode proxy.nativeSidecar proxy.startupProbe
        proxy.readinessProbe proxy.livenessProbe proxy.control proxy.metrics proxy.tracing proxy.additionalEnv
        proxy.experimentalEnv proxy.inbound proxy.outbound proxy.runtime proxy.securityContext proxyInit.runAsGroup
        proxyInit.privileged proxyInit.kubeAPIServerPorts
        """,
    ),
    **_all(_STABLE, "value", "controlPlaneTracing controlPlaneTracingNamespace proxyInit.image policyController.image"),
    **_all(
        _EDGE,
        "env",
        """
        _pod_uid _pod_ip _pod_containerName LINKERD2_PROXY_CORES_MIN LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED
        LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS
        LINKERD2_PROXY_INBOUND_ACCEPT_USER_TIMEOUT LINKERD2_PROXY_OUTBOUND_CONNECT_USER_TIMEOUT
        LINKERD2_PROXY_OUTBOUND_METRICS_HOSTNAME_LABELS
        """,
    ),
    **_all(_EDGE, "flag", "--ipv6 --proxy-gid"),
    **_all(
        _EDGE,
        "field",
        """
        proxy.livenessProbe.timeoutSeconds proxy.runAsNonRoot proxy.runAsGroup proxy.seccompProfile
        init.command init.runAsGroup init.seccompProfile debug.probes await.port
        """,
    ),
    **_all(
        _EDGE,
        "annotation",
        """
        config.linkerd.io/proxy-gid config.linkerd.io/proxy-admin-shutdown config.linkerd.io/proxy-log-http-headers
        config.linkerd.io/proxy-metrics-hostname-labels
        config.linkerd.io/proxy-outbound-discovery-cache-unused-timeout
        config.linkerd.io/proxy-inbound-discovery-cache-unused-timeout
        config.linkerd.io/proxy-disable-outbound-protocol-detect-timeout
        config.linkerd.io/proxy-disable-inbound-protocol-detect-timeout config.linkerd.io/proxy-enable-native-sidecar
        config.beta.linkerd.io/proxy-enable-native-sidecar config.alpha.linkerd.io/proxy-enable-native-sidecar
        config.linkerd.io/proxy-cpu-ratio-limit config.linkerd.io/proxy-additional-env
        """,
    ),
    **_all(_STABLE, "annotation", "config.linkerd.io/init-image config.linkerd.io/init-image-version"),
    # The proxy's image holds the init program and the network validator as well.
    **_all(_EDGE, "rule", "init-in-proxy-image network-validator"),
    **_all(_EDGE, "rule", "sidecars-among-init-containers init-container-ports"),
    **_all(_EDGE, "rule", "close-wait-needs-root privileged-by-value cpu-request-sets-workers audit-policy"),
    # Which annotations count as a workload's own when it inherits from its Namespace: at 2.12 the template's too.
    **_all(_STABLE, "rule", "template-annotations-are-own"),
    **_all(_STABLE, "rule", "opaque-port-ranges-expand pod-inbound-ports-annotation"),
    # Since the values reach the debug container's annotations through the overridden values.
    **_all(_EDGE, "rule", "debug-image-annotations"),
    **_all(_EDGE, "rule", "json-workload-names"),
    # What the validators know, see `webhook.policy`.
    **_all(
        _EDGE,
        "policy",
        """
        Server.accessPolicy AuthorizationPolicy.targetRef.gateway MeshTLSAuthentication.identities HTTPRoute.timeouts
        EgressNetwork HTTPLocalRateLimitPolicy gateway empty-group-is-core iso-8601-times
        Server.v1beta2 Server.v1beta3 HTTPRoute.v1beta2 HTTPRoute.v1beta3
        """,
    ),
    **_all(
        _STABLE,
        "policy",
        """
        namespace-in-object server-overlap metadata.clusterName ServiceProfile.response-not-is-list quote-in-header-name
        """,
    ),
    "rule/regex-1.9": _EDGE,
}


@dataclass(frozen=True)
class Line:
    """One release line, and what exists in it."""

    name: str
    _rows: frozenset[str] = field(repr=False)

    def has(self, row: str) -> bool:
        """Whether the thing of a row exists in this line. Raises `KeyError` for a name that is not a row's."""
        if row not in ROWS:
            raise KeyError(f"no row of releases.ROWS is called {row}")
        return row in self._rows

    def knows(self, name: str) -> bool:
        """Whether something exists in this line that may have a row: what has none exists in every line."""
        return name in self._rows or name not in ROWS


@lru_cache(maxsize=len(LINES))
def line(name: str) -> Line:
    """The line of this name. Raises `ValueError` with the known names."""
    if name not in LINES:
        raise ValueError(f'unknown release line "{name}": write {" or ".join(LINES)}')
    position = LINES.index(name)
    return Line(name, frozenset(row for row, span in ROWS.items() if span.covers(position)))


@dataclass(frozen=True, slots=True)
class Detected:
    """The line that values belong to, and a warning when that is a guess."""

    line: Line
    warning: str = ""

    @property
    def unknown(self) -> bool:
        """Whether no known line has this version."""
        return bool(self.warning)


_VERSION = re.compile(r"(stable|edge|version|enterprise|preview|v)?-?([0-9]+)\.([0-9]+)")
# The versions whose line is known to be theirs: edge-22.8 became 2.12.
_EXACT = {(False, 2, 12), (True, 22, 8), (True, 26, 8)}


def choose(name: str) -> Detected:
    """The line that `--release-line` names: any version will do, and one between the lines goes by the nearest.

    Raises `ValueError`, with the known names, for what is not a version of Linkerd's.
    """
    version = _version(name)
    if name in LINES or version is None:
        return Detected(line(name))
    nearest = detect({"linkerdVersion": name}).line
    if version in _EXACT:
        return Detected(nearest)
    return Detected(
        nearest,
        f'--release-line: "{name}" is not one of the known release lines ({", ".join(LINES)}): going on as '
        f"{nearest.name}, the nearest",
    )


def _version(text: object) -> tuple[bool, int, int] | None:
    """Whether a version is an edge release's, which is dated: year and month; and its first two numbers.

    Stable releases, and the lines since 2.15, count from 2.12. None for what is not a version of Linkerd's.
    """
    match = _VERSION.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    version = (match[1] == "edge", int(match[2]), int(match[3]))
    return version if version[0] or version[1] == 2 else None


def detect(values: Mapping[str, Any]) -> Detected:
    """Which line values belong to: by `linkerdVersion`, and by their shape where that names none."""
    text = values.get("linkerdVersion")
    version = _version(text)
    if version is None:
        return Detected(_by_shape(values))
    dated, major, minor = version
    if (not dated and minor <= 12) or (dated and (major, minor) <= (22, 8)):
        return Detected(line(STABLE_2_12))
    if dated and (major, minor) == (26, 8):
        return Detected(line(EDGE_26_8))
    nearest = _by_shape(values) if _has_shape(values) else line(LINES[-1])
    return Detected(
        nearest,
        f'linkerdVersion "{text}" is not one of the known release lines ({", ".join(LINES)}): going on as '
        f"{nearest.name}; compare a few Pods before you rely on it, or choose with --release-line",
    )


def _has_shape(values: Mapping[str, Any]) -> bool:
    return isinstance(values.get("proxy"), dict) and isinstance(values.get("proxyInit"), dict)


def _by_shape(values: Mapping[str, Any]) -> Line:
    """The init container's own image left the values with the network validator and much else around it."""
    init = values.get("proxyInit")
    old = isinstance(init, dict) and "image" in init and "networkValidator" not in values
    return line(STABLE_2_12 if old else EDGE_26_8)
