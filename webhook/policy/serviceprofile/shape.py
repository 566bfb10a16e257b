"""The form of a ServiceProfile that Linkerd can decode into its Go structures and that its CRD allows.

The two differ in some fields (`opaquePorts`, `not`); objects are checked for both. Nearly every object is valid for
both, which a `msgspec` structure finds out quickly; `decode` reads the others and finds out what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final, Literal

import msgspec

from webhook.findings.finding import Finding, Path, Severity, declare, show, suggest
from webhook.mesh.releases import Line
from webhook.policy.schema.godecode import (
    BOOL,
    FLOAT32,
    PLAIN_STRING,
    QUANTITY,
    REFUSED,
    STRING,
    UINT32,
    MapType,
    Note,
    Oddity,
    SliceType,
    StructType,
    decode,
    is_readable,
    object_meta,
)
from webhook.policy.schema.shape import either

TYPE: Final = declare(
    "sp-type",
    Severity.ERROR,
    "FieldValueTypeInvalid",
    "A field of a ServiceProfile has a value that Linkerd cannot read.",
)
UNKNOWN: Final = declare(
    "sp-unknown-field", Severity.ERROR, "FieldValueNotSupported", "A ServiceProfile has a field that does not exist."
)
CHARACTER: Final = declare(
    "sp-character", Severity.ERROR, "FieldValueInvalid", "A text in a ServiceProfile has a control character."
)
OPAQUE_PORTS: Final = declare(
    "sp-opaque-ports",
    Severity.ERROR,
    "FieldValueNotSupported",
    "A ServiceProfile has opaquePorts, and no value of it suits both Linkerd and the CRD.",
)

SCHEMA_TYPE: Final = declare(
    "sp-schema-type",
    Severity.SCHEMA,
    "FieldValueTypeInvalid",
    "A field of a ServiceProfile has a value that Linkerd can read, but that the CRD does not allow.",
)
SCHEMA_REQUIRED: Final = declare(
    "sp-schema-required",
    Severity.SCHEMA,
    "FieldValueRequired",
    "A field of a ServiceProfile is missing that the CRD requires and Linkerd does not.",
)
SCHEMA_NAME: Final = declare(
    "sp-schema-field",
    Severity.SCHEMA,
    "FieldValueNotSupported",
    "The name of a ServiceProfile's field is in the wrong case: Linkerd takes it, but the API server drops it.",
)
SCHEMA_NOT: Final = declare(
    "sp-schema-not",
    Severity.SCHEMA,
    "FieldValueTypeInvalid",
    "A condition of a ServiceProfile begins with `not`, for which the CRD requires a list and Linkerd an object.",
)


def _match_type(**leaves: Any) -> StructType:
    kind = StructType()
    kind.fields.update({"all": SliceType(kind), "not": kind, "any": SliceType(kind), **leaves})
    return kind


_RESPONSE: Final = _match_type(status=StructType({"min": UINT32, "max": UINT32}))
_CLASS: Final = StructType({"condition": _RESPONSE, "isFailure": BOOL})
_ROUTE: Final = StructType(
    {
        "name": STRING,
        "condition": _match_type(pathRegex=STRING, method=STRING),
        "responseClasses": SliceType(_CLASS),
        "isRetryable": BOOL,
        "timeout": STRING,
    }
)
_SPEC: Final = StructType(
    {
        "routes": SliceType(_ROUTE),
        "retryBudget": StructType({"retryRatio": FLOAT32, "minRetriesPerSecond": UINT32, "ttl": STRING}),
        "dstOverrides": SliceType(StructType({"authority": STRING, "weight": QUANTITY})),
        "opaquePorts": MapType(StructType(), numbered=True),
    },
    pointer=False,
)

# The row of a release line whose CRD has a list for the `not` of a response's condition too.
_LISTS_OF_NOT: Final = "policy/ServiceProfile.response-not-is-list"


@lru_cache
def _profile_type(line: Line) -> StructType:
    return StructType(
        {
            "apiVersion": PLAIN_STRING,
            "kind": PLAIN_STRING,
            "metadata": object_meta(cluster_name=line.has("policy/metadata.clusterName")),
            "spec": _SPEC,
        },
        pointer=False,
    )


class _Strict(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename=lambda name: name.rstrip("_")):
    pass


_INT32: Final = 2**31 - 1
_Whole = Annotated[int, msgspec.Meta(ge=0, le=_INT32)]
_Time = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
        r"|(?:0[13578]|1[02])-31)T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?Z\Z"
    ),
]


class _StrictOwnerReference(_Strict):
    apiVersion: str = ""  # noqa: N815
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False
    blockOwnerDeletion: bool = False  # noqa: N815


class _StrictManagedFieldsEntry(_Strict):
    manager: str = ""
    operation: str = ""
    apiVersion: str = ""  # noqa: N815
    time: _Time = ""
    fieldsType: str = ""  # noqa: N815
    fieldsV1: Any = None  # noqa: N815
    subresource: str = ""


class _StrictObjectMeta(_Strict):
    name: str
    namespace: str = ""
    generateName: str = ""  # noqa: N815
    selfLink: str = ""  # noqa: N815
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815
    generation: _Whole = 0
    creationTimestamp: _Time | None = None  # noqa: N815
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    ownerReferences: list[_StrictOwnerReference] = []  # noqa: N815
    finalizers: list[str] = []
    managedFields: list[_StrictManagedFieldsEntry] = []  # noqa: N815


class _Range(_Strict):
    min: _Whole = 0
    max: _Whole = 0


class _ResponseMatch(_Strict):
    all: list[_ResponseMatch] = []
    any: list[_ResponseMatch] = []
    not_: _ResponseMatch | msgspec.UnsetType = msgspec.UNSET
    status: _Range | msgspec.UnsetType = msgspec.UNSET


class _TopResponseMatch(_Strict):
    all: list[_ResponseMatch] = []
    any: list[_ResponseMatch] = []
    status: _Range | msgspec.UnsetType = msgspec.UNSET


class _RequestMatch(_Strict):
    all: list[_RequestMatch] = []
    any: list[_RequestMatch] = []
    not_: _RequestMatch | msgspec.UnsetType = msgspec.UNSET
    pathRegex: str = ""  # noqa: N815
    method: str = ""


class _TopRequestMatch(_Strict):
    all: list[_RequestMatch] = []
    any: list[_RequestMatch] = []
    pathRegex: str = ""  # noqa: N815
    method: str = ""


class _Class(_Strict):
    condition: _TopResponseMatch
    isFailure: bool = False  # noqa: N815


class _Route(_Strict):
    name: str
    condition: _TopRequestMatch
    responseClasses: list[_Class] = []  # noqa: N815
    isRetryable: bool = False  # noqa: N815
    timeout: str = ""


class _Budget(_Strict):
    retryRatio: Annotated[float, msgspec.Meta(ge=0, le=1000)]  # noqa: N815
    minRetriesPerSecond: _Whole  # noqa: N815
    ttl: str


class _Override(_Strict):
    authority: str = ""
    weight: _Whole | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}m?\Z")] = 0


class _Spec(_Strict):
    routes: list[_Route] = []
    retryBudget: _Budget | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    dstOverrides: list[_Override] = []  # noqa: N815


class _SurelyValidProfile(_Strict):
    """A ServiceProfile that Linkerd and the CRD of every release line accept. They accept many others too."""

    metadata: _StrictObjectMeta
    # The schema of v1alpha1 requires more fields.
    apiVersion: Literal["linkerd.io/v1alpha2"] = "linkerd.io/v1alpha2"  # noqa: N815
    kind: str = ""
    spec: _Spec | msgspec.UnsetType = msgspec.UNSET


def read(body: Any, line: Line) -> tuple[Any, list[Finding]]:
    """Decode a ServiceProfile as Linkerd at a release line does. Returns what `godecode.decode` returns for it, and the
    findings about its form. `body` is any JSON value but None."""
    try:
        msgspec.convert(body, _SurelyValidProfile)
        suits = is_readable(body)
    except (msgspec.ValidationError, RecursionError):
        suits = False
    return (body, []) if suits else _read_with_findings(body, line)


# How many findings of the schema are kept.
_ENOUGH: Final = 100


def _read_with_findings(body: Any, line: Line) -> tuple[Any, list[Finding]]:
    profile, notes = decode(body, _profile_type(line))
    findings = [finding for note in notes if (finding := _finding_of(note, line)) is not None]
    if any(note.oddity in REFUSED and note.path[:2] == _OPAQUE for note in notes):
        findings.append(OPAQUE_PORTS.at(_OPAQUE, _NO_OPAQUE_PORTS))
    spec = profile.get("spec") if isinstance(profile, dict) else None
    if isinstance(spec, dict):
        findings.extend(islice(_check_schema(spec, line), _ENOUGH))
        if "routes" not in spec and profile.get("apiVersion") == "linkerd.io/v1alpha1":
            findings.append(
                SCHEMA_REQUIRED.at(
                    ("spec", "routes"), "the CRD requires the field routes in v1alpha1: add it, with a list"
                )
            )
    return profile, findings


_OPAQUE: Final = ("spec", "opaquePorts")
_NO_OPAQUE_PORTS: Final = (
    "no value of opaquePorts suits both Linkerd and the CRD: take it out, and name the ports in the annotation "
    "config.linkerd.io/opaque-ports of the Service or its Namespace"
)
_NOT: Final = 'the CRD requires a list here and Linkerd an object, so that neither passes: write "all": [{"not": {…}}]'


def _finding_of(note: Note, line: Line) -> Finding | None:
    """The finding about an oddity of a ServiceProfile; None for one without effect, or that is reported elsewhere."""
    path, value = note.path, note.value
    if path[:2] == _OPAQUE and note.oddity is not Oddity.NULL:
        return None
    match note.oddity:
        case Oddity.TYPE:
            if path[-1:] == ("not",) and isinstance(value, list) and _wants_list(path, line):
                return TYPE.at(path, _NOT)
            return TYPE.at(path, f"Linkerd cannot read {describe(value)} here: write {note.detail}")
        case Oddity.UNKNOWN:
            known = sorted(note.kind.fields) if isinstance(note.kind, StructType) else []
            write = f": write {either(known)}" if 0 < len(known) < 10 else ": leave it out"
            return UNKNOWN.at(path, f"a field {show(path[-1])} does not exist here{suggest(path[-1], known) or write}")
        case Oddity.UNREADABLE:
            return CHARACTER.at(
                path, f"the text has the character {note.detail}, which Linkerd cannot read: take it out"
            )
        case Oddity.SPELLED:
            return SCHEMA_NAME.at(
                path, f'the API server drops a field that is not spelled "{note.detail}": write it so'
            )
        case Oddity.COERCED:
            quoted = show(note.detail)
            return SCHEMA_TYPE.at(path, f"{show(value)} is not a string: write {quoted}") if _in_schema(path) else None
        case Oddity.NULL if path[:1] == ("spec",) and _in_schema(path):
            return SCHEMA_TYPE.at(path, f"the CRD does not allow null: write {note.detail}, or leave the field out")
    return None


def _in_schema(path: Path) -> bool:
    """Whether the CRD's schema checks the value at a path. It does not check values inside of `all`, `any` and
    `not`."""
    if "condition" not in path:
        return True
    deeper = path[path.index("condition") + 1 :]
    return len(deeper) <= 1 or (deeper[0] in ("all", "any") and len(deeper) == 2) or deeper[0] == "status"


def _wants_list(path: Path, line: Line) -> bool:
    """Whether the CRD requires a list for the `not` at a path."""
    return _in_schema(path) and ("responseClasses" not in path or line.has(_LISTS_OF_NOT))


def describe(value: Any) -> str:
    """A value as messages show it, without the contents of objects and lists."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and abs(value) >= _HUGE:
        return "a huge number"
    return "a list" if isinstance(value, list) else show(value)


_HUGE: Final = 10**40


# Matches the same texts as the CRD's pattern for quantities.
_NUMBER: Final = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_SCHEMA_QUANTITY: Final = re.compile(rf"[+-]?{_NUMBER}(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?{_NUMBER})?", re.ASCII)


def _check_schema(spec: dict[str, Any], line: Line) -> Iterator[Finding]:
    """What the CRD forbids and Linkerd accepts, except for what `decode` notes."""
    ports = spec.get("opaquePorts")
    if isinstance(ports, dict):
        yield SCHEMA_TYPE.at(_OPAQUE, _NO_OPAQUE_PORTS)
    yield from _check_schema_of_conditions(spec.get("routes"), line)
    budget = spec.get("retryBudget")
    if isinstance(budget, dict):
        at = ("spec", "retryBudget")
        for name, example in (("minRetriesPerSecond", "10"), ("retryRatio", "0.2")):
            if name not in budget:
                yield SCHEMA_REQUIRED.at(
                    (*at, name), f"the CRD requires the field {name}: add it, with a number such as {example}"
                )
        most = budget.get("minRetriesPerSecond")
        if isinstance(most, int) and most > _INT32:
            yield SCHEMA_TYPE.at((*at, "minRetriesPerSecond"), f"the CRD does not allow {most}: write {_INT32} at most")
    yield from _check_schema_of_overrides(spec.get("dstOverrides"))


def _check_schema_of_overrides(overrides: Any) -> Iterator[Finding]:
    for index, override in enumerate(overrides if isinstance(overrides, list) else ()):
        weight = override.get("weight") if isinstance(override, dict) else None
        if isinstance(weight, float) and not weight.is_integer():
            example = f'"{weight}"'
        elif isinstance(weight, str) and not _SCHEMA_QUANTITY.fullmatch(weight):
            example = '"1" or "500m"'
        else:
            continue
        message = f"the CRD does not allow a quantity of the form {show(weight)}: write {example}"
        yield SCHEMA_TYPE.at(("spec", "dstOverrides", index, "weight"), message)


def _check_schema_of_conditions(routes: Any, line: Line) -> Iterator[Finding]:
    for index, route in enumerate(routes if isinstance(routes, list) else ()):
        if not isinstance(route, dict):
            continue
        at = ("spec", "routes", index)
        if _begins_with_not(route):
            yield SCHEMA_NOT.at((*at, "condition", "not"), _NOT)
        classes = route.get("responseClasses")
        if line.has(_LISTS_OF_NOT) and isinstance(classes, list):
            for number, one in enumerate(classes):
                if _begins_with_not(one):
                    yield SCHEMA_NOT.at((*at, "responseClasses", number, "condition", "not"), _NOT)


def _begins_with_not(holder: Any) -> bool:
    condition = holder.get("condition") if isinstance(holder, dict) else None
    return isinstance(condition, dict) and isinstance(condition.get("not"), dict)
