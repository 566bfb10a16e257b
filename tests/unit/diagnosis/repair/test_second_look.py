"""Whether a restart has given Pods their proxy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.diagnosis.check.test_data_plane import HEALTHY
from tests.unit.diagnosis.dataplane.plane import meshed, plain
from webhook.diagnosis.dataplane.workloads import Owner
from webhook.diagnosis.repair.second_look import SecondLook
from webhook.diagnosis.unseen import NotRead, Unseen

CART = Owner("Deployment", "shop", "cart")


def test_pods_with_the_proxy_that_they_should_have_are_fine() -> None:
    assert SecondLook(HEALTHY).problem(CART, [meshed(name="cart-1"), meshed(name="cart-2")]) == ""


def test_a_pod_without_a_proxy_is_told_with_the_reason_and_its_name() -> None:
    problem = SecondLook(HEALTHY).problem(CART, [meshed(name="cart-1"), plain("cart-2")])
    assert problem == ("its Pod has no proxy: no injector answered when it was created (such as Pod shop/cart-2)")


def test_old_pods_that_are_on_their_way_out_and_pods_of_others_do_not_count() -> None:
    old = plain("cart-1", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    other = plain("other-1")
    other["metadata"].pop("ownerReferences")
    assert SecondLook(HEALTHY).problem(CART, [old, other]) == ""


def test_a_proxy_that_is_still_another_one_is_told() -> None:
    pod = meshed(name="cart-1")
    for key in ("containers", "initContainers"):
        for container in pod["spec"].get(key, ()):
            if container["name"] == "linkerd-proxy":
                container["image"] = "cr.l5d.io/linkerd/proxy:edge-24.1.1"
    assert "is not the one that it would get now" in SecondLook(HEALTHY).problem(CART, [pod])


def test_a_look_needs_the_mesh() -> None:
    with pytest.raises(Unseen):
        SecondLook(replace(HEALTHY, mesh=NotRead("why")))
