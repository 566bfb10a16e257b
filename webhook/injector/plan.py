"""What the injector plans for one Pod: whether it injects it, with which settings, and what is wrong with these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from webhook.findings.finding import Finding
from webhook.findings.suppression import silenced
from webhook.injector.decision import INGRESS, INJECT, Decision
from webhook.injector.effective import IN_VALUES, Settings
from webhook.injector.refusal import Refusal
from webhook.injector.resolve import Resolved
from webhook.injector.settings import ADDITIONAL_ENV, Setting
from webhook.injector.subject import Subject

# `ports` are the ports of the Pod's containers and probes.
Place = Literal["pod", "namespace", "values", "ports"]


@dataclass(frozen=True, slots=True)
class Source:
    """One place that has a value for a setting.

    `name` is the annotation's key, or the path in Linkerd's values (`proxy.logLevel`). `value` is the annotation's text
    or the value in the values.
    """

    at: Place
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class PlannedSetting:
    """A setting of one Pod's proxy.

    `field` is its name in `effective.Settings`, and `value` is what the proxy gets. `source` has decided it, and
    `overrode` would decide it if that were not there, the next one first. `ignored` comes before `source` and has no
    effect: its value cannot be read, or another annotation hides it. The variables of `proxy-additional-env` are merged
    by name, so there `overrode` is what `source` was merged into.
    """

    field: str
    value: Any
    source: Source
    overrode: tuple[Source, ...] = ()
    ignored: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a Pod, or of the Pods of a template.

    `settings` has one entry for each setting that an annotation can change at this release line. Where `decision` is
    not to inject they are those that the Pod would get; for an object without a Pod there are none. `findings` are what
    is wrong or probably a mistake, also what the Pod silences; their paths lead from the Pod's root. `refusal` is why
    the injector refuses the Pod.
    """

    decision: Decision
    settings: tuple[PlannedSetting, ...]
    findings: tuple[Finding, ...]
    annotations: Mapping[str, str]
    refusal: Refusal | None = None

    @property
    def warnings(self) -> list[str]:
        """The findings as `kubectl` prints them, without those that the Pod's own annotation silences."""
        return [finding.warning for finding in silenced(self.findings, self.annotations)]


# The annotation of the injection itself decides one setting as well.
_INGRESS: Final = Setting(INJECT, "is_ingress")


def settings_of(
    rows: Sequence[Setting],
    inheritable: frozenset[str],
    defaults: Settings,
    resolved: Resolved,
    subject: Subject,
    namespace: Mapping[str, str],
) -> tuple[PlannedSetting, ...]:
    """Every setting of a Pod, with where its value comes from.

    `rows` are the annotations of the release line in the order in which they hide each other, `inheritable` those that
    a Pod takes over from its Namespace, `namespace` that one's annotations. `defaults` are the settings of a Pod
    without any annotation.
    """
    by_field: dict[str, list[Setting]] = {}
    for row in (*rows, _INGRESS):
        for field in (row.field, *row.also):
            by_field.setdefault(field, []).append(row)
    planned = []
    for field, those in by_field.items():
        candidates = [source for row in those for source in _candidates(row, inheritable, subject, namespace)]
        winner = _winner(those, resolved, subject, namespace)
        value = getattr(resolved.settings, field)
        by_default = Source("values", IN_VALUES[field], getattr(defaults, field))
        if field == "pod_inbound_ports":
            by_default = Source("ports", "", "" if winner else value)
        position = next((n for n, source in enumerate(candidates) if (source.name, source.at) == winner), None)
        if position is None:
            planned.append(PlannedSetting(field, value, by_default, (), tuple(candidates)))
            continue
        overrode = (*candidates[position + 1 :], by_default)
        planned.append(PlannedSetting(field, value, candidates[position], overrode, tuple(candidates[:position])))
    return tuple(planned)


def _candidates(
    row: Setting, inheritable: frozenset[str], subject: Subject, namespace: Mapping[str, str]
) -> Iterator[Source]:
    key = row.annotation
    # This one is read from the workload itself, not from its template.
    own = subject.annotations if key == ADDITIONAL_ENV and not subject.is_pod else subject.pod_annotations
    if key in own:
        yield Source("pod", key, own[key])
    if key in inheritable and key in namespace:
        yield Source("namespace", key, namespace[key])


def _winner(
    rows: Sequence[Setting], resolved: Resolved, subject: Subject, namespace: Mapping[str, str]
) -> tuple[str, str] | None:
    """The annotation that decides a setting and where it is; None where none does."""
    if rows[0] is _INGRESS:
        if subject.pod_annotations.get(INJECT, namespace.get(INJECT)) == INGRESS:
            return INJECT, "pod" if INJECT in subject.pod_annotations else "namespace"
        return None
    for row in rows:
        if row.annotation in resolved.sources:
            return row.annotation, resolved.sources[row.annotation][1]
    return None
