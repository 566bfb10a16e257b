"""The lines about the data plane: the Namespaces and workloads that ask for a proxy, and the Pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Section, line
from webhook.diagnosis.dataplane import podsecurity, quotas
from webhook.diagnosis.dataplane.callers import InjectorWebhook, ShutOut, shut_out
from webhook.diagnosis.dataplane.gather import webhooks_of
from webhook.diagnosis.dataplane.podsecurity import ENFORCE, violations
from webhook.diagnosis.dataplane.remedies import into_template, let_in, template_path
from webhook.diagnosis.dataplane.samples import Sample, samples
from webhook.diagnosis.dataplane.survey import Plight
from webhook.diagnosis.dataplane.workloads import Workload
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import NotAsked, Unseen, known, seen
from webhook.injector.decision import DISABLED, ENABLING, INJECT, VALID, want
from webhook.injector.inject import Injector
from webhook.kube.objects import Namespace
from webhook.mesh.spared import SPARED

_INJECTION: Final = "https://linkerd.io/2/features/proxy-injection/"
_STANDARDS: Final = "https://kubernetes.io/docs/concepts/security/pod-security-admission/"
_QUOTAS: Final = "https://kubernetes.io/docs/concepts/policy/resource-quotas/"
_SELECTORS: Final = "https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-namespaceselector"

NOT_INSTALLED: Final = NotAsked("linkerd-webhook is not installed, so its Pods are those of Linkerd's own injector")
_UNKNOWN: Final = object()

_ANNOTATION: Final = f"metadata.annotations[{INJECT}]"
_LABEL: Final = f"metadata.labels[{INJECT}]"


def _namespaces(facts: ClusterFacts) -> Iterator[Namespace]:
    """Those that are looked at, in the order of their names. Linkerd's own is never injected."""
    if known(facts.installation, _UNKNOWN) is None:
        raise Unseen(NOT_INSTALLED)
    workloads = seen(facts.namespaces)
    for name in sorted(workloads):
        if name != facts.namespace and facts.only in ("", name):
            yield workloads[name]


def _workloads(facts: ClusterFacts) -> Iterator[tuple[Workload, Namespace]]:
    """The workloads that are looked at, each with its Namespace; a CronJob's Jobs are not."""
    namespaces = {namespace.name: namespace for namespace in _namespaces(facts)}
    for workload in seen(facts.plane.workloads):
        namespace = namespaces.get(workload.owner.namespace)
        if namespace is not None and workload.above is None:
            yield workload, namespace


def _asks(value: str) -> bool:
    return value not in ("", DISABLED)


def _webhooks(facts: ClusterFacts) -> tuple[InjectorWebhook, ...]:
    return seen(webhooks_of(facts.configurations, facts.namespace))


@line(
    Section.DATA_PLANE,
    "shut-out",
    "Namespaces that ask for proxies are let in by the injector's selectors",
    hint=_SELECTORS,
    proxy_error=True,
)
def shut_outs(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether a selector keeps the injector away from what asks for it."""
    webhooks = _webhooks(facts)
    told: set[str] = set()
    for namespace in _namespaces(facts):
        value = namespace.annotations.get(INJECT, "")
        out = shut_out(webhooks, namespace) if _asks(value) else None
        if out is not None:
            told.add(namespace.name)
            message = f"its Pods get no proxy: {out.text()}"
            yield check.warning(namespaced(namespace), _ANNOTATION, message, _let_in(out, namespace), value)
    for workload, namespace in _workloads(facts):
        value = workload.template_annotations.get(INJECT, "")
        if namespace.name in told or not (value in ENABLING or namespace.annotations.get(INJECT, "") in ENABLING):
            continue
        out = shut_out(webhooks, namespace, workload.template_labels) if value != DISABLED else None
        if out is not None:
            message = f"its Pods get no proxy: {out.text()}"
            yield check.warning(workload.object, f"{template_path(workload)}metadata", message, _let_in(out, namespace))


def namespaced(namespace: Namespace) -> str:
    """A Namespace, as findings name it."""
    return f"Namespace {namespace.name}"


def _let_in(out: ShutOut, namespace: Namespace) -> str:
    stop = f"or remove the annotation: kubectl annotate namespace {namespace.name} {INJECT}-"
    if namespace.name in SPARED:
        return f"webhooks leave this Namespace alone in every installation, so {stop.removeprefix('or ')}"
    result = let_in(out, namespace)
    if out.selector == "objectSelector":
        return result.line()
    return f"{result.line()}, {stop}"


@line(
    Section.DATA_PLANE,
    "inject-value",
    f"annotations {INJECT} have a value that Linkerd knows",
    hint=_INJECTION,
    proxy_error=True,
)
def inject_values(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether a Namespace or a template asks in words that nobody understands."""
    for namespace in _namespaces(facts):
        value = namespace.annotations.get(INJECT, "")
        if value not in VALID:
            fix = f"{want(value)}: kubectl annotate --overwrite namespace {namespace.name} {INJECT}=enabled"
            yield check.warning(namespaced(namespace), _ANNOTATION, "no Pod of it is injected", fix, f'"{value}"')
    for workload, _ in _workloads(facts):
        value = workload.template_annotations.get(INJECT, "")
        if value not in VALID:
            field = f"{template_path(workload)}{_ANNOTATION}"
            yield check.warning(workload.object, field, "none of its Pods is injected", want(value), f'"{value}"')


@line(Section.DATA_PLANE, "inject-label", f"{INJECT} is not set as a label", hint=_INJECTION, proxy_error=True)
def inject_labels(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether somebody wrote a label in place of the annotation."""
    message = "is a label, which does nothing: Linkerd reads the annotation of that name"
    for namespace in _namespaces(facts):
        value = namespace.labels.get(INJECT, "")
        if value and INJECT not in namespace.annotations:
            fix = f"write the annotation: kubectl annotate namespace {namespace.name} {INJECT}={_meant(value)}"
            yield check.warning(namespaced(namespace), _LABEL, message, fix, value)
    for workload, _ in _workloads(facts):
        for labels, at in ((workload.template_labels, template_path(workload)), (workload.labels, "")):
            value = labels.get(INJECT, "")
            if value and INJECT not in workload.template_annotations:
                fix = f"write it into {template_path(workload)}{_ANNOTATION}"
                yield check.warning(workload.object, f"{at}{_LABEL}", message, fix, value)
                break


def _meant(value: str) -> str:
    return value if value in VALID else "enabled"


@line(
    Section.DATA_PLANE,
    "inject-place",
    f"annotations {INJECT} stand on Pod templates",
    hint=_INJECTION,
    proxy_error=True,
)
def inject_places(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether a workload has the annotation on itself, beside its Pod template, and that would change something."""
    for workload, namespace in _workloads(facts):
        value = workload.annotations.get(INJECT, "")
        if not value or INJECT in workload.template_annotations:
            continue
        meshes = namespace.annotations.get(INJECT, "") in ENABLING
        if meshes == _asks(value):
            continue
        message = "does nothing there: the Pods are made from the Pod template, which does not have it"
        command = into_template(workload, value).command
        fix = f"move it to {template_path(workload)}{_ANNOTATION}{f': {command}' if command else ''}"
        yield check.warning(workload.object, _ANNOTATION, message, fix, value)


@line(
    Section.DATA_PLANE,
    "unmeshed",
    "Pods that should have a proxy have one",
    hint=_INJECTION,
    proxy_error=True,
)
def unmeshed(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Which workloads have Pods without a proxy that would get one now."""
    pods = seen(facts.plane.pods)
    yield from _told(pods.unmeshed, check)
    if pods.more:
        message = f"{pods.more} more workloads have Pods without a proxy, or with another one than they would get now"
        yield check.warning("", "", message, "look at one Namespace with -n NAMESPACE")


# Linkerd's own check has a line for the version alone.
@line(
    Section.DATA_PLANE,
    "outdated",
    "data plane proxies are what they would be if created now",
    hint="l5d-data-plane-version",
)
def outdated(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Which workloads have Pods with another proxy than they would get now."""
    return _told(seen(facts.plane.pods).outdated, check)


def _told(plights: Iterable[Plight], check: Check) -> Iterator[CheckFinding]:
    for plight in plights:
        yield check.warning(plight.owner.object, "", plight.message, plight.advice.line())


class _Sampler:
    """Makes the samples of Namespaces."""

    def __init__(self, facts: ClusterFacts) -> None:
        self._injector = Injector(seen(facts.mesh))
        self._webhooks = _webhooks(facts)
        self._within: dict[str, list[Workload]] = {}
        for workload, namespace in _workloads(facts):
            self._within.setdefault(namespace.name, []).append(workload)

    def samples(self, namespace: Namespace) -> Iterator[Sample]:
        """A Pod for each kind of Pods that the workloads of a Namespace would make."""
        return samples(self._injector, self._webhooks, namespace, self._within.get(namespace.name, ()))


@line(
    Section.DATA_PLANE,
    "pod-security",
    "Pod Security levels of meshed Namespaces let Linkerd's containers in",
    hint=_STANDARDS,
)
def pod_security(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the API server would refuse injected Pods for the level that their Namespace enforces."""
    sampler = None
    for namespace in _namespaces(facts):
        level = namespace.labels.get(ENFORCE, "")
        if level not in (podsecurity.BASELINE, podsecurity.RESTRICTED):
            continue
        sampler = sampler or _Sampler(facts)
        result = chain.from_iterable(violations(sample, level) for sample in sampler.samples(namespace))
        broken = list(dict.fromkeys(result))
        if broken:
            message = f"the API server refuses Pods once they are injected: {'; '.join(broken)}"
            fix = (
                "run Linkerd's CNI plugin in place of linkerd-init (cniEnabled in Linkerd's values), or lower the "
                f"level: kubectl label --overwrite namespace {namespace.name} {ENFORCE}=privileged"
            )
            yield check.warning(namespaced(namespace), f"metadata.labels[{ENFORCE}]", message, fix, level)


@line(
    Section.DATA_PLANE,
    "quota",
    "ResourceQuotas and LimitRanges of meshed Namespaces let Linkerd's containers in",
    hint=_QUOTAS,
)
def quota(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the API server would refuse injected Pods for what its Namespace wants of every container."""
    all_quotas, all_ranges = seen(facts.plane.quotas), seen(facts.plane.limit_ranges)
    sampler = None
    for namespace in _namespaces(facts):
        wanted, ranges = all_quotas.get(namespace.name, ()), all_ranges.get(namespace.name, ())
        if not wanted and not ranges:
            continue
        sampler = sampler or _Sampler(facts)
        refused = chain.from_iterable(
            (*quotas.lacking(sample, wanted, ranges), *quotas.beyond(sample, ranges))
            for sample in sampler.samples(namespace)
        )
        for element in quotas.merged(refused):
            message = f"{element.message}, so the API server refuses Pods once they are injected"
            yield check.warning(element.object, element.field, message, element.fix)


LINES: Final = (
    shut_outs,
    inject_values,
    inject_labels,
    inject_places,
    unmeshed,
    outdated,
    pod_security,
    quota,
)
