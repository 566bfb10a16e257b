"""What is known of one Pod or workload, to explain it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webhook.diagnosis.dataplane.workloads import Workloads
from webhook.diagnosis.explain.target import ExplainedKind
from webhook.kube.interface import JSON
from webhook.kube.objects import Namespace
from webhook.kube.webhookconfigurations import ServiceReference
from webhook.mesh.config import Mesh


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainFacts:
    """The object, as the API server returns it or as a file has it, and what decides about it.

    `runs` is whether it is one of a cluster. `annotated` is when its Namespace got the annotation to inject, None where
    that is not known. `mesh_known` is False where Linkerd's defaults stand in for the mesh. `configurations` are all
    MutatingWebhookConfigurations, None where they are not known, and `services` those at which ours point. `workloads`
    has what the object belongs to, `pods` are those of a workload. `events` are those of the object and of its owners.
    `notes` say what could not be read.
    """

    kind: ExplainedKind
    name: str
    body: JSON
    runs: bool
    namespace: Namespace
    annotated: datetime | None = None
    mesh: Mesh
    mesh_known: bool = True
    configurations: tuple[JSON, ...] | None = None
    services: frozenset[ServiceReference] = frozenset()
    workloads: Workloads
    pods: tuple[JSON, ...] = ()
    limit_ranges: tuple[JSON, ...] = ()
    events: tuple[JSON, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def object(self) -> str:
        """`Kind NAMESPACE/NAME`."""
        return f"{self.kind.kind} {self.namespace.name}/{self.name}"
