"""NetworkAuthentication (policy.linkerd.io): the networks that clients may come from."""

from __future__ import annotations

from typing import Final

from webhook.mesh.releases import Line
from webhook.policy.networks import NETWORKS, refuse_empty
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Shape, Struct, required


def _check(node: Node, reading: Reading) -> None:
    refuse_empty(node, "networks", reading)


_SPEC: Final = Struct({"networks": required(NETWORKS)}, check=_check)


def spec(line: Line, version: str) -> Shape:
    """The shape of a NetworkAuthentication's spec: the same at every release line."""
    return _SPEC
