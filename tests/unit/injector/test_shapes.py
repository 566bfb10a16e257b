"""Pods are compared by the names of what is in them."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.injector.shapes import Difference, differences, shape, where
from webhook.review import JSON


def pod(*containers: JSON, **spec: Any) -> JSON:
    """A Pod of these containers."""
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": list(containers), **spec}}


def compared(old: JSON, new: JSON) -> list[Difference]:
    """What differs between two injected Pods."""
    return differences(shape(old, "injected"), shape(new, "injected"))


def proxy(**fields: Any) -> JSON:
    """A container."""
    return {"name": "linkerd-proxy", **fields}


A, B = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}


class TestDifferences:
    def test_the_same_pod_has_none(self) -> None:
        one = pod(proxy(env=[A, B], args=["x"]), volumes=[{"name": "v", "emptyDir": {}}])
        assert compared(one, one) == []

    def test_the_order_of_variables_is_none(self) -> None:
        assert compared(pod(proxy(env=[A, B])), pod(proxy(env=[B, A]))) == []

    def test_a_variable_before_others_is_the_only_one_added(self) -> None:
        (one,) = compared(pod(proxy(env=[B])), pod(proxy(env=[A, B])))
        assert (one.where, one.kind, one.old, one.new) == ("linkerd-proxy env A", "added", None, "1")

    def test_a_source_of_a_variable_is_one_value(self) -> None:
        by_field = {"fieldRef": {"fieldPath": "status.podIP"}}
        other = {"fieldRef": {"fieldPath": "status.hostIP"}}
        old, new = (pod(proxy(env=[{"name": "IP", "valueFrom": source}])) for source in (by_field, other))
        (one,) = compared(old, new)
        assert (one.where, one.old, one.new) == ("linkerd-proxy env IP", by_field, other)

    def test_arguments_are_one_list(self) -> None:
        (one,) = compared(pod(proxy(args=["a", "b"])), pod(proxy(args=["b", "a"])))
        assert (one.where, one.kind, one.old, one.new) == ("linkerd-proxy args", "changed", ["a", "b"], ["b", "a"])

    def test_a_new_container_is_one_addition_whole(self) -> None:
        (one,) = compared(pod(), pod(proxy(env=[A])))
        assert (one.where, one.kind) == ("linkerd-proxy", "added")
        assert one.new == {"place": "containers", "env": {"A": "1"}}

    def test_a_container_that_moves_is_compared_with_itself(self) -> None:
        (one,) = compared(pod(proxy(env=[A])), pod(initContainers=[proxy(env=[A])]))
        assert (one.where, one.old, one.new) == ("linkerd-proxy place", "containers", "initContainers")

    def test_null_is_nothing(self) -> None:
        assert compared(pod(proxy(resources=None)), pod(proxy())) == []
        (one,) = compared(pod(proxy(resources={"limits": {}})), pod(proxy(resources=None)))
        assert one.kind == "removed"

    def test_a_pod_that_is_not_injected_any_more_is_the_one_thing_to_tell(self) -> None:
        old, new = shape(pod(proxy()), "injected"), shape(pod(), "refused: because")
        assert differences(old, new) == [Difference(("injection",), "changed", "injected", "refused: because")]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            ("containers", "linkerd-init", "securityContext", "seccompProfile"),
            "linkerd-init securityContext.seccompProfile",
        ),
        (("containers", "linkerd-proxy", "env", "X"), "linkerd-proxy env X"),
        (("containers", "linkerd-proxy", "env"), "linkerd-proxy env"),
        (("containers", "p", "volumeMounts", "/var/run", "readOnly"), "p volumeMounts /var/run readOnly"),
        (("containers", "p", "ports", "4143", "name"), "p ports 4143 name"),
        (("containers", "p"), "p"),
        (("volumes", "identity", "emptyDir", "medium"), "volume identity emptyDir.medium"),
        (("annotations", "linkerd.io/inject"), "annotation linkerd.io/inject"),
        (("labels", "linkerd.io/workload-ns"), "label linkerd.io/workload-ns"),
        (("spec", "securityContext", "runAsUser"), "Pod spec.securityContext.runAsUser"),
        (("injection",), "injection"),
    ],
)
def test_a_place_is_named_as_an_admin_looks_for_it(path: tuple[str, ...], words: str) -> None:
    assert where(path) == words
