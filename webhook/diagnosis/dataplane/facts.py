"""What is known of the data plane. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from webhook.diagnosis.dataplane.survey import DataPlane
from webhook.diagnosis.dataplane.workloads import Workloads
from webhook.diagnosis.unseen import Fact, NotAsked, NotRead
from webhook.kube.interface import JSON

_NOT_REACHED: Final = NotAsked("the API server could not be asked")

ByNamespace = Mapping[str, tuple[JSON, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneFacts:
    """The workloads, what the Pods are like, and the ResourceQuotas and LimitRanges of each Namespace."""

    workloads: Fact[Workloads] = _NOT_REACHED
    pods: Fact[DataPlane] = _NOT_REACHED
    quotas: Fact[ByNamespace] = _NOT_REACHED
    limit_ranges: Fact[ByNamespace] = _NOT_REACHED

    @classmethod
    def unasked(cls, reason: str) -> PlaneFacts:
        """Nothing of it is known, as nobody asked."""
        return cls._unknown(NotAsked(reason))

    @classmethod
    def unread(cls, fact: NotRead) -> PlaneFacts:
        """Nothing of it is known, as reading it failed."""
        return cls._unknown(fact)

    @classmethod
    def _unknown(cls, fact: NotAsked | NotRead) -> PlaneFacts:
        return cls(workloads=fact, pods=fact, quotas=fact, limit_ranges=fact)
