"""TLSRoute (gateway.networking.k8s.io): read leniently, as other controllers may know fields that we don't."""

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
    """What a TLSRoute's spec looks like; the oldest version asks less of the host names."""
    return _OLD if version == "v1alpha2" else _SPEC
