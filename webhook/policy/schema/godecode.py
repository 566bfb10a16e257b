"""Decodes JSON as a Go program decodes YAML with `sigs.k8s.io/yaml` (`UnmarshalStrict`) into Go structures.

YAML is read first: a number or a boolean may replace a string, whole numbers may be written `200.0`, and some
characters are refused everywhere. Then Go's `encoding/json` (https://pkg.go.dev/encoding/json#Unmarshal) matches the
names of fields without regard to case, refuses unknown ones, and leaves a value unchanged for null. If a field has two
spellings, it reads the second (in the order of their bytes) on top of the first.

`decode` reads a value by a `GoType` and notes everything that is odd, not only the first thing. Nothing here recurses
along the value, however deep it is.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import cached_property
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from webhook.findings.finding import Path
from webhook.grammar import GrammarError, format_number, parse_quantity, parse_uint
from webhook.policy.schema.reading import Place, path_of

# How many notes of one kind are kept: an object may have millions.
_ENOUGH: Final = 100


class _Wrong:
    """The type of `WRONG`, which replaces a value that Go cannot read."""

    def __repr__(self) -> str:
        return "WRONG"


WRONG: Final = _Wrong()


class Oddity(Enum):
    """What may be odd about a value. Go refuses the first three, and accepts the others."""

    TYPE = "type"
    """A value of the wrong type; `detail` says what is allowed."""
    UNKNOWN = "unknown"
    """A field that the structure does not have; `kind` is the structure."""
    UNREADABLE = "unreadable"
    """A character that the YAML reader refuses; `detail` names it."""
    NULL = "null"
    """A null, which Go reads as an absent value."""
    COERCED = "coerced"
    """A number or a boolean where Go wants a string."""
    SPELLED = "spelled"
    """The name of a field in another case; `detail` is the name."""


REFUSED: Final = frozenset({Oddity.TYPE, Oddity.UNKNOWN, Oddity.UNREADABLE})


class Note(NamedTuple):
    """Something odd about the `value` at `path`. The comments of `Oddity` say what `detail` and `kind` are."""

    oddity: Oddity
    path: Path
    value: Any
    detail: str = ""
    kind: GoType | None = None


class Notes(list[Note]):
    """The notes about one value, at most `_ENOUGH` of each kind.

    `level` is the number of calls of `decode` that wait for this one.
    """

    def __init__(self, level: int = 0) -> None:
        super().__init__()
        self.level = level
        self._room = dict.fromkeys(Oddity, _ENOUGH)

    def note(self, oddity: Oddity, place: Place, value: Any, detail: str = "", kind: GoType | None = None) -> None:
        """Add a note, unless there are `_ENOUGH` of its kind."""
        if self._room[oddity]:
            self._room[oddity] -= 1
            self.append(Note(oddity, path_of(place), value, detail, kind))


Task = tuple[Any, "GoType", Place, Any, Any]
"""A value that is not read yet: the value, its type, its place, and the container and key for the result."""


class GoType:
    """A Go type. `wanted` names the allowed values in messages; `keeps` says whether null leaves the value
    unchanged."""

    wanted = "any value"
    keeps = True

    def read(self, value: Any, place: Place, notes: Notes, todo: list[Task]) -> Any:
        """The value as Go reads it, or `WRONG`. Adds the values inside of it to `todo`. `value` is not None."""
        raise NotImplementedError

    def merge(self, old: Any, new: Any, depth: int) -> Any:
        """The value that results if `new` is read on top of `old`. Neither is None."""
        return new


class ScalarType(GoType):
    """A type without parts. `convert` makes the value, or `WRONG`."""

    def __init__(self, wanted: str, convert: Callable[[Any], Any]) -> None:
        self.wanted = wanted
        self.convert = convert

    def read(self, value: Any, place: Place, notes: Notes, todo: list[Task]) -> Any:
        converted = self.convert(value)
        if converted is WRONG:
            notes.note(Oddity.TYPE, place, value, self.wanted)
        elif type(converted) is str and type(value) is not str:
            notes.note(Oddity.COERCED, place, value, converted)
        return converted


class StructType(GoType):
    """A Go structure. `fields` are the types of its fields by name; `pointer` says whether Go holds a pointer to it,
    which null sets to nil.

    `fields` may be filled later, and may contain the structure itself.
    """

    wanted = "an object"

    def __init__(self, fields: dict[str, GoType] | None = None, *, pointer: bool = True) -> None:
        self.fields = fields or {}
        self.keeps = not pointer

    def read(self, value: Any, place: Place, notes: Notes, todo: list[Task]) -> Any:
        if not isinstance(value, dict):
            notes.note(Oddity.TYPE, place, value, self.wanted)
            return WRONG
        named: dict[str, Any] = {}
        for key, inner in self._in_order(value):
            name = self._field_name(key)
            if name is None:
                notes.note(Oddity.UNKNOWN, (place, key), inner, kind=self)
                continue
            if name != key:
                notes.note(Oddity.SPELLED, (place, key), inner, name)
            named[name] = _read_on_top(self.fields[name], named[name], inner, notes.level) if name in named else inner
        todo.extend((named[name], self.fields[name], (place, name), named, name) for name in reversed(named))
        return named

    def merge(self, old: Any, new: Any, depth: int) -> Any:
        if not isinstance(old, dict) or not isinstance(new, dict):
            return new
        merged: dict[str, Any] = {}
        for body in (old, new):
            for key, inner in self._in_order(body):
                name = self._field_name(key)
                if name is None or name not in merged:
                    merged[name or key] = inner
                else:
                    merged[name] = _merge(self.fields[name], merged[name], inner, depth)
        return merged

    def _in_order(self, value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
        """The fields in the order of the object; in that of their bytes if there may be two spellings of one."""
        if value.keys() <= self.fields.keys():
            return value.items()
        return sorted(value.items(), key=itemgetter(0))

    def _field_name(self, key: str) -> str | None:
        return key if key in self.fields else self._fields_by_folded_name.get(fold(key))

    @cached_property
    def _fields_by_folded_name(self) -> dict[str, str]:
        return {fold(name): name for name in self.fields}


class SliceType(GoType):
    """A Go slice. `element` is the type of its items."""

    wanted = "a list"
    keeps = False

    def __init__(self, element: GoType) -> None:
        self.element = element

    def read(self, value: Any, place: Place, notes: Notes, todo: list[Task]) -> Any:
        if not isinstance(value, list):
            notes.note(Oddity.TYPE, place, value, self.wanted)
            return WRONG
        result = list(value)
        backwards = range(len(value) - 1, -1, -1)
        todo.extend((value[index], self.element, (place, index), result, index) for index in backwards)
        return result

    def merge(self, old: Any, new: Any, depth: int) -> Any:
        if not isinstance(old, list) or not isinstance(new, list):
            return new
        return [
            _merge(self.element, old[index], inner, depth) if index < len(old) else inner
            for index, inner in enumerate(new)
        ]


class MapType(GoType):
    """A Go map. `element` is the type of its values; the keys are strings, or unsigned 32-bit numbers if `numbered`."""

    wanted = "an object"
    keeps = False

    def __init__(self, element: GoType, *, numbered: bool = False) -> None:
        self.element = element
        self.numbered = numbered

    def read(self, value: Any, place: Place, notes: Notes, todo: list[Task]) -> Any:
        if not isinstance(value, dict):
            notes.note(Oddity.TYPE, place, value, self.wanted)
            return WRONG
        result = dict(value)
        for key in value if self.numbered else ():
            if not _is_uint32(key):
                notes.note(Oddity.TYPE, (place, key), key, "a number of 32 bits for a key")
        todo.extend((inner, self.element, (place, key), result, key) for key, inner in reversed(value.items()))
        return result

    def merge(self, old: Any, new: Any, depth: int) -> Any:
        return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


class _AnyType(GoType):
    def read(self, value: Any, place: Place, notes: Notes, todo: list[Task]) -> Any:
        return value


def decode(value: Any, kind: GoType, level: int = 0) -> tuple[Any, Notes]:
    """Decode a JSON value as Go does. Returns the value that Go reads, and the notes about what is odd.

    In the result, fields have their declared names, coerced values are strings, nulls are kept, and `WRONG` replaces
    what Go cannot read. `level` is the number of calls of `decode` that wait for this one.
    """
    notes = Notes(level)
    for place, character in _unreadable_characters(value):
        notes.note(Oddity.UNREADABLE, place, None, character)
    result = [value]
    todo: list[Task] = [(value, kind, None, result, 0)]
    while todo:
        value, kind, place, container, key = todo.pop()
        if value is None:
            notes.note(Oddity.NULL, place, None, kind.wanted)
        else:
            container[key] = kind.read(value, place, notes, todo)
    return result[0], notes


def fold(name: str) -> str:
    """A name as Go compares it: without regard to ASCII's case; ſ is an s, and the Kelvin sign a k."""
    return name.lower().replace("ſ", "s")


# How deeply fields with two spellings are checked and merged: nobody writes them on purpose.
_CHECKED: Final = 8
_MERGED: Final = 64


def _read_on_top(kind: GoType, old: Any, new: Any, level: int) -> Any:
    """The value that results if Go reads `old` and then `new`. An error in `old` remains an error."""
    if level < _CHECKED and any(note.oddity in REFUSED for note in decode(old, kind, level + 1)[1]):
        return old
    return _merge(kind, old, new)


def _merge(kind: GoType, old: Any, new: Any, depth: int = 0) -> Any:
    if new is None:
        return old if kind.keeps else None
    if old is None or depth == _MERGED:
        return new
    return kind.merge(old, new, depth + 1)


_UNREADABLE: Final = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]")
_UNREADABLE_BYTES: Final = re.compile(rb"\x7f|\xc2[\x80-\x84\x86-\x9f]|\xef\xbf[\xbe\xbf]")


def is_readable(value: Any) -> bool:
    """Whether the YAML reader certainly accepts every character of a value."""
    try:
        data = orjson.dumps(value)
    except (TypeError, RecursionError):
        return False
    return (data.isascii() and b"\x7f" not in data) or _UNREADABLE_BYTES.search(data) is None


def _unreadable_characters(value: Any) -> Iterator[tuple[Place, str]]:
    if is_readable(value):
        return
    todo: list[tuple[Any, Place]] = [(value, None)]
    while todo:
        value, place = todo.pop()
        if isinstance(value, dict):
            todo.extend((inner, (place, key)) for key, inner in reversed(value.items()))
            todo.extend((key, (place, key)) for key in value)
        elif isinstance(value, list):
            todo.extend((value[index], (place, index)) for index in range(len(value) - 1, -1, -1))
        elif isinstance(value, str) and (match := _UNREADABLE.search(value)):
            yield place, f"U+{ord(match[0]):04X}"


def _is_uint32(key: Any) -> bool:
    try:
        parse_uint(key, 32)
    except (GrammarError, AttributeError):
        return False
    return True


def _convert_string(value: Any) -> Any:
    if type(value) is str:
        return value
    return text_of(value) if isinstance(value, bool | int | float) else WRONG


def text_of(value: float) -> str:
    """The string that the YAML reader makes of a number or a boolean."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        value = int(value)
    if isinstance(value, int):
        if -(2**63) <= value < 2**64:
            return str(value)
        if abs(value) > 2**1000:
            return "+Inf" if value > 0 else "-Inf"
    return _shortest_float32(float(value))


def _shortest_float32(value: float) -> str:
    """The shortest decimal text that is the same 32-bit float."""
    packed = _packed_in_32_bits(value)
    if packed is None:
        return "+Inf" if value > 0 else "-Inf"
    if struct.unpack("<f", packed)[0] == 0:
        return "0" if value > 0 else "-0"
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return format_number(next((short for short in candidates if _packed_in_32_bits(short) == packed), value))


def _packed_in_32_bits(value: float) -> bytes | None:
    """The bytes of a 32-bit float; None for a number that is too large for one."""
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return None


def _convert_plain_string(value: Any) -> Any:
    return value if type(value) is str else WRONG


def _convert_bool(value: Any) -> Any:
    return value if type(value) is bool else WRONG


def integer(low: int, high: int) -> ScalarType:
    """The type of whole numbers from `low` to `high`, which may be written with a fraction of zero (`200.0`)."""

    def convert(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return value if type(value) is int and low <= value <= high else WRONG

    return ScalarType(f"a whole number from {low} to {high}", convert)


# Halfway between the largest 32-bit float and the next number: smaller numbers are rounded down to it.
_FLOAT32_LIMIT: Final = 2**128 - 2**103


def _convert_float32(value: Any) -> Any:
    if type(value) not in (int, float) or not -_FLOAT32_LIMIT <= value <= _FLOAT32_LIMIT:
        return WRONG
    # A number that is too small for a 32-bit float becomes zero, without a sign.
    return 0.0 if abs(value) <= 2.0**-150 else float(value)


_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]+)?"
    r"(?:Z|[+-]([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)
_DAYS: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _convert_time(value: Any) -> Any:
    """A time as Go's `time.Parse` reads RFC 3339, which also accepts hours of one digit and offsets up to 24:60."""
    match = _TIME.fullmatch(value) if type(value) is str else None
    if match is None:
        return WRONG
    year, month, day, hour, minute, second, east, south = (int(part or 0) for part in match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    fits = 1 <= month <= 12 and 1 <= day <= _DAYS[month] and (month != 2 or day < 29 or leap)
    return value if fits and hour < 24 and minute < 60 and second < 60 and east <= 24 and south <= 60 else WRONG


# The white space that Go's `strings.TrimSpace` removes, as far as JSON writes it unescaped.
_SPACES: Final = " \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_GREAT_EXPONENT: Final = re.compile(r"[+-]?[0-9]*(?:\.[0-9]*)?[eE]([+-]?[0-9]+)", re.ASCII)
_NO_DIGITS: Final = re.compile(r"[+-]?\.?[PE]i")


def _convert_quantity(value: Any) -> Any:
    """Kubernetes' `resource.Quantity`, from a string or a number
    (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/)."""
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    if type(value) is not str:
        return WRONG
    text = value.strip(_SPACES)
    try:
        parse_quantity(text)
    except GrammarError:
        great = _GREAT_EXPONENT.fullmatch(text)
        return value if great and len(great[1]) < 400 and -(2**63) <= int(great[1]) < 2**63 else WRONG
    return WRONG if _NO_DIGITS.fullmatch(text) else value


STRING: Final = ScalarType("a string", _convert_string)
PLAIN_STRING: Final = ScalarType("a string", _convert_plain_string)
"""A string in an embedded structure, where no number is converted to a string."""
BOOL: Final = ScalarType("true or false", _convert_bool)
INT64: Final = integer(-(2**63), 2**63 - 1)
UINT32: Final = integer(0, 2**32 - 1)
FLOAT32: Final = ScalarType("a number of 32 bits", _convert_float32)
TIME: Final = ScalarType("a time such as 2026-08-01T10:11:12Z", _convert_time)
QUANTITY: Final = ScalarType("a quantity such as 500m or 1", _convert_quantity)
ANYTHING: Final = _AnyType()


def object_meta(*, cluster_name: bool) -> StructType:
    """The type meta/v1 `ObjectMeta`. `cluster_name`: it has the field `clusterName`, as until Kubernetes 1.24."""
    owner = StructType(
        {
            **dict.fromkeys(("apiVersion", "kind", "name", "uid"), STRING),
            **dict.fromkeys(("controller", "blockOwnerDeletion"), BOOL),
        },
        pointer=False,
    )
    managed = StructType(
        {
            **dict.fromkeys(("manager", "operation", "apiVersion", "fieldsType", "subresource"), STRING),
            "time": TIME,
            "fieldsV1": ANYTHING,
        },
        pointer=False,
    )
    names = ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion")
    return StructType(
        {
            **dict.fromkeys((*names, *(("clusterName",) if cluster_name else ())), STRING),
            **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), TIME),
            **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), INT64),
            **dict.fromkeys(("labels", "annotations"), MapType(STRING)),
            "ownerReferences": SliceType(owner),
            "finalizers": SliceType(STRING),
            "managedFields": SliceType(managed),
        },
        pointer=False,
    )
