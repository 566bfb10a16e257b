"""EgressNetwork (policy.linkerd.io): networks outside of the cluster, and whether Pods may connect to them."""

from __future__ import annotations

from typing import Final

from webhook.mesh.releases import Line
from webhook.policy.networks import NETWORKS, refuse_empty
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Choice, Shape, Struct, optional, required
from webhook.policy.service import check_annotations


def _check(node: Node, reading: Reading) -> None:
    refuse_empty(node, "networks", reading)
    for finding in check_annotations(reading.annotations):
        reading.add(finding)


_SPEC: Final = Struct(
    {"networks": optional(NETWORKS), "trafficPolicy": required(Choice("Allow", "Deny"))}, check=_check
)


def spec(line: Line, version: str) -> Shape:
    """The shape of an EgressNetwork's spec: the same at every release line."""
    return _SPEC
