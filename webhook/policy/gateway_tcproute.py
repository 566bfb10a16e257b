"""TCPRoute (gateway.networking.k8s.io): read leniently, as other controllers may know fields that we don't."""

from __future__ import annotations

from typing import Final

from webhook.mesh.releases import Line
from webhook.policy.gateway_l4routes import FIELDS, check
from webhook.policy.schema.shape import Shape, Struct

_SPEC: Final = Struct(FIELDS, check=check)


def spec(line: Line, version: str) -> Shape:
    """What a TCPRoute's spec looks like."""
    return _SPEC
