"""Renders trees as Helm templates. A template has the same result for the same values as `tree.evaluate`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import yaml

from webhook.install.settings import BY_PATH
from webhook.install.tree import (
    NOTHING,
    All,
    Base64,
    Beside,
    Condition,
    Each,
    Equal,
    If,
    InstallNamespace,
    Kubernetes,
    More,
    Node,
    Not,
    On,
    Part,
    Same,
    TextTemplate,
    Value,
    Version,
)


def template(node: Node, when: Condition | None = None) -> str:
    """The template of an object, which is rendered only if the condition `when` holds."""
    lines = ["---", *_lines(node, 0)]
    if when is not None:
        lines = [f"{{{{- if {condition(when)} }}}}", *lines, "{{- end }}"]
    return "\n".join(lines) + "\n"


def failure(when: Condition, message: str) -> str:
    """A template that fails with a message if a condition holds."""
    return (
        f"{{{{- if {condition(when)} }}}}\n{{{{- fail {json.dumps(message, ensure_ascii=False)} }}}}\n{{{{- end }}}}\n"
    )


def condition(node: Condition) -> str:
    """A condition as the argument of a template's `if`."""
    expression = _condition(node)
    return expression[1:-1] if expression.startswith("(") else expression


def _condition(node: Condition) -> str:
    match node:
        case On(path):
            return f".Values.{path}"
        case Equal(path, value):
            return f"(eq .Values.{path} {json.dumps(value)})"
        case Same(path, other):
            return f"(eq (int .Values.{path}) (int .Values.{other}))"
        case More(path, than):
            return f"(gt (int .Values.{path}) {than if isinstance(than, int) else f'(int .Values.{than})'})"
        case Kubernetes(version):
            return f'(semverCompare ">={version}-0" .Capabilities.KubeVersion.Version)'
        case Not(inner):
            return f"(not {_condition(inner)})"
        case All(conditions):
            return f"(and {' '.join(_condition(part) for part in conditions)})"


def _lines(node: Node, indent: int) -> Iterator[str]:
    """The lines of a dict or list that is not empty, indented by `indent` spaces."""
    pad = " " * indent
    if isinstance(node, Beside):
        yield from _lines(node.ours, indent)
        ours = " ".join(json.dumps(key) for key in node.ours)
        yield f"{pad}{{{{- with omit .Values.{node.path} {ours} }}}}"
        yield f"{pad}{{{{- toYaml . | nindent {indent} }}}}"
        yield f"{pad}{{{{- end }}}}"
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _entry(key, value, indent)
    else:
        for item in node:
            yield from _item(item, indent)


def _entry(key: str, value: Node, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(value, If):
        yield f"{pad}{{{{- if {condition(value.condition)} }}}}"
        yield from _entry(key, value.then, indent)
        if value.otherwise is not NOTHING:
            yield f"{pad}{{{{- else }}}}"
            yield from _entry(key, value.otherwise, indent)
        yield f"{pad}{{{{- end }}}}"
    elif _is_container(value):
        yield f"{pad}{_plain(key)}:"
        yield from _lines(value, indent + 2)
    elif isinstance(value, Value) and _type(value.path) in ("object", "array"):
        yield f"{pad}{_plain(key)}:"
        yield f"{pad}  {{{{- toYaml .Values.{value.path} | nindent {indent + 2} }}}}"
    elif isinstance(value, str) and "\n" in value:
        yield f"{pad}{_plain(key)}: |-"
        yield from (f"{pad}  {_literal(line)}".rstrip() for line in value.split("\n"))
    else:
        yield f"{pad}{_plain(key)}: {_scalar(value)}"


def _item(item: Node, indent: int) -> Iterator[str]:
    pad = " " * indent
    if isinstance(item, If):
        yield f"{pad}{{{{- if {condition(item.condition)} }}}}"
        yield from _item(item.then, indent)
        if item.otherwise is not NOTHING:
            yield f"{pad}{{{{- else }}}}"
            yield from _item(item.otherwise, indent)
        yield f"{pad}{{{{- end }}}}"
    elif isinstance(item, Each):
        yield f"{pad}{{{{- range .Values.{item.path} }}}}"
        yield f"{pad}- {{{{ . | toJson }}}}"
        yield f"{pad}{{{{- end }}}}"
    elif _is_container(item):
        first, *others = _lines(item, indent + 2)
        if first.lstrip().startswith("{{-"):
            # `{{-` removes the line break before it, so the dash gets a line of its own.
            yield f"{pad}-"
            yield first
        else:
            yield f"{pad}- {first[indent + 2 :]}"
        yield from others
    else:
        yield f"{pad}- {_scalar(item)}"


def _is_container(node: Node) -> bool:
    return isinstance(node, Beside) or (isinstance(node, dict | list | tuple) and bool(node))


def _scalar(node: Node) -> str:
    match node:
        case Value(path):
            return _value(path)
        case Base64(path):
            return f"{{{{ .Values.{path} | b64enc }}}}"
        case TextTemplate() | InstallNamespace() | Version():
            return f'"{_inline(node)}"'
    return _plain(node)


def _value(path: str) -> str:
    match _type(path):
        case "integer":
            return f"{{{{ int .Values.{path} }}}}"
        case "boolean":
            return f"{{{{ .Values.{path} }}}}"
    return f"{{{{ .Values.{path} | toJson }}}}"


def _inline(part: Part | TextTemplate) -> str:
    """A part of a string, within double quotes."""
    match part:
        case TextTemplate(parts):
            return "".join(_inline(part) for part in parts)
        case InstallNamespace():
            return "{{ .Release.Namespace }}"
        case Version():
            return "{{ .Chart.AppVersion }}"
        case Value(path):
            schema = BY_PATH[path].schema
            # Without a pattern, a value could contain a quote and end the string.
            assert schema["type"] == "integer" or "enum" in schema or "pattern" in schema, path  # noqa: S101
            return f"{{{{ {'int ' if schema['type'] == 'integer' else ''}.Values.{path} }}}}"
        case If(when, then, otherwise):
            other = "" if otherwise is NOTHING else f"{{{{ else }}}}{_inline(otherwise)}"
            return f"{{{{ if {condition(when)} }}}}{_inline(then)}{other}{{{{ end }}}}"
        case str():
            return _literal(json.dumps(part, ensure_ascii=False)[1:-1])


def _plain(scalar: object) -> str:
    """A plain scalar, as YAML."""
    text = yaml.safe_dump(scalar, width=1_000_000, allow_unicode=True, default_flow_style=True)
    return _literal(text.removesuffix("\n").removesuffix("\n..."))


def _literal(text: str) -> str:
    """The text with its double braces escaped, so that Helm does not read them as actions."""
    return text.replace("{{", '{{ "{{" }}')


def _type(path: str) -> str:
    return str(BY_PATH[path].schema["type"])
