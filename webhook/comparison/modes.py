"""The ways in which a Pod can be redirected and its proxy run: each is compared for itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from webhook.comparison.compare import Comparer, PodComparison, mode_of, plain_pod
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


def given(walk: Walk, pods: Iterable[Given]) -> list[PodComparison]:
    """The Pods of manifests, in the mode of the values."""
    comparer = Comparer(walk, mode_of(walk))
    return [comparer.compare(one) for one in pods]
