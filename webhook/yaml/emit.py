"""Writes values as YAML text that Go's `sigs.k8s.io/yaml` reads back as the same values.

PyYAML's emitter is not used: by its own rules `y` and `0644` need no quotes, and Go reads them as true and 420.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import orjson

from webhook.yaml import scalars

# Text that means itself without quotes, wherever it stands.
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+=,~^-]*(?:[: ][A-Za-z0-9_./@+=,~^-]+)*")


def scalar(value: Any) -> str:
    """A text, number, boolean or null on one line; an empty list or map, too."""
    if not isinstance(value, str):
        return flow(value)
    # Keys and values of manifests are the same few again and again; long ones are not worth keeping.
    return _text(value) if len(value) < 100 else _text.__wrapped__(value)


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and scalars.plain(value)[0] == scalars.TEXT:
        return value
    return _quoted(value)


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


def entries(body: dict[str, Any], indent: int, offset: int = 0) -> list[str]:
    """The lines of a mapping's entries, indented; `offset` is how much further lists are indented than their key."""
    return list(_lines(orjson.dumps(body), indent, offset))


def items(body: list[Any], indent: int, offset: int = 0) -> list[str]:
    """The lines of a list's items, indented."""
    return list(_lines(orjson.dumps(body), indent, offset))


@lru_cache(maxsize=64)
def _lines(text: bytes, indent: int, offset: int) -> tuple[str, ...]:
    """The lines of a value in JSON: the same is added to many documents."""
    body = orjson.loads(text)
    lines: list[str] = []
    write = _entries if isinstance(body, dict) else _items
    write(lines, body, " " * indent, " " * offset)
    return tuple(lines)


def _entries(lines: list[str], body: dict[str, Any], indent: str, offset: str) -> None:
    for key, value in body.items():
        head = f"{indent}{scalar(key)}:"
        if not value or not isinstance(value, dict | list):
            lines.append(f"{head} {scalar(value)}")
            continue
        lines.append(head)
        if isinstance(value, dict):
            _entries(lines, value, indent + _DEEPER, offset)
        else:
            _items(lines, value, indent + offset, offset)


def _items(lines: list[str], body: list[Any], indent: str, offset: str) -> None:
    for value in body:
        if not value or not isinstance(value, dict | list):
            lines.append(f"{indent}- {scalar(value)}")
            continue
        first = len(lines)
        if isinstance(value, dict):
            _entries(lines, value, indent + _DEEPER, offset)
        else:
            _items(lines, value, indent + _DEEPER, offset)
        lines[first] = f"{indent}- {lines[first][len(indent) + 2 :]}"


_DEEPER = "  "
