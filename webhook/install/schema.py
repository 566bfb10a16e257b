"""The JSON schema of the chart's values, and what is wrong with values by it.

Helm checks values by the schema itself. `install` reads what is used of it here, so that it needs no library for that,
and says more.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from webhook.install.settings import BY_PATH, SETTINGS

JSON = dict[str, Any]

_TYPES: dict[str, type] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "object": dict,
    "string": str,
}
_NOUNS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "object": "an object",
    "string": "a string",
}


def schema() -> JSON:
    """The schema of the chart's values."""
    root: JSON = {"$schema": "http://json-schema.org/draft-07/schema#", **_closed()}
    for setting in SETTINGS:
        *parents, last = setting.path.split(".")
        place = root
        for key in parents:
            place = place["properties"].setdefault(key, _closed())
        place["properties"][last] = {"description": setting.description, **setting.schema}
    # Helm gives a chart that is part of another one these as well.
    root["properties"]["global"] = {"type": "object"}
    return root


def _closed() -> JSON:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def problems(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with values: each with its path, the value, what is allowed, and what may have been meant."""
    return list(_within(values, ""))


def unknown(path: str) -> str:
    """What to say of a setting that there is not."""
    leaves = {each.rpartition(".")[2]: each for each in BY_PATH}
    near = difflib.get_close_matches(path, BY_PATH, 1, 0.7)
    near = near or [leaves[each] for each in difflib.get_close_matches(path.rpartition(".")[2], leaves, 1, 0.7)]
    meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(BY_PATH)}"
    return f"{path}: there is no such setting{meant}"


def _within(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        path = f"{prefix}{key}"
        if path in BY_PATH:
            yield from _check(path, value, BY_PATH[path].schema)
        elif path == "global":
            continue
        elif not any(each.startswith(f"{path}.") for each in BY_PATH):
            yield unknown(path)
        elif isinstance(value, Mapping):
            yield from _within(value, f"{path}.")
        else:
            yield f"{path}: {_show(value)} is no object: its settings are {', '.join(_below(path))}"


def _below(path: str) -> list[str]:
    return [each for each in BY_PATH if each.startswith(f"{path}.")]


def _check(path: str, value: Any, wanted: Mapping[str, Any]) -> Iterator[str]:
    kind: str = wanted["type"]
    well: bool = isinstance(value, _TYPES[kind])
    if not well or (kind == "integer" and isinstance(value, bool)):
        yield f"{path}: {_show(value)} is not {_NOUNS[kind]}"
    elif kind == "array":
        for index, item in enumerate(value):
            yield from _check(f"{path}[{index}]", item, wanted["items"])
    elif kind == "object":
        for key, item in value.items() if "additionalProperties" in wanted else ():
            yield from _check(f"{path}.{key}", item, wanted["additionalProperties"])
    else:
        yield from _check_scalar(path, value, wanted)


def _check_scalar(path: str, value: Any, wanted: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in wanted and value not in wanted["enum"]:
        near = difflib.get_close_matches(value, wanted["enum"], 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        yield f"{path}: {_show(value)} is none of {', '.join(wanted['enum'])}{meant}"
    elif "pattern" in wanted and not re.search(wanted["pattern"].replace("$", r"\Z"), value):
        yield f"{path}: {_show(value)} does not fit the pattern {wanted['pattern']}"
    elif "minimum" in wanted and not wanted["minimum"] <= value <= wanted["maximum"]:
        yield f"{path}: {value} is not between {wanted['minimum']} and {wanted['maximum']}"


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"
