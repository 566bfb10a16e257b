"""Releases of Linkerd: what exists from which one on, and until which.

A builder asks `line.has("env/_pod_uid")`; the answer is a row here, the only place where versions are compared. A row
begins and ends with an edge release, since Linkerd is developed there. The stable branches 2.12 to 2.14 were cut from
edge releases and got some things later, in a patch release: a row names that one as well. What has no row exists in
every release.

Rows are named by their kind (`value/` a key of the values, `env/` a variable of the proxy, `flag/` a flag of the init
container, `field/` a field of a container, `annotation/` an annotation that is read, `rule/` a behaviour, `policy/`
what the validators go by, `extension/` what the extensions' injectors do).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final, NamedTuple

Edge = tuple[int, int, int]


class Release(NamedTuple):
    """A place in Linkerd's history: the edge release that has the same sources, or from which the branch was cut.

    `branch` and `patch` are the second and third number of a stable release (2.`branch`.`patch`), else 0.
    """

    edge: Edge
    branch: int = 0
    patch: int = 0

    @property
    def name(self) -> str:
        """What Linkerd calls it: `edge-24.8.2`, `stable-2.12.3`."""
        if self.branch:
            return f"stable-2.{self.branch}.{self.patch}"
        return "edge-" + ".".join(map(str, self.edge))


# Where the stable branches were cut.
_BRANCHES: Final = {12: (22, 8, 3), 13: (23, 4, 1), 14: (23, 8, 3)}

# The release lines, oldest first, each by the release that stands for it.
_LINES: Final = {
    "stable-2.12": Release(_BRANCHES[12], 12, 2),
    "stable-2.13": Release(_BRANCHES[13], 13, 7),
    "stable-2.14": Release(_BRANCHES[14], 14, 10),
    "version-2.15": Release((24, 2, 4)),
    "version-2.16": Release((24, 8, 2)),
    "version-2.17": Release((24, 11, 8)),
    "version-2.18": Release((25, 4, 4)),
    "version-2.19": Release((25, 10, 7)),
    "version-2.20": Release((26, 6, 3)),
    "edge-26.8": Release((26, 8, 3)),
}
LINES: Final = tuple(_LINES)
STABLE_2_12: Final = LINES[0]
EDGE_26_8: Final = "edge-26.8"
NEWEST: Final = LINES[-1]

_OLDEST_EDGE: Final = (22, 8, 1)
_OLDEST_BRANCH: Final = 12
_NEWEST_BRANCH: Final = max(int(name.partition(".")[2]) for name in LINES if name.startswith("version-2."))


@dataclass(frozen=True, slots=True)
class Span:
    """From which edge release on, and until which: that is the first without it; empty is no bound.

    `stable_since` and `stable_until` are patch releases of the stable branch that was cut before: the first with it,
    and the first without it.
    """

    since: str = ""
    until: str = ""
    stable_since: str = ""
    stable_until: str = ""

    def covers(self, release: Release) -> bool:
        """Whether a release lies within."""
        begun = not self.since or release.edge >= _numbers(self.since) or _is_patched(release, self.stable_since)
        return begun and not self.ended(release)

    def ended(self, release: Release) -> bool:
        """Whether a release comes after it."""
        return bool(self.until) and (release.edge >= _numbers(self.until) or _is_patched(release, self.stable_until))


@lru_cache(maxsize=1024)
def _numbers(version: str) -> Edge:
    first, second, third = version.split(".")
    return int(first), int(second), int(third)


def _is_patched(release: Release, since: str) -> bool:
    """Whether it is of the same stable branch as the patch release `since`, and not older."""
    if not since:
        return False
    _, branch, patch = _numbers(since)
    return release.branch == branch and release.patch >= patch


def _all(span: Span, kind: str, names: str) -> dict[str, Span]:
    return {f"{kind}/{name}": span for name in names.split()}


_VALUES: Final = {
    **_all(Span("22.10.3"), "value", "networkValidator"),
    **_all(Span("22.12.1", stable_since="2.12.3"), "value", "proxyInit.privileged"),
    **_all(
        Span("23.5.1", stable_since="2.13.4"),
        "value",
        "proxy.outboundDiscoveryCacheUnusedTimeout proxy.inboundDiscoveryCacheUnusedTimeout",
    ),
    **_all(Span("23.7.3", "25.8.4"), "value", "networkValidator.enableSecurityContext"),
    **_all(
        Span("23.11.1", stable_since="2.14.4"),
        "value",
        "proxy.disableOutboundProtocolDetectTimeout proxy.disableInboundProtocolDetectTimeout",
    ),
    **_all(Span("23.11.4"), "value", "proxy.nativeSidecar proxy.startupProbe"),
    **_all(Span("23.12.4"), "value", "proxy.control"),
    **_all(Span("24.1.1"), "value", "proxy.experimentalEnv"),
    **_all(Span("24.2.2"), "value", "proxy.livenessProbe proxy.readinessProbe"),
    **_all(Span("24.2.3"), "value", "proxy.additionalEnv"),
    **_all(Span("24.4.1"), "value", "disableIPv6"),
    **_all(Span("24.4.5"), "value", "proxy.inbound proxy.outbound"),
    **_all(Span("24.5.4"), "value", "proxy.gid proxyInit.runAsGroup"),
    **_all(Span("24.6.2"), "value", "proxy.logHTTPHeaders proxy.enableShutdownEndpoint"),
    **_all(Span("25.3.3"), "value", "proxy.runtime"),
    **_all(Span("25.3.4"), "value", "proxy.metrics"),
    **_all(Span("25.6.4"), "value", "proxy.tracing"),
    **_all(Span(until="25.10.1"), "value", "proxy.tracing.enable"),
    **_all(Span("25.10.1"), "value", "proxy.tracing.enabled"),
    **_all(Span("25.8.4"), "value", "proxy.securityContext networkValidator.securityContext"),
    **_all(Span(until="25.11.3"), "value", "proxyInit.image"),
}

_PROXY: Final = {
    **_all(Span("22.9.2", stable_since="2.12.1"), "env", "_l5d_ns _l5d_trustdomain"),
    **_all(Span("23.12.4"), "env", "LINKERD2_PROXY_CONTROL_STREAM_INITIAL_TIMEOUT"),
    **_all(Span("24.5.1"), "env", "LINKERD2_PROXY_OUTBOUND_LISTEN_ADDRS"),
    **_all(Span("24.6.2"), "env", "LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED"),
    **_all(
        Span("24.10.1"),
        "env",
        "LINKERD2_PROXY_INBOUND_ACCEPT_USER_TIMEOUT LINKERD2_PROXY_OUTBOUND_CONNECT_USER_TIMEOUT",
    ),
    **_all(Span("25.1.1"), "env", "_pod_uid _pod_containerName"),
    **_all(Span("25.3.3"), "env", "LINKERD2_PROXY_CORES_MIN"),
    **_all(Span("25.3.4"), "env", "LINKERD2_PROXY_OUTBOUND_METRICS_HOSTNAME_LABELS"),
    **_all(Span("25.5.5"), "env", "_pod_ip"),
    **_all(Span("25.10.2"), "env", "LINKERD2_PROXY_TRACE_ANNOTATIONS_PATH"),
    # The destination context names the Pod beside its Namespace and node.
    **_all(Span("23.10.4", stable_since="2.14.4"), "rule", "pod-in-destination-context"),
    **_all(Span("24.1.1"), "rule", "json-policy-workload"),
    # `proxy.experimentalEnv` holds texts by name, not a list of EnvVars: one release refuses what all others take.
    **_all(Span("24.1.1", "24.1.2"), "rule", "experimental-env-is-a-map"),
    **_all(Span("24.5.1"), "rule", "listens-on-ipv6"),
    # Whether `disableIPv6` counts for the address of the outbound listener, and for those of all others.
    **_all(Span("24.5.2"), "rule", "disable-ipv6-for-outbound"),
    **_all(Span("24.8.2"), "rule", "disable-ipv6-for-listeners"),
    # The log level that keeps HTTP headers out of the log, and that of its first releases.
    **_all(Span("24.6.2", "24.8.1"), "rule", "only-clients-hide-headers"),
    **_all(Span("24.6.4"), "rule", "empty-log-http-headers"),
    # Tracing: which key of the values switches the variables on, and which one the mount and the volume.
    **_all(Span("25.10.1"), "rule", "tracing-enabled"),
    **_all(Span("25.11.1"), "rule", "tracing-mount-enabled"),
    **_all(Span("25.6.4", "25.7.3"), "rule", "tracing-must-be-there"),
    **_all(Span("25.10.1"), "rule", "trace-collector-namespace"),
    **_all(Span("25.10.2"), "rule", "trace-labels"),
    **_all(Span("26.7.1"), "rule", "trace-collector-in-trust-domain"),
    **_all(Span("23.1.1"), "field", "proxy.runAsNonRoot proxy.seccompProfile"),
    **_all(Span("23.6.3"), "field", "await.port"),
    **_all(Span("23.11.2"), "field", "debug.probes"),
    **_all(Span("24.2.2"), "field", "proxy.livenessProbe.timeoutSeconds"),
    **_all(Span("24.5.4"), "field", "proxy.runAsGroup"),
    **_all(Span("23.11.4", "26.5.2"), "rule", "native-sidecar-without-wait"),
    # Since the values reach the debug container's annotations through the overridden values.
    **_all(Span("25.3.3"), "rule", "debug-image-annotations"),
}

_INIT: Final = {
    **_all(Span("22.10.1", stable_since="2.12.2"), "rule", "init-never-user-0"),
    **_all(Span("22.12.1", stable_since="2.12.3"), "rule", "privileged-by-value"),
    **_all(Span("23.1.2"), "field", "init.seccompProfile"),
    **_all(Span("24.4.1"), "flag", "--ipv6"),
    **_all(Span("24.5.4"), "flag", "--proxy-gid"),
    **_all(Span("24.5.4"), "field", "init.runAsGroup"),
    **_all(Span("24.6.4"), "rule", "init-has-proxy-resources"),
    **_all(Span("25.1.1"), "rule", "close-wait-needs-root"),
    # The proxy's image holds the init program.
    **_all(Span("25.11.3"), "rule", "init-in-proxy-image"),
    **_all(Span("25.11.3"), "field", "init.command"),
    # What stands in for the init container under CNI: nothing, a container that does nothing (whose security context
    # and resources came with patch releases), the network validator.
    **_all(Span("22.10.2", "22.10.3", stable_since="2.12.2"), "rule", "noop"),
    **_all(Span("22.10.3", "22.10.3", stable_since="2.12.3"), "field", "noop.runAsUser"),
    **_all(Span("22.10.3", "22.10.3", stable_since="2.12.4"), "field", "noop.resources"),
    **_all(Span("22.10.3", "22.10.3", stable_since="2.12.5"), "rule", "noop-memory-25Mi"),
    **_all(Span("22.10.3"), "rule", "network-validator"),
    **_all(Span("23.1.1"), "field", "validator.runAsNonRoot"),
    **_all(Span("23.2.1"), "field", "validator.resources"),
    **_all(Span("23.3.2"), "rule", "validator-has-init-resources"),
    **_all(Span("24.6.4"), "rule", "validator-has-proxy-resources"),
    **_all(Span("23.8.3"), "field", "validator.readOnlyRootFilesystem"),
    **_all(Span("24.5.4"), "field", "validator.runAsGroup"),
    # Empty addresses in the values stand for those of the address family.
    **_all(Span("24.7.4"), "rule", "validator-connects-by-family"),
    **_all(Span("24.8.2"), "rule", "validator-listens-by-family"),
}

_ANNOTATIONS: Final = {
    **_all(
        Span("23.5.1", stable_since="2.13.4"),
        "annotation",
        """
        config.linkerd.io/proxy-outbound-discovery-cache-unused-timeout
        config.linkerd.io/proxy-inbound-discovery-cache-unused-timeout
        """,
    ),
    **_all(
        Span("23.11.1", stable_since="2.14.4"),
        "annotation",
        """
        config.linkerd.io/proxy-disable-outbound-protocol-detect-timeout
        config.linkerd.io/proxy-disable-inbound-protocol-detect-timeout
        """,
    ),
    **_all(Span("23.11.4"), "annotation", "config.alpha.linkerd.io/proxy-enable-native-sidecar"),
    **_all(Span("24.5.4"), "annotation", "config.linkerd.io/proxy-gid"),
    **_all(
        Span("24.6.2"), "annotation", "config.linkerd.io/proxy-admin-shutdown config.linkerd.io/proxy-log-http-headers"
    ),
    **_all(Span("25.3.3"), "annotation", "config.linkerd.io/proxy-cpu-ratio-limit"),
    **_all(Span("25.3.4"), "annotation", "config.linkerd.io/proxy-metrics-hostname-labels"),
    **_all(Span("25.10.2"), "annotation", "config.beta.linkerd.io/proxy-enable-native-sidecar"),
    **_all(Span("26.4.3"), "annotation", "config.linkerd.io/proxy-additional-env"),
    **_all(Span("26.5.2"), "annotation", "config.linkerd.io/proxy-enable-native-sidecar"),
    **_all(Span(until="25.11.3"), "annotation", "config.linkerd.io/init-image config.linkerd.io/init-image-version"),
    **_all(Span("22.9.1", stable_since="2.12.1"), "rule", "trust-root-annotation"),
    **_all(Span("22.10.2", stable_since="2.12.2"), "rule", "proxy-version-falls-back"),
    # What Pods inherit from their Namespace beside the settings that they inherit in every release.
    **_all(Span("22.8.3"), "rule", "inject-and-alpha-inherited"),
    **_all(Span("25.10.2", "26.5.2"), "rule", "beta-native-sidecar-inherited"),
    # Which annotations count as a workload's own when it inherits from its Namespace: first the template's, too.
    **_all(Span(until="24.4.2"), "rule", "template-annotations-are-own pod-inbound-ports-annotation"),
    **_all(Span(until="23.4.3", stable_until="2.13.3"), "rule", "opaque-port-ranges-expand"),
    **_all(Span("24.5.1"), "rule", "sidecars-among-init-containers"),
    **_all(Span("24.7.3"), "rule", "audit-policy"),
    **_all(Span("25.3.3"), "rule", "cpu-request-sets-workers"),
    **_all(Span("25.12.2"), "rule", "init-container-ports"),
    **_all(Span("25.10.2"), "rule", "trace-annotations"),
    # Labels with the name, kind and group of the last of a Pod's owners; traces are of a service of that name.
    **_all(Span("25.10.2", "25.10.3"), "rule", "root-parent-labels"),
}

# What the validators know, see `webhook.policy`: kinds, API versions that the CRDs serve, fields that are read, rules.
_POLICIES: Final = {
    **_all(Span("23.9.4"), "policy", "gateway.HTTPRoute"),
    **_all(Span("24.6.4"), "policy", "gateway.GRPCRoute"),
    **_all(Span("24.10.4"), "policy", "EgressNetwork gateway.TLSRoute gateway.TCPRoute"),
    **_all(Span("24.11.3"), "policy", "HTTPLocalRateLimitPolicy"),
    **_all(Span("23.1.2"), "policy", "HTTPRoute.v1beta2"),
    **_all(Span("23.6.1"), "policy", "HTTPRoute.v1beta3"),
    **_all(Span("24.1.1"), "policy", "Server.v1beta2"),
    **_all(Span("24.7.4"), "policy", "Server.v1beta3"),
    # HTTPRoutes of Linkerd's own group: the parents that are refused, and what is read.
    **_all(Span(until="23.1.2"), "policy", "HTTPRoute.servers-only"),
    **_all(Span(until="23.3.3"), "policy", "HTTPRoute.servers-and-services-only"),
    **_all(Span("23.2.2"), "policy", "HTTPRoute.query-regex"),
    **_all(Span("23.3.1"), "policy", "HTTPRoute.redirect-path"),
    **_all(Span("23.3.2"), "policy", "HTTPRoute.backendRefs"),
    **_all(Span("23.6.1"), "policy", "HTTPRoute.timeouts"),
    **_all(Span("23.7.3"), "policy", "HTTPRoute.response-header-modifier"),
    # Servers: up to then, two that select the same port of the same workloads are refused.
    **_all(Span(until="25.2.2"), "policy", "server-overlap"),
    **_all(Span("24.1.1"), "policy", "Server.externalWorkloadSelector MeshTLSAuthentication.identities"),
    **_all(Span("23.5.2"), "policy", "MeshTLSAuthentication.no-empty-list"),
    **_all(Span("24.7.5"), "policy", "Server.accessPolicy"),
    **_all(Span("24.7.1"), "policy", "AuthorizationPolicy.targetRef.GRPCRoute"),
    **_all(Span("25.5.1"), "policy", "AuthorizationPolicy.targetRef.gateway-HTTPRoute"),
    # Annotations of routes to a Service or an EgressNetwork.
    **_all(Span("24.7.5"), "policy", "route-annotations"),
    **_all(Span("24.7.5", "26.6.2"), "policy", "route-balancer-annotations"),
    **_all(Span("24.11.4"), "policy", "backend-port"),
    # The structures of the Gateway API: a library of other ones, that of newer ones, and newer ones still.
    **_all(Span("25.2.3"), "policy", "gateway-structures"),
    **_all(Span("26.8.2"), "policy", "gateway-filters"),
    **_all(Span("26.4.4"), "policy", "gateway-lenient"),
    **_all(Span(until="25.2.2"), "policy", "method-is-token quote-in-header-name"),
    **_all(Span(until="24.7.5"), "policy", "namespace-in-object"),
    **_all(Span("23.3.4"), "policy", "empty-group-is-core"),
    **_all(Span("26.8.2"), "policy", "iso-8601-times"),
    **_all(Span(until="22.10.3", stable_until="2.12.6"), "policy", "metadata.clusterName"),
    **_all(Span(until="23.10.4"), "policy", "ServiceProfile.response-not-is-list"),
    **_all(Span("23.12.3"), "rule", "regex-1.9"),
}

# What the extensions add to Pods, see `webhook.extensions`.
_EXTENSIONS: Final = {
    **_all(Span("23.11.4"), "extension", "native-sidecar"),
    **_all(Span("24.1.3"), "extension", "jaeger.linkerd-podinfo"),
    **_all(Span("24.10.1"), "extension", "jaeger.protocol"),
    **_all(Span("24.10.3"), "extension", "jaeger.service-name"),
    **_all(Span("25.2.1"), "extension", "jaeger.extra-attributes"),
}

# Keys of the values that have another name since the release of their row, and the name by which they are read here:
# the one that they had first.
RENAMED: Final[Mapping[str, str]] = {}

ROWS: Final[Mapping[str, Span]] = {**_VALUES, **_PROXY, **_INIT, **_ANNOTATIONS, **_POLICIES, **_EXTENSIONS}


@dataclass(frozen=True)
class Line:
    """What exists in a release. `name` is the release line's where all of that is the same, else the release's own."""

    name: str
    release: Release
    _rows: frozenset[str] = field(repr=False)

    def has(self, row: str) -> bool:
        """Whether the thing of a row exists in this line. Raises `KeyError` for a name that is not a row's."""
        if row not in ROWS:
            raise KeyError(f"no row of releases.ROWS is called {row}")
        return row in self._rows

    def knows(self, name: str) -> bool:
        """Whether something exists in this line that may have a row: what has none exists in every line."""
        return name in self._rows or name not in ROWS


@lru_cache(maxsize=512)
def came_with(row: str) -> str:
    """The first edge release that has the thing of a row, and the first stable release or line: `edge-24.5.4
    (version-2.16)`; empty for what every release had first. Raises `KeyError` for a name that is not a row's."""
    span = ROWS[row]
    return _edge_and_line(span.since, span.stable_since, row, exists=True)


@lru_cache(maxsize=512)
def went_with(row: str) -> str:
    """The first edge release that has the thing of a row no more, and the first stable release or line: as
    `came_with`; empty for what every later release has."""
    span = ROWS[row]
    return _edge_and_line(span.until, span.stable_until, row, exists=False)


def _edge_and_line(edge: str, patch: str, row: str, *, exists: bool) -> str:
    if not edge:
        return ""
    if patch:
        return f"edge-{edge} (stable-{patch})"
    reached = (name for name in LINES if _LINES[name].edge >= _numbers(edge) and line(name).has(row) is exists)
    first = next(reached, "")
    return f"edge-{edge} ({first})" if first else f"edge-{edge}"


def why_not(row: str, absent_from: Line) -> str:
    """Why a line does not have the thing of a row: what follows its name in a sentence, `came with edge-24.5.4
    (version-2.16)` or `was removed with edge-25.11.3 (version-2.20)`."""
    if ROWS[row].ended(absent_from.release):
        return f"was removed with {went_with(row)}"
    return f"came with {came_with(row)}"


@lru_cache(maxsize=256)
def at(release: Release) -> Line:
    """What exists in a release."""
    rows = frozenset(row for row, span in ROWS.items() if span.covers(release))
    alike = (name for name, other in _LINES.items() if other == release or at(other)._rows == rows)
    return Line(next(alike, "") or release.name, release, rows)


class Boundary(NamedTuple):
    """A release with which something begins or ends. `name` is the release's, with the first line that is not older."""

    name: str
    line: Line


def between(older: Release, newer: Release) -> list[Boundary]:
    """The releases after `older`, up to `newer`, with which something of `ROWS` begins or ends, oldest first.

    What a stable release of `older`'s branch got early stays on the way, so that each thing comes once. What only
    validators go by is left out.
    """
    result: list[Boundary] = []
    before = at(older)
    for name, release in _on_the_way(older, newer):
        there = at(release)
        if any(not row.startswith("policy/") for row in before._rows ^ there._rows):
            result.append(Boundary(name, there))
        before = there
    return result


def _on_the_way(older: Release, newer: Release) -> list[tuple[str, Release]]:
    spans = ROWS.values()
    edges = {_numbers(text) for span in spans for text in (span.since, span.until) if text}
    steps = [(_with_line(edge), older._replace(edge=edge)) for edge in sorted(edges) if older.edge < edge <= newer.edge]
    patches = {_numbers(text) for span in spans for text in (span.stable_since, span.stable_until) if text}
    first = older.patch if older.branch == newer.branch else -1
    return steps + [
        (f"stable-2.{branch}.{patch}", Release(newer.edge, branch, patch))
        for _, branch, patch in sorted(patches)
        if branch == newer.branch and first < patch <= newer.patch
    ]


def _with_line(edge: Edge) -> str:
    first = next((name for name, other in _LINES.items() if other.edge >= edge), NEWEST)
    return f"edge-{'.'.join(map(str, edge))} ({first})"


def line(name: str) -> Line:
    """The line of this name. Raises `ValueError` with the known names."""
    if name not in _LINES:
        raise ValueError(f'unknown release line "{name}": write {", ".join(LINES[:-1])} or {LINES[-1]}')
    return at(_LINES[name])


class TooOld(ValueError):
    """A release from before the oldest one that is known here."""


@dataclass(frozen=True, slots=True)
class Detected:
    """The line that a configuration belongs to, the fact that decided it, and a warning where that is a guess."""

    line: Line
    why: str
    warning: str = ""

    @property
    def unknown(self) -> bool:
        """Whether no known release has this version."""
        return bool(self.warning)


_VERSION: Final = re.compile(
    r"(?:(?:stable|edge|version|enterprise|preview)-|v)?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:[-+].*)?",
    re.DOTALL,
)
# Edge releases are dated, by year and month; all others count from 2.12.
_FIRST_YEAR: Final = 17


@dataclass(frozen=True, slots=True)
class _Named:
    """What a version names: a release, or one that is too old (`release` is None), or newer than all that are known."""

    release: Release | None
    is_newer: bool = False
    # Whether the number of a patch release was left out.
    is_branch: bool = False


def _parse(text: object) -> _Named | None:
    """What a version names; None for what is not a version of Linkerd's."""
    match = _VERSION.fullmatch(text) if isinstance(text, str) and len(text) <= 256 else None
    if match is None:
        return None
    first, second = int(match[1]), int(match[2])
    patch = int(match[3]) if match[3] else None
    if first == 2:
        return _numbered(second, patch)
    if first >= _FIRST_YEAR:
        return _dated((first, second, patch if patch is not None else 99))
    if first == 1:
        return _Named(None)
    return _Named(_LINES[NEWEST], is_newer=True) if first > 2 else None


def _numbered(branch: int, patch: int | None) -> _Named:
    if branch < _OLDEST_BRANCH:
        return _Named(None)
    if branch > _NEWEST_BRANCH:
        return _Named(_LINES[NEWEST], is_newer=True)
    if branch in _BRANCHES:
        stands = _LINES[f"stable-2.{branch}"]
        return _Named(stands._replace(patch=patch) if patch is not None else stands, is_branch=patch is None)
    return _Named(_LINES[f"version-2.{branch}"], is_branch=patch is None)


def _dated(edge: Edge) -> _Named:
    if edge < _OLDEST_EDGE:
        return _Named(None)
    newest = _LINES[NEWEST]
    return _Named(newest, is_newer=True) if edge[:2] > newest.edge[:2] else _Named(Release(edge))


def choose(name: str, values: Mapping[str, Any] | None = None) -> Detected:
    """The line that `--release-line` names: a line, or the version of a release.

    A line without the number of a patch release leaves that to the values, where they are of the same line. Raises
    `ValueError`, with the known names, for what is not a version of Linkerd's, and `TooOld`.
    """
    named = _parse(name)
    if named is None:
        raise ValueError(_unknown(name))
    if named.release is None:
        raise TooOld(f'"{_cut(name)}" is older than {STABLE_2_12}, the oldest line that is known: write {_names()}')
    why = f"--release-line is {_cut(name)}"
    if named.is_newer:
        return Detected(at(named.release), why, f'--release-line: "{_cut(name)}" is newer than {_NEWEST}')
    own = _parse((values or {}).get("linkerdVersion")) if named.is_branch else None
    if own is not None and own.release is not None and own.release.branch == named.release.branch > 0:
        return Detected(at(own.release), why)
    return Detected(at(named.release), why)


def _unknown(name: str) -> str:
    close = get_close_matches(name[:64].lower(), LINES, n=1, cutoff=0.6)
    meant = f"did you mean {close[0]}? " if close else ""
    return f'"{_cut(name)}" is not a release line: {meant}write {_names()}, or a version such as edge-26.8.3'


def _names() -> str:
    return f"{', '.join(LINES[:-1])} or {LINES[-1]}"


_NEWEST: Final = f"{NEWEST}, the newest that is known, and taken for it; compare a few Pods before you rely on it"


def detect(values: Mapping[str, Any]) -> Detected:
    """Which line values belong to: by `linkerdVersion`, and by their shape where that names no release.

    Raises `TooOld`.
    """
    text = values.get("linkerdVersion")
    named = _parse(text)
    if named is None:
        return _by_shape(text, values)
    shown = _cut(str(text))
    if named.release is None:
        raise TooOld(
            f"linkerdVersion is {shown}, older than {STABLE_2_12}, the oldest line that is known: upgrade Linkerd, or "
            "choose the line to go by with --release-line"
        )
    why = f"linkerdVersion is {shown}"
    if named.is_newer:
        warning = f'linkerdVersion "{shown}" is newer than {_NEWEST}, or choose with --release-line'
        return Detected(at(named.release), why, warning)
    if not _fits(named.release, values) and _fits((by_shape := _by_shape(text, values)).line.release, values):
        return by_shape
    return Detected(at(named.release), why)


def _fits(release: Release, values: Mapping[str, Any]) -> bool:
    """Whether values can be those of a release: `linkerdVersion` may have been set to that of other images.

    They cannot where they lack a section without which the release injects no Pod, or have a key that only a later
    chart writes.
    """
    if not all(_has(values, row.removeprefix("value/")) for row in _NEEDED if ROWS[row].covers(release)):
        return False
    return not (_NO_IMAGE.covers(release) and release.edge < _HONORED and _has(values, _HONOR))


_NEEDED: Final = ("value/proxy.livenessProbe", "value/proxy.readinessProbe", "value/proxy.metrics")
_NO_IMAGE: Final = ROWS["rule/init-in-proxy-image"]
_HONORED: Final = (26, 5, 2)


# Nobody sets this one: the chart writes it from edge-26.5.2 on.
_HONOR: Final = "podMonitor.controller.honorTimestamps"
# Keys that values have from some release on, newest first, and the release that is taken for values which have one and
# none of those before it: the newest line among these releases, else the first of them.
_SHAPES: Final = (
    (_HONOR, NEWEST),
    ("controller.tracing", "version-2.19"),
    ("proxy.securityContext", "edge-25.8.4"),
    ("networkValidator.securityContext", "edge-25.8.4"),
    ("proxy.tracing", "edge-25.6.4"),
    ("proxy.metrics", "version-2.18"),
    ("proxy.runtime", "edge-25.3.3"),
    ("egress", "version-2.17"),
    ("proxy.logHTTPHeaders", "version-2.16"),
    ("proxy.gid", "edge-24.5.4"),
    ("proxy.inbound", "edge-24.4.5"),
    ("revisionHistoryLimit", "edge-24.4.5"),
    ("disableIPv6", "edge-24.4.1"),
    ("controller", "edge-24.3.3"),
    ("proxy.additionalEnv", "version-2.15"),
    ("proxy.livenessProbe", "edge-24.2.2"),
    ("proxy.control", "edge-23.12.4"),
    ("proxy.nativeSidecar", "edge-23.11.4"),
    ("proxy.disableOutboundProtocolDetectTimeout", "stable-2.14.10"),
    ("networkValidator.enableSecurityContext", "stable-2.14.3"),
    ("proxy.outboundDiscoveryCacheUnusedTimeout", "stable-2.13.7"),
    ("networkValidator", "stable-2.13.3"),
    ("proxyInit.privileged", "stable-2.12.6"),
    ("podMonitor", "stable-2.12.2"),
)


def _by_shape(text: object, values: Mapping[str, Any]) -> Detected:
    """By the newest of the keys that came with some release."""
    shown = f'linkerdVersion "{_cut(str(text))}" does not name their release' if text else "linkerdVersion is missing"
    if not isinstance(values.get("proxy"), dict) or not isinstance(init := values.get("proxyInit"), dict):
        newest = at(_LINES[NEWEST])
        why = f"{shown}, and the values have no proxy or no proxyInit that would tell"
        return Detected(newest, why, f"{why}: {newest.name} is taken; choose with --release-line")
    if "image" not in init:
        name, fact = NEWEST, "they have proxyInit without image"
    else:
        key, name = next(((key, name) for key, name in _SHAPES if _has(values, key)), ("", "stable-2.12.1"))
        fact = f"they have {key}" if key else "they have no key that came later"
    chosen = choose(name).line
    why = f"{shown}, so the values decide: {fact}, as those of {chosen.name} do"
    return Detected(chosen, why, f"{why}; if Linkerd is another release, choose it with --release-line")


def _has(values: Mapping[str, Any], path: str) -> bool:
    node: Any = values
    for key in path.split("."):
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def _cut(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
