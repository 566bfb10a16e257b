"""The validating webhooks: check the object of a request, and turn the findings into an answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Protocol

from webhook.cluster.interface import Catalog
from webhook.findings.finding import Finding, Severity, show
from webhook.mesh.releases import Line
from webhook.policy import registry
from webhook.policy.objectreferences import fold, is_foreign
from webhook.policy.regex.judge import Judge, judge_for
from webhook.policy.regex.tokens import shown
from webhook.review import JSON, AdmissionRequest, Answer, GroupVersionKind, ReviewError, deny

SP_VALIDATOR: Final = "sp-validator"
POLICY_VALIDATOR: Final = "policy-validator"
VALIDATORS: Final = (SP_VALIDATOR, POLICY_VALIDATOR)

# The number of findings in the message of a refusal; its causes list all of them.
_SPELLED_OUT: Final = 10


class RequestJudge(Protocol):
    """Judges the regular expressions of one request. Those without a verdict are in `unknown` until `settle`."""

    @property
    def unknown(self) -> Collection[str]:
        """The patterns of the request that have no verdict yet."""

    @property
    def late(self) -> Collection[str]:
        """The patterns of the request that could not be judged in time."""

    def __call__(self, pattern: str) -> str | None:
        """What is wrong with a pattern, "" if it is valid, None if there is no verdict yet."""

    async def settle(self) -> None:
        """Have the unknown patterns judged, in bounded time."""


class _ImmediateJudge:
    """A `RequestJudge` that knows every verdict at once, for commands that may wait."""

    unknown: Collection[str] = ()
    late: Collection[str] = ()

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def __call__(self, pattern: str) -> str | None:
        return self._judge(pattern)

    async def settle(self) -> None:
        """Do nothing, as every pattern has a verdict."""


def judging_at_once(line: Line) -> RequestJudge:
    """A judge that compiles each pattern at once, by the engine of the release line."""
    return _ImmediateJudge(judge_for(line))


class Validator:
    """A validating webhook. `line`, `judge` and `cluster_domain` (which returns "" if it is not known) are called for
    each request, as the configuration may change.

    A kind that the release line does not validate, and later ones do, is allowed with a warning, as the line's own
    webhook configuration would not send it. With `strict` it is refused, as the line's own validator does.
    """

    def __init__(
        self,
        name: str,
        line: Callable[[], Line],
        catalog: Catalog,
        judge: Callable[[Line], RequestJudge] = judging_at_once,
        cluster_domain: Callable[[], str] = lambda: "",
        strict: bool = False,
    ) -> None:
        self.name = name
        self.path = f"/{name}"
        self._profiles = name == SP_VALIDATOR
        self._line = line
        self._catalog = catalog
        self._judge = judge
        self._cluster_domain = cluster_domain
        self._strict = strict

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Decide about one request. Waits only for regular expressions that take long to judge."""
        # Both once: after the wait for a verdict they may be another mesh's.
        line, cluster_domain = self._line(), self._cluster_domain()
        group, kind = self._kind(request.kind)
        if (
            registry.find(group, kind, line if self._strict else None) is None
            or (group == registry.LINKERD) != self._profiles
        ):
            return self._unsupported(request.kind, line)
        try:
            body = request.object
            if request.operation == "UPDATE" and _is_deleted(body):
                return Answer(decision="allowed", reason="being_deleted")
            others = () if request.operation == "CREATE" or self._profiles else (request.old_object,)
        except ReviewError as error:
            return deny(error.message, reason="bad_object")
        judge = self._judge(line)
        findings = self._check(group, kind, body, line, judge, others, cluster_domain)
        if judge.unknown:
            await judge.settle()
            findings = self._check(group, kind, body, line, judge, others, cluster_domain)
        if is_foreign(group, body):
            # The API server has checked it by the schema of its CRD, which may be another version than ours.
            findings = [finding for finding in findings if finding.severity is Severity.ERROR]
        # A pattern that could not be judged in time, as on a busy machine, is no reason to refuse the object.
        late = [registry.PATTERN_LATE.at((), _unchecked(pattern)) for pattern in judge.late]
        return _answer(request, findings + late + _compare(request, body))

    def _check(
        self,
        group: str,
        kind: str,
        body: Any,
        line: Line,
        judge: RequestJudge,
        others: tuple[Any, ...],
        cluster_domain: str,
    ) -> list[Finding]:
        return registry.check(
            group,
            kind,
            body,
            line=line,
            catalog=self._catalog,
            judge=judge,
            others=others,
            cluster_domain=cluster_domain,
        )

    def _kind(self, kind: GroupVersionKind) -> tuple[str, str]:
        # Linkerd's sp-validator reads every object as a ServiceProfile, whatever its kind.
        return (registry.LINKERD, "ServiceProfile") if self._profiles else (fold(kind.group), kind.kind)

    def _unsupported(self, kind: GroupVersionKind, line: Line) -> Answer:
        ours = [supported for supported in registry.KINDS if (supported.group == registry.LINKERD) == self._profiles]
        known = ", ".join(
            f"{supported.kind}.{supported.group}" for supported in ours if not supported.row or line.has(supported.row)
        )
        what = show(f"{kind.kind}.{kind.version}.{kind.group}")
        return deny(
            f"unsupported resource type {what}: {line.name} validates {known}; "
            "take others out of the webhook configuration's rules",
            reason="unsupported_kind",
        )


def _unchecked(pattern: str) -> str:
    return (
        f"the regular expression {shown(pattern)} was not checked, as judging it takes too long: lower its counted "
        "repetitions, or simplify it"
    )


def _is_deleted(body: Any) -> bool:
    """Whether an object is being deleted: an update must then be allowed to remove its finalizers."""
    metadata = body.get("metadata") if type(body) is dict else None
    return type(metadata) is dict and type(metadata.get("deletionTimestamp")) is str


def _compare(request: AdmissionRequest, body: Any) -> list[Finding]:
    """Warn of a request whose kind, resource and object do not agree. Linkerd checks the object as one of the request's
    kind then, and refuses nothing for it."""
    findings = []
    kind = request.kind
    if type(body) is dict:
        api_version, object_kind = body.get("apiVersion"), body.get("kind")
        group = api_version.rpartition("/")[0] if type(api_version) is str else ""
        if type(object_kind) is str and (fold(object_kind), fold(group)) != (fold(kind.kind), fold(kind.group)):
            message = (
                f"the object's kind is {show(object_kind)}, and the request's, {kind.kind}.{kind.group}, counts: "
                "write one in both"
            )
            findings.append(registry.OBJECT_DIFFERS.at(("kind",), message))
    resource = request.resource
    if resource.resource and fold(resource.resource) not in _plurals(fold(kind.kind)):
        message = (
            f"the request names the resource {resource.resource} and the object was checked as {kind.kind}, the "
            "request's kind: write the resource of that kind"
        )
        findings.append(registry.OBJECT_DIFFERS.at((), message))
    return findings


def _plurals(kind: str) -> tuple[str, str]:
    return kind + "s", kind[:-1] + "ies"


def _answer(request: AdmissionRequest, findings: Sequence[Finding]) -> Answer:
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    warnings = [finding.warning for finding in findings if finding.severity is not Severity.ERROR]
    if not errors:
        rules = ",".join(dict.fromkeys(finding.rule.id for finding in findings))
        return Answer(decision="allowed", reason=rules, warnings=warnings, audit={"decision": "allowed"})
    answer = deny(
        _message(request, errors),
        code=422,
        status_reason="Invalid",
        reason=",".join(dict.fromkeys(finding.rule.id for finding in errors)),
    )
    answer.warnings = warnings
    answer.audit = {"decision": "denied", "reason": answer.reason}
    answer.details = {
        "name": request.name,
        "group": request.kind.group,
        "kind": request.kind.kind,
        "causes": [_cause(finding) for finding in errors],
    }
    return answer


def _cause(finding: Finding) -> JSON:
    return {"reason": finding.rule.reason, "message": finding.message, "field": finding.field}


def _message(request: AdmissionRequest, errors: Sequence[Finding]) -> str:
    what = f'{request.kind.kind}.{request.kind.group} "{request.name}" is invalid'
    if len(errors) == 1:
        return f"{what}: {errors[0].text}"
    lines = [f"* {finding.text}" for finding in errors[:_SPELLED_OUT]]
    if len(errors) > _SPELLED_OUT:
        lines.append(f"* and {len(errors) - _SPELLED_OUT} more")
    return "\n".join((f"{what}: {len(errors)} errors", *lines))
