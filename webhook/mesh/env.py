"""Kubernetes' EnvVar, as an annotation or the values carry it, and as it is written into a container."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from webhook.grammar import GrammarError, parse_quantity
from webhook.mesh.gostruct import Boolean, GoStruct, Text, describe


class FieldRef(GoStruct):
    """`valueFrom.fieldRef`."""

    api_version: Text = ""
    field_path: Text = ""


def _quantity(value: Any) -> str:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise ValueError(f"want a quantity, got {describe(value)}")
    try:
        parse_quantity(text)
    except GrammarError as error:
        raise ValueError(f"want {error}, got {describe(value)}") from None
    return text


class ResourceFieldRef(GoStruct):
    """`valueFrom.resourceFieldRef`; a missing divisor is written as 0, as Kubernetes' own type does."""

    container_name: Text = ""
    resource: Text = ""
    divisor: Annotated[str, BeforeValidator(_quantity)] = "0"


class KeySelector(GoStruct):
    """`valueFrom.configMapKeyRef` and `secretKeyRef`."""

    name: Text = ""
    key: Text = ""
    optional: Boolean | None = None


class FileKeySelector(GoStruct):
    """`valueFrom.fileKeyRef`."""

    volume_name: Text = ""
    path: Text = ""
    key: Text = ""
    optional: Boolean | None = None


class EnvVarSource(GoStruct):
    """`valueFrom`."""

    field_ref: FieldRef | None = None
    resource_field_ref: ResourceFieldRef | None = None
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    file_key_ref: FileKeySelector | None = None


class EnvVar(GoStruct):
    """One environment variable."""

    name: Text = ""
    value: Text = ""
    value_from: EnvVarSource | None = None

    def render(self) -> dict[str, Any]:
        """As a container's `env` has it: empty fields left out, but for those that Kubernetes always writes."""
        out: dict[str, Any] = {"name": self.name}
        if self.value:
            out["value"] = self.value
        if self.value_from is not None:
            sources = self.value_from.model_dump(by_alias=True, exclude_none=True)
            out["valueFrom"] = {kind: _present(kind, source) for kind, source in sources.items()}
        return out


# Fields without `omitempty` in Kubernetes' types.
_ALWAYS = {
    "fieldRef": {"fieldPath"},
    "resourceFieldRef": {"resource", "divisor"},
    "configMapKeyRef": {"key"},
    "secretKeyRef": {"key"},
    "fileKeyRef": {"volumeName", "path", "key"},
}


def _present(kind: str, source: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in source.items() if value != "" or key in _ALWAYS[kind]}


_ADAPTER: TypeAdapter[list[EnvVar]] = TypeAdapter(list[EnvVar])


def read_env_vars(value: Any) -> list[dict[str, Any]]:
    """EnvVars from parsed JSON (null for none), rendered. Raises `ValueError` that says where and what is wrong."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"want an array of EnvVar objects, got {describe(value)}")
    try:
        return [variable.render() for variable in _ADAPTER.validate_python(value)]
    except ValidationError as error:
        first = error.errors()[0]
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise ValueError(f"{path}: {first['msg'].removeprefix('Value error, ')}") from None


def merge_env_vars(base: list[dict[str, Any]], over: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`over` on `base` by name: what is there already is replaced in its place, what is new comes last."""
    if not over:
        return base
    merged = list(base)
    for variable in over:
        for index, present in enumerate(merged):
            if present["name"] == variable["name"]:
                merged[index] = variable
                break
        else:
            merged.append(variable)
    return merged
