"""What an API server makes of an object by its CRD's structural schema.

As Kubernetes documents it: unknown fields are dropped, null is as good as absent where it is not allowed, defaults fill
what is missing, and then the schema is applied. Rules in CEL are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema

Schema = dict[str, Any]

_INT_OR_STRING = "x-kubernetes-int-or-string"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_LIST_TYPE = "x-kubernetes-list-type"
_RANGES = {"int32": 31, "int64": 63}
_GO_DURATION = re.compile(r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_LOOSE_DURATION = re.compile(r"([0-9]+)\s*(ns|nano|us|µs|micro|ms|milli|s|sec|m|min|h|hr|hour|d|day|w|wk|week)", re.I)


class Crd:
    """The schema of one version of a kind."""

    def __init__(self, schema: Schema) -> None:
        # The API server validates metadata by itself, and takes no status where that is a subresource.
        spec = {"spec": schema["properties"]["spec"]} if "properties" in schema else {}
        self.schema: Schema = {**schema, "properties": spec}
        self._validator = _Validator(_translate(self.schema))

    def refuses(self, body: dict[str, Any]) -> str:
        """Why the API server refuses an object, an empty string if it does not."""
        body = {"spec": deepcopy(body["spec"])} if "spec" in body else {}
        _drop(body, self.schema)
        _fill(body, self.schema)
        error = next(iter(self._validator.iter_errors(body)), None)
        if error is not None:
            return f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        return next(iter(_duplicates(body, self.schema, "")), "")


def _drop(value: Any, schema: Schema) -> None:
    """Drop unknown fields, and nulls that stand for nothing."""
    if isinstance(value, list):
        for item in value:
            _drop(item, schema.get("items", {}))
    elif isinstance(value, dict):
        fields = schema.get("properties", {})
        for name in list(value):
            known = fields.get(name)
            if known is None:
                if not schema.get(_PRESERVE):
                    del value[name]
            elif value[name] is None and not known.get("nullable") and "default" not in known:
                del value[name]
            else:
                _drop(value[name], known)


def _fill(value: Any, schema: Schema) -> None:
    """Fill in defaults."""
    if isinstance(value, list):
        for item in value:
            _fill(item, schema.get("items", {}))
    elif isinstance(value, dict):
        for name, known in schema.get("properties", {}).items():
            if "default" in known and value.get(name) is None:
                value[name] = deepcopy(known["default"])
            if name in value:
                _fill(value[name], known)


def _duplicates(value: Any, schema: Schema, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, known in schema.get("properties", {}).items():
            if name in value:
                yield from _duplicates(value[name], known, f"{at}.{name}")
    elif isinstance(value, list):
        keys = schema.get("x-kubernetes-list-map-keys")
        if schema.get(_LIST_TYPE) in ("map", "set"):
            names = [tuple(item.get(key) for key in keys) if keys else item for item in value]
            if len(set(names)) < len(names):
                yield f"{at}: an item twice"
        for item in value:
            yield from _duplicates(item, schema.get("items", {}), at + "[]")


def _translate(schema: Schema) -> Schema:
    """The schema in JSON Schema proper."""
    out = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "default"}
    if schema.get(_INT_OR_STRING):
        out["type"] = ["integer", "string"]
    elif schema.get("type") == "integer":
        out.setdefault("format", "int64")
    if "properties" in schema:
        out["properties"] = {name: _translate(element) for name, element in schema["properties"].items()}
    if "items" in schema:
        out["items"] = _translate(schema["items"])
    return out


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    # Go's `$` is the end of the text, Python's also stands in front of a newline there.
    if isinstance(value, str) and (re.search(pattern, value) is None or value.endswith("\n")):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern}")


def _format(_: Any, name: str, value: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    if name in _RANGES and isinstance(value, int | float):
        if not -(2 ** _RANGES[name]) <= value < 2 ** _RANGES[name]:
            yield jsonschema.ValidationError(f"{value} is no {name}")
    elif name == "duration" and isinstance(value, str) and not _is_duration(value):
        yield jsonschema.ValidationError(f"{value!r} is no duration")


def _is_duration(text: str) -> bool:
    if _GO_DURATION.fullmatch(text) and not re.search("[0-9]{16}", text):
        return True
    numbers = _LOOSE_DURATION.findall(text)
    return bool(numbers) and all(int(number) < 2**63 for number, _ in numbers)


_Validator: Any = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {"pattern": _pattern, "format": _format}
)
