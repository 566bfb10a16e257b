"""Templates of objects: trees of dicts, lists and scalars in which some nodes depend on settings.

Each object of an installation is one such tree. `evaluate` renders it for `install`; `helm.py` renders it as a template
of the chart.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from webhook import __version__

Node = Any


class _Nothing:
    """A value that is left out, together with its key."""


NOTHING: Final = _Nothing()


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a setting, of any type; `path` is its path in the chart's values, such as `image.tag`."""

    path: str


@dataclass(frozen=True, slots=True)
class Base64:
    """The value of a string setting, in base64."""

    path: str


@dataclass(frozen=True, slots=True)
class InstallNamespace:
    """The name of the Namespace of the installation."""


@dataclass(frozen=True, slots=True)
class Version:
    """The version of this program."""


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """A string of several parts. An `If` among them chooses between `TextTemplate`s or strings."""

    parts: tuple[Part, ...]


def text(*parts: Part) -> TextTemplate:
    """A string of parts."""
    return TextTemplate(parts)


@dataclass(frozen=True, slots=True)
class Each:
    """Within a list: the items of a list setting."""

    path: str


@dataclass(frozen=True, slots=True)
class Beside:
    """A dict `ours`, with the entries of an object setting added whose keys it does not have."""

    ours: dict[str, Node]
    path: str


@dataclass(frozen=True, slots=True)
class On:
    """A condition: the setting is true, or not empty and not 0."""

    path: str


@dataclass(frozen=True, slots=True)
class Equal:
    """A condition: the setting has this value."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class Same:
    """A condition: two settings are the same number."""

    path: str
    other: str


@dataclass(frozen=True, slots=True)
class More:
    """A condition: the setting is larger than another setting, or than a number."""

    path: str
    than: str | int


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A condition: Kubernetes has at least this version, such as `1.28`. `what` is what is left out otherwise."""

    version: str
    what: str


@dataclass(frozen=True, slots=True)
class Not:
    """A condition: another condition does not hold."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class All:
    """A condition: all conditions hold. They are evaluated until one does not hold."""

    conditions: tuple[Condition, ...]


def every(*conditions: Condition) -> All:
    """A condition: all of these conditions hold."""
    return All(conditions)


Condition = On | Equal | Same | More | Kubernetes | Not | All


@dataclass(frozen=True, slots=True)
class If:
    """One of two nodes, by a condition. Without `otherwise` the node is left out if the condition does not hold."""

    condition: Condition
    then: Node
    otherwise: Node = NOTHING


Part = str | Value | InstallNamespace | Version | If


@dataclass(slots=True)
class Context:
    """What a tree is evaluated with: the chart's values, the Namespace, and the Kubernetes version (major, minor).

    The evaluation adds the versions that the rendered fields need to `known`, and what was left out, with the version
    that it needs, to `unknown`.
    """

    values: Mapping[str, Any]
    namespace: str
    kubernetes: tuple[int, int]
    known: set[tuple[int, int]] = field(default_factory=set)
    unknown: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """The value of a setting. Raises `KeyError` if it does not exist."""
        value: Any = self.values
        for key in path.split("."):
            value = value[key]
        return value

    def knows(self, feature: Kubernetes) -> bool:
        """Whether Kubernetes supports a feature; the result is noted in `known` or `unknown`."""
        least = version(feature.version)
        if self.kubernetes >= least:
            self.known.add(least)
            return True
        self.unknown[feature.what] = feature.version
        return False


def version(text: str) -> tuple[int, int]:
    """The numbers of a version, such as `1.28`. Raises `ValueError`."""
    major, minor = text.split(".")
    return int(major), int(minor)


def holds(condition: Condition, context: Context) -> bool:
    """Whether a condition holds in a context."""
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
    """The tree evaluated in a context: plain dicts, lists and scalars, or `NOTHING`."""
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
