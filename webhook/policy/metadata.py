"""The metadata of an object, which Linkerd's policy controller decodes before the rest of the object.

The types are those of meta/v1 `ObjectMeta`. Here an array cannot replace a structure, unknown fields are allowed, and
null is the same as absent. msgspec recognizes valid metadata, which is all that an API server sends, quickly; other
metadata is read again to find out what is wrong.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from webhook.findings.finding import Path, show
from webhook.mesh.releases import Line
from webhook.policy.schema.reading import RANGE, Reading
from webhook.policy.schema.shape import (
    BOOLEAN,
    I64,
    STRING,
    STRING_MAP,
    STRINGS,
    Anything,
    Array,
    Shape,
    Struct,
    optional,
)

# RFC 3339, and what Linkerd's parser accepts beyond it: ISO 8601's basic form, a space for the T, missing parts at the
# end, a signed year of six digits, the name of a time zone after the offset.
_TIME: Final = re.compile(
    r"(?P<year>[0-9]{4}|[+-][0-9]{6})(?P<dash>-?)(?P<month>[0-9]{2})(?P=dash)(?P<day>[0-9]{2})[Tt ]"
    r"([01][0-9]|2[0-3])(:[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]{1,9})?)?|[0-5][0-9](([0-5][0-9]|60)([.,][0-9]{1,9})?)?)?"
    r"([Zz]|[+-]([01][0-9]|2[0-5])(:[0-5][0-9](:[0-5][0-9])?|[0-5][0-9]([0-5][0-9])?)?)(\[!?[\w./+:=-]+\])*",
    re.ASCII,
)
# The first and last day that the parser can represent, less one day for offsets.
_FIRST_DAY, _LAST_DAY = (-9999, 1, 2), (9999, 12, 30)

# The parser of earlier releases: RFC 3339 with white space between the parts, and numbers of fewer digits.
_OLD_TIME: Final = re.compile(
    r"\s*(?P<year>[0-9]{1,4}|[+-][0-9]{1,6})\s*-\s*(?P<month>[0-9]{1,2})\s*-\s*(?P<day>[0-9]{1,2})[T ]"
    r"\s*(0?[0-9]|1[0-9]|2[0-3])\s*:\s*[0-5]?[0-9]\s*:\s*([0-5]?[0-9]|60)(\.[0-9]+)?"
    r"\s*([Zz]|[+-]([01][0-9]|2[0-3])[:\s]*[0-5][0-9])\s*"
)
_OLD_LAST = 262_143


def is_time(text: str, line: Line) -> bool:
    """Whether the policy controller of a release line can read a text as a time."""
    new = line.has("policy/iso-8601-times")
    match = (_TIME if new else _OLD_TIME).fullmatch(text)
    if match is None:
        return False
    year, month, day = (int(match[name]) for name in ("year", "month", "day"))
    if not 1 <= month <= 12:
        return False
    if new:
        in_range = _FIRST_DAY <= (year, month, day) <= _LAST_DAY and not text.startswith("-000000")
    else:
        in_range = -_OLD_LAST <= year <= _OLD_LAST
    # The calendar repeats every 400 years.
    return in_range and 1 <= day <= monthrange(2000 + year % 400, month)[1]


class _Time(Shape):
    wanted = "a time such as 2026-08-01T10:11:12Z"

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if type(value) is not str:
            return self.wrong_type(value, path, reading)
        if not is_time(value, reading.line):
            reading.refuse(RANGE, path, f"{show(value)} is not a time: write one such as 2026-08-01T10:11:12Z")
        return value


_TIMESTAMP = _Time()


def _open_struct(**fields: Shape) -> Struct:
    return Struct({name: optional(shape) for name, shape in fields.items()}, flattened=True, schema=False)


_OWNER = _open_struct(
    apiVersion=STRING, blockOwnerDeletion=BOOLEAN, controller=BOOLEAN, kind=STRING, name=STRING, uid=STRING
)
_MANAGED = _open_struct(
    apiVersion=STRING,
    fieldsType=STRING,
    fieldsV1=Anything(),
    manager=STRING,
    operation=STRING,
    subresource=STRING,
    time=_TIMESTAMP,
)
_METADATA = _open_struct(
    annotations=STRING_MAP,
    creationTimestamp=_TIMESTAMP,
    deletionGracePeriodSeconds=I64,
    deletionTimestamp=_TIMESTAMP,
    finalizers=STRINGS,
    generateName=STRING,
    generation=I64,
    labels=STRING_MAP,
    managedFields=Array(_MANAGED),
    name=STRING,
    namespace=STRING,
    ownerReferences=Array(_OWNER),
    resourceVersion=STRING,
    selfLink=STRING,
    uid=STRING,
)


class _OwnerReference(msgspec.Struct, rename="camel"):
    api_version: str | None = None
    block_owner_deletion: bool | None = None
    controller: bool | None = None
    kind: str | None = None
    name: str | None = None
    uid: str | None = None


class _ManagedFieldsEntry(msgspec.Struct, rename="camel"):
    api_version: str | None = None
    fields_type: str | None = None
    manager: str | None = None
    operation: str | None = None
    subresource: str | None = None
    time: str | None = None


class _ObjectMeta(msgspec.Struct, rename="camel"):
    annotations: dict[str, str] | None = None
    creation_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    deletion_timestamp: str | None = None
    finalizers: list[str] | None = None
    generate_name: str | None = None
    generation: int | None = None
    labels: dict[str, str] | None = None
    managed_fields: list[_ManagedFieldsEntry] | None = None
    name: str | None = None
    namespace: str | None = None
    owner_references: list[_OwnerReference] | None = None
    resource_version: str | None = None
    self_link: str | None = None
    uid: str | None = None


_LONGEST: Final = 2**63


def _is_valid(metadata: Any, line: Line) -> bool:
    try:
        read = msgspec.convert(metadata, _ObjectMeta)
    except msgspec.ValidationError:
        return False
    times = [read.creation_timestamp, read.deletion_timestamp]
    times += [entry.time for entry in read.managed_fields or ()]
    numbers = (read.generation or 0, read.deletion_grace_period_seconds or 0)
    return all(-_LONGEST <= number < _LONGEST for number in numbers) and all(
        time is None or is_time(time, line) for time in times
    )


def read_metadata(body: Mapping[str, Any], reading: Reading, at: Path = ()) -> Mapping[str, Any]:
    """The fields of an object's metadata that can be read; the others become findings of `reading`.

    `body` is the object, and `at` the path to it in the request. The result is empty where metadata is absent; null is
    a finding."""
    if "metadata" not in body:
        return {}
    metadata = body["metadata"]
    if _is_valid(metadata, reading.line):
        valid: Mapping[str, Any] = metadata
        return valid
    node = _METADATA.read(metadata, (*at, "metadata"), reading)
    return node if isinstance(node, dict) else {}
