"""Which rights RBAC rules lack. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from webhook.kube.fields import sequence
from webhook.kube.interface import JSON


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource of an API group ("" for the core's), of one object by `name`, "" for any."""

    group: str
    resource: str
    name: str
    verb: str

    @property
    def what(self) -> str:
        """The resource, as RBAC's messages and kubectl name it: `leases.coordination.k8s.io/NAME`."""
        group = f".{self.group}" if self.group else ""
        return f"{self.resource}{group}{f'/{self.name}' if self.name else ''}"


def lacking(wanted: Iterable[JSON], held: Iterable[JSON]) -> list[str]:
    """What the rules that are held do not grant of those that are wanted: `list, watch on namespaces`."""
    held = list(held)
    missing: dict[str, list[str]] = {}
    for rule in wanted:
        for right in _rights(rule):
            if not any(_grants(other, right) for other in held):
                missing.setdefault(right.what, []).append(right.verb)
    alike: dict[tuple[str, ...], list[str]] = {}
    for what, verbs in missing.items():
        alike.setdefault(tuple(dict.fromkeys(verbs)), []).append(what)
    return [f"{', '.join(verbs)} on {', '.join(whats)}" for verbs, whats in alike.items()]


def _rights(rule: JSON) -> Iterator[Right]:
    for group in _texts(rule, "apiGroups"):
        for resource in _texts(rule, "resources"):
            for name in _texts(rule, "resourceNames") or [""]:
                for verb in _texts(rule, "verbs"):
                    yield Right(group, resource, name, verb)


def _grants(rule: JSON, right: Right) -> bool:
    names = _texts(rule, "resourceNames")
    return (
        _has(_texts(rule, "apiGroups"), right.group)
        and _has(_texts(rule, "resources"), right.resource)
        and _has(_texts(rule, "verbs"), right.verb)
        and (not names or right.name in names)
    )


def _has(values: Sequence[str], wanted: str) -> bool:
    return "*" in values or wanted in values


def _texts(rule: JSON, key: str) -> list[str]:
    return [value for value in sequence(rule, key) if isinstance(value, str)]
