"""Pydantic models that read what Go's `encoding/json` reads into a struct, by the same rules.

Linkerd's values and the environment variables in an annotation pass through Go structures: field names match without
regard to case, unknown ones have no effect, null leaves the zero value, numbers must fit their type. Values come as
YAML (`sigs.k8s.io/yaml`), where a scalar that meets a text field becomes text; validate with `context=YAML` for that.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from webhook.grammar import format_number

YAML = {"yaml": True}


class GoStruct(BaseModel):
    """A Go structure with JSON names in camelCase."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _match_fields(cls, data: Any) -> Any:
        if data is None:
            return {}
        if not isinstance(data, dict):
            raise ValueError(f"want an object, got {describe(data)}")
        known = _field_names(cls)
        fields: dict[str, Any] = {}
        # Two spellings of one field: Go meets them in the order that sigs.k8s.io/yaml sorts them into.
        for key in sorted(data, key=str):
            name = known.get(str(key).lower())
            if name is not None and data[key] is not None:
                fields[name] = data[key]
        return fields


@lru_cache(maxsize=128)
def _field_names(model: type[GoStruct]) -> dict[str, str]:
    names = (info.alias or name for name, info in model.model_fields.items())
    return {name.lower(): name for name in names}


def describe(value: Any) -> str:
    """A JSON value as an error message shows it."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _text(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str):
        return value
    if info.context and info.context.get("yaml"):
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return format_number(value)
    raise ValueError(f"want text, got {describe(value)}")


def _boolean(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    raise ValueError(f"want true or false, got {describe(value)}")


def _integer(lowest: int, highest: int) -> Any:
    def check(value: Any) -> int:
        whole = isinstance(value, float) and value.is_integer()
        if isinstance(value, bool) or not (isinstance(value, int) or whole):
            raise ValueError(f"want a whole number, got {describe(value)}")
        number = int(value)
        if not lowest <= number <= highest:
            raise ValueError(f"want a whole number from {lowest} to {highest}, got {describe(value)}")
        return number

    return BeforeValidator(check)


def _number(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"want a number, got {describe(value)}")


def _object(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    raise ValueError(f"want an object, got {describe(value)}")


def _array(value: Any) -> Any:
    if isinstance(value, list):
        return value
    raise ValueError(f"want an array, got {describe(value)}")


def _null_is_zero(zero: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: zero if value is None else value)


Text = Annotated[str, BeforeValidator(_text), _null_is_zero("")]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Int32 = Annotated[int, _integer(-(2**31), 2**31 - 1)]
Int64 = Annotated[int, _integer(-(2**63), 2**63 - 1)]
UInt = Annotated[int, _integer(0, 2**64 - 1)]
Number = Annotated[float, BeforeValidator(_number)]
AnyObject = Annotated[dict[str, Any], BeforeValidator(_object)]
TextMap = Annotated[dict[str, Text], BeforeValidator(_object)]
TextList = Annotated[list[Text], BeforeValidator(_array)]
