"""Judges the running Pods of one Namespace, and folds them into a row for each workload. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from webhook.diagnosis.check.page import Page
from webhook.diagnosis.dataplane.podstate import PodJudge, PodState
from webhook.diagnosis.dataplane.survey import likeness
from webhook.diagnosis.dataplane.workloads import Owner, controller
from webhook.kube.fields import text
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace

# How many Pods are remembered that others may be like.
_REMEMBERED: Final = 2_000


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some Pods of a workload are not meshed: an identifier, a sentence, and how many they are."""

    reason: str
    text: str
    pods: int


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    """A workload's running Pods. `outdated` are meshed ones whose proxy is not the one that they would get now."""

    workload: str
    pods: int
    meshed: int
    outdated: int
    reasons: tuple[Reason, ...]


@dataclass(slots=True)
class _Row:
    pods: int = 0
    meshed: int = 0
    outdated: int = 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)


class WorkloadTable:
    """Give it each page of a Namespace's Pods once, and ask for the `rows`."""

    def __init__(self, judge: PodJudge, namespace: Namespace) -> None:
        self._judge = judge
        self._namespace = namespace
        self._rows: dict[Owner, _Row] = {}
        self._judged: dict[object, PodState] = {}

    def add_parts(self, parts: Iterable[Page]) -> Iterator[str]:
        """Judge the Pods of parts of a page, one Pod at each step, which takes up to a millisecond. Returns, at the
        last step of a page, where the next one begins, "" after the last page."""
        following = ""
        for page in parts:
            following = page.following
            for pod in page.objects():
                self.add(pod)
                yield following
        yield following

    def clear(self) -> None:
        """Forget all Pods."""
        self._rows.clear()

    def add(self, pod: JSON) -> None:
        """Judge one Pod, as the API server returns it."""
        owner = owner_of(pod)
        state = self._state(pod, owner)
        row = self._rows.setdefault(owner, _Row())
        row.pods += 1
        row.meshed += state.meshed
        row.outdated += state.is_outdated
        if not state.meshed:
            row.reasons[state.reason, state.message] += 1

    def _state(self, pod: JSON, owner: Owner) -> PodState:
        key = likeness(pod)
        state = self._judged.get(key) if key is not None else None
        if state is None:
            state = self._judge.judge(pod, self._namespace, owner)
            if key is not None and len(self._judged) < _REMEMBERED:
                self._judged[key] = state
        return state

    def rows(self) -> tuple[WorkloadRow, ...]:
        """The workloads so far, by name."""
        return tuple(
            WorkloadRow(
                f"{owner.kind}/{owner.name}",
                row.pods,
                row.meshed,
                row.outdated,
                tuple(Reason(reason, message, pods) for (reason, message), pods in row.reasons.most_common()),
            )
            for owner, row in sorted(self._rows.items())
        )


def owner_of(pod: JSON) -> Owner:
    """What a Pod belongs to: its controller, or the Pod itself. A ReplicaSet whose name ends in the hash of a template
    is a Deployment's."""
    namespace, reference = text(pod, "metadata", "namespace"), controller(pod)
    if reference is None:
        return Owner("Pod", namespace, text(pod, "metadata", "name"))
    kind, name = text(reference, "kind"), text(reference, "name")
    hash_ = text(pod, "metadata", "labels", "pod-template-hash")
    if kind == "ReplicaSet" and hash_ and name.endswith(f"-{hash_}"):
        return Owner("Deployment", namespace, name.removesuffix(f"-{hash_}"))
    return Owner(kind, namespace, name)
