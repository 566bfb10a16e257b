"""Objects that reach each bound of a schema from both sides: one that is right, with one thing changed at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Schema = dict[str, Any]
Path = tuple[str | int, ...]

# What fields hold that Linkerd has an opinion on, by the end of their path; the others are found by their bounds.
EXAMPLES: dict[str, Any] = {
    "cidr": "10.0.0.0/8",
    "except.0": "10.1.0.0/16",
    "proxyProtocol": "HTTP/1",
    "accessPolicy": "deny",
    "spec.port": 8080,
    "targetRef.group": "policy.linkerd.io",
    "targetRef.kind": "Server",
    "requiredAuthenticationRefs.0.group": "policy.linkerd.io",
    "requiredAuthenticationRefs.0.kind": "MeshTLSAuthentication",
    "identityRefs.0.group": "",
    "identityRefs.0.kind": "ServiceAccount",
    "clientRefs.0.group": "",
    "clientRefs.0.kind": "ServiceAccount",
    "parentRefs.0.group": "policy.linkerd.io",
    "parentRefs.0.kind": "Server",
    "backendRef.group": "",
    "backendRef.kind": "Service",
    "backendRefs.0.group": "",
    "backendRefs.0.kind": "Service",
    "path.value": "/a",
    "replaceFullPath": "/b",
    "replacePrefixMatch": "/c",
    "unauthenticatedTLS": False,
    "unauthenticated": False,
    "request": "10s",
    "backendRequest": "5s",
    "matchLabels": {"app": "web"},
    "requestsPerSecond": 10,
    "allowOrigins.0": "https://example.com",
    "absoluteTimeout": "1h",
    "backoff": "10ms",
}
_TEXTS = ["web", "GET", "10s", "/a"]
_BAD_TEXTS = [
    "",
    "A",
    "-a",
    "a-",
    "a..b",
    "a_b",
    "a b",
    "a\n",
    "*",
    "*.a",
    "a.*",
    ".a",
    "é",
    "a/b",
    "1",
    "0",
    "++5s",
    "a.b",
]
_OTHERS: list[Any] = [None, True, 5, 1.0, 1.5, "text", [], {}, [None], {"odd": None}, -(2**63) - 1]
_NUMBERS = [-1, 0, 1, 100, 301, 303, 400, 599, 600, 65535, 65536, 2**31 - 1, 2**31, 2**63 - 1, 2**63]


def examples(schema: Schema, turn: int) -> Any:
    """A value with every field. Of several ways (`oneOf`, `enum`) the one whose turn it is."""
    return _example(schema, ("spec",), turn)


def _example(schema: Schema, path: Path, turn: int) -> Any:
    ending = next((e for e in EXAMPLES if ".".join(map(str, path)).endswith(e)), None)
    if ending is not None:
        return deepcopy(EXAMPLES[ending])
    kind = schema.get("type")
    if "enum" in schema:
        return schema["enum"][turn % len(schema["enum"])]
    if kind == "object":
        ways = [way["required"] for way in schema.get("oneOf", ())]
        unwanted = {name for way in ways for name in way} - set(ways[turn % len(ways)] if ways else ())
        fields = schema.get("properties", {}).items()
        return {name: _example(element, (*path, name), turn) for name, element in fields if name not in unwanted}
    if kind == "array":
        return [_example(schema["items"], (*path, 0), turn)]
    if kind == "integer":
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    return next(text for text in _TEXTS if re.search(schema.get("pattern", ""), text))


def mutants(spec: Any, schema: Schema) -> Iterator[tuple[str, Any]]:
    """The spec itself, and with each of its values put to and over each bound."""
    yield "as it is", spec
    for path, value, element in _walk(spec, schema, ()):
        lean, at = _lean(spec, schema, path), ".".join(map(str, path))
        for what, changed in _changes(value, element):
            yield f"{at}: {what}", _put(lean, path, changed)
        if isinstance(value, dict):
            for what, changed in _less_and_more(value, element):
                yield f"{at}: {what}", _put(lean, path, changed)


def _lean(value: Any, schema: Schema, path: Path | None) -> Any:
    """The value without the optional structures that the path does not lead through, so that it is quickly judged."""
    if isinstance(value, list):
        return [_lean(value[0], schema["items"], path and path[1:])]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    # A filter has to hold what its type says.
    wanted = set(value) if "type" in schema.get("required", ()) else set(schema.get("required", ()))
    wanted |= {name for way in schema.get("oneOf", ()) for name in way["required"]}
    out = {}
    for name, item in value.items():
        if path and name == path[0]:
            out[name] = _lean(item, schema["properties"][name], path[1:]) if len(path) > 1 else item
        elif name in wanted or not isinstance(item, dict | list):
            out[name] = _lean(item, schema["properties"][name], None)
    return out


def _walk(value: Any, schema: Schema, path: Path) -> Iterator[tuple[Path, Any, Schema]]:
    yield path, value, schema
    if isinstance(value, dict):
        for name, item in value.items():
            if name in schema.get("properties", {}):
                yield from _walk(item, schema["properties"][name], (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, schema["items"], (*path, index))


def _put(spec: Any, path: Path, value: Any) -> Any:
    """A copy of what the path leads through, with the value at its end."""
    if not path:
        return value
    copy = spec.copy()
    copy[path[0]] = _put(spec[path[0]], path[1:], value)
    return copy


def _changes(value: Any, schema: Schema) -> Iterator[tuple[str, Any]]:
    for other in _OTHERS:
        yield f"{other!r}", other
    if isinstance(value, str):
        yield from ((f"{text!r}", text) for text in (*schema.get("enum", ()), *_BAD_TEXTS, "ResponseHeaderModifier"))
        for length in (schema.get("minLength"), schema.get("maxLength")):
            for size in (length - 1, length, length + 1) if length is not None else ():
                text = "/" * value.startswith("/") + "a" * max(size, 0)
                yield f"{size} characters", text[: max(size, 0)]
    elif isinstance(value, int) and not isinstance(value, bool):
        bounds = [schema[name] + step for name in ("minimum", "maximum") if name in schema for step in (-1, 0, 1)]
        yield from ((f"{number}", number) for number in (*_NUMBERS, *bounds, *schema.get("enum", ())))
    elif isinstance(value, list):
        yield "twice", value * 2
        for bound in (schema.get("minItems"), schema.get("maxItems")):
            for size in (bound - 1, bound, bound + 1) if bound is not None else ():
                yield f"{size} items", [_variant(value[0], index) for index in range(max(size, 0))]


def _variant(item: Any, index: int) -> Any:
    """An item that has a name of its own."""
    if isinstance(item, dict) and "name" in item:
        return {**item, "name": f"{item['name']}{index}"}
    return f"{item}{index}" if isinstance(item, str) and item == "web" else item


def _less_and_more(value: dict[str, Any], schema: Schema) -> Iterator[tuple[str, Any]]:
    yield "an unknown field", {**value, "unknownToAll": 1}
    yield "an array", list(value.values())
    for name in value:
        yield f"without {name}", {key: item for key, item in value.items() if key != name}
        yield f"only {name}", {name: value[name]}
    for name, element in schema.get("properties", {}).items():
        if name not in value:
            odds: tuple[Any, ...] = (None, 5, {}, [])
            for odd in odds:
                yield f"with {name} {odd!r}", {**value, name: odd}
            yield f"with {name}", {**value, name: _example(element, ("spec", name), 0)}
