"""Which Pods (or ExternalWorkloads) and which port a Server selects, and which Servers select the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Requirements = frozenset[tuple[str, ...]]

# The first one that is set counts.
_SELECTORS: Final = ("externalWorkloadSelector", "podSelector")


class Selection(dict[str, Any]):
    """The part of a Server's spec that decides whether two Servers select the same: its selector and its port.

    `requirements` and `port` are worked out once, as each Server is compared with all others of its Namespace; `port`
    is None where the Server shares with no other, as its port or its selector is not valid."""

    __slots__ = ("port", "requirements")

    def __init__(self, spec: Any) -> None:
        if not isinstance(spec, dict):
            spec = {}
        super().__init__({key: spec[key] for key in (*_SELECTORS, "port") if key in spec})
        requirements, port = requirements_of(spec), spec.get("port")
        self.requirements: Requirements = requirements or frozenset()
        # A bool is an int to Python, and equal to one: `port: true` is not the port 1.
        self.port: int | str | None = port if requirements is not None and type(port) in (int, str) else None

    def is_of(self, spec: Mapping[str, Any]) -> bool:
        """Whether this was made of the very values in `spec`: one that is equal, as 1 and `true` are, is not."""
        return all(self.get(key) is spec.get(key) for key in (*_SELECTORS, "port"))


def sharing(servers: Mapping[str, Selection], name: str, spec: Mapping[str, Any]) -> list[str]:
    """The names of the other Servers of a Namespace that certainly select the same port of the same workloads.

    That is certain if the requirements of one Server include all requirements of the other.
    `servers`: the Namespace's Servers by name; `name` and `spec`: the Server that is compared with them.
    """
    server = servers.get(name)
    if server is None or not server.is_of(spec):
        server = Selection(spec)
    ours, port = server.requirements, server.port
    if port is None:
        return []
    return [
        other
        for other, theirs in servers.items()
        if theirs.port == port and (ours <= theirs.requirements or theirs.requirements <= ours) and other != name
    ]


def requirements_of(spec: Mapping[str, Any]) -> Requirements | None:
    """What a Server requires of a workload: its kind, and the requirements on labels in a normalized form. None if the
    selector is not valid."""
    name = next((name for name in _SELECTORS if spec.get(name) is not None), "podSelector")
    labels = _requirements(spec.get(name))
    return None if labels is None else labels | {(name,)}


def _requirements(selector: Any) -> frozenset[tuple[str, ...]] | None:
    """A selector's requirements on labels in a normalized form; None if the selector is not valid."""
    if not isinstance(selector, dict):
        return None
    labels, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if not isinstance(labels, dict) or not isinstance(expressions, list):
        return None
    requirements: set[tuple[str, ...]] = set()
    for key, value in labels.items():
        if not isinstance(key, str) or not isinstance(value, str):
            return None
        requirements.add((key, "In", value))
    for expression in expressions:
        requirement = _requirement(expression)
        if requirement is None:
            return None
        requirements.add(requirement)
    return frozenset(requirements)


def _requirement(expression: Any) -> tuple[str, ...] | None:
    if not isinstance(expression, dict):
        return None
    values = expression.get("values") or []
    if not isinstance(values, list):
        return None
    texts = (expression.get("key"), expression.get("operator"), *values)
    if not all(isinstance(text, str) for text in texts):
        return None
    key, operator, *rest = texts
    return (key, operator, *sorted(set(rest)))
