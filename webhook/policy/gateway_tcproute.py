"""TCPRoute (gateway.networking.k8s.io). Other controllers use it too, so Linkerd stores what it cannot read."""

from __future__ import annotations

from webhook.mesh.releases import Line
from webhook.policy.gateway_l4routes import check, shape_for
from webhook.policy.schema.shape import Shape


def spec(line: Line, version: str) -> Shape:
    """The shape of a TCPRoute's spec at a release line: the same in every API version."""
    return shape_for(line, {}, check)
