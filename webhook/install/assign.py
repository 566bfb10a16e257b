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
    found = copy.deepcopy(dict(base))
    for key, value in over.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(found.get(key), dict):
            found[key] = merged(found[key], value)
        else:
            found[key] = merged({}, value) if isinstance(value, Mapping) else copy.deepcopy(value)
    return found


def assign(values: Mapping[str, Any], text: str) -> JSON:
    """The values with what one `--set` says: `path=value`, several with commas between them. Raises `AssignError`.

    As in Helm, `\\` keeps a dot or a comma for itself, `{a,b}` is a list, `path[0]` an item of one, and what reads as
    a number, true, false or null is one.
    """
    found = dict(values)
    for piece in _split(text, ","):
        path, equals, value = _cut(piece)
        if not equals or not path:
            raise AssignError(f'--set "{piece}": want path=value, as in --set image.tag=0.1.0')
        found = _put(found, _keys(path), _typed(value), piece)
    return found


_INDEX: Final = re.compile(r"\[(\d+)\]")
_BARE: Final = re.compile(r"^(.*?)((?:\[\d+\])*)$", re.DOTALL)


def _keys(path: str) -> list[str | int]:
    keys: list[str | int] = []
    for each in _split(path, "."):
        found = _BARE.match(each)
        assert found is not None  # noqa: S101 - it matches anything
        keys.append(_bare(found[1]))
        keys += [int(index) for index in _INDEX.findall(found[2])]
    return keys


def _put(values: Mapping[str, Any], keys: list[str | int], value: Any, piece: str) -> JSON:
    names = [str(key) for key in keys]
    setting = next((each for end in range(len(names), 0, -1) if (each := ".".join(names[:end])) in BY_PATH), None)
    if setting is None and not any(each.startswith(".".join(names) + ".") for each in BY_PATH):
        raise AssignError(f'--set "{piece}": {unknown(".".join(names))}')
    found = copy.deepcopy(dict(values))
    at: Any = found
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
    return found


def _typed(text: str) -> Any:
    if text.startswith("{") and text.endswith("}"):
        inner = text[1:-1]
        return [_typed(each) for each in _split(inner, ",")] if inner else []
    named = {"true": True, "false": False, "null": None}
    if text in named:
        return named[text]
    # Helm takes 007 for a string, too.
    return int(text) if re.fullmatch(r"0|-?[1-9][0-9]*", text) else _bare(text)


def _bare(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _cut(piece: str) -> tuple[str, str, str]:
    found = re.match(r"((?:\\.|[^\\=])*)(=?)(.*)", piece, re.DOTALL)
    assert found is not None  # noqa: S101 - it matches anything
    return found[1], found[2], found[3]


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
