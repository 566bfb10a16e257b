"""Reads fields of objects of which nobody knows that they are well formed: a wrong type reads as an absent value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webhook.kube.interface import JSON


def mapping(value: object, *path: str) -> JSON:
    """The object at a path of keys below a value; an empty one where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def sequence(value: object, *path: str) -> list[Any]:
    """The list at a path of keys below a value; an empty one where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else []


def mappings(value: object, *path: str) -> Iterator[JSON]:
    """The objects in the list at a path of keys below a value; what else stands there is passed over."""
    return (item for item in sequence(value, *path) if isinstance(item, dict))


def text(value: object, *path: str) -> str:
    """The text at a path of keys below a value; "" where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def number(value: object, *path: str, default: int = 0) -> int:
    """The whole number at a path of keys below a value; `default` where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def texts(value: object, *path: str) -> dict[str, str]:
    """The entries of the object at a path whose values are texts, such as annotations or labels."""
    return {key: entry for key, entry in mapping(value, *path).items() if isinstance(entry, str)}


def named(body: object) -> str:
    """`Kind NAMESPACE/NAME` of an object, or `Kind NAME` where it has no namespace."""
    namespace, name = text(body, "metadata", "namespace"), text(body, "metadata", "name")
    return f"{text(body, 'kind')} {f'{namespace}/' if namespace else ''}{name}"
