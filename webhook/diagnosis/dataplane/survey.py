"""Folds the Pods of a cluster, one after the other, into what there is to tell of them by workload. Pure.

Of a Pod nothing is kept, and of a workload a small record, if there is something to tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

import orjson

from webhook.diagnosis.dataplane.causes import ANCHORS
from webhook.diagnosis.dataplane.drift import Drift
from webhook.diagnosis.dataplane.podstate import BEFORE, REMOVED, UNREACHABLE, PodJudge, PodState, moment, sentence
from webhook.diagnosis.dataplane.restart import Advice, advice
from webhook.diagnosis.dataplane.workloads import Owner, Remedy, Workloads, controller, remedy_of
from webhook.injector.removal import is_added
from webhook.kube.fields import mapping, mappings, sequence, text, texts
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace

Why = Literal["unmeshed", "outdated"]

# How many differences of a workload's proxies are kept, and how many workloads of which there is something to tell.
_DRIFTS: Final = 20
MOST: Final = 10_000
# Lists are in the order of Namespaces, so that of Pods judged before only those of one Namespace matter.
_REMEMBERED: Final = 2_000


@dataclass(frozen=True, slots=True)
class Plight:
    """What is to be told of a workload: `pods` of its Pods have no proxy (`unmeshed`) or another one than they would
    get now (`outdated`).

    `reason` is why they have none (`podstate`), "" for outdated ones, and `drift` how the proxy of the first of them
    differs. `pod` is the name of one of them, `newest` when the newest of them was created.
    """

    owner: Owner
    why: Why
    pods: int
    remedy: Remedy
    reason: str
    drift: tuple[Drift, ...]
    pod: str
    newest: datetime | None

    @property
    def advice(self) -> Advice:
        """What mends it."""
        return advice(self.owner, self.remedy, self.pod)

    @property
    def message(self) -> str:
        """What is wrong, as a sentence without the workload's name."""
        one = self.pods == 1
        pods = "its Pod" if one else f"{self.pods} of its Pods"
        if self.owner.kind == "Pod":
            pods = "it"
        if self.why == "unmeshed":
            why = sentence(self.reason, self.owner.namespace, several=not one)
            return f"{pods} {'has' if one else 'have'} no proxy: {why}"
        return f"the proxy of {pods} is not the one that it would get now: {differences(self.drift)}"


def differences(drift: Sequence[Drift]) -> str:
    """What differs, as a phrase that names each cause once, with values where they are short."""
    causes: dict[str, str] = {}
    for difference in drift:
        if difference.why not in causes:
            causes[difference.why] = _difference(difference)
    named = list(causes.values())
    rest = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return "; ".join(named[:3]) + rest


def _difference(drift: Drift) -> str:
    if drift.why == ANCHORS:
        return "other trust anchors"
    if drift.is_container:
        name = drift.path.partition("[")[2].removesuffix("]")
        return f"{drift.why} ({name} {'is there now' if drift.would is None else 'is not there'})"
    shown = [_shown(value) for value in (drift.now, drift.would)]
    return f"{drift.why} ({shown[0]} now, would be {shown[1]})" if all(shown) else drift.why


def _shown(value: object) -> str:
    """A value if it is short enough for a sentence."""
    if value is None:
        return "none"
    written = value if isinstance(value, str) else orjson.dumps(value).decode()
    return written if written and len(written) <= 100 and "\n" not in written else ""


@dataclass(frozen=True, slots=True)
class DataPlane:
    """What the Pods of a cluster are like: how many were seen and are meshed, and the plights, in the order in which
    the workloads came. `more` is how many workloads were left out."""

    pods: int = 0
    meshed: int = 0
    unmeshed: tuple[Plight, ...] = ()
    outdated: tuple[Plight, ...] = ()
    more: int = 0

    def namespaces(self) -> tuple[str, ...]:
        """The Namespaces of which it matters when they were annotated."""
        return tuple(
            dict.fromkeys(workload.owner.namespace for workload in self.unmeshed if workload.reason == UNREACHABLE)
        )

    def dated(self, annotated: Mapping[str, datetime | None]) -> DataPlane:
        """The same, where it is known when Namespaces got the annotation to inject: their Pods that are older were
        created before that."""

        def told(plight: Plight) -> Plight:
            since = annotated.get(plight.owner.namespace)
            if plight.reason == UNREACHABLE and since and plight.newest and plight.newest < since:
                return replace(plight, reason=BEFORE)
            return plight

        return replace(self, unmeshed=tuple(map(told, self.unmeshed)))


class Survey:
    """Give it each Pod once (`add`), in the order of a list, and ask for the `result`."""

    def __init__(
        self,
        judge: PodJudge,
        namespaces: Mapping[str, Namespace],
        workloads: Workloads,
        limit_ranges: Mapping[str, Sequence[JSON]] | None = None,
        spared: Iterable[str] = (),
    ) -> None:
        """`limit_ranges` are the LimitRanges of each Namespace, `spared` Namespaces whose Pods are not told."""
        self._judge = judge
        self._namespaces = namespaces
        self._workloads = workloads
        self._limit_ranges = limit_ranges or {}
        self._spared = frozenset(spared)
        self._within = ""
        self._judged: dict[object, PodState] = {}
        self._plights: dict[tuple[Why, Owner], _Tally] = {}
        self._more: set[int] = set()
        self.pods = 0
        self.meshed = 0

    def add(self, pod: JSON) -> None:
        """Judge one Pod, as the API server returns it."""
        name = text(pod, "metadata", "namespace")
        namespace = self._namespaces.get(name) or Namespace(name, {}, {})
        owner = self._workloads.owner(pod)
        state = self._state(pod, namespace, owner)
        self.pods += 1
        self.meshed += state.meshed
        if name not in self._spared and (state.is_unmeshed or state.is_outdated):
            self._note("unmeshed" if state.is_unmeshed else "outdated", owner, pod, state)

    def _state(self, pod: JSON, namespace: Namespace, owner: Owner) -> PodState:
        """The state, from memory for a Pod like one that was judged before."""
        key = likeness(pod)
        if namespace.name != self._within or len(self._judged) >= _REMEMBERED:
            self._within, self._judged = namespace.name, {}
        state = self._judged.get(key) if key is not None else None
        if state is None:
            workload = self._workloads.template_of(pod)
            ranges = self._limit_ranges.get(namespace.name, ())
            state = self._judge.judge(pod, namespace, owner, workload, limit_ranges=ranges)
            if key is not None:
                self._judged[key] = state
        return state

    def _note(self, why: Why, owner: Owner, pod: JSON, state: PodState) -> None:
        tally = self._plights.get((why, owner))
        if tally is None:
            if len(self._plights) >= MOST:
                self._more.add(hash((why, owner)))
                return
            tally = self._plights[why, owner] = _Tally(state, text(pod, "metadata", "name"))
        tally.add(state, moment(text(pod, "metadata", "creationTimestamp")))

    def result(self) -> DataPlane:
        """What there is to tell of the Pods so far."""
        plights = [
            tally.plight(why, owner, remedy_of(owner, self._workloads.get(owner)))
            for (why, owner), tally in self._plights.items()
        ]
        return DataPlane(
            self.pods,
            self.meshed,
            tuple(plight for plight in plights if plight.why == "unmeshed"),
            tuple(plight for plight in plights if plight.why == "outdated"),
            len(self._more),
        )


class _Tally:
    """The Pods of one workload of which there is something to tell."""

    __slots__ = ("drift", "newest", "pod", "pods", "reason")

    def __init__(self, state: PodState, pod: str) -> None:
        self.pods, self.pod = 0, pod
        self.reason = state.reason
        self.drift = state.drift[:_DRIFTS]
        self.newest: datetime | None = None

    def add(self, state: PodState, created: datetime | None) -> None:
        self.pods += 1
        if self.reason == REMOVED:
            # That some were injected says nothing of the others.
            self.reason = state.reason
        if created is not None and (self.newest is None or created > self.newest):
            self.newest = created

    def plight(self, why: Why, owner: Owner, remedy: Remedy) -> Plight:
        reason = self.reason if why == "unmeshed" else ""
        return Plight(owner, why, self.pods, remedy, reason, self.drift, self.pod, self.newest)


def likeness(pod: JSON) -> object | None:
    """What Pods of one template have in common that are in the same state; None for a Pod that is like no other: one
    that was not made from a template whose version is known."""
    labels = texts(pod, "metadata", "labels")
    reference = controller(pod)
    version = labels.get("pod-template-hash") or labels.get("controller-revision-hash")
    if reference is None or not (version or text(reference, "kind") == "Job"):
        return None
    spec = mapping(pod, "spec")
    added, shape = [], []
    for key in ("initContainers", "containers"):
        for container in mappings(spec, key):
            shape.append(text(container, "name"))
            if is_added(container, first=key == "initContainers"):
                added.append(_without_own_mounts(container))
    annotations = texts(pod, "metadata", "annotations")
    marks = [(element, value) for element, value in sorted((annotations | labels).items()) if "linkerd.io/" in element]
    digest = hashlib.blake2b(orjson.dumps([added, marks]), digest_size=16).digest()
    phase, ends = text(pod, "status", "phase"), bool(text(pod, "metadata", "deletionTimestamp"))
    over = phase in ("Succeeded", "Failed") or ends
    return (text(reference, "uid") or text(reference, "name"), version, over, tuple(shape), digest)


def _without_own_mounts(container: JSON) -> JSON:
    """A container without the names of volumes that are others in every Pod."""
    mounts = [
        mount for mount in sequence(container, "volumeMounts") if not text(mount, "name").startswith("kube-api-access-")
    ]
    return {**container, "volumeMounts": mounts}
