"""TLSRoute (gateway.networking.k8s.io). Other controllers use it too, so Linkerd stores what it cannot read."""

from __future__ import annotations

from typing import Final

from webhook.mesh.releases import Line
from webhook.policy.gateway_l4routes import FIELDS, check
from webhook.policy.gateway_rules import check_hosts
from webhook.policy.objectreferences import HOST_NAME
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Shape, Struct, required


def _check(spec: Node, reading: Reading) -> None:
    check(spec, reading)
    check_hosts(spec, reading)


_SPEC: Final = Struct({"hostnames": required(Array(HOST_NAME, least=1, most=1024)), **FIELDS}, check=_check)
_OLD: Final = Struct({"hostnames": required(Array(HOST_NAME, most=1024)), **FIELDS}, check=check)


def spec(line: Line, version: str) -> Shape:
    """The shape of a TLSRoute's spec. v1alpha2 allows an empty list of host names, and addresses in it."""
    return _OLD if version == "v1alpha2" else _SPEC
