"""Traffic of a Pod that does not go as meant: past the proxy, to a port that the proxy has, or to the proxy alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from webhook.findings.finding import Finding, Path
from webhook.injector import ports
from webhook.injector.advice import rules
from webhook.injector.advice.facts import Facts
from webhook.injector.pod import Container, Probe
from webhook.injector.settings import PREFIX


def runs_as_proxy(facts: Facts) -> Iterator[Finding]:
    """Containers with the proxy's uid or gid: `linkerd-init` lets the traffic of these pass by the proxy."""
    spec = facts.subject.spec
    of_pod = spec.security_context if spec is not None else None
    uid, gid = facts.settings.uid, facts.settings.gid
    for at, container in facts.lasting():
        own = container.security_context
        if uid > 0 and (found := _identity(own, of_pod, "run_as_user", uid)):
            yield _past(at, found, container, f"uid {uid}", "runAsUser", "uid")
        elif gid > 0 and (found := _identity(own, of_pod, "run_as_group", gid)):
            yield _past(at, found, container, f"gid {gid}", "runAsGroup", "gid")


def _identity(own: object, of_pod: object, name: str, taken: int) -> str:
    """Where a container gets this uid (gid) from: `own` or `pod`; empty where it has another one, or none."""
    value = getattr(own, name, None)
    if value is not None:
        return "own" if value == taken else ""
    return "pod" if getattr(of_pod, name, None) == taken else ""


def _past(at: Path, found: str, container: Container, identity: str, field: str, kind: str) -> Finding:
    path = (*(at if found == "own" else ("spec",)), "securityContext", field)
    return rules.PROXY_UID.at(
        path,
        f"container {container.name} has the proxy's {identity}, so its traffic bypasses the proxy, in plain text: "
        f"write another {field}, or another {PREFIX}proxy-{kind}",
    )


_OF_PROXY: Final = ("control", "admin", "inbound", "outbound")


def takes_port(facts: Facts) -> Iterator[Finding]:
    """Container ports that the proxy listens on, too."""
    settings = facts.settings
    taken = {getattr(settings, f"{name}_port"): name for name in reversed(_OF_PROXY)}
    if taken.keys().isdisjoint(facts.subject.ports) and taken.keys().isdisjoint(facts.subject.init_ports):
        return
    for at, container in facts.lasting():
        for index, port in enumerate(container.ports or ()):
            name = taken.get(port.container_port or 0)
            if name is None or port.protocol not in (None, "", "TCP"):
                continue
            yield rules.PORT_TAKEN.at(
                (*at, "ports", index, "containerPort"),
                f"container {container.name} has port {port.container_port}, which is the proxy's {name} port, so one "
                f"of them fails: move the proxy's with {PREFIX}{name}-port",
            )


_PROBES: Final[Mapping[str, str]] = {
    "livenessProbe": "liveness_probe",
    "readinessProbe": "readiness_probe",
    "startupProbe": "startup_probe",
}


def probes_by_tcp(facts: Facts) -> Iterator[Finding]:
    """Probes that open a connection and no more: the proxy takes it, whatever the container does."""
    for at, container in facts.lasting():
        for field, name in _PROBES.items():
            probe: Probe | None = getattr(container, name)
            if probe is None or probe.tcp_socket is None:
                continue
            port = _number(container, probe.tcp_socket.port)
            if not port or _is_skipped(facts, port):
                continue
            yield rules.TCP_PROBE.at(
                (*at, field, "tcpSocket"),
                f"{field} of container {container.name} opens TCP port {port}, which always succeeds, for the proxy "
                "accepts the connection: write httpGet, grpc or exec",
            )


def _number(container: Container, port: int | str | None) -> int:
    """A port by its number or its name; 0 for one that the container does not have."""
    if isinstance(port, int) or port is None:
        return port or 0
    return next((each.container_port or 0 for each in container.ports or () if each.name == port), 0)


def _is_skipped(facts: Facts, port: int) -> bool:
    """Whether the traffic to a port does not come by the proxy."""
    settings = facts.settings
    if port in (settings.control_port, settings.admin_port):
        return True
    bounds = (ports.parse_range(entry) for entry in settings.skip_inbound_ports.split(","))
    return any(each is not None and each[0] <= port <= each[1] for each in bounds)


CHECKS: Final = (runs_as_proxy, takes_port, probes_by_tcp)
