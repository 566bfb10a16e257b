"""What Servers select: which Pods (or ExternalWorkloads), and which port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Requirements = frozenset[tuple[str, ...]]

# The first that is there counts.
_SELECTORS: Final = ("externalWorkloadSelector", "podSelector")


class Selection(dict[str, Any]):
    """Of a Server's spec, what two Servers can get into each other's way by. What it asks for is worked out once, as a
    Server is compared with all others of its Namespace."""

    __slots__ = ("requirements",)

    def __init__(self, spec: Any) -> None:
        if not isinstance(spec, dict):
            spec = {}
        super().__init__({key: spec[key] for key in (*_SELECTORS, "port") if key in spec})
        self.requirements = requirements_of(spec)

    def is_of(self, spec: Mapping[str, Any]) -> bool:
        """Whether this is what is selected by a spec."""
        return all(self.get(key) == spec.get(key) for key in (*_SELECTORS, "port"))


class Servers(dict[str, Selection]):
    """The Servers of a Namespace by name, and by what they ask for: which of them may select what another one does is
    found without a look at each."""

    __slots__ = ("_by_port",)

    def __init__(self, servers: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        super().__init__()
        # By port, and by each requirement of a Server there; those that ask for no label are under `_bare`.
        self._by_port: dict[Any, dict[tuple[str, ...], set[str]]] = {}
        for name, spec in (servers or {}).items():
            self[name] = spec if isinstance(spec, Selection) else Selection(spec)

    def __setitem__(self, name: str, selection: Selection) -> None:
        if name in self:
            del self[name]
        super().__setitem__(name, selection)
        for key in _keys(selection):
            self._by_port.setdefault(selection["port"], {}).setdefault(key, set()).add(name)

    def __delitem__(self, name: str) -> None:
        selection = self[name]
        super().__delitem__(name)
        for key in _keys(selection):
            self._by_port[selection["port"]][key].discard(name)

    def sharing(self, name: str, spec: Mapping[str, Any]) -> list[str]:
        """The other Servers that select a Server's port of certainly the same workloads: one of the two asks for all
        that the other one does, and perhaps for more."""
        known = self.get(name)
        # Mostly the Server is among them as it is.
        selection = known if known is not None and known.is_of(spec) else Selection(spec)
        ours, there = selection.requirements, self._by_port.get(selection.get("port"), {})
        if ours is None or not there:
            return []
        candidates: set[str] = set()
        for requirement in ours:
            # All are of one of the kinds; only who asks for no label at all has to look at each of them.
            if len(requirement) > 1 or len(ours) == 1:
                candidates |= there.get(requirement, set())
            else:
                candidates |= there.get(_bare(requirement), set())
        return [other for other in candidates if other != name and _comparable(ours, self[other].requirements)]


def _comparable(ours: Requirements, theirs: Requirements | None) -> bool:
    return theirs is not None and (ours <= theirs or theirs <= ours)


def _keys(selection: Selection) -> Iterator[tuple[str, ...]]:
    """What a Server is found by; nothing, for one that makes no sense."""
    requirements, port = selection.requirements, selection.get("port")
    if requirements is None or type(port) not in (int, str):
        return
    yield from requirements
    if len(requirements) == 1:
        yield _bare(next(iter(requirements)))


def _bare(kind: tuple[str, ...]) -> tuple[str, ...]:
    return (*kind, "")


def requirements_of(spec: Mapping[str, Any]) -> Requirements | None:
    """What a Server asks of a workload: its kind, and each requirement of labels in one spelling. None for a selector
    that makes no sense."""
    name = next((name for name in _SELECTORS if spec.get(name) is not None), "podSelector")
    found = _requirements(spec.get(name))
    return None if found is None else found | {(name,)}


def _requirements(selector: Any) -> frozenset[tuple[str, ...]] | None:
    """What a selector asks of labels, each requirement in one spelling; None for a selector that makes no sense."""
    if not isinstance(selector, dict):
        return None
    labels, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if not isinstance(labels, dict) or not isinstance(expressions, list):
        return None
    found: set[tuple[str, ...]] = set()
    for key, value in labels.items():
        if not isinstance(key, str) or not isinstance(value, str):
            return None
        found.add((key, "In", value))
    for each in expressions:
        requirement = _requirement(each)
        if requirement is None:
            return None
        found.add(requirement)
    return frozenset(found)


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
