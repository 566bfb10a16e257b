"""Which replicas an EndpointSlice names."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.kube.endpoints import Endpoint, listing, ready
from webhook.kube.webhookconfigurations import ServiceReference

POD = {"kind": "Pod", "name": "linkerd-webhook-1"}


def piece(*endpoints: Any, ports: Any = ({"name": "https", "port": 8443},)) -> dict[str, Any]:
    """An EndpointSlice."""
    return {"endpoints": list(endpoints), "ports": list(ports)}


def test_a_services_slices_are_listed_by_its_label() -> None:
    assert listing(ServiceReference("linkerd", "linkerd-webhook")) == (
        "/apis/discovery.k8s.io/v1/namespaces/linkerd/endpointslices",
        {"labelSelector": "kubernetes.io/service-name=linkerd-webhook"},
    )


def test_a_ready_endpoint_has_its_first_address_the_port_and_its_pod() -> None:
    endpoint = {"addresses": ["10.0.0.1", "10.0.0.2"], "conditions": {"ready": True}, "targetRef": POD}
    assert list(ready(piece(endpoint))) == [Endpoint("10.0.0.1", 8443, "linkerd-webhook-1")]


@pytest.mark.parametrize("conditions", [{}, None, {"ready": None}, {"serving": False}])
def test_an_endpoint_that_does_not_say_is_ready(conditions: Any) -> None:
    assert list(ready(piece({"addresses": ["10.0.0.1"], "conditions": conditions}))) == [Endpoint("10.0.0.1", 8443)]


def test_one_that_is_not_ready_is_passed_over_and_the_next_is_not() -> None:
    waiting = {"addresses": ["10.0.0.1"], "conditions": {"ready": False}}
    assert list(ready(piece(waiting, {"addresses": ["10.0.0.2"]}))) == [Endpoint("10.0.0.2", 8443)]


@pytest.mark.parametrize("target", [None, {}, {"kind": "Node", "name": "n"}, {"kind": "Pod"}])
def test_what_is_not_a_pod_has_no_pods_name(target: Any) -> None:
    assert list(ready(piece({"addresses": ["10.0.0.1"], "targetRef": target}))) == [Endpoint("10.0.0.1", 8443, "")]


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        ([{"name": "metrics", "port": 9995}, {"name": "https", "port": 8443}], 8443),
        ([{"name": "", "port": 443}, {"name": "metrics", "port": 9995}], 443),
        ([{"name": "https", "port": None}, {"port": 8444}], 8444),
    ],
)
def test_the_port_called_https_counts_before_the_first(ports: Any, port: int) -> None:
    assert list(ready(piece({"addresses": ["10.0.0.1"]}, ports=ports))) == [Endpoint("10.0.0.1", port)]


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"endpoints": None, "ports": None},
        piece({"addresses": ["10.0.0.1"]}, ports=[]),
        piece({"addresses": ["10.0.0.1"]}, ports=[{"name": "https"}]),
        piece({"addresses": []}, {"addresses": None}, {}),
    ],
)
def test_without_a_port_or_an_address_there_is_nobody(nothing: Any) -> None:
    assert list(ready(nothing)) == []


@pytest.mark.parametrize(("host", "address"), [("10.0.0.1", "10.0.0.1:8443"), ("fd00::1", "[fd00::1]:8443")])
def test_an_address_is_written_as_urls_have_it(host: str, address: str) -> None:
    assert Endpoint(host, 8443).address == address
