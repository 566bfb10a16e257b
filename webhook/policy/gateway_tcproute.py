"""TCPRoute (gateway.networking.k8s.io). Other controllers use it too, so Linkerd stores what it cannot read."""

from __future__ import annotations

from typing import Final

from webhook.mesh.releases import Line
from webhook.policy.gateway_l4routes import FIELDS, check
from webhook.policy.schema.shape import Shape, Struct

_SPEC: Final = Struct(FIELDS, check=check)


def spec(line: Line, version: str) -> Shape:
    """The shape of a TCPRoute's spec: the same in every API version."""
    return _SPEC
