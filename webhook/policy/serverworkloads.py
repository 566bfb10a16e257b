"""Servers that select no workload, or a port that no selected workload has. Checked where all workloads are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from webhook.cluster.interface import Catalog, Workload
from webhook.cluster.workloads import PROXY_PORTS
from webhook.findings.finding import Finding, Severity, declare, show, suggest
from webhook.policy.portnames import is_port_name
from webhook.policy.selectors import selects

SELECTS_NOTHING = declare(
    "server-selects-nothing",
    Severity.WARNING,
    "FieldValueNotFound",
    "A Server selects none of the workloads that are given for its Namespace.",
)
PORT_MISSING = declare(
    "server-port-missing",
    Severity.WARNING,
    "FieldValueNotFound",
    "A Server's port is one that no container of the workloads that it selects has.",
)

# How many workloads and ports a message names.
_NAMED: Final = 3
_LISTED: Final = 8


def check(spec: Mapping[str, Any], namespace: str, catalog: Catalog) -> list[Finding]:
    """The findings about the selector and the port of a Server. None where not all workloads of its Namespace are
    known."""
    external = spec.get("externalWorkloadSelector") is not None
    selector = spec.get("externalWorkloadSelector" if external else "podSelector")
    known = [workload for workload in catalog.workloads(namespace) or () if workload.is_external is external]
    if not known or not isinstance(selector, dict):
        return []
    chosen = []
    for workload in known:
        is_selected = selects(selector, workload.labels)
        if is_selected is None:
            return []
        if is_selected:
            chosen.append(workload)
    if not chosen:
        return [_selects_nothing(selector, "externalWorkloadSelector" if external else "podSelector", known)]
    return _check_port(spec.get("port"), chosen, namespace, catalog)


def _selects_nothing(selector: Mapping[str, Any], field: str, known: Sequence[Workload]) -> Finding:
    labels = selector.get("matchLabels")
    path: tuple[str, ...] = ("spec", field)
    for key, value in labels.items() if isinstance(labels, dict) else ():
        there = sorted({workload.labels[key] for workload in known if key in workload.labels})
        if value not in there:
            hint = suggest(value, there) or (
                f": write {_join(there)}" if there else ": write labels that its Pods have"
            )
            names = _name_workloads(known)
            text = f"this Server selects no workload, as none of {names} has the label {key}: {value}{hint}"
            return SELECTS_NOTHING.at((*path, "matchLabels", key), text)
    text = f"this Server selects none of the workloads {_name_workloads(known)}: write labels that their Pods have"
    return SELECTS_NOTHING.at(path, text)


def _check_port(port: Any, chosen: Sequence[Workload], namespace: str, catalog: Catalog) -> list[Finding]:
    declared: dict[int, str] = {}
    for workload in chosen:
        declared.update(workload.ports)
    own = {number: name for number, name in declared.items() if number not in PROXY_PORTS}
    if type(port) is int:
        is_fine = _may_listen_on(port, chosen, own, namespace, catalog)
    else:
        is_fine = type(port) is not str or not is_port_name(port) or port in {*declared.values(), *PROXY_PORTS.values()}
    if is_fine:
        return []
    what = f"has the port {port}" if type(port) is int else f"has a port named {show(port)}"
    names = [name for name in own.values() if name]
    text = f"no container of {_name_workloads(chosen)} {what}{suggest(port, names) or _suggest_ports(own)}"
    return [PORT_MISSING.at(("spec", "port"), text)]


def _may_listen_on(
    port: int, chosen: Sequence[Workload], own: Mapping[int, str], namespace: str, catalog: Catalog
) -> bool:
    """Whether the workloads may listen on a port, which a container need not declare.

    They hardly do if they declare other ports, and neither a Service nor their template mentions this one."""
    if not own or port in own or port in PROXY_PORTS or any(port in workload.mentioned for workload in chosen):
        return True
    for service in catalog.names("", "Service", namespace):
        if any(workload.target == port for workload in catalog.ports(namespace, service) or ()):
            return True
    return False


def _suggest_ports(own: Mapping[int, str]) -> str:
    if not own:
        return ", as none declares any: write the number of the port on which it listens"
    listed = [f"{number} ({name})" if name else str(number) for number, name in sorted(own.items())[:_LISTED]]
    return f": write {_join(listed)}"


def _name_workloads(workloads: Sequence[Workload]) -> str:
    named = [f"{workload.kind} {workload.name}" for workload in workloads[:_NAMED]]
    rest = len(workloads) - _NAMED
    return f"{', '.join(named)} and {rest} more" if rest > 0 else _join(named, "and")


def _join(texts: Sequence[str], word: str = "or") -> str:
    *first, last = texts[:_LISTED]
    return f"{', '.join(first)} {word} {last}" if first else last
