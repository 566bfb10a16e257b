"""What there is to say about one Pod, or a template of one. Paths lead from the Pod's root."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from webhook.findings.finding import Finding, Path
from webhook.injector import decision
from webhook.injector.advice import keys, namespaces, rules, running, starting, traffic
from webhook.injector.advice.facts import ANNOTATIONS as ANNOTATIONS
from webhook.injector.advice.facts import Facts
from webhook.injector.decision import INJECT, Decision
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh.releases import Line

Check = Callable[[Facts], Iterable[Finding]]

# What is looked for in a Pod that is injected, in this order.
CHECKS: Final[tuple[Check, ...]] = (namespaces.check, starting.check, traffic.check, running.check)

LABELS: Final[Path] = ("metadata", "labels")

_REASON_AT: Final[Mapping[str, Path]] = {
    decision.HOST_NETWORK: ("spec", "hostNetwork"),
    decision.SIDECAR_EXISTS: ("spec", "containers"),
    decision.NO_TOKEN: ("spec", "automountServiceAccountToken"),
    decision.INVALID_AT_WORKLOAD: (*ANNOTATIONS, INJECT),
    decision.INVALID_AT_NAMESPACE: (),
}


def about_injected(facts: Facts) -> list[Finding]:
    """What there is to say about a Pod that is injected, beside its settings."""
    findings: list[Finding] = []
    for check in CHECKS:
        findings += check(facts)
    return findings


def about_skipped(subject: Subject, namespace: Namespace | None, verdict: Decision) -> Iterator[Finding]:
    """What to tell whoever asks for injection and does not get it; nothing where nobody asks."""
    annotations = namespace.annotations if namespace is not None else {}
    if not decision.asks(subject, annotations):
        return
    name = namespace.name if namespace is not None else ""
    for reason in verdict.reasons:
        if reason in _REASON_AT:
            rule = rules.VALUE if reason in _VALUES else rules.SKIPPED
            sentence = decision.explain(reason, subject, annotations, name)
            yield rule.at(_REASON_AT[reason], f"not injected: {sentence}")


_VALUES: Final = (decision.INVALID_AT_WORKLOAD, decision.INVALID_AT_NAMESPACE)
# The rules of what is said about a Pod that asks for injection and does not get it.
OF_SKIPPED: Final = (rules.VALUE, rules.SKIPPED)


def about_keys(subject: Subject, namespace: Namespace | None, known: frozenset[str], line: Line) -> list[Finding]:
    """Annotations and labels that look like Linkerd's and do nothing. `known` are the settings of the release line."""
    findings = [
        rules.UNKNOWN.at((*ANNOTATIONS, key), sentence)
        for key in keys.doubtful(subject.pod_annotations, known)
        if (sentence := keys.unknown(key, known, line))
    ]
    findings += [
        rules.MISPLACED.at((*LABELS, key), sentence)
        for key in keys.ours(subject.pod_labels)
        if (sentence := keys.label(key))
    ]
    if namespace is not None:
        findings += _about_namespace(namespace, subject, known, line)
    return findings


def _about_namespace(namespace: Namespace, subject: Subject, known: frozenset[str], line: Line) -> list[Finding]:
    """What was meant for the Pods of the Namespace and does not reach them."""
    at = f"Namespace {namespace.name}"
    findings = [
        rules.UNKNOWN.at((), f"{at}: {sentence}")
        for key in keys.doubtful(namespace.annotations, known)
        if key not in subject.pod_annotations and (sentence := keys.unknown(key, known, line))
    ]
    if INJECT in namespace.labels and INJECT not in namespace.annotations:
        findings.append(rules.MISPLACED.at((), f"{at}: {keys.label(INJECT)}"))
    return findings
