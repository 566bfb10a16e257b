"""Objects with holes: trees of dicts, lists and scalars in which some nodes depend on settings.

The objects of an installation are written once, as such trees. `evaluate` fills the holes in, for `install`; `helm.py`
prints the same trees as a chart's templates.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhook import __version__

Node = Any


class _Nothing:
    """In place of what is left out, with its key."""


NOTHING: Final = _Nothing()


@dataclass(frozen=True, slots=True)
class Value:
    """What a setting says, of whatever type; `path` is where the chart's values have it, as `image.tag`."""

    path: str


@dataclass(frozen=True, slots=True)
class Base64:
    """A setting's text in base64."""

    path: str


@dataclass(frozen=True, slots=True)
class InstallNamespace:
    """The namespace that is installed into."""


@dataclass(frozen=True, slots=True)
class Version:
    """The version of this program."""


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """A string of parts, one after the other. An `If` among them chooses between `TextTemplate`s or strings."""

    parts: tuple[Part, ...]


def text(*parts: Part) -> TextTemplate:
    """A string of parts."""
    return TextTemplate(parts)


@dataclass(frozen=True, slots=True)
class Each:
    """Within a list: the items of a setting that is a list."""

    path: str


@dataclass(frozen=True, slots=True)
class Beside:
    """A dict of ours, and beside it the entries of a setting whose keys are not ours."""

    ours: dict[str, Node]
    path: str


@dataclass(frozen=True, slots=True)
class On:
    """Whether a setting is true, or neither empty nor 0."""

    path: str


@dataclass(frozen=True, slots=True)
class Equal:
    """Whether a setting has a value."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Same:
    """Whether two settings are the same number."""

    path: str
    other: str


@dataclass(frozen=True, slots=True)
class More:
    """Whether a setting is a larger number than another one, or than this one."""

    path: str
    than: str | int


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """Whether the API server is of this version at least, as `1.28`. `what` is left out where it is not."""

    version: str
    what: str


@dataclass(frozen=True, slots=True)
class Not:
    """Whether a condition does not hold."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class All:
    """Whether all conditions hold. Those that come after one that does not are not looked at."""

    conditions: tuple[Condition, ...]


def every(*conditions: Condition) -> All:
    """Whether all conditions hold."""
    return All(conditions)


Condition = On | Equal | Same | More | Kubernetes | Not | All


@dataclass(frozen=True, slots=True)
class If:
    """One node or another; by default the other one is nothing."""

    condition: Condition
    then: Node
    otherwise: Node = NOTHING


Part = str | Value | InstallNamespace | Version | If


@dataclass(slots=True)
class Context:
    """What holes are filled with: the chart's values, the namespace, the API server's version (major, minor).

    `known` gathers the versions that what was put in needs; `unknown` what was left out, with the version that has it.
    """

    values: Mapping[str, Any]
    namespace: str
    kubernetes: tuple[int, int]
    known: set[tuple[int, int]] = field(default_factory=set)
    unknown: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """A setting. Raises `KeyError` for one that there is not."""
        value: Any = self.values
        for key in path.split("."):
            value = value[key]
        return value

    def knows(self, feature: Kubernetes) -> bool:
        """Whether the API server knows a feature; kept for who asks what was left out."""
        least = version(feature.version)
        if self.kubernetes >= least:
            self.known.add(least)
            return True
        self.unknown[feature.what] = feature.version
        return False


def version(text: str) -> tuple[int, int]:
    """`1.28` in numbers. Raises `ValueError`."""
    major, minor = text.split(".")
    return int(major), int(minor)


def holds(condition: Condition, context: Context) -> bool:
    """Whether a condition holds."""
    match condition:
        case On(path):
            return bool(context.get(path))
        case Equal(path, value):
            return bool(context.get(path) == value)
        case Same(path, other):
            return bool(context.get(path) == context.get(other))
        case More(path, than):
            return bool(context.get(path) > (than if isinstance(than, int) else context.get(than)))
        case Kubernetes():
            return context.knows(condition)
        case Not(inner):
            return not holds(inner, context)
        case All(conditions):
            return all(holds(part, context) for part in conditions)


def evaluate(node: Node, context: Context) -> Any:
    """The tree with all holes filled: plain dicts, lists and scalars, or `NOTHING`."""
    match node:
        case If(condition, then, otherwise):
            return evaluate(then if holds(condition, context) else otherwise, context)
        case Value(path):
            return context.get(path)
        case Base64(path):
            return base64.b64encode(context.get(path).encode()).decode("ascii")
        case InstallNamespace():
            return context.namespace
        case Version():
            return __version__
        case TextTemplate(parts):
            values = (evaluate(part, context) for part in parts)
            return "".join(str(value) for value in values if value is not NOTHING)
        case Beside(ours, path):
            others = {key: value for key, value in context.get(path).items() if key not in ours}
            return {**evaluate(ours, context), **others}
    return _container(node, context)


def _container(node: Node, context: Context) -> Any:
    if isinstance(node, dict):
        entries = {key: evaluate(value, context) for key, value in node.items()}
        return {key: value for key, value in entries.items() if value is not NOTHING}
    if isinstance(node, list | tuple):
        return [item for part in node for item in _items(part, context)]
    return node


def _items(node: Node, context: Context) -> list[Any]:
    if isinstance(node, Each):
        return list(context.get(node.path))
    value = evaluate(node, context)
    return [] if value is NOTHING else [value]
