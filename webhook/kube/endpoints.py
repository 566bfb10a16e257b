"""The ready endpoints of a Service, read from its EndpointSlices.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from webhook.kube.fields import mapping, mappings, sequence, text
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference


class Endpoint(NamedTuple):
    """A ready endpoint. `pod` is the name of its Pod, "" if the EndpointSlice does not name one."""

    host: str
    port: int
    pod: str = ""

    @property
    def address(self) -> str:
        """Host and port as in a URL: an IPv6 address is in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listing(service: ServiceReference) -> tuple[str, dict[str, str]]:
    """The path and the query that list the EndpointSlices of a Service."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
    return path, {"labelSelector": f"kubernetes.io/service-name={service.name}"}


def ready(endpoint_slice: JSON) -> Iterator[Endpoint]:
    """The ready endpoints in an EndpointSlice. A missing `ready` condition counts as ready."""
    ports = [port for port in mappings(endpoint_slice, "ports") if isinstance(port.get("port"), int)]
    # A Service may have other ports; the one that the API server calls is named https.
    port = next((port["port"] for port in ports if port.get("name") == "https"), ports[0]["port"] if ports else None)
    for endpoint in mappings(endpoint_slice, "endpoints"):
        if port is None or mapping(endpoint, "conditions").get("ready", True) is False:
            continue
        target = mapping(endpoint, "targetRef")
        for address in sequence(endpoint, "addresses")[:1]:
            yield Endpoint(str(address), port, text(target, "name") if target.get("kind") == "Pod" else "")
