"""The ways in which a Pod can be redirected and its proxy run: each is compared for itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from webhook.comparison.compare import Change, Comparer, PodComparison, mode_of, plain_pod
from webhook.comparison.sides import Given, Side, Walk, merged

_NATIVE: Final = "value/proxy.nativeSidecar"


def plain(before: Side, after: Side, *, has_values: bool) -> list[PodComparison]:
    """A plain Pod in each mode that the values allow. Without values of an admin's own, these are all.

    With such values they say whether there is an init container or CNI; a native sidecar is compared besides, as an
    annotation can ask for it.
    """
    out: dict[str, PodComparison] = {}
    for changed in _variants(before, after, has_values=has_values):
        walk = Walk(*(replace(side, values=merged(side.values, changed)) for side in (before, after)))
        mode = mode_of(walk)
        if mode not in out:
            out[mode] = Comparer(walk, mode).compare(plain_pod())
    return list(out.values())


def _variants(before: Side, after: Side, *, has_values: bool) -> list[dict[str, Any]]:
    native = {"proxy": {"nativeSidecar": True}}
    knows = before.line.has(_NATIVE) or after.line.has(_NATIVE)
    if has_values:
        return [{}, native] if knows else [{}]
    ordinary = {"proxy": {"nativeSidecar": False}}
    init, cni = {"cniEnabled": False, **ordinary}, {"cniEnabled": True, **ordinary}
    return [init, cni, *([{"cniEnabled": False, **native}] if knows else [])]


class Shared(NamedTuple):
    """Changes that a Pod has in the same modes. `is_all`: these are all modes in which it was compared."""

    modes: tuple[str, ...]
    changes: tuple[Change, ...]
    is_all: bool


def shared(pods: Sequence[PodComparison]) -> list[Shared]:
    """The changes of one Pod that was compared in several modes, each once: first those of all modes, then those of the
    others in the order of the modes."""
    modes_of: dict[str, list[str]] = {}
    first: dict[str, Change] = {}
    for pod in pods:
        for change in pod.changes:
            key = repr(change)
            modes_of.setdefault(key, []).append(pod.mode)
            first.setdefault(key, change)
    together: dict[tuple[str, ...], list[Change]] = {}
    for key, modes in modes_of.items():
        together.setdefault(tuple(modes), []).append(first[key])
    shared = [Shared(modes, tuple(changes), len(modes) == len(pods)) for modes, changes in together.items()]
    return sorted(shared, key=lambda one: not one.is_all)


def given(walk: Walk, pods: Iterable[Given]) -> list[PodComparison]:
    """The Pods of manifests, in the mode of the values."""
    comparer = Comparer(walk, mode_of(walk))
    return [comparer.compare(one) for one in pods]
