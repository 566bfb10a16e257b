"""What an object has to look like for Linkerd to read it at all, and for its CRD to let it in.

Linkerd's policy controller decodes a `spec` with Rust's serde, which has manners of its own: unknown fields are passed
over, null stands for an absent optional field, an array may stand for a structure (its elements are the fields in their
order), 1.0 is no integer. The CRD's schema, which the API server applies, is another judge: it knows patterns, lengths
and required fields. A `Shape` says both about one value; reading by it yields everything that is wrong, not the first.

What serde refuses is an error (`field-*`), what only the schema forbids has the severity `schema`. Rules about values
that read well follow in the same walk: a `Struct` calls its `check` with the `Node` that came out.
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
    """What a value has to look like.

    `plain` is a type of which every value is right, or only those in `choices`: then nobody needs to call `read`.
    """

    wanted = "a value"
    plain: type | None = None
    choices: frozenset[str] | None = None

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The value as rules want it, or `BAD` once it has been told what is wrong."""
        raise NotImplementedError

    def wrong_type(self, value: Any, path: Path, reading: Reading) -> Bad:
        """Tell that the value has another type, and how it might be written."""
        remedy = self.remedy(value)
        fix = f", not {self.wanted}{remedy}" if remedy else f": write {self.wanted}"
        reading.refuse(TYPE, path, f"{show(value)} is {kind_of(value)}{fix}")
        return BAD

    def remedy(self, value: Any) -> str:
        """How a value of another type may be mended; an empty string where it cannot be guessed."""
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
    """A JSON value's type, with its article."""
    return _KINDS.get(type(value), "a value")


class Anything(Shape):
    """Any JSON value."""

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The value itself."""
        return value


class String(Shape):
    """A string. The schema may want all of it to match a pattern (`like` says so in words), or to have some length."""

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
    """The message for a value that is not one of these. `called` are other names for some of them, in lower case."""
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
    """An integer of some width; the schema may have narrower bounds. A fraction, even .0, is none."""

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
    """One of some strings. serde takes {"Name": null} for "Name" as well, and {"Name": {}} inside of flattened data.

    `allowed` are those of them that the CRD's schema takes, where it takes fewer; `called` are other names that people
    have for some, in lower case.
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
    """An object of strings."""

    wanted = "an object of strings"

    def __init__(self, item: Shape) -> None:
        self._item = item

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The object with what read well."""
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
    """An array. What does not read is told and left out.

    `least` and `most` are the schema's bounds. It may want the items to be `distinct`, or their fields called `key`.
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
        """The items that read well, each of which knows its path where a rule may need it."""
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
        """A list of one."""
        return f": write [{show(value)}]" if isinstance(value, str | dict) else ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a `Struct`: what it holds, and whether it may be absent.

    An optional one may be null as well, which the API server takes for absent. `defaulted` ones, which an array that
    stands for the structure may lack, are optional or, with `nullable` off, refuse null. `schema` ones are required by
    the CRD alone.
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
    """An optional field; null is as good as absent. `schema`: the CRD requires it."""
    return Field(shape, required=False, nullable=True, schema=schema)


def omittable(shape: Shape, schema: bool = False) -> Field:
    """An optional field that a shorter array may leave out as well."""
    return Field(shape, required=False, defaulted=True, nullable=True, schema=schema)


def defaulted_field(shape: Shape) -> Field:
    """A field with a default: it may be absent, but not null."""
    return Field(shape, required=False, defaulted=True)


class Struct(Shape):
    """A structure of known fields, in the order in which an array may stand for it.

    `check` is called with the `Node` that was read, for what the reference's rules say about it. `flattened` structures
    cannot be written as arrays. `schema` off: nothing is said about unknown fields. `aside` are fields that Linkerd
    does not read, while the CRD's schema knows them.
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
        """A `Node` of the fields that read well."""
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
    """One of several structures, told apart by a field (which is left out of them).

    `allowed` are the field's values that the CRD's schema takes, where it takes fewer.
    """

    wanted = "an object"

    def __init__(self, tag: str, variants: dict[str, Struct], allowed: Sequence[str] = ()) -> None:
        self._tag = tag
        self._variants = variants
        self._choice = Choice(*variants, allowed=allowed)

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The variant's `Node`, the tag among its fields."""
        rest: Any
        if type(value) is list and value:
            # The tag comes first, then the structure's fields.
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
    """What Linkerd would read, but that the CRD's schema does not know (at this API version)."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.wanted = shape.wanted

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """What the shape makes of it. The schema has nothing to say but that it drops it."""
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


# What refuses a value that Linkerd reads is the schema's business where Linkerd does not.
_ASIDE: Final = {MISSING: SCHEMA_MISSING, TYPE: SCHEMA_TYPE, ALLOWED: SCHEMA_VALUE, RANGE: SCHEMA_VALUE}


def read_aside(shape: Shape, value: Any, path: Path, reading: Reading) -> None:
    """Say what the CRD's schema has against a value that Linkerd passes over. null is as good as absent."""
    if value is None:
        return
    apart = Reading(reading.line, reading.judge, aside=True)
    shape.read(value, path, apart)
    for finding in apart.findings:
        rule = _ASIDE.get(finding.rule, finding.rule)
        if rule.severity is Severity.SCHEMA:
            reading.note(rule, finding.path, finding.message)


def too_deep(body: Any, limit: int) -> Path | None:
    """The path to a container that is nested `limit` deep or deeper, if there is one. Never recurses."""
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
