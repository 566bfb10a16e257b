"""Values from values: files laid over each other, and `--set` as Helm reads it."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

from webhook.install.schema import unknown
from webhook.install.settings import BY_PATH

JSON = dict[str, Any]


class AssignError(Exception):
    """A `--set` that cannot be read: the message says why, and what is right."""


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> JSON:
    """One laid over the other: objects key by key, all else as a whole; null takes a key away. Neither is changed."""
    out = copy.deepcopy(dict(base))
    for key, value in over.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = merged({}, value) if isinstance(value, Mapping) else copy.deepcopy(value)
    return out


def assign(values: Mapping[str, Any], text: str) -> JSON:
    """The values with what one `--set` says: `path=value`, several with commas between them. Raises `AssignError`.

    As in Helm, `\\` keeps a dot or a comma for itself, `{a,b}` is a list, `path[0]` an item of one, and what reads as
    a number, true, false or null is one.
    """
    out = dict(values)
    for piece in _split(text, ","):
        path, equals, value = _cut(piece)
        if not equals or not path:
            raise AssignError(f'--set "{piece}": want path=value, as in --set image.tag=0.1.0')
        out = _put(out, _keys(path), _typed(value), piece)
    return out


_INDEX: Final = re.compile(r"\[(\d+)\]")
_BARE: Final = re.compile(r"^(.*?)((?:\[\d+\])*)$", re.DOTALL)


def _keys(path: str) -> list[str | int]:
    keys: list[str | int] = []
    for step in _split(path, "."):
        match = _BARE.match(step)
        assert match is not None  # noqa: S101 - it matches anything
        keys.append(_bare(match[1]))
        keys += [int(index) for index in _INDEX.findall(match[2])]
    return keys


def _put(values: Mapping[str, Any], keys: list[str | int], value: Any, piece: str) -> JSON:
    names = [str(key) for key in keys]
    setting = next((known for end in range(len(names), 0, -1) if (known := ".".join(names[:end])) in BY_PATH), None)
    if setting is None and not any(known.startswith(".".join(names) + ".") for known in BY_PATH):
        raise AssignError(f'--set "{piece}": {unknown(".".join(names))}')
    out = copy.deepcopy(dict(values))
    at: Any = out
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        last = following is None
        fresh: Any = value if last else ([] if isinstance(following, int) else {})
        if isinstance(key, int) != isinstance(at, list):
            raise AssignError(
                f'--set "{piece}": {key} is {"an index into no list" if isinstance(key, int) else "no index"}'
            )
        if isinstance(key, int):
            if key > len(at):
                raise AssignError(f'--set "{piece}": [{key}] comes after the end: the next one is [{len(at)}]')
            if key == len(at):
                at.append(fresh)
            elif last:
                at[key] = fresh
        elif last and value is None:
            at.pop(key, None)
        elif last or not isinstance(at.get(key), dict | list):
            at[key] = fresh
        if not last:
            at = at[key]
    return out


def _typed(text: str) -> Any:
    if text.startswith("{") and text.endswith("}"):
        inner = text[1:-1]
        return [_typed(item) for item in _split(inner, ",")] if inner else []
    named = {"true": True, "false": False, "null": None}
    if text in named:
        return named[text]
    # Helm takes 007 for a string, too.
    return int(text) if re.fullmatch(r"0|-?[1-9][0-9]*", text) else _bare(text)


def _bare(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _cut(piece: str) -> tuple[str, str, str]:
    match = re.match(r"((?:\\.|[^\\=])*)(=?)(.*)", piece, re.DOTALL)
    assert match is not None  # noqa: S101 - it matches anything
    return match[1], match[2], match[3]


def _split(text: str, separator: str) -> list[str]:
    """The pieces between separators that are neither kept by a backslash nor within braces."""
    pieces, piece, depth, kept = [], "", 0, False
    for character in text:
        if character == separator and not kept and not depth:
            pieces.append(piece)
            piece = ""
            continue
        if not kept:
            depth += (character == "{") - (character == "}")
        kept = character == "\\" and not kept
        piece += character
    return [*pieces, piece]
