"""Misspelt apiVersions and kinds of objects that are meant to be Linkerd's.

The API server refuses these objects, so that no webhook receives them: only `validate` reports them.
"""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import Final

from webhook.findings.finding import Finding, Severity, declare, show
from webhook.policy.objectreferences import GATEWAY, POLICY, fold
from webhook.policy.registry import KINDS, LINKERD

UNKNOWN_KIND = declare(
    "kind-unknown",
    Severity.WARNING,
    "FieldValueNotSupported",
    "The API server does not know an object's apiVersion and kind, which are almost those of one of Linkerd's kinds.",
)

# Linkerd's groups with their kinds, and the newest version of those that are not checked further.
_NEWEST: Final = {
    ("workload.linkerd.io", "ExternalWorkload"): "v1beta1",
    ("multicluster.linkerd.io", "Link"): "v1alpha3",
}
_VERSIONS: Final = {**{(kind.group, kind.kind): kind.versions[-1] for kind in KINDS}, **_NEWEST}
_OURS: Final = {pair: version for pair, version in _VERSIONS.items() if pair[0] != GATEWAY}
_GROUPS: Final = tuple(dict.fromkeys(group for group, _ in _OURS))
_KINDS: Final = {fold(kind): (group, kind) for group, kind in reversed(_OURS)}
# How similar two words have to be (1 is equal), and how long a word may be.
_CLOSE: Final = 0.75
_CLOSE_GROUP: Final = 0.85
_LONGEST: Final = 100
# Groups all of whose kinds are known here. The other groups belong to extensions, which may add kinds.
_COMPLETE: Final = (POLICY, LINKERD)


@lru_cache(256)
def check(api_version: str, kind: str) -> Finding | None:
    """The finding about a misspelt apiVersion or kind; None where both are right, or are not meant to be Linkerd's."""
    if len(api_version) > _LONGEST or len(kind) > _LONGEST:
        return None
    group, slash, _ = api_version.rpartition("/")
    if (group, kind) in _VERSIONS:
        return None
    if not slash and api_version in _GROUPS:
        # An apiVersion without a slash is a version of the core group.
        group = api_version
    if group not in _GROUPS:
        if group == GATEWAY:
            return _check_case(group, kind)
        return _check_group(group, api_version, kind)
    if (group, kind) in _OURS:
        write = f"{group}/{_OURS[group, kind]}"
        return UNKNOWN_KIND.at(("apiVersion",), f"{show(api_version)} has no version: write {write}")
    elsewhere = _KINDS.get(fold(kind))
    if elsewhere is not None and elsewhere[0] != group:
        write = f"apiVersion: {elsewhere[0]}/{_OURS[elsewhere]}"
        return UNKNOWN_KIND.at(("apiVersion",), f"the group {group} has no kind {show(kind)}: write {write}")
    names = [name for its_group, name in _OURS if its_group == group]
    close = _closest(kind, names, _CLOSE)
    if close is None and group not in _COMPLETE:
        return None
    fix = f"write {close}" if close else f"its kinds are {', '.join(names)}"
    return UNKNOWN_KIND.at(("kind",), f"the group {group} has no kind {show(kind)}: {fix}")


def _check_case(group: str, kind: str) -> Finding | None:
    for its_group, name in _VERSIONS:
        if its_group == group and fold(name) == fold(kind):
            return UNKNOWN_KIND.at(("kind",), f"the group {group} has no kind {show(kind)}: write {name}")
    return None


def _check_group(group: str, api_version: str, kind: str) -> Finding | None:
    """The finding about a group that is almost one of Linkerd's, if the kind is almost one of Linkerd's too."""
    if not (group.endswith(LINKERD) or _closest(group, _GROUPS, _CLOSE_GROUP)):
        return None
    closest = _KINDS.get(fold(_closest(kind, [name for _, name in _OURS], _CLOSE) or ""))
    if closest is None:
        return None
    write = f"{closest[0]}/{_OURS[closest]}"
    also = "" if closest[1] == kind else f" and kind: {closest[1]}"
    text = f"no group is called {show(group)}: write apiVersion: {write}{also}"
    return UNKNOWN_KIND.at(("apiVersion",), text)


def _closest(word: str, words: list[str] | tuple[str, ...], cutoff: float) -> str | None:
    by_folded = {fold(candidate): candidate for candidate in words}
    close = difflib.get_close_matches(fold(word), by_folded, n=1, cutoff=cutoff)
    return by_folded[close[0]] if close else None
