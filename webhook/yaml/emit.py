"""Writes values as YAML text that Go's `sigs.k8s.io/yaml` reads back as the same values.

PyYAML's emitter is not used: by its own rules `y` and `0644` need no quotes, and Go reads them as true and 420.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from webhook.yaml import scalars

# Text that means itself without quotes, wherever it stands.
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+=,~^-]*(?:[: ][A-Za-z0-9_./@+=,~^-]+)*")


def scalar(value: Any) -> str:
    """A text, number, boolean or null on one line; an empty list or map, too."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and scalars.plain(value)[0] == scalars.TEXT:
            return value
        return _quoted(value)
    return flow(value)


def _quoted(value: str) -> str:
    # JSON leaves these as they are, and YAML takes them for line breaks or refuses them.
    text = orjson.dumps(value).decode()
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def flow(value: Any) -> str:
    """Any value on one line, as JSON, which is YAML as well."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(key)}: {flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return orjson.dumps(value).decode()


def entries(body: dict[str, Any], indent: int, offset: int = 0) -> Iterator[str]:
    """The lines of a mapping's entries, indented; `offset` is how much further lists are indented than their key."""
    for key, value in body.items():
        yield from entry(key, value, indent, offset)


def entry(key: str, value: Any, indent: int, offset: int = 0) -> Iterator[str]:
    """The lines of one entry of a mapping."""
    head = f"{' ' * indent}{scalar(key)}:"
    if not value or not isinstance(value, dict | list):
        yield f"{head} {scalar(value)}"
        return
    yield head
    if isinstance(value, dict):
        yield from entries(value, indent + 2, offset)
    else:
        yield from items(value, indent + offset, offset)


def items(body: list[Any], indent: int, offset: int = 0) -> Iterator[str]:
    """The lines of a list's items, indented."""
    for value in body:
        if not value or not isinstance(value, dict | list):
            yield f"{' ' * indent}- {scalar(value)}"
            continue
        lines = entries(value, indent + 2, offset) if isinstance(value, dict) else items(value, indent + 2, offset)
        first = next(lines)
        yield f"{' ' * indent}- {first[indent + 2 :]}"
        yield from lines
