"""Traffic of a Pod that does not go as meant: past the proxy, to a port that the proxy has, or to the proxy alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webhook.findings.finding import Finding, Path
from webhook.injector import ports
from webhook.injector.advice import rules
from webhook.injector.advice.facts import Facts
from webhook.injector.settings import PREFIX
from webhook.pod import Container, ContainerPort, PodSecurityContext, SecurityContext, TCPSocketAction


def check(facts: Facts) -> list[Finding]:
    """What there is to say about each container that runs beside the proxy."""
    findings: list[Finding] = []
    settings, spec = facts.settings, facts.subject.spec
    of_pod = spec.security_context if spec is not None else None
    taken = (settings.control_port, settings.admin_port, settings.inbound_port, settings.outbound_port)
    if not _is_worth_a_look(facts, of_pod, taken):
        return []
    for place, index, container in facts.lasting():
        if of_pod is not None or container.security_context is not None:
            findings += _runs_as_proxy(facts, (*place, index), container, of_pod)
        for number, port in enumerate(container.ports or ()):
            if port.container_port in taken and port.protocol in _TCP:
                at = (*place, index, "ports", number, "containerPort")
                findings.append(_takes_port(at, container, port, taken))
        for field, probe in (
            ("livenessProbe", container.liveness_probe),
            ("readinessProbe", container.readiness_probe),
            ("startupProbe", container.startup_probe),
        ):
            if probe is not None and probe.tcp_socket is not None:
                findings += _by_tcp(facts, (*place, index, field, "tcpSocket"), container, probe.tcp_socket)
    return findings


def _is_worth_a_look(facts: Facts, of_pod: PodSecurityContext | None, taken: tuple[int, ...]) -> bool:
    """Whether there may be anything to say at all: of most Pods there is not."""
    subject, settings = facts.subject, facts.settings
    if subject.has_tcp_probes or not (
        set(taken).isdisjoint(subject.ports) and set(taken).isdisjoint(subject.init_ports)
    ):
        return True
    uid, gid = settings.uid, settings.gid
    if of_pod is not None and (of_pod.run_as_user == uid or of_pod.run_as_group == gid):
        return True
    for containers in (subject.containers, subject.init_containers):
        for container in containers:
            own = container.security_context
            if own is not None and (own.run_as_user == uid or own.run_as_group == gid):
                return True
    return False


_TCP: Final = (None, "", "TCP")


def _runs_as_proxy(facts: Facts, at: Path, container: Container, of_pod: PodSecurityContext | None) -> list[Finding]:
    """A container with the proxy's uid or gid: `linkerd-init` lets the traffic of these pass by the proxy."""
    uid, gid = facts.settings.uid, facts.settings.gid
    user, group = _identities(container.security_context, of_pod)
    own = container.security_context
    if user == uid > 0:
        is_own = own is not None and own.run_as_user is not None
        return [_past(at, is_own, container, f"uid {uid}", "runAsUser", "uid")]
    if group == gid > 0:
        is_own = own is not None and own.run_as_group is not None
        return [_past(at, is_own, container, f"gid {gid}", "runAsGroup", "gid")]
    return []


def _identities(own: SecurityContext | None, of_pod: PodSecurityContext | None) -> tuple[int | None, int | None]:
    """The user and the group that a container runs as: its own, else the Pod's; None for those of its image."""
    user = own.run_as_user if own is not None else None
    group = own.run_as_group if own is not None else None
    if of_pod is not None:
        user = of_pod.run_as_user if user is None else user
        group = of_pod.run_as_group if group is None else group
    return user, group


def _past(at: Path, is_own: bool, container: Container, identity: str, field: str, kind: str) -> Finding:
    path = (*(at if is_own else ("spec",)), "securityContext", field)
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
