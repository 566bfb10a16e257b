"""What the checks of one Pod look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.cluster.interface import Namespace
from webhook.injector.effective import Settings
from webhook.injector.subject import Subject
from webhook.mesh.config import Mesh


@dataclass(frozen=True, slots=True)
class Facts:
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
