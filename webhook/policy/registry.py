"""The kinds that are checked, and `check`, which checks an object of any of them.

The order is that of Linkerd's policy controller (linkerd2, `policy-controller/src/admission.rs`): whether
there is an object, its depth and its metadata, then its spec, then the rules about a spec that can be read. The policy
controller stops at the first error; `check` reports all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final, cast

from webhook.cluster.interface import Catalog
from webhook.findings.finding import Finding, Severity, declare, errors_first, show
from webhook.findings.suppression import ANNOTATION, all_are_declared, silenced
from webhook.mesh.releases import Line, came_with
from webhook.policy import missingreferences
from webhook.policy.metadata import read_metadata
from webhook.policy.objectreferences import GATEWAY, POLICY, fold, is_foreign
from webhook.policy.regex.judge import Judge
from webhook.policy.schema.reading import MISSING, TYPE, Reading
from webhook.policy.schema.shape import Shape, kind_of, too_deep

OBJECT_DIFFERS = declare(
    "review-object-differs",
    Severity.WARNING,
    "FieldValueInvalid",
    "A request names one kind, and another resource or an object of another kind; the kind that it names decides.",
)
PATTERN_LATE = declare(
    "regex-unchecked",
    Severity.WARNING,
    "FieldValueInvalid",
    "A regular expression takes so long to judge that the server lets it in unchecked; `validate` judges it.",
)
NO_OBJECT = declare("object-missing", Severity.ERROR, "FieldValueRequired", "A request holds no object.")
DEPTH = declare(
    "object-depth", Severity.ERROR, "FieldValueInvalid", "An object is nested so deeply that Linkerd cannot read it."
)
LENIENT = declare(
    "gateway-not-read",
    Severity.SCHEMA,
    "FieldValueInvalid",
    "Linkerd cannot read a Gateway API route: from 2.20 on the API server stores it, and Linkerd passes it over.",
)
LATER = declare(
    "kind-not-validated",
    Severity.WARNING,
    "FieldValueNotSupported",
    "Linkerd's release does not validate a kind that later releases do, and the object is let in unchecked.",
)
DEPRECATED = declare(
    "api-version-deprecated",
    Severity.WARNING,
    "FieldValueNotSupported",
    "An object is written in an API version that is deprecated.",
)
NOT_SERVED = declare(
    "api-version-unknown",
    Severity.SCHEMA,
    "FieldValueNotSupported",
    "An object is written in an API version that the CRD does not serve.",
)

LINKERD: Final = "linkerd.io"

# serde_json gives up at 128 containers within each other; a review, its request and the object itself are the first.
_DEPTH: Final = 126

# Objects have the same few kinds and versions. Longer names are cut off before they are cached.
_REMEMBERED: Final = 256
# Fields that Linkerd requires, and the CRD of an API version does not.
_OPTIONAL: Final = {("TLSRoute", "v1alpha2"): ("spec", "hostnames")}
_NAME: Final = 320


@dataclass(frozen=True, slots=True, eq=False)
class CheckedKind:
    """A kind that is checked.

    `module` is the module in `webhook.policy` with its rules. It is imported with the first object of the kind, so that
    a command that checks a Server does not import those of routes; a server imports all of them by `load_all`.
    `versions` are its API versions, the newest last; `deprecated` are deprecated where a newer one is served. Objects
    of a `lenient` kind are stored even if Linkerd cannot read them, from 2.20 on. `row` is the row of
    `webhook.mesh.releases` that says which releases validate the kind, empty for all of them.
    """

    group: str
    kind: str
    module: str
    versions: Sequence[str]
    deprecated: Sequence[str] = ()
    lenient: bool = False
    row: str = ""

    def served(self, line: Line) -> list[str]:
        """The API versions that the CRD of a release line serves, the newest last."""
        return [version for version in self.versions if line.knows(f"policy/{self.kind}.{version}")]


def _gateway(kind: str, module: str, *versions: str) -> CheckedKind:
    return CheckedKind(GATEWAY, kind, module, versions, lenient=True, row=f"policy/gateway.{kind}")


KINDS: Final = (
    CheckedKind(POLICY, "Server", "server", ("v1alpha1", "v1beta1", "v1beta2", "v1beta3"), ("v1alpha1", "v1beta1")),
    CheckedKind(POLICY, "ServerAuthorization", "serverauthorization", ("v1alpha1", "v1beta1"), ("v1alpha1",)),
    CheckedKind(POLICY, "AuthorizationPolicy", "authorizationpolicy", ("v1alpha1",)),
    CheckedKind(POLICY, "MeshTLSAuthentication", "meshtlsauthentication", ("v1alpha1",)),
    CheckedKind(POLICY, "NetworkAuthentication", "networkauthentication", ("v1alpha1",)),
    CheckedKind(POLICY, "HTTPRoute", "httproute", ("v1alpha1", "v1beta1", "v1beta2", "v1beta3")),
    CheckedKind(POLICY, "EgressNetwork", "egressnetwork", ("v1alpha1",), row="policy/EgressNetwork"),
    CheckedKind(
        POLICY,
        "HTTPLocalRateLimitPolicy",
        "ratelimitpolicy",
        ("v1alpha1",),
        row="policy/HTTPLocalRateLimitPolicy",
    ),
    _gateway("HTTPRoute", "gateway_httproute", "v1beta1", "v1"),
    _gateway("GRPCRoute", "gateway_grpcroute", "v1alpha2", "v1"),
    _gateway("TLSRoute", "gateway_tlsroute", "v1alpha2", "v1alpha3", "v1"),
    _gateway("TCPRoute", "gateway_tcproute", "v1alpha2", "v1"),
    # Decoded as Go does, unlike the kinds above.
    CheckedKind(LINKERD, "ServiceProfile", "serviceprofile.check", ("v1alpha1", "v1alpha2"), ("v1alpha1",)),
)


@cache
def _imported(module: str) -> Any:
    return import_module(f"webhook.policy.{module}")


@lru_cache(_REMEMBERED)
def _spec(kind: CheckedKind, line: Line, version: str) -> Shape:
    """The shape of a kind's spec at a release line, in an API version; in the newest one where the version is
    unknown."""
    return cast(Callable[[Line, str], Shape], _imported(kind.module).spec)(line, version)


def load_all() -> None:
    """Import the modules of all kinds, so that no request waits for an import, and all rules are declared."""
    for kind in KINDS:
        _imported(kind.module)
    all_are_declared()


_BY_NAME: Final = {(fold(kind.group), fold(kind.kind)): kind for kind in KINDS}


def find(group: str, kind: str, line: Line | None = None) -> CheckedKind | None:
    """The kind of this name, in any case; None if there is none at the release line (at any line, where `line` is
    None)."""
    return _find(group[:_NAME], kind[:_NAME], line)


@lru_cache(_REMEMBERED)
def _find(group: str, kind: str, line: Line | None) -> CheckedKind | None:
    checked = _BY_NAME.get((fold(group), fold(kind)))
    if checked is not None and checked.row and line is not None and not line.has(checked.row):
        return None
    return checked


def knows(group: str, kind: str) -> bool:
    """Whether objects of this kind, written in any case, are checked."""
    return find(group, kind) is not None


def check(
    group: str,
    kind: str,
    body: Any,
    *,
    line: Line,
    catalog: Catalog,
    judge: Judge,
    others: Iterable[Any] = (),
    cluster_domain: str = "",
) -> list[Finding]:
    """All findings about an object, errors first.

    `group` and `kind` name a kind that `knows` accepts; `ValueError` is raised for another. `body` is any JSON value,
    None for no object; it never raises an exception. `line` is the release line to check for: an object of a kind that
    it does not validate has a warning alone. `catalog` has the other objects of the cluster, and `judge` checks regular
    expressions. `others` are further objects of the request (its `oldObject`), of which only the metadata has to be
    readable. `cluster_domain` is the domain that the names of Services end in, empty where it is not known.
    """
    checked = find(group, kind)
    if checked is None:
        raise ValueError(f"{kind}.{group} is not checked")
    for value in (body, *others):
        path = too_deep(value, _DEPTH)
        if path is not None:
            return [
                DEPTH.at(
                    path[:4],
                    f"the object is nested {_DEPTH} levels deep or deeper, and Linkerd cannot read that: nest "
                    "it less deeply",
                )
            ]
    if checked.row and not line.has(checked.row):
        return [] if is_foreign(checked.group, body) else [_not_validated(checked, line)]
    if checked.group == LINKERD:
        findings = _imported(checked.module).check(
            body, line=line, catalog=catalog, judge=judge, cluster_domain=cluster_domain
        )
    else:
        findings = _check_policy(checked, body, line, catalog, judge, others)
    if type(body) is not dict:
        return errors_first(findings)
    if is_foreign(checked.group, body):
        # A route of another controller: report only what would be refused.
        forbidden = [one for one in findings if one.severity is not Severity.WARNING and one.rule is not LENIENT]
        optional = _OPTIONAL.get((checked.kind, _version(body)))
        return errors_first([one for one in forbidden if one.rule is not MISSING or one.path != optional])
    api_version = body.get("apiVersion")
    if type(api_version) is str and (finding := _check_version(checked, api_version[:_NAME], line)) is not None:
        findings.append(finding)
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if type(metadata) is dict else None
    if type(annotations) is dict and ANNOTATION in annotations:
        load_all()
        findings = silenced(findings, annotations)
    return errors_first(findings)


def _not_validated(kind: CheckedKind, line: Line) -> Finding:
    return LATER.at(
        ("kind",),
        f"{line.name} does not validate {kind.kind}.{kind.group}, as Linkerd does from {came_with(kind.row)} on: "
        "the object is let in unchecked; upgrade Linkerd, or check it with the --release-line of a later one",
    )


def _check_policy(
    kind: CheckedKind, body: Any, line: Line, catalog: Catalog, judge: Judge, others: Iterable[Any]
) -> list[Finding]:
    frame = Reading(line, judge)
    lenient = kind.lenient and line.has("policy/gateway-lenient")
    for other in others:
        _check_old_object(other, frame)
    if body is None:
        frame.refuse(
            NO_OBJECT,
            (),
            "the request holds no object, and Linkerd checks objects: send requests to CREATE and UPDATE only",
        )
        return _as_passed_over(frame.findings) if lenient else frame.findings
    if type(body) is not dict:
        frame.refuse(TYPE, (), f"the object is {kind_of(body)}: write an object")
        return frame.findings
    metadata = read_metadata(body, frame)
    if metadata.get("namespace") is None and line.has("policy/namespace-in-object"):
        frame.refuse(
            MISSING,
            ("metadata", "namespace"),
            "metadata.namespace is missing, and Linkerd up to 2.15 requires it in the object itself: add it",
        )
    if "spec" not in body:
        missing = Reading(line, judge)
        missing.refuse(MISSING, ("spec",), "the field spec is missing: add it, with an object")
        return frame.findings + (_as_passed_over(missing.findings) if lenient else missing.findings)
    reading = Reading(line, judge, str(metadata.get("namespace") or ""), metadata.get("annotations") or {})
    spec = _spec(kind, line, _version(body)).read(body["spec"], ("spec",), reading)
    if lenient and reading.broken:
        return frame.findings + _as_passed_over(reading.findings)
    name = str(metadata.get("name") or metadata.get("generateName") or "")
    missed = missingreferences.check(kind.group, kind.kind, reading.namespace, name, body["spec"], catalog)
    overlaps = kind.kind == "Server" and line.has("policy/server-overlap")
    if overlaps and _imported(kind.module).check_overlap(name, spec, catalog, reading):
        # The Server is already refused for the same reason.
        missed = [finding for finding in missed if finding.rule is not missingreferences.PORT_SHARED]
    return frame.findings + reading.findings + missed


def _check_old_object(other: Any, frame: Reading) -> None:
    if other is None:
        return
    if type(other) is not dict:
        frame.refuse(TYPE, ("oldObject",), f"the old object is {kind_of(other)}: write an object")
    else:
        read_metadata(other, frame, ("oldObject",))


def _as_passed_over(findings: Sequence[Finding]) -> list[Finding]:
    """The findings about a route that the API server stores although Linkerd cannot read it: none refuses it."""
    return [
        LENIENT.at((), "Linkerd cannot read this route and passes it over: correct what follows"),
        *(
            finding._replace(severity=Severity.SCHEMA) if finding.severity is Severity.ERROR else finding
            for finding in findings
        ),
    ]


def _version(body: Mapping[str, Any]) -> str:
    api_version = body.get("apiVersion")
    return api_version[:_NAME].rpartition("/")[2] if type(api_version) is str else ""


@lru_cache(_REMEMBERED)
def _check_version(kind: CheckedKind, api_version: str, line: Line) -> Finding | None:
    group, _, version = api_version.rpartition("/")
    if fold(group) != fold(kind.group):
        return None
    is_served = version in kind.versions and line.knows(f"policy/{kind.kind}.{version}")
    if is_served and version not in kind.deprecated:
        return None
    newest = f"{kind.group}/{kind.served(line)[-1]}"
    if not is_served:
        return NOT_SERVED.at(("apiVersion",), f"{show(api_version)} is not served: write {newest}")
    if api_version != newest:
        return DEPRECATED.at(("apiVersion",), f"{show(api_version)} is deprecated: write {newest}")
    return None
