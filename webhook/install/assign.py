"""Merges the chart's values: files over defaults, and `--set` in Helm's syntax."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

from webhook.install.schema import unknown
from webhook.install.settings import BY_PATH

JSON = dict[str, Any]


class AssignError(Exception):
    """A `--set` that cannot be applied: the message says why, and what to write instead."""


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> JSON:
    """`over` merged over `base`, as Helm merges values: objects key by key, other values as a whole, and null removes a
    key. Neither argument is changed."""
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
    """The values after one `--set`: `path=value`, or several of them separated by commas. Raises `AssignError`.

    As in Helm, `\\` escapes a dot or a comma, `{a,b}` is a list, `path[0]` is an item of a list, and a number, true,
    false and null are values of these types.
    https://helm.sh/docs/intro/using_helm/#the-format-and-limitations-of---set
    """
    out = dict(values)
    for piece in _split(text, ","):
        path, equals, value = _cut(piece)
        if not equals or not path:
            raise AssignError(f'--set "{piece}": write path=value, as in --set image.tag=0.1.0')
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
            problem = (
                f"[{key}] is the index of a list item, and the value is not a list: leave it out"
                if isinstance(key, int)
                else f"{key} is not an index, and the value is a list: write an index, such as [0]"
            )
            raise AssignError(f'--set "{piece}": {problem}')
        if isinstance(key, int):
            if key > len(at):
                raise AssignError(
                    f'--set "{piece}": [{key}] is beyond the end of the list: the next item is [{len(at)}]'
                )
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
    # To Helm, 007 is a string, too.
    return int(text) if re.fullmatch(r"0|-?[1-9][0-9]*", text) else _bare(text)


def _bare(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _cut(piece: str) -> tuple[str, str, str]:
    match = re.match(r"((?:\\.|[^\\=])*)(=?)(.*)", piece, re.DOTALL)
    assert match is not None  # noqa: S101 - it matches anything
    return match[1], match[2], match[3]


def _split(text: str, separator: str) -> list[str]:
    """The pieces between those separators that are not escaped by a backslash and not within braces."""
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
