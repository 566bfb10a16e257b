"""The ready replicas behind a Service, as its EndpointSlices tell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import Service


class Endpoint(NamedTuple):
    """A ready replica: where it listens, and its Pod's name, "" where the EndpointSlice names none."""

    host: str
    port: int
    pod: str = ""

    @property
    def address(self) -> str:
        """Host and port as URLs have them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listing(service: Service) -> tuple[str, dict[str, str]]:
    """Where the API server has a Service's EndpointSlices: the path, and the query."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{service.namespace}/endpointslices"
    return path, {"labelSelector": f"kubernetes.io/service-name={service.name}"}


def ready(piece: JSON) -> Iterator[Endpoint]:
    """Each ready endpoint in an EndpointSlice."""
    ports = [each for each in piece.get("ports") or () if isinstance(each.get("port"), int)]
    # A Service may have further ports; the one of admission has a name.
    port = next((each["port"] for each in ports if each.get("name") == "https"), ports[0]["port"] if ports else None)
    for endpoint in piece.get("endpoints") or ():
        if port is None or (endpoint.get("conditions") or {}).get("ready", True) is False:
            continue
        target = endpoint.get("targetRef") or {}
        for address in (endpoint.get("addresses") or ())[:1]:
            yield Endpoint(address, port, str(target.get("name", "")) if target.get("kind") == "Pod" else "")
