"""Counts, by Namespace, which running Pods are meshed, and why the others are not, by their metadata alone. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from webhook.injector.decision import INJECT, by_annotation
from webhook.injector.names import CONTROL_PLANE, PROXY_VERSION, TRUST_ROOT
from webhook.injector.settings import PREFIX
from webhook.kube.objects import Namespace

# Why a Pod that asks for a proxy does not have one is not in its metadata.
ASKED: Final = "asked_for_and_not_meshed"
SENTENCES: Final = {ASKED: "a proxy is asked for, and the Pod does not have one"}

_OVERRIDE: Final = f"{PREFIX}proxy-version"
_NOTHING: Final[Mapping[str, str]] = {}


class PodMetadata(msgspec.Struct):
    """What counts of a Pod's metadata."""

    namespace: str = ""
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class PodItem(msgspec.Struct):
    """A Pod in a list of PartialObjectMetadata."""

    metadata: PodMetadata


class ListMetadata(msgspec.Struct):
    """Where the next page begins, "" after the last."""

    following: str = msgspec.field(default="", name="continue")


class PodPage(msgspec.Struct):
    """A page of a list of PartialObjectMetadata."""

    metadata: ListMetadata = msgspec.field(default_factory=ListMetadata)
    items: list[PodItem] | None = None


_PAGE: Final = msgspec.json.Decoder(PodPage)


def page_of(body: bytes) -> PodPage:
    """The page in a response. Raises `ValueError` if it is not one."""
    return _PAGE.decode(body)


@dataclass(slots=True)
class NamespaceCount:
    """The running Pods of a Namespace. `reasons` counts those that are not meshed: by the injector's own reasons, or
    `ASKED`. `other_version` and `other_anchors` are meshed ones whose proxy is not as configured now."""

    pods: int = 0
    meshed: int = 0
    other_version: int = 0
    other_anchors: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Configured:
    """What a Pod would get now: the version of the proxy, and the SHA-256 of the trust anchors. "" where it is not
    known: then nothing is compared."""

    version: str = ""
    anchors: str = ""


class MeshCounter:
    """Folds Pods, page by page, into a count for each Namespace."""

    def __init__(self, namespaces: Callable[[], Mapping[str, Namespace]], configured: Configured) -> None:
        """`namespaces` returns those that are known."""
        self.counts: dict[str, NamespaceCount] = {}
        self._namespaces = namespaces()
        self._configured = configured

    @property
    def pods(self) -> int:
        """How many Pods were counted."""
        return sum(count.pods for count in self.counts.values())

    def add_parts(self, parts: Iterable[PodPage]) -> Iterator[str]:
        """Count the Pods of parts of a page, one part at each step. Returns, at the last step of a page, where the next
        one begins, "" after the last page."""
        for page in parts:
            for pod in page.items or ():
                self.add(pod.metadata)
            yield page.metadata.following

    def clear(self) -> None:
        """Forget all Pods."""
        self.counts.clear()

    def add(self, pod: PodMetadata) -> None:
        """Count one running Pod."""
        count = self.counts.get(pod.namespace)
        if count is None:
            count = self.counts[pod.namespace] = NamespaceCount()
        count.pods += 1
        annotations = pod.annotations or _NOTHING
        if CONTROL_PLANE in (pod.labels or _NOTHING):
            count.meshed += 1
            count.other_version += self._is_other_version(annotations)
            anchors = annotations.get(TRUST_ROOT)
            count.other_anchors += bool(anchors and self._configured.anchors and anchors != self._configured.anchors)
            return
        namespace = self._namespaces.get(pod.namespace)
        own = namespace.annotations if namespace is not None else _NOTHING
        reason, _ = by_annotation(annotations.get(INJECT, ""), own.get(INJECT, ""))
        count.reasons[reason or ASKED] += 1

    def _is_other_version(self, annotations: Mapping[str, str]) -> bool:
        version = annotations.get(PROXY_VERSION)
        wanted = annotations.get(_OVERRIDE) or self._configured.version
        return bool(version and wanted and version != wanted)
