"""JSON as a Go program reads it that takes YAML: `sigs.k8s.io/yaml`'s strict reading into Go structures.

YAML comes first, so what stands where Go wants a string may be a number or a boolean, whole numbers may be written
`200.0`, and some characters are refused wherever they are. Go's `encoding/json` comes second: names of fields match
without regard to case, unknown ones are refused, null leaves a value as it is, and where two spellings of one field
meet, the second (in the order of their bytes) is read on top of the first.

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

# As many notes of each sort as anybody reads; an object can hold millions.
_ENOUGH: Final = 100


class _Wrong:
    """Stands for a value that Go could not read."""

    def __repr__(self) -> str:
        return "WRONG"


WRONG: Final = _Wrong()


class Oddity(Enum):
    """What there is to note. Go refuses the first three, and takes the others."""

    TYPE = "type"
    """A value of another type; `detail` says what is wanted."""
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
    """One odd thing. `value` is what stands at `path`."""

    oddity: Oddity
    path: Path
    value: Any
    detail: str = ""
    kind: GoType | None = None


class Notes(list[Note]):
    """The notes of one reading. Those that Go refuses are never crowded out by those that it takes.

    `level` counts the readings around this one, which wait for its result.
    """

    def __init__(self, level: int = 0) -> None:
        super().__init__()
        self.level = level
        self._room = dict.fromkeys(Oddity, _ENOUGH)

    def note(self, oddity: Oddity, place: Place, value: Any, detail: str = "", kind: GoType | None = None) -> None:
        """Note one thing, unless there are enough of its sort."""
        if self._room[oddity]:
            self._room[oddity] -= 1
            self.append(Note(oddity, path_of(place), value, detail, kind))


Task = tuple[Any, "GoType", Place, Any, Any]
"""What is yet to be read: the value, its kind, its place, and the container and key that the result goes to."""


class GoType:
    """A Go type. `wanted` says in a message what values it takes; `keeps` whether a null leaves what was there."""

    wanted = "any value"
    keeps = True

    def read(self, value: Any, place: Place, notes: Notes, todo: list[Task]) -> Any:
        """What Go makes of the value, `WRONG` if nothing. Puts what is inside it on `todo`. Null is not passed in."""
        raise NotImplementedError

    def merge(self, old: Any, new: Any, depth: int) -> Any:
        """One value for two that are read one on top of the other. Neither is null."""
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
    """A structure with its fields by name; `pointer` where Go holds a pointer to it, which a null takes away.

    `fields` may be filled later, with the structure itself among them.
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
        """The fields in the object's order; in the order of bytes where that may matter."""
        if value.keys() <= self.fields.keys():
            return value.items()
        return sorted(value.items(), key=itemgetter(0))

    def _field_name(self, key: str) -> str | None:
        return key if key in self.fields else self._fields_by_folded_name.get(fold(key))

    @cached_property
    def _fields_by_folded_name(self) -> dict[str, str]:
        return {fold(name): name for name in self.fields}


class SliceType(GoType):
    """A slice."""

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
    """A map; its keys are strings, or where it is `numbered` numbers of 32 bits in digits."""

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
    """What Go reads `value` as, and what is odd about it. Fields go by their proper names, coerced values are strings,
    nulls stay, and `WRONG` stands where Go reads nothing."""
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


# Two spellings of one field are nobody's intention: inside of as many others, they are not looked at closely.
_CHECKED: Final = 8
_MERGED: Final = 64


def _read_on_top(kind: GoType, old: Any, new: Any, level: int) -> Any:
    """What is read when `new` follows `old`; an error in the first remains one."""
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
    """Whether YAML's reader takes every character in a value; False also where that takes a closer look to say."""
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
    """A number or a boolean as the string that it becomes."""
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
    """The fewest digits that 32 bits hold as the same number."""
    packed = _packed_in_32_bits(value)
    if packed is None:
        return "+Inf" if value > 0 else "-Inf"
    if struct.unpack("<f", packed)[0] == 0:
        return "0" if value > 0 else "-0"
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return format_number(next((short for short in candidates if _packed_in_32_bits(short) == packed), value))


def _packed_in_32_bits(value: float) -> bytes | None:
    """A number in 32 bits, None where it is too large for them."""
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return None


def _convert_plain_string(value: Any) -> Any:
    return value if type(value) is str else WRONG


def _convert_bool(value: Any) -> Any:
    return value if type(value) is bool else WRONG


def integer(low: int, high: int) -> ScalarType:
    """A whole number between two others, which may be written with a fraction of zero."""

    def convert(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return value if type(value) is int and low <= value <= high else WRONG

    return ScalarType(f"a whole number from {low} to {high}", convert)


# Halfway between the greatest number that 32 bits hold and the next that they would.
_FLOAT32_LIMIT: Final = 2**128 - 2**103


def _convert_float32(value: Any) -> Any:
    if type(value) not in (int, float) or not -_FLOAT32_LIMIT <= value <= _FLOAT32_LIMIT:
        return WRONG
    # What is too small for 32 bits becomes zero, and is not negative any more.
    return 0.0 if abs(value) <= 2.0**-150 else float(value)


_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,][0-9]+)?"
    r"(?:Z|[+-]([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)
_DAYS: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _convert_time(value: Any) -> Any:
    """Go's `time.Parse` with RFC 3339, which takes an hour of one digit and offsets a little too far."""
    match = _TIME.fullmatch(value) if type(value) is str else None
    if match is None:
        return WRONG
    year, month, day, hour, minute, second, east, south = (int(part or 0) for part in match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    fits = 1 <= month <= 12 and 1 <= day <= _DAYS[month] and (month != 2 or day < 29 or leap)
    return value if fits and hour < 24 and minute < 60 and second < 60 and east <= 24 and south <= 60 else WRONG


# What Go's `strings.TrimSpace` takes away of those that JSON writes as they are.
_SPACES: Final = " \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_GREAT_EXPONENT: Final = re.compile(r"[+-]?[0-9]*(?:\.[0-9]*)?[eE]([+-]?[0-9]+)", re.ASCII)
_NO_DIGITS: Final = re.compile(r"[+-]?\.?[PE]i")


def _convert_quantity(value: Any) -> Any:
    """Kubernetes' `resource.Quantity`, out of a string or a number."""
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
"""A string of a structure that is embedded: no number is made one there."""
BOOL: Final = ScalarType("true or false", _convert_bool)
INT64: Final = integer(-(2**63), 2**63 - 1)
UINT32: Final = integer(0, 2**32 - 1)
FLOAT32: Final = ScalarType("a number of 32 bits", _convert_float32)
TIME: Final = ScalarType("a time such as 2026-08-01T10:11:12Z", _convert_time)
QUANTITY: Final = ScalarType("a quantity such as 500m or 1", _convert_quantity)
ANYTHING: Final = _AnyType()


def object_meta(*, cluster_name: bool) -> StructType:
    """meta/v1 `ObjectMeta`; `clusterName` was a field of it until Kubernetes 1.25."""
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
