"""TLSRoute (gateway.networking.k8s.io). Other controllers use it too, so Linkerd stores what it cannot read."""

from __future__ import annotations

from webhook.mesh.releases import Line
from webhook.policy.gateway_l4routes import check, shape_for
from webhook.policy.gateway_rules import check_hosts
from webhook.policy.objectreferences import HOST_NAME
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import Array, Shape, omittable, required


def _check(spec: Node, reading: Reading) -> None:
    check(spec, reading)
    check_hosts(spec, reading)


def spec(line: Line, version: str) -> Shape:
    """The shape of a TLSRoute's spec. The CRD of v1alpha2 allows an empty list of host names, and addresses in it, and
    only the newest releases require a list."""
    is_old = version == "v1alpha2"
    hosts = Array(HOST_NAME, least=0 if is_old else 1, most=1024)
    newest = line.has("policy/gateway-filters")
    field = required(hosts) if newest else omittable(hosts, schema=not is_old)
    return shape_for(line, {"hostnames": field}, check if is_old else _check)
