"""Services: what is said of the annotations by which their clients' proxies go."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.policy.service import check

OPAQUE = "config.linkerd.io/opaque-ports"


def service(ports: Any, **annotations: Any) -> dict[str, Any]:
    """A Service with these ports."""
    return {"kind": "Service", "metadata": {"name": "db", "annotations": annotations}, "spec": {"ports": ports}}


def opaque(text: Any, *ports: dict[str, Any]) -> list[str]:
    """What is said of the opaque ports of a Service."""
    return [f"{one.rule.id}: {one.message}" for one in check(service(list(ports), **{OPAQUE: text}))]


MYSQL = {"port": 3306}
BEHIND = {"port": 5432, "targetPort": 15432, "name": "db"}


class TestOpaquePorts:
    @pytest.mark.parametrize(
        "text",
        ["3306", " 3306 , 5432", "5432-5433", "1-65535", "db", "", " ", ",", "3306,", "25,443,3306,9300,11211"],
    )
    def test_of_the_service_are_fine(self, text: str) -> None:
        assert opaque(text, MYSQL, BEHIND) == []

    def test_that_are_the_target_port_are_told_the_service_s(self) -> None:
        assert opaque("15432", BEHIND) == [
            f"service-opaque-port: {OPAQUE} names 15432, the targetPort of the Service's port 5432, and clients use "
            "the Service's port: write 5432"
        ]

    def test_may_hold_the_target_port_beside_the_port(self) -> None:
        """It is the same annotation that the Pods get, and does no harm here."""
        assert opaque("5432,15432", BEHIND) == opaque("15432, db", BEHIND) == []

    def test_that_the_service_does_not_have_are_told_those_that_it_has(self) -> None:
        assert opaque("3307", MYSQL, BEHIND) == [
            f"service-opaque-port: {OPAQUE} names 3307, which the Service does not have: write 3306 or 5432"
        ]
        assert opaque("25,587", MYSQL) == [
            f"service-opaque-port: {OPAQUE} names 25, 587, which the Service does not have: write 3306"
        ]

    @pytest.mark.parametrize("text", ["3306;5432", "mysql", "0x10", "5-1", "99999999999", 3306, None, "-"])
    def test_that_cannot_be_read_are_others_business(self, text: Any) -> None:
        assert opaque(text, MYSQL) == []

    @pytest.mark.parametrize("ports", [None, [], {}, [{"name": "x"}], [None]])
    def test_are_not_told_where_the_service_s_are_not_known(self, ports: Any) -> None:
        assert check(service(ports, **{OPAQUE: "3307"})) == []

    def test_of_an_external_name_are_nobody_s(self) -> None:
        body = service([MYSQL], **{OPAQUE: "3307"})
        body["spec"]["type"] = "ExternalName"
        assert check(body) == []


@pytest.mark.parametrize("body", [None, 5, {}, {"metadata": None}, {"metadata": {"annotations": []}}, service(None)])
def test_an_object_that_makes_no_sense_is_passed_over(body: Any) -> None:
    assert check(body) == []


def test_retries_timeouts_and_circuit_breaking_are_looked_at_too() -> None:
    annotations = {"retry.linkerd.io/limit": "x", "balancer.linkerd.io/failure-accrual": "x"}
    assert {one.rule.id for one in check(service([MYSQL], **annotations))} == {
        "service-annotation-invalid",
        "service-balancer-invalid",
    }
