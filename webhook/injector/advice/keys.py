"""Keys of annotations and labels that look like Linkerd's: whether something reads them, and which one was meant."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from webhook.injector.decision import INJECT
from webhook.injector.settings import NATIVE, OTHERS, PREFIXES, SETTINGS
from webhook.mesh.releases import Line, why_not

DOMAIN: Final = "linkerd.io/"
# What a key begins with that the injector may be meant to read.
OURS: Final = (DOMAIN, *PREFIXES)

# Other programs have names of their own under linkerd.io/: there only what resembles an annotation is spoken of.
_ANNOTATIONS: Final = {row.annotation for row in SETTINGS} | OTHERS | {INJECT}
# https://linkerd.io/2/reference/proxy-configuration/, and the labels and annotations that Linkerd itself writes.
_OF_LINKERD: Final = frozenset(
    f"{DOMAIN}{name}"
    for name in (
        "cni-resource",
        "control-plane-component",
        "control-plane-ns",
        "created-by",
        "edge",
        "extension",
        "external-prometheus",
        "helm-release-version",
        "identity-mode",
        "images",
        "is-control-plane",
        "is-test-data-plane",
        "job",
        "monitoring",
        "multicluster-gateway",
        "policy-controller",
        "proxy-cronjob",
        "proxy-daemonset",
        "proxy-deployment",
        "proxy-job",
        "proxy-replicaset",
        "proxy-replicationcontroller",
        "proxy-statefulset",
        "proxy-version",
        "service-mirror",
        "tap-rbac",
        "trust-root-sha256",
        "workload-ns",
    )
)

# How alike two names must be, and how long one may be that is compared.
_ALIKE: Final = 0.72
_COMPARED: Final = 128


def ours(entries: Mapping[str, object] | None) -> list[str]:
    """The keys that look like Linkerd's."""
    # Most objects have none: that is found out in one go.
    if not entries or DOMAIN not in " ".join(entries):
        return []
    return [key for key in entries if key.startswith(OURS)]


def doubtful(entries: Mapping[str, object], known: Container[str]) -> list[str]:
    """Those of them that are not the settings of the release line, which are `known`."""
    return [key for key in entries if DOMAIN in key and key not in known and key.startswith(OURS)]


def is_read(key: str, known: Iterable[str]) -> bool:
    """Whether something of Linkerd's reads an annotation. `known` are the settings of the release line."""
    return key in known or key in OTHERS or key == INJECT


def unknown(key: str, known: frozenset[str], line: Line) -> str:
    """What is wrong with an annotation's key, as a sentence; empty where nothing is, or where it is none of ours.

    `known` are the settings of the release line `line`.
    """
    if is_read(key, known) or key in _OF_LINKERD:
        return ""
    if key in _ANNOTATIONS:
        return f"{key} {why_not(f'annotation/{key}', line)}, so it has no effect in {line.name}: {_instead(key, known)}"
    meant = suggestion(key)
    if meant:
        return f"Linkerd does not read {key}: did you mean {meant}?"
    if key.startswith(PREFIXES):
        return f"Linkerd does not read {key}: unknown annotation, remove it"
    return ""


def _instead(key: str, known: frozenset[str]) -> str:
    """What to do about an annotation of another release line: one has had several names."""
    names = [name for name in NATIVE if name in known] if key in NATIVE else []
    return f"write {names[0]}" if names else "remove it"


@lru_cache(maxsize=256)
def _suggest(key: str) -> str:
    _, _, name = key.partition("/")
    by_name: dict[str, str] = {}
    for annotation in sorted(_ANNOTATIONS, key=lambda name: PREFIXES.index(_prefix(name)) if name != INJECT else -1):
        by_name.setdefault(annotation.partition("/")[2], annotation)
    close = get_close_matches(name.strip().casefold(), by_name, n=1, cutoff=_ALIKE)
    return by_name[close[0]] if close else ""


def suggestion(key: str) -> str:
    """The annotation that a key was probably meant to be, empty for none. Only what stands behind the prefix counts."""
    return _suggest(key) if len(key) <= _COMPARED else ""


def _prefix(annotation: str) -> str:
    return annotation.partition("/")[0] + "/"


def label(key: str) -> str:
    """What is wrong with a label's key, as a sentence; empty where nothing is."""
    if key in _OF_LINKERD or key in OTHERS:
        return ""
    meant = key if key in _ANNOTATIONS else suggestion(key)
    if not meant:
        return ""
    if meant == key:
        return f"{key} is a label here, and Linkerd reads it as an annotation only: move it to metadata.annotations"
    return f"Linkerd does not read the label {key}: did you mean the annotation {meant}?"
