"""Which Pods (or ExternalWorkloads) and which port a Server selects, and which Servers select the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Requirements = frozenset[tuple[str, ...]]

# The first one that is set counts.
_SELECTORS: Final = ("externalWorkloadSelector", "podSelector")


class Selection(dict[str, Any]):
    """The part of a Server's spec that decides whether two Servers select the same: its selector and its port.

    `requirements` are worked out once, as each Server is compared with all others of its Namespace."""

    __slots__ = ("requirements",)

    def __init__(self, spec: Any) -> None:
        if not isinstance(spec, dict):
            spec = {}
        super().__init__({key: spec[key] for key in (*_SELECTORS, "port") if key in spec})
        self.requirements = requirements_of(spec)


def sharing(servers: Mapping[str, Mapping[str, Any]], name: str, spec: Mapping[str, Any]) -> list[str]:
    """The names of the other Servers of a Namespace that certainly select the same port of the same workloads.

    That is certain if the requirements of one Server include all requirements of the other.
    `servers`: the specs (or `Selection`s) of the Namespace's Servers by name; `name` and `spec`: the Server that is
    compared with them.
    """
    ours, port = requirements_of(spec), spec.get("port")
    if ours is None or type(port) not in (int, str):
        return []
    names = []
    for other, theirs in servers.items():
        if theirs.get("port") != port or type(theirs["port"]) is not type(port) or other == name:
            continue
        requirements = theirs.requirements if isinstance(theirs, Selection) else requirements_of(theirs)
        if requirements is not None and (ours <= requirements or requirements <= ours):
            names.append(other)
    return names


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
