"""The JSON schema of the chart's values, and a validator for it.

Helm validates values by the schema itself. `install` validates them here, without a library, and with messages that say
what to write. The validator supports the parts of JSON schema that the settings use.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from webhook.grammar import parse_quantity
from webhook.install.settings import BY_PATH, SETTINGS

JSON = dict[str, Any]

_TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "string": str,
}
_NOUNS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
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
    # Helm passes the parent chart's global values to a subchart.
    root["properties"]["global"] = {"type": "object"}
    return root


def _closed() -> JSON:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def problems(values: Mapping[str, Any]) -> list[str]:
    """A message for each invalid value, with its path, the value and what is allowed."""
    return list(_within(values, ""))


def excessive(values: Mapping[str, Any]) -> list[str]:
    """A message for each resource request above its limit, in complete and valid values: the API server would refuse
    the Pod."""
    requests, limits = (values["resources"].get(key) or {} for key in ("requests", "limits"))
    return [
        f"resources.requests.{name}: {_show(requests[name])} is above resources.limits.{name}, {_show(limits[name])}: "
        "lower the request or raise the limit"
        for name in sorted(requests.keys() & limits.keys())
        if _amount(requests[name]) > _amount(limits[name])
    ]


def _amount(quantity: Any) -> Decimal:
    return parse_quantity(str(quantity)).value


def unknown(path: str) -> str:
    """The message for a setting that does not exist."""
    leaves = {setting.rpartition(".")[2]: setting for setting in BY_PATH}
    near = difflib.get_close_matches(path, BY_PATH, 1, 0.7)
    near = near or [leaves[name] for name in difflib.get_close_matches(path.rpartition(".")[2], leaves, 1, 0.7)]
    meant = f"; did you mean {near[0]}?" if near else f"; write one of {', '.join(BY_PATH)}"
    return f"{path}: this setting does not exist{meant}"


def _within(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in values.items():
        path = f"{prefix}{key}"
        if path in BY_PATH:
            setting = BY_PATH[path]
            yield from _check(path, value, setting.schema, setting.form)
        elif path == "global":
            continue
        elif not any(known.startswith(f"{path}.") for known in BY_PATH):
            yield unknown(path)
        elif isinstance(value, Mapping):
            yield from _within(value, f"{path}.")
        else:
            yield f"{path}: {_show(value)} is not an object: its settings are {', '.join(_below(path))}"


def _below(path: str) -> list[str]:
    return [setting for setting in BY_PATH if setting.startswith(f"{path}.")]


def _check(path: str, value: Any, wanted: Mapping[str, Any], form: str) -> Iterator[str]:
    kinds: list[str] = [wanted["type"]] if isinstance(wanted["type"], str) else wanted["type"]
    if not any(_is(value, kind) for kind in kinds):
        yield f"{path}: {_show(value)} is not {' or '.join(_NOUNS[kind] for kind in kinds)}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check(f"{path}[{index}]", item, wanted["items"], form)
    elif isinstance(value, dict):
        yield from _check_object(path, value, wanted, form)
    else:
        yield from _check_scalar(path, value, wanted, form)


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _check_object(path: str, value: Mapping[str, Any], wanted: Mapping[str, Any], form: str) -> Iterator[str]:
    known, others = wanted.get("properties", {}), wanted.get("additionalProperties", True)
    for key, item in value.items():
        if key in known:
            yield from _check(f"{path}.{key}", item, known[key], form)
        elif others is False:
            settings = ", ".join(f"{path}.{name}" for name in known)
            yield f"{path}.{key}: this setting does not exist; write one of {settings}"
        elif others is not True:
            yield from _check(f"{path}.{key}", item, others, form)


def _check_scalar(path: str, value: Any, wanted: Mapping[str, Any], form: str) -> Iterator[str]:
    if "enum" in wanted and value not in wanted["enum"]:
        near = difflib.get_close_matches(value, wanted["enum"], 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        yield f"{path}: {_show(value)} is not allowed: write {_either(wanted['enum'])}{meant}"
    elif isinstance(value, str) and "pattern" in wanted:
        if not re.search(wanted["pattern"].replace("$", r"\Z"), value):
            yield f"{path}: {_show(value)} is not allowed: write {form or 'what fits ' + wanted['pattern']}"
    elif "minimum" in wanted and not wanted["minimum"] <= value <= wanted.get("maximum", value):
        upwards = f"to {wanted['maximum']}" if "maximum" in wanted else "or more"
        yield f"{path}: {value} is not allowed: write {wanted['minimum']} {upwards}"


def _either(choices: list[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"
