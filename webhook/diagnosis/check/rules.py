"""What the rules of webhooks match. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-rules
"""

from __future__ import annotations

from collections.abc import Iterable

from webhook.kube.fields import mappings, sequence
from webhook.kube.interface import JSON


def matches(webhook: JSON, group: str, resource: str, operation: str = "CREATE") -> bool:
    """Whether some rule of a webhook matches this operation on a resource of an API group, in whatever version."""
    return any(_matches(rule, group, resource, operation) for rule in mappings(webhook, "rules"))


def covered(wanted: Iterable[JSON], rules: Iterable[JSON]) -> list[str]:
    """What the rules do not match of what the wanted rules match, each named as `CREATE of pods`. Versions do not
    count: matchPolicy Equivalent converts them."""
    rules = list(rules)
    missing: dict[str, list[str]] = {}
    for rule in wanted:
        for group in _texts(rule, "apiGroups"):
            for resource in _texts(rule, "resources"):
                for operation in _texts(rule, "operations"):
                    if not any(_matches(other, group, resource, operation) for other in rules):
                        missing.setdefault(operation, []).append(f"{resource}.{group}" if group else resource)
    return [f"{operation} of {', '.join(dict.fromkeys(resources))}" for operation, resources in missing.items()]


def _matches(rule: JSON, group: str, resource: str, operation: str) -> bool:
    return (
        _has(rule, "apiGroups", group)
        and _has(rule, "operations", operation)
        and any(element in ("*", "*/*", resource) for element in _texts(rule, "resources"))
    )


def _has(rule: JSON, key: str, wanted: str) -> bool:
    values = _texts(rule, key)
    return "*" in values or wanted in values


def _texts(rule: JSON, key: str) -> list[str]:
    return [value for value in sequence(rule, key) if isinstance(value, str)]
