"""Ports: those that a Pod listens on, and those that are opaque to the proxy."""

from __future__ import annotations

import re
from collections.abc import Iterable

from webhook.injector.subject import Subject
from webhook.pod import Container, ServicePort

OPAQUE_PORTS = "config.linkerd.io/opaque-ports"

HIGHEST = 65535
# A few bytes of annotation must not become megabytes of ports: every port twice is more than anybody means.
MOST_EXPANDED = 2 * (HIGHEST + 1)
# Go's `strconv.Atoi`: a sign may stand before the digits.
_ATOI = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)


def inbound_ports(subject: Subject, *, init_containers: bool) -> str:
    """Every container port and every port that an HTTP readiness or liveness probe names by number.

    Joined by commas, sorted as texts, as the reference does.
    """
    numbers = {*subject.ports, *subject.probe_ports}
    if init_containers:
        numbers.update(subject.init_ports, subject.init_probe_ports)
    return ",".join(sorted(map(str, numbers)))


def named_ports(containers: Iterable[Container], *, last_wins: bool) -> dict[str, int]:
    """Container ports by name. Where two share one, lines differ in which counts."""
    names: dict[str, int] = {}
    for container in containers:
        for port in container.ports or ():
            name = port.name or ""
            if last_wins and not name:
                continue
            if last_wins or name not in names:
                names[name] = port.container_port or 0
    return names


def read_opaque_ports(value: str, names: dict[str, int], *, expand: bool) -> tuple[str, list[str]]:
    """The opaque-ports annotation as the proxy takes it, and the entries that are left out.

    Entries are ports, ranges (`4000-4010`) and names of container ports. `expand` writes every port of a range out.
    """
    ports: list[str] = []
    refused: list[str] = []
    for entry in value.removesuffix(",").split(","):
        text = entry.strip(" \t\n\v\f\r\x85\xa0")
        if text in names:
            ports.append(str(names[text]))
            continue
        bounds = parse_range(text)
        if bounds is None or (expand and len(ports) + bounds[1] - bounds[0] > MOST_EXPANDED):
            refused.append(text)
        elif expand:
            ports.extend(map(str, range(bounds[0], bounds[1] + 1)))
        else:
            ports.append(str(bounds[0]) if bounds[0] == bounds[1] else f"{bounds[0]}-{bounds[1]}")
    return ",".join(ports), refused


def parse_range(text: str) -> tuple[int, int] | None:
    """`80` or `80-90`, each from 0 to 65535, the lower first; None for anything else."""
    bounds = text.split("-")
    if len(bounds) > 2:
        return None
    numbers = [int(b) if _ATOI.fullmatch(b) else -1 for b in (bounds[0], bounds[-1])]
    low, high = numbers
    return (low, high) if 0 <= low <= high <= HIGHEST else None


def single_ports(text: str) -> frozenset[int]:
    """The ports of a list that stand there by themselves, and as a number is written."""
    return frozenset(int(entry) for entry in text.split(",") if re.fullmatch("[1-9][0-9]{0,9}|0", entry, re.ASCII))


def default_pod_ports(subject: Subject, defaults: frozenset[int], *, init_containers: bool) -> list[str]:
    """The Pod's container ports that are opaque by default, in order, each as often as it is there."""
    numbers = [*subject.init_ports, *subject.ports] if init_containers else subject.ports
    return [str(number) for number in numbers if number in defaults]


def default_service_ports(ports: Iterable[ServicePort], defaults: frozenset[int]) -> list[str]:
    """The Service's ports that are opaque by default: by target port, and by their own where that is not set.

    A port 3306 with target port 80 is not opaque, whatever 3306 usually is.
    """
    out = []
    for port in ports:
        own, target = port.port or 0, port.target_port
        # A named target port counts as number 0.
        number = 0 if isinstance(target, str) else target or own
        if number in defaults:
            out.append(str(own))
    return out
