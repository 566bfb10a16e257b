"""What the checks of one Pod look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from webhook.findings.finding import Path
from webhook.injector.effective import Settings
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.pod import Container

ANNOTATIONS: Final[Path] = ("metadata", "annotations")
CONTAINERS: Final[Path] = ("spec", "containers")
INIT_CONTAINERS: Final[Path] = ("spec", "initContainers")


class Facts(msgspec.Struct):
    """A Pod (or a template of one) that is injected, and what is known around it.

    `namespace` is None where it is not known. `workload` is the kind (in lower case) and the name of what the Pod
    belongs
    to, None for a Pod that stands for itself. `settings` are those that count in the end, and `sources` has, for each
    annotation that counted, its value and where it was found (`pod` or `namespace`).
    """

    mesh: Mesh
    subject: Subject
    namespace: Namespace | None
    workload: tuple[str, str] | None
    settings: Settings
    sources: Mapping[str, tuple[str, str]]

    def place(self, annotation: str) -> tuple[Path, str]:
        """The field of an annotation that counted, and how a sentence about it begins."""
        if self.sources[annotation][1] == "pod":
            return (*ANNOTATIONS, annotation), annotation
        return (), f"{annotation} on Namespace {self.namespace.name if self.namespace is not None else ''}"

    def lasting(self) -> Iterable[tuple[Path, int, Container]]:
        """The containers that run beside the proxy, each with the list it is in and its index: with them sidecars
        among the init containers, and where the proxy is one of these, every init container."""
        first: list[tuple[Path, int, Container]] = []
        for index, container in enumerate(self.subject.init_containers):
            if self.settings.native_sidecar or container.restart_policy == ALWAYS:
                first.append((INIT_CONTAINERS, index, container))
        for index, container in enumerate(self.subject.containers):
            first.append((CONTAINERS, index, container))
        return first


ALWAYS: Final = "Always"
