"""What Linkerd's decoder takes though it is not of the right type, put right; and words for what it does not take.

The reference decodes by way of YAML: a number or a boolean where a text belongs becomes text, null in a list of objects
becomes an empty one. No API server sends such an object, so this runs only where the direct way has failed.
"""

from __future__ import annotations

import types
from functools import lru_cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from webhook.findings.finding import Path, render_path
from webhook.grammar import format_number
from webhook.injector.refusal import Refusal
from webhook.pod import Int32, Int64
from webhook.review import JSON

_WANTS: dict[Any, str] = {
    str: "a string",
    bool: "true or false",
    Int32: "a whole number of 32 bits",
    Int64: "a whole number of 64 bits",
}


def put_right(value: Any, kind: Any, path: Path) -> Any:
    """A value so that it fits a type of `pod`. Raises `Refusal` that names the path, the value and what is wanted."""
    if value is None:
        return None
    wanted = _wanted(kind)
    if len(wanted) > 1:
        return _number_or_text(value, path)
    return _one(value, wanted[0], path)


@lru_cache(maxsize=256)
def _wanted(kind: Any) -> tuple[Any, ...]:
    """The types of a union, without null; a type alone else."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return tuple(option for option in options if option is not type(None))


@lru_cache(maxsize=256)
def _generic(kind: Any) -> tuple[Any, Any]:
    """`list` or `dict` with what the type has in brackets first, None for others."""
    arguments = get_args(kind)
    return get_origin(kind), arguments[0] if arguments else None


def _one(value: Any, kind: Any, path: Path) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(_of(dict, value, "an object", path), kind, path)
    generic, inner = _generic(kind)
    if generic is list:
        items = _of(list, value, "an array", path)
        return [_item(item, inner, (*path, index)) for index, item in enumerate(items)]
    if generic is dict:
        entries = _of(dict, value, "an object", path)
        texts = {_name(key): item for key, item in entries.items()}
        return {key: _text(item, (*path, key[:80])) for key, item in texts.items()}
    if kind is str:
        return _text(value, path)
    if kind is bool:
        return _of(bool, value, _WANTS[bool], path)
    return _number(value, path, Int64 if kind == Int64 else Int32)


def _struct(value: JSON, kind: type[msgspec.Struct], path: Path) -> JSON:
    out = {}
    for name, of_field in _fields(kind).items():
        if value.get(name) is not None:
            out[name] = put_right(value[name], of_field, (*path, name))
    return out


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields of a structure by their JSON names, each with its type."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(kind)}


def _name(key: Any) -> str:
    """A key of a map: of any type in YAML."""
    return "null" if key is None else _text(key, ())


def _item(value: Any, kind: Any, path: Path) -> Any:
    if value is None:
        return "" if kind is str else {}
    return _one(value, kind, path)


def _text(value: Any, path: Path) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if isinstance(value, int) else format_number(value)
    raise _wrong(value, _WANTS[str], path)


def _number(value: Any, path: Path, kind: Any = Int32) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    limit = 2**63 if kind == Int64 else 2**31
    if isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit:
        return value
    raise _wrong(value, _WANTS[kind], path)


def _number_or_text(value: Any, path: Path) -> int | str:
    return value if isinstance(value, str) else _number(value, path)


def _of(kind: type, value: Any, want: str, path: Path) -> Any:
    if isinstance(value, kind):
        return value
    raise _wrong(value, want, path)


def _wrong(value: Any, want: str, path: Path) -> Refusal:
    if isinstance(value, dict | list):
        got = "an object" if isinstance(value, dict) else "an array"
    else:
        got = f'"{value[:40]}"' if isinstance(value, str) else str(value).lower()[:40]
    at = render_path(("object", *path))
    return Refusal(f"{at} is {got}, and must be {want}: correct the manifest", "malformed_object", field=path)
