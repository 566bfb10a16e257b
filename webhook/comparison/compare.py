"""Compares what two releases of Linkerd make of the same Pods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from webhook.comparison import todo
from webhook.comparison.injection import Traced
from webhook.comparison.sides import Given, Side, Step, Walk, defaults, leaves
from webhook.injector.decision import INJECT
from webhook.injector.shapes import Difference, Kind, Path, differences, shape
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh.releases import ROWS
from webhook.review import JSON

Place = Literal["Pod", "Namespace"]

_VERSION: Final = ("annotations", "linkerd.io/proxy-version")
PROXY_VERSION: Final = "proxy version"


class Change(NamedTuple):
    """A change of a Pod. `since` is the release that it came with, empty where the values have changed and no release;
    `todo` is what to do, empty for nothing."""

    path: str
    kind: Kind
    old: Any
    new: Any
    since: str
    todo: str


class PodComparison(NamedTuple):
    """What changes in one Pod. `mode` is how it is redirected and where its proxy runs; `before` and `after` are the
    Pods, as they are created."""

    object: str
    mode: str
    changes: tuple[Change, ...]
    before: JSON
    after: JSON
    injection: str


class AnnotationChange(NamedTuple):
    """An annotation that begins or ceases to count: on Pods (`at` is `Pod`), or only as one that Pods take over from
    their Namespace (`Namespace`). `objects` have it."""

    annotation: str
    at: Place
    begins: bool
    since: str
    todo: str
    objects: tuple[str, ...] = ()


class DefaultChange(NamedTuple):
    """A setting with another default; None where a release does not have it."""

    key: str
    old: Any
    new: Any


class VerdictChange(NamedTuple):
    """An object whose verdict changes: the errors with each release; empty where it is allowed."""

    object: str
    file: str
    line: int
    old: tuple[str, ...]
    new: tuple[str, ...]


class ProxyCount(NamedTuple):
    """How many Pods run a proxy of a version, and in how many Namespaces."""

    version: str
    pods: int
    namespaces: int


@dataclass
class Comparison:
    """All that there is to tell. `before` and `after` are the releases' names."""

    before: str
    after: str
    pods: list[PodComparison] = field(default_factory=list)
    annotations: list[AnnotationChange] = field(default_factory=list)
    defaults: list[DefaultChange] = field(default_factory=list)
    policies: list[VerdictChange] = field(default_factory=list)
    proxies: list[ProxyCount] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether anything changes."""
        return bool(any(pod.changes for pod in self.pods) or self.annotations or self.defaults or self.policies)


class Comparer:
    """Compares Pods on one way from release to release. The same change of many Pods is traced back once."""

    def __init__(self, walk: Walk, mode: str) -> None:
        self._walk = walk
        self._mode = mode
        self._traced: dict[tuple[Any, ...], str] = {}

    def compare(self, given: Given) -> PodComparison:
        """What changes in a Pod."""
        pod = Traced(given)
        before, after = map(pod.injection, self._walk.ends)
        # Both ends were loaded, so there are injectors.
        assert before is not None  # noqa: S101
        assert after is not None  # noqa: S101
        old, new = shape(*before), shape(*after)
        result = differences(old, new)
        version = _version_change(result)
        others = [one for one in result if not _is_of_version(one, version)]
        since = self._trace(given, pod, others, after.outcome) if others else {}
        changes = [
            Change(one.where, one.kind, one.old, one.new, since[one.path], todo.about(one))
            for one in sorted(others, key=_order)
        ]
        return PodComparison(given.name, self._mode, (*version, *changes), before.pod, after.pod, after.outcome)

    def _trace(self, given: Given, pod: Traced, result: list[Difference], outcome: str) -> dict[Path, str]:
        """The release that each change came with, by path."""
        has = tuple(sorted(_ROWS & {*given.subject.pod_annotations, *given.namespace.annotations}))
        keys = {one.path: (one.path, repr(one.old), repr(one.new), has) for one in result}
        for path, key in keys.items():
            if key not in self._traced:
                self._traced[key] = self._walk.since(_at(pod, path, outcome))
        return {path: self._traced[key] for path, key in keys.items()}


_ROWS: Final = frozenset(row.removeprefix("annotation/") for row in ROWS if row.startswith("annotation/"))


def _at(pod: Traced, path: Path, outcome: str) -> Callable[[Step], Any]:
    """What there is at a path with each release; None with one that makes something else of the Pod altogether."""

    def at(step: Step) -> Any:
        made = pod.injection(step)
        if made is None or (path != ("injection",) and made.outcome != outcome):
            return None
        return pod.at(step, path)

    return at


def _version_change(result: Iterable[Difference]) -> tuple[Change, ...]:
    """The change of the proxy's version, which images, labels and annotations repeat."""
    return tuple(Change(PROXY_VERSION, one.kind, one.old, one.new, "", "") for one in result if one.path == _VERSION)


def _is_of_version(one: Difference, version: tuple[Change, ...]) -> bool:
    """Whether it says only that the version is another."""
    if one.path == _VERSION:
        return True
    if not version or len(one.path) != 3 or one.path[0] != "containers" or one.path[2] != "image":
        return False
    old, new = str(one.old).rpartition(":"), str(one.new).rpartition(":")
    return old[0] == new[0] and (old[2], new[2]) == (version[0].old, version[0].new)


_GROUPS: Final = ("injection", "containers", "volumes", "spec", "annotations", "labels")


def _order(one: Difference) -> tuple[int, str]:
    """By place: containers one after the other, and what has no container behind them."""
    container = one.path[1] if one.path[0] == "containers" else ""
    return _GROUPS.index(one.path[0]), container


def plain_pod(namespace: str = "default") -> Given:
    """A Pod of one container, in a Namespace that asks for injection."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "plain", "namespace": namespace},
        "spec": {"containers": [{"name": "app", "image": "app"}]},
    }
    return Given("a plain Pod", pod, Subject.of("Pod", pod), asking(namespace), None)


def asking(name: str) -> Namespace:
    """A Namespace that asks for injection, and says nothing else."""
    return Namespace(name, {INJECT: "enabled"}, {})


def counting_annotations(walk: Walk, given: Iterable[Given] | None) -> list[AnnotationChange]:
    """The annotations that begin or cease to count: those that the Pods or their Namespaces have; None for all."""
    on_pods: dict[str, list[str]] = {}
    on_namespaces: dict[str, list[str]] = {}
    for one in given or ():
        for key in {**one.subject.pod_annotations, **one.namespace.annotations}:
            on_pods.setdefault(key, []).append(one.name)
        for key in one.namespace.annotations:
            on_namespaces.setdefault(key, []).append(one.name)
    known = _changing(walk, "Pod", _known, None if given is None else on_pods)
    # What counts nowhere yet, or nowhere any more, is told above.
    told = {one.annotation for one in known}
    inherited = _changing(walk, "Namespace", _inheritable, None if given is None else on_namespaces)
    return [*known, *(one for one in inherited if one.annotation not in told)]


def _changing(
    walk: Walk, at: Place, counting: Callable[[Step], frozenset[str]], holders: Mapping[str, Sequence[str]] | None
) -> list[AnnotationChange]:
    first, last = map(counting, walk.ends)
    return [
        AnnotationChange(
            key,
            at,
            key in last,
            walk.since(lambda step, key=key: key in counting(step)),  # type: ignore[misc]
            todo.annotation(begins=key in last, is_present=holders is not None),
            tuple(holders[key]) if holders is not None else (),
        )
        for key in sorted(first ^ last)
        if holders is None or key in holders
    ]


def _known(step: Step) -> frozenset[str]:
    return step.injector.known if step.injector is not None else frozenset()


def _inheritable(step: Step) -> frozenset[str]:
    return step.injector.inheritable if step.injector is not None else frozenset()


# These only repeat the name of the release.
_VERSIONS: Final = ("linkerdVersion", "debugContainer.image.version")


def moved_defaults(before: Side, after: Side) -> list[DefaultChange]:
    """The settings whose default is another."""
    old, new = (dict(leaves(defaults(side.name, side.line))) for side in (before, after))
    return [
        DefaultChange(key, old.get(key), new.get(key))
        for key in sorted({*old, *new}.difference(_VERSIONS))
        if old.get(key) != new.get(key)
    ]


def mode_of(walk: Walk) -> str:
    """How the Pods of the release after the change are redirected, and where their proxy runs."""
    values = walk.after.values
    proxy = values.get("proxy")
    native = isinstance(proxy, dict) and proxy.get("nativeSidecar") is True
    names = ["CNI" if values.get("cniEnabled") is True else "init container"]
    if native and walk.after.line.has("value/proxy.nativeSidecar"):
        names = [*(["CNI"] if names == ["CNI"] else []), "native sidecar"]
    return ", ".join(names)
