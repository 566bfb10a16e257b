"""Traffic of a Pod that does not go as meant: past the proxy, to a port that the proxy has, or to the proxy alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webhook.findings.finding import Finding, Path
from webhook.injector import ports
from webhook.injector.advice import rules
from webhook.injector.advice.facts import Facts
from webhook.injector.pod import Container, ContainerPort, PodSecurityContext, TCPSocketAction
from webhook.injector.settings import PREFIX


def check(facts: Facts) -> Iterator[Finding]:
    """What there is to say about each container that runs beside the proxy."""
    settings, spec = facts.settings, facts.subject.spec
    of_pod = spec.security_context if spec is not None else None
    taken = (settings.control_port, settings.admin_port, settings.inbound_port, settings.outbound_port)
    for place, index, container in facts.lasting():
        if of_pod is not None or container.security_context is not None:
            yield from _runs_as_proxy(facts, (*place, index), container, of_pod)
        for number, port in enumerate(container.ports or ()):
            if port.container_port in taken and port.protocol in _TCP:
                yield _takes_port((*place, index, "ports", number, "containerPort"), container, port, taken)
        for field, probe in (
            ("livenessProbe", container.liveness_probe),
            ("readinessProbe", container.readiness_probe),
            ("startupProbe", container.startup_probe),
        ):
            if probe is not None and probe.tcp_socket is not None:
                yield from _by_tcp(facts, (*place, index, field, "tcpSocket"), container, probe.tcp_socket)


_TCP: Final = (None, "", "TCP")


def _runs_as_proxy(
    facts: Facts, at: Path, container: Container, of_pod: PodSecurityContext | None
) -> Iterator[Finding]:
    """A container with the proxy's uid or gid: `linkerd-init` lets the traffic of these pass by the proxy."""
    uid, gid = facts.settings.uid, facts.settings.gid
    own = container.security_context
    if uid > 0 and (set_at := _identity(own, of_pod, "run_as_user", uid)):
        yield _past(at, set_at, container, f"uid {uid}", "runAsUser", "uid")
    elif gid > 0 and (set_at := _identity(own, of_pod, "run_as_group", gid)):
        yield _past(at, set_at, container, f"gid {gid}", "runAsGroup", "gid")


def _identity(own: object, of_pod: object, name: str, taken: int) -> str:
    """Where a container gets this uid (gid) from: `own` or `pod`; empty where it has another one, or none."""
    value = getattr(own, name, None)
    if value is not None:
        return "own" if value == taken else ""
    return "pod" if getattr(of_pod, name, None) == taken else ""


def _past(at: Path, set_at: str, container: Container, identity: str, field: str, kind: str) -> Finding:
    path = (*(at if set_at == "own" else ("spec",)), "securityContext", field)
    return rules.PROXY_UID.at(
        path,
        f"container {container.name} has the proxy's {identity}, so its traffic bypasses the proxy, in plain text: "
        f"write another {field}, or another {PREFIX}proxy-{kind}",
    )


def _takes_port(path: Path, container: Container, port: ContainerPort, taken: tuple[int, ...]) -> Finding:
    """A container port that the proxy listens on, too."""
    name = _OF_PROXY[taken.index(port.container_port or 0)]
    return rules.PORT_TAKEN.at(
        path,
        f"container {container.name} has port {port.container_port}, which is the proxy's {name} port, so one of them "
        f"fails: move the proxy's with {PREFIX}{name}-port",
    )


_OF_PROXY: Final = ("control", "admin", "inbound", "outbound")


def _by_tcp(facts: Facts, path: Path, container: Container, action: TCPSocketAction) -> Iterator[Finding]:
    """A probe that opens a connection and no more: the proxy takes it, whatever the container does."""
    port = _number(container, action.port)
    if port and not _is_skipped(facts, port):
        yield rules.TCP_PROBE.at(
            path,
            f"{path[-2]} of container {container.name} opens TCP port {port}, which always succeeds, for the proxy "
            "accepts the connection: write httpGet, grpc or exec",
        )


def _number(container: Container, port: int | str | None) -> int:
    """A port by its number or its name; 0 for one that the container does not have."""
    if isinstance(port, int) or port is None:
        return port or 0
    return next((declared.container_port or 0 for declared in container.ports or () if declared.name == port), 0)


def _is_skipped(facts: Facts, port: int) -> bool:
    """Whether the traffic to a port does not come by the proxy."""
    settings = facts.settings
    if port in (settings.control_port, settings.admin_port):
        return True
    bounds = (ports.parse_range(entry) for entry in settings.skip_inbound_ports.split(","))
    return any(bound is not None and bound[0] <= port <= bound[1] for bound in bounds)
