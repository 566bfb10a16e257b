"""AdmissionReview in and out: the one shape in which the API server asks and is answered.

`parse` reads a review, `render` writes its answer. In between walks an `AdmissionRequest` (what was asked) and an
`Answer` (what was decided, and why). The types follow `admission.k8s.io/v1`; `v1beta1`, which API servers before 1.22
send and which has the same fields, is answered in kind.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec
import orjson
from msgspec import field

from webhook.pod import Pod

JSON = dict[str, Any]

API_VERSIONS = ("admission.k8s.io/v1", "admission.k8s.io/v1beta1")

# kubectl prints each warning on a line of its own. The API server keeps 256 characters of each once all of them
# together have more than 4096 (`truncateItemRunes` and `truncateAtTotalRunes` of its warning recorder).
# https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response
WARNING_LIMIT = 10
WARNING_LENGTH = 256
# A word is shortened to no less than this.
_SHORTEST_WORD = 16

# Audit annotations end up in the audit log, an event a request: enough to explain, never enough to flood.
AUDIT_LENGTH = 4096

# Characters of an Event's message: the API server refuses longer ones in events.k8s.io.
EVENT_LENGTH = 1024


class GroupVersionKind(msgspec.Struct, frozen=True):
    """`request.kind`."""

    group: str = ""
    version: str = ""
    kind: str = ""


class GroupVersionResource(msgspec.Struct, frozen=True):
    """`request.resource`."""

    group: str = ""
    version: str = ""
    resource: str = ""


_NO_KIND = GroupVersionKind()
_NO_RESOURCE = GroupVersionResource()


_NULL = msgspec.Raw(b"null")


class AdmissionRequest:
    """What the API server asks.

    `object` and `old_object` are anything that JSON can hold, mostly dicts. They are parsed when somebody asks. `pod`
    is the object where it is a Pod that was decoded with its review, as far as it is read of Pods. `name` is empty for
    an object that the API server has yet to name.
    """

    __slots__ = (
        "_body",
        "_object",
        "_old_object",
        "api_version",
        "dry_run",
        "kind",
        "name",
        "namespace",
        "operation",
        "pod",
        "resource",
        "uid",
    )

    def __init__(
        self,
        uid: str,
        api_version: str,
        kind: GroupVersionKind = _NO_KIND,
        resource: GroupVersionResource = _NO_RESOURCE,
        namespace: str = "",
        name: str = "",
        operation: str = "",
        object: Any = None,
        old_object: Any = None,
        dry_run: bool = False,
        body: bytes = b"",
    ) -> None:
        """The objects are parsed or still text (`msgspec.Raw`). Where `object` is a `Pod`, `body` is the text of the
        review that it was decoded from."""
        self.uid = uid
        self.api_version = api_version
        self.kind = kind
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.operation = operation
        self.dry_run = dry_run
        self._object = object
        self._old_object = old_object
        self._body = body
        self.pod = object if isinstance(object, Pod) else None

    @property
    def has_object(self) -> bool:
        """Whether there is an object at all: there is none to DELETE."""
        if isinstance(self._object, msgspec.Raw):
            return len(self._object) > 0 and self._object != _NULL
        return self._object is not None

    @property
    def object(self) -> Any:
        """The object. Raises `ReviewError` where its text is no JSON."""
        if isinstance(self._object, Pod):
            self._object = _REVIEW.decode(self._body).request.object
        if isinstance(self._object, msgspec.Raw):
            self._object = self._parse("object", self._object)
        return self._object

    @property
    def old_object(self) -> Any:
        """What the object was before; None but for UPDATE and DELETE. Raises `ReviewError`."""
        if isinstance(self._old_object, msgspec.Raw):
            self._old_object = self._parse("oldObject", self._old_object)
        return self._old_object

    def _parse(self, key: str, raw: msgspec.Raw) -> Any:
        if not len(raw):
            return None
        try:
            return orjson.loads(memoryview(raw))
        except orjson.JSONDecodeError as error:
            raise ReviewError(f"request.{key} is not JSON: {error}", self.uid, self.api_version) from None


class Operation(msgspec.Struct):
    """An operation of a patch, with its value as JSON text."""

    op: str
    path: str
    value: msgspec.Raw


_OPERATIONS: Final = msgspec.json.Decoder(list[Operation])
# JSON text in Base64 and in quotes, as a response carries it.
_BASE64: Final = msgspec.json.Decoder(bytes)


class Patch(Sequence[JSON]):
    """RFC 6902 operations, as objects or as a response carries them: JSON in Base64, in quotes. Either is made from the
    other when it is asked for.

    Not to be changed: an answer may share it with others.
    """

    __slots__ = ("_operations", "_text")

    def __init__(self, operations: Sequence[JSON] | None = None, text: bytes = b"") -> None:
        self._operations = operations
        self._text = text

    @classmethod
    def of(cls, text: bytes) -> Patch:
        """The operations that a response carries as this text."""
        return cls(text=text)

    @property
    def text(self) -> bytes:
        """The operations as a response carries them."""
        if not self._text:
            self._text = b'"%b"' % b64encode(orjson.dumps(self._operations))
        return self._text

    @property
    def operations(self) -> list[Operation]:
        """The operations, of which each has a value, with the values as text."""
        return _OPERATIONS.decode(_BASE64.decode(self.text))

    def _read(self) -> Sequence[JSON]:
        if self._operations is None:
            self._operations = orjson.loads(_BASE64.decode(self._text))
        return self._operations or ()

    def __getitem__(self, index: Any) -> Any:
        return self._read()[index]

    def __len__(self) -> int:
        return len(self._read())

    def __bool__(self) -> bool:
        return bool(self._text) or bool(self._operations)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


class Event(NamedTuple):
    """What the workload of a Pod is told; `type` is Kubernetes' own, `Normal` or `Warning`."""

    reason: str
    message: str
    type: str = "Normal"


class Answer(msgspec.Struct):
    """What was decided.

    `patch` holds RFC 6902 operations, None or empty for no change. `warnings` are whole sentences: `render` shortens
    them for the client and keeps them whole for the audit log. `decision` is a short identifier (`injected`, `skipped`,
    `annotated`, `unchanged`, `denied`), `reason` the identifiers of why, `message` a sentence for people. `facts` are
    what metrics want to know beside that. The log has `workload` (`Deployment/web`) and `name`: the object's name, or
    how it begins where the API server has yet to choose the rest. `events` are for the workload that a Pod
    belongs to. `effects` run once the answer is settled, and never for a dry run.
    """

    allowed: bool = True
    patch: Sequence[JSON] | None = None
    warnings: list[str] = field(default_factory=list)
    audit: dict[str, str] = field(default_factory=dict)
    decision: str = "unchanged"
    reason: str = ""
    message: str = ""
    code: int = 0
    status_reason: str = ""
    details: JSON | None = None
    facts: dict[str, str] = field(default_factory=dict)
    workload: str = ""
    name: str = ""
    events: list[Event] = field(default_factory=list)
    effects: list[Callable[[], None]] = field(default_factory=list)


class ReviewError(Exception):
    """A body that is no AdmissionReview.

    `uid` and `api_version` are set where they were found: then there is an answer to give (HTTP 200, `allowed: false`),
    else only HTTP 400 is left.
    """

    def __init__(self, message: str, uid: str | None = None, api_version: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.uid = uid
        self.api_version = api_version


def deny(message: str, *, code: int = 400, status_reason: str = "BadRequest", reason: str = "") -> Answer:
    """An answer that refuses the object with a `Status` of this HTTP code and reason."""
    return Answer(
        allowed=False, decision="denied", reason=reason, message=message, code=code, status_reason=status_reason
    )


class _Request(msgspec.Struct, rename="camel"):
    uid: str
    kind: GroupVersionKind = _NO_KIND
    resource: GroupVersionResource = _NO_RESOURCE
    namespace: str = ""
    name: str = ""
    operation: str = ""
    dry_run: bool = False
    old_object: msgspec.Raw = msgspec.Raw()


class _AnyRequest(_Request):
    object: msgspec.Raw = msgspec.Raw()


class _PodRequest(_Request):
    object: Pod | None = None


R = TypeVar("R", _AnyRequest, _PodRequest)


class _Review(msgspec.Struct, Generic[R], rename="camel"):
    api_version: str
    kind: str
    request: R


_REVIEW = msgspec.json.Decoder(_Review[_AnyRequest])
_REVIEW_OF_POD = msgspec.json.Decoder(_Review[_PodRequest])

# How an API server begins the review of a Pod, within this many bytes. Other texts are read as well, in more steps.
_OF_POD = b'"kind":{"group":"","version":"v1","kind":"Pod"}'
_BEGINNING = 512


def parse(body: bytes) -> AdmissionRequest:
    """Read an AdmissionReview from JSON text. Raises `ReviewError`.

    A Pod is decoded with its review, and other objects stay text. What does not fit (null in place of a string, say) is
    read again, and what is wrong is told.
    """
    if _OF_POD in body[:_BEGINNING]:
        request = _decode(_REVIEW_OF_POD, body)
        if request is not None:
            return request
    return _decode(_REVIEW, body) or _read_slowly(body)


def _decode(decoder: msgspec.json.Decoder[_Review[R]], body: bytes) -> AdmissionRequest | None:
    """The request of a review; None where it, or its object, is not what is decoded."""
    try:
        review = decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    request = review.request
    if review.api_version not in API_VERSIONS or review.kind != "AdmissionReview" or not request.uid:
        return None
    return AdmissionRequest(
        request.uid,
        review.api_version,
        request.kind,
        request.resource,
        request.namespace,
        request.name,
        request.operation,
        request.object,
        request.old_object,
        request.dry_run,
        body,
    )


def _read_slowly(body: bytes) -> AdmissionRequest:
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body:
            raise ReviewError("the body is empty: post an AdmissionReview as JSON") from None
        raise ReviewError(f"the body is not JSON: {error}", *_find_uid(body)) from None
    return from_object(review)


# The API server writes the uid first of all; what is broken, or nested too deeply, comes behind it.
_UID = re.compile(rb'"request"\s*:\s*\{\s*"uid"\s*:\s*"([0-9A-Za-z-]{1,64})"')
_HEAD = 4096


def _find_uid(body: bytes) -> tuple[str, str] | tuple[None, None]:
    """The uid that a broken review begins with, and a version to answer in."""
    head = body[:_HEAD]
    match = _UID.search(head)
    if match is None:
        return None, None
    beta = b'"admission.k8s.io/v1beta1"' in head[: match.start()]
    return match[1].decode("ascii"), API_VERSIONS[1 if beta else 0]


def from_object(review: Any) -> AdmissionRequest:
    """Read an AdmissionReview that was parsed already (from YAML, say). Raises `ReviewError`."""
    if not isinstance(review, dict):
        raise ReviewError(f"the body is {_a(review)}, and must be an AdmissionReview object")
    request = review.get("request")
    if not isinstance(request, dict):
        raise ReviewError(f"request is {_a(request)}, and must be an AdmissionRequest object")
    uid = request.get("uid")
    if not isinstance(uid, str) or not uid:
        raise ReviewError(f"request.uid is {_a(uid)}, and must be the string that the API server chose")
    api_version = review.get("apiVersion")
    if api_version not in API_VERSIONS:
        raise ReviewError(
            f"apiVersion is {_quoted(api_version)}, and must be {' or '.join(API_VERSIONS)}: write one of them in the "
            "webhook configuration's admissionReviewVersions",
            uid,
            api_version if isinstance(api_version, str) and api_version else API_VERSIONS[0],
        )
    if review.get("kind") != "AdmissionReview":
        raise ReviewError(f"kind is {_quoted(review.get('kind'))}, and must be AdmissionReview", uid, api_version)
    try:
        return AdmissionRequest(
            uid=uid,
            api_version=api_version,
            kind=GroupVersionKind(*_names(request, "kind")),
            resource=GroupVersionResource(*_names(request, "resource")),
            namespace=_field(request, "namespace", str) or "",
            name=_field(request, "name", str) or "",
            operation=_field(request, "operation", str) or "",
            object=request.get("object"),
            old_object=request.get("oldObject"),
            dry_run=bool(_field(request, "dryRun", bool)),
        )
    except ReviewError as error:
        raise ReviewError(error.message, uid, api_version) from None


_WANTED: dict[type, str] = {str: "a string", bool: "true or false", dict: "an object of group, version and"}


def _names(request: JSON, key: str) -> list[str]:
    value = _field(request, key, dict, last=f" {key}") or {}
    return [_field(value, name, str, f"{key}.") or "" for name in ("group", "version", key)]


def _field(node: JSON, key: str, want: type, at: str = "", last: str = "") -> Any:
    value = node.get(key)
    if value is not None and not isinstance(value, want):
        raise ReviewError(f"request.{at}{key} is {_a(value)}, and must be {_WANTED[want]}{last}")
    return value


def render(uid: str, api_version: str, answer: Answer) -> bytes:
    """Write the AdmissionReview that carries `answer`, as JSON. The request is never echoed back."""
    response: JSON = {"uid": uid, "allowed": answer.allowed}
    if not answer.allowed:
        status: JSON = {"code": answer.code, "reason": answer.status_reason, "message": answer.message}
        if answer.details is not None:
            status["details"] = answer.details
        response["status"] = status
    elif answer.patch:
        response["patchType"] = "JSONPatch"
        patch = answer.patch if isinstance(answer.patch, Patch) else Patch(answer.patch)
        response["patch"] = orjson.Fragment(patch.text)
    if answer.warnings:
        response["warnings"] = shorten(answer.warnings)
        answer.audit["warnings"] = "; ".join(answer.warnings)
    if answer.audit:
        response["auditAnnotations"] = {key: _cut(value, AUDIT_LENGTH) for key, value in answer.audit.items()}
    return orjson.dumps({"apiVersion": api_version, "kind": "AdmissionReview", "response": response})


def shorten(warnings: Iterable[str]) -> list[str]:
    """The warnings as a client is shown them: at most ten, at most 256 characters each, one line each."""
    texts = [fit(" ".join(text.split()), WARNING_LENGTH) for text in warnings]
    if len(texts) <= WARNING_LIMIT:
        return texts
    rest = len(texts) - WARNING_LIMIT + 1
    return [*texts[: WARNING_LIMIT - 1], f"{rest} more warnings: see the audit log or the webhook's log"]


# A value in quotes is one word.
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


def fit(text: str, length: int) -> str:
    """A sentence of at most `length` characters. Its longest words lose their middle, so that names stay recognizable
    and the advice at the end stays whole; only where that is not enough, its own middle goes."""
    while len(text) > length:
        word = max(_WORD.finditer(text), key=lambda match: len(match[0]), default=None)
        if word is None or len(word[0]) <= _SHORTEST_WORD:
            return _without_middle(text, length)
        size = max(_SHORTEST_WORD, len(word[0]) - (len(text) - length))
        text = f"{text[: word.start()]}{_without_middle(word[0], size)}{text[word.end() :]}"
    return text


def _without_middle(text: str, length: int) -> str:
    head = length // 2
    return f"{text[:head]}…{text[len(text) - (length - head - 1) :]}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _a(value: Any) -> str:
    """Name a JSON value's type for an error message."""
    if value is None:
        return "missing"
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    names: dict[type, str] = {bool: "a boolean", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")


def _quoted(value: Any) -> str:
    return f'"{_cut(value, 60)}"' if isinstance(value, str) else _a(value)
