"""The form of a value that Linkerd can read and that its CRD allows.

Linkerd's policy controller decodes a `spec` with Rust's serde (https://serde.rs), which ignores unknown fields, reads
null as an absent optional field, accepts an array in place of a structure (its items are the fields in their order),
and does not accept 1.0 as an integer. The API server also applies the CRD's schema, which has patterns, lengths and
required fields. A `Shape` checks a value for both, and reports all that is wrong, not only the first error.

A value that serde refuses is an error (`field-*`); one that only the schema forbids has the severity `schema`. Rules
about values that could be read run at the same time: a `Struct` calls its `check` with the `Node` that it has read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from webhook.findings.finding import Path, Severity, show, suggest
from webhook.policy.schema.reading import (
    ALLOWED,
    BAD,
    ENOUGH,
    MISSING,
    RANGE,
    SCHEMA_DUPLICATE,
    SCHEMA_MISSING,
    SCHEMA_TYPE,
    SCHEMA_UNKNOWN,
    SCHEMA_VALUE,
    TYPE,
    Bad,
    Check,
    Node,
    Reading,
)


class Shape:
    """The form of a value. `wanted` names it in messages.

    Every value of the type `plain` (only those in `choices`, if that is set) is valid, so that `read` need not be
    called.
    """

    wanted = "a value"
    plain: type | None = None
    choices: frozenset[str] | None = None

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """Read a JSON value at a path. Returns it in the form that rules use; or `BAD`, after a finding was added."""
        raise NotImplementedError

    def wrong_type(self, value: Any, path: Path, reading: Reading) -> Bad:
        """Report that a value has the wrong type, and what to write."""
        remedy = self.remedy(value)
        fix = f", not {self.wanted}{remedy}" if remedy else f": write {self.wanted}"
        reading.refuse(TYPE, path, f"{show(value)} is {kind_of(value)}{fix}")
        return BAD

    def remedy(self, value: Any) -> str:
        """The end of the message about a value of the wrong type: how to correct it. Empty where that is not known."""
        return ""


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def kind_of(value: Any) -> str:
    """The type of a JSON value with its article, such as `a string`."""
    return _KINDS.get(type(value), "a value")


class Anything(Shape):
    """Any JSON value."""

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The value itself."""
        return value


class String(Shape):
    """A string. The schema may require all of it to match `pattern` (`like` describes it in words), a length from
    `least` to `most` characters, or one of `choices`."""

    wanted = "a string"

    def __init__(
        self, pattern: str = "", like: str = "", least: int = 0, most: int = 0, choices: Sequence[str] = ()
    ) -> None:
        self._full_match = re.compile(pattern).fullmatch if pattern else None
        self._like = like or f"what matches {pattern}"
        self._least = least
        self._most = most or sys.maxsize
        self._choices = choices
        if choices:
            self.plain, self.choices = str, frozenset(choices)
        elif not (pattern or least or most):
            self.plain = str

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The string itself."""
        if type(value) is not str:
            return self.wrong_type(value, path, reading)
        if (
            not self._least <= len(value) <= self._most
            or (self._full_match is not None and self._full_match(value) is None)
            or (self._choices and value not in self._choices)
        ):
            reading.note(SCHEMA_VALUE, path, self._schema_message(value))
        return value

    def remedy(self, value: Any) -> str:
        """Quote what YAML took for a number or a boolean."""
        if isinstance(value, bool | int | float):
            return f': put it in quotes, "{str(value).lower() if isinstance(value, bool) else value}"'
        return ""

    def _schema_message(self, value: str) -> str:
        if self._choices:
            return not_allowed(value, self._choices)
        if len(value) < self._least:
            characters = "a character" if self._least == 1 else f"{self._least} characters"
            return f"{show(value)} is too short: write at least {characters}, as the CRD requires"
        if len(value) > self._most:
            return f"{show(value)} has {len(value)} characters, and the CRD allows {self._most}: shorten it"
        return f"the CRD does not allow {show(value)}: write {self._like}"


def not_allowed(value: Any, choices: Sequence[str], called: Mapping[str, str] | None = None) -> str:
    """The message about a value that is not one of `choices`. `called` maps other names, in lower case, to choices."""
    meant = (called or {}).get(value.strip().lower()) if isinstance(value, str) else None
    hint = f' (did you mean "{meant}"?)' if meant else suggest(value, choices)
    return f"{show(value)} is not allowed: write {either(choices)}{hint}"


def either(texts: Sequence[str]) -> str:
    """The texts as a choice, `A, B or C`."""
    *first, last = texts
    return f"{', '.join(first)} or {last}" if first else last


class Boolean(Shape):
    """true or false."""

    wanted = "true or false"
    plain = bool

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The boolean itself."""
        return value if type(value) is bool else self.wrong_type(value, path, reading)

    def remedy(self, value: Any) -> str:
        """Take the quotes off."""
        return f": write {value.lower()}" if isinstance(value, str) and value.lower() in ("true", "false") else ""


class Integer(Shape):
    """An integer from `low` to `high`, without a fraction (1.0 is not one). The schema may require one from `least` to
    `most`, or one of `among`."""

    def __init__(
        self, low: int, high: int, least: int | None = None, most: int | None = None, among: Sequence[int] = ()
    ) -> None:
        self._low, self._high = low, high
        self._least = low if least is None else least
        self._most = high if most is None else most
        self._choices = among
        self.wanted = (
            either([str(number) for number in among]) if among else f"an integer from {self._least} to {self._most}"
        )

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The number itself."""
        if type(value) is not int:
            if not (reading.aside and type(value) is float and value.is_integer()):
                return self.wrong_type(value, path, reading)
            value = int(value)
        if not self._low <= value <= self._high:
            reading.refuse(RANGE, path, f"{show(value)} is out of range: write {self.wanted}")
            return BAD
        if not self._least <= value <= self._most or (self._choices and value not in self._choices):
            reading.note(SCHEMA_VALUE, path, f"the CRD does not allow {value}: write {self.wanted}")
        return value

    def remedy(self, value: Any) -> str:
        """Take the quotes off, or the fraction."""
        if isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
            return f": write {value.strip()} without quotes"
        if isinstance(value, float) and value.is_integer():
            return f": write {int(value)}"
        return ""


class Choice(Shape):
    """One of some strings. serde also reads {"Name": null} as "Name", and {"Name": {}} in a `flattened` structure.

    `allowed` are the choices that the CRD's schema allows, if not all; `called` maps other names that users write, in
    lower case, to choices.
    """

    plain = str
    choices: frozenset[str]

    def __init__(
        self,
        *choices: str,
        flattened: bool = False,
        allowed: Sequence[str] = (),
        called: Mapping[str, str] | None = None,
    ) -> None:
        self.names = choices
        self._called = called
        self.allowed = allowed or choices
        self.choices = frozenset(self.allowed)
        self._flattened = flattened
        self.wanted = either(choices)

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The string."""
        if type(value) is str:
            if value in self.choices:
                return value
            if value in self.names:
                reading.note(SCHEMA_VALUE, path, not_allowed(value, self.allowed))
                return value
            reading.refuse(ALLOWED, path, not_allowed(value, self.names, self._called))
            return BAD
        if type(value) is dict and len(value) == 1:
            ((name, inner),) = value.items()
            if name in self.names and (inner is None or (self._flattened and inner == {})):
                reading.note(
                    SCHEMA_TYPE, path, f'{show(value)} is an object, and the CRD requires a string: write "{name}"'
                )
                return name
        return self.wrong_type(value, path, reading)


class Map(Shape):
    """An object with any keys, whose values have one shape (`item`)."""

    wanted = "an object of strings"

    def __init__(self, item: Shape) -> None:
        self._item = item

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The object with the values that could be read."""
        if type(value) is not dict:
            return self.wrong_type(value, path, reading)
        read, plain, result = self._item.read, self._item.plain, {}
        for key, item in value.items():
            if type(item) is plain:
                result[key] = item
                continue
            entry = read(item, (*path, key), reading)
            if reading.errors > ENOUGH:
                break
            if entry is not BAD:
                result[key] = entry
        return result


class Array(Shape):
    """An array whose items have one shape (`item`). Items that cannot be read are reported and left out.

    `least` and `most` are the bounds of the schema. It may require `distinct` items, or items that differ in the field
    `key`.
    """

    wanted = "an array"

    def __init__(self, item: Shape, least: int = 0, most: int = 0, key: str = "", distinct: bool = False) -> None:
        self._item = item
        self._plain = item.plain if item.choices is None else None
        self._least = least
        self._most = most or sys.maxsize
        self._key = key
        self._distinct = distinct or bool(key)

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The items that could be read."""
        if type(value) is not list:
            return self.wrong_type(value, path, reading)
        if not self._least <= len(value) <= self._most:
            self._note_length(len(value), path, reading)
        if self._distinct and len(value) > 1:
            self._note_duplicates(value, path, reading)
        read, plain, result = self._item.read, self._plain, []
        for index, item in enumerate(value):
            if type(item) is plain:
                result.append(item)
                continue
            entry = read(item, (*path, index), reading)
            if reading.errors > ENOUGH:
                break
            if entry is not BAD:
                result.append(entry)
        return result

    def _note_length(self, length: int, path: Path, reading: Reading) -> None:
        if length < self._least:
            reading.note(
                SCHEMA_VALUE,
                path,
                f"the list has {'no item' if not length else f'{length} items'}, and the CRD requires "
                f"{self._least}: add one, or leave the list out",
            )
        else:
            reading.note(
                SCHEMA_VALUE, path, f"the list has {length} items, and the CRD allows {self._most}: take some out"
            )

    def _note_duplicates(self, items: list[Any], path: Path, reading: Reading) -> None:
        seen: set[str | int] = set()
        for index, item in enumerate(items):
            name = item.get(self._key) if self._key and type(item) is dict else item
            if type(name) is not str and type(name) is not int:
                continue
            if name in seen:
                at = (*path, index, self._key) if self._key else (*path, index)
                reading.note(
                    SCHEMA_DUPLICATE,
                    at,
                    f"{show(name)} is in the list twice, and the CRD allows it once: leave it out here",
                )
            seen.add(name)

    def remedy(self, value: Any) -> str:
        """Write a list of one item."""
        return f": write [{show(value)}]" if isinstance(value, str | dict) else ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a `Struct`: the shape of its value, and whether it may be absent.

    `nullable` fields may be null, which the API server treats as absent. An array that replaces the structure may leave
    out `defaulted` fields. `schema` fields are required by the CRD alone.
    """

    shape: Shape
    required: bool = True
    defaulted: bool = False
    nullable: bool = False
    schema: bool = False


def required(shape: Shape) -> Field:
    """A field that serde requires."""
    return Field(shape)


def optional(shape: Shape, schema: bool = False) -> Field:
    """An optional field, which may be null. `schema`: the CRD requires it."""
    return Field(shape, required=False, nullable=True, schema=schema)


def omittable(shape: Shape, schema: bool = False) -> Field:
    """An optional field that an array in place of the structure may leave out too. `schema`: the CRD requires it."""
    return Field(shape, required=False, defaulted=True, nullable=True, schema=schema)


def defaulted_field(shape: Shape) -> Field:
    """A field with a default: it may be absent, but not null."""
    return Field(shape, required=False, defaulted=True)


class Struct(Shape):
    """A structure with these fields, in the order in which an array may replace it.

    `check` is called with the `Node` that was read, and adds findings about it. An array cannot replace a `flattened`
    structure. With `schema` off, unknown fields are not reported. `aside` are fields that the CRD's schema has and
    Linkerd does not read.
    """

    wanted = "an object"

    def __init__(
        self,
        fields: dict[str, Field],
        check: Check | None = None,
        flattened: bool = False,
        schema: bool = True,
        aside: Mapping[str, Shape] | None = None,
    ) -> None:
        self.fields = fields
        self.aside = aside or {}
        self._rows = [(name, row.shape.plain, row.shape.choices, row.shape.read, row) for name, row in fields.items()]
        self._check = check
        self._flattened = flattened
        self._schema = schema
        self._count = len(fields)

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """A `Node` with the fields that could be read."""
        if type(value) is not dict:
            if type(value) is not list or self._flattened:
                return self.wrong_type(value, path, reading)
            return self._read_array(value, path, reading)
        node = Node(path)
        seen = 0
        for name, plain, choices, read, row in self._rows:
            if name not in value:
                if row.required or row.schema:
                    self._note_missing(name, row, node, reading)
                continue
            seen += 1
            item = value[name]
            if type(item) is plain and (choices is None or item in choices):
                node[name] = item
                continue
            if item is None and row.nullable:
                if row.schema:
                    self._note_missing(name, row, node, reading)
                continue
            entry = read(item, (*path, name), reading)
            if entry is BAD:
                node.bad += (name,)
            else:
                node[name] = entry
        if seen != len(value) and self._schema:
            self._check_other_fields(value, path, reading)
        if self._check is not None:
            self._check(node, reading)
        return node

    def _note_missing(self, name: str, field: Field, node: Node, reading: Reading) -> None:
        path = (*node.path, name)
        if field.required:
            reading.refuse(MISSING, path, f"the field {name} is missing: add it, with {field.shape.wanted}")
            node.bad += (name,)
        else:
            reading.note(SCHEMA_MISSING, path, f"the CRD requires the field {name}: add it, with {field.shape.wanted}")

    def _check_other_fields(self, value: dict[str, Any], path: Path, reading: Reading) -> None:
        for name in sorted(value):
            if name in self.aside:
                read_aside(self.aside[name], value[name], (*path, name), reading)
            elif name not in self.fields:
                if reading.others >= ENOUGH:
                    return
                known = [*self.fields, *self.aside]
                reading.note(
                    SCHEMA_UNKNOWN,
                    (*path, name),
                    f"the CRD does not know the field {show(name)}, and the API server drops it"
                    f"{suggest(name, known) or f': write {either(known)}, or leave it out'}",
                )

    def _read_array(self, value: list[Any], path: Path, reading: Reading) -> Any:
        needed = sum(1 for row in self.fields.values() if not row.defaulted)
        lacking = [name for name, row in list(self.fields.items())[len(value) :] if not row.defaulted]
        if lacking or len(value) > self._count:
            names = ", ".join(self.fields)
            reading.refuse(
                TYPE,
                path,
                f"an array of {len(value)} cannot stand for an object, only one of {needed} or {self._count} values "
                f"({names}) could: write an object",
            )
            return BAD
        reading.note(
            SCHEMA_TYPE,
            path,
            f"an array of {len(value)} stands for an object, and the CRD requires an object: write one",
        )
        return self.read(dict(zip(self.fields, value, strict=False)), path, reading)


class Tagged(Shape):
    """One of several structures (`variants`), by the value of the field `tag`, which is not one of their fields.

    `allowed` are the values of the field that the CRD's schema allows, if not all.
    """

    wanted = "an object"

    def __init__(self, tag: str, variants: dict[str, Struct], allowed: Sequence[str] = ()) -> None:
        self._tag = tag
        self._variants = variants
        self._choice = Choice(*variants, allowed=allowed)

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The `Node` of the variant, with the tag as one of its fields."""
        rest: Any
        if type(value) is list and value:
            # The first item is the tag, and the others are the fields of the structure.
            tag, rest = value[0], value[1:]
        elif type(value) is dict:
            if self._tag not in value:
                reading.refuse(
                    MISSING, (*path, self._tag), f"the field {self._tag} is missing: add it, with {self._choice.wanted}"
                )
                return BAD
            tag, rest = value[self._tag], {key: item for key, item in value.items() if key != self._tag}
        else:
            return self.wrong_type(value, path, reading)
        if type(tag) is not str:
            return self._choice.wrong_type(tag, (*path, self._tag), reading)
        if tag not in self._choice.choices and self._choice.read(tag, (*path, self._tag), reading) is BAD:
            return BAD
        node = self._variants[tag].read(rest, path, reading)
        if node is not BAD:
            node[self._tag] = tag
        return node


class Pruned(Shape):
    """A field that Linkerd can read, and that the CRD's schema does not have at this API version."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.wanted = shape.wanted

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The value as the shape reads it. The only finding of the schema is that the API server drops the field."""
        before = len(reading.findings)
        entry = self._shape.read(value, path, reading)
        added = reading.findings[before:]
        reading.findings[before:] = [finding for finding in added if finding.severity is not Severity.SCHEMA]
        reading.note(
            SCHEMA_UNKNOWN,
            path,
            "this version of the API does not have the field, and the API server drops it: leave it out, or "
            "write a newer version",
        )
        return entry


# The schema rules that replace the rules of serde, for a field that Linkerd does not read.
_ASIDE: Final = {MISSING: SCHEMA_MISSING, TYPE: SCHEMA_TYPE, ALLOWED: SCHEMA_VALUE, RANGE: SCHEMA_VALUE}


def read_aside(shape: Shape, value: Any, path: Path, reading: Reading) -> None:
    """Report what the CRD's schema forbids in a value that Linkerd does not read. null is treated as absent."""
    if value is None:
        return
    apart = Reading(reading.line, reading.judge, aside=True)
    shape.read(value, path, apart)
    note_schema(apart, reading)


def note_schema(apart: Reading, reading: Reading) -> None:
    """Add to `reading` what the CRD's schema forbids in a value that was read apart, as Linkerd does not refuse it."""
    for finding in apart.findings:
        rule = _ASIDE.get(finding.rule, finding.rule)
        if rule.severity is Severity.SCHEMA:
            reading.note(rule, finding.path, finding.message)


def too_deep(body: Any, limit: int) -> Path | None:
    """The path to an object or array that is nested `limit` levels deep; None if there is none. Does not recurse."""
    level: list[Any] = [body] if type(body) is dict or type(body) is list else []
    for _ in range(limit - 1):
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return None
    return _deepest(body, limit)


def _deepest(body: Any, limit: int) -> Path:
    stack: list[tuple[Any, Path]] = [(body, ())]
    while stack:
        value, path = stack.pop()
        if len(path) >= limit - 1:
            return path
        items = value.items() if type(value) is dict else enumerate(value)
        stack.extend((item, (*path, key)) for key, item in items if type(item) is dict or type(item) is list)
    return ()


STRING: Final = String()
BOOLEAN: Final = Boolean()
I32: Final = Integer(-(2**31), 2**31 - 1)
I64: Final = Integer(-(2**63), 2**63 - 1)
STRINGS: Final = Array(STRING)
STRING_MAP: Final = Map(STRING)
