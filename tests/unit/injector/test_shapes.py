"""Pods are compared by the names of what is in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.injector.shapes import Difference, arguments, differences, shape, where
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


@pytest.mark.parametrize(
    ("args", "by_flag"),
    [
        ([], {}),
        (["--a", "1", "-b", "2"], {"--a": "1", "-b": "2"}),
        (["--a=1=2", "--b="], {"--a": "1=2", "--b": ""}),
        (["--a", "--b"], {"--a": True, "--b": True}),
        (["--gid", "-1"], {"--gid": "-1"}),
        (["--a", "1", "--a", "2", "--a"], {"--a": ["1", "2", True]}),
        (["run", "--a", "1", "more"], {"": ["run", "more"], "--a": "1"}),
        (["-", "--", ""], {"": ["-", "--", ""]}),
    ],
)
def test_arguments_are_read_as_a_program_reads_them(args: list[str], by_flag: JSON) -> None:
    assert arguments(args) == by_flag


FLAGS = st.from_regex(r"--?[a-z][a-z0-9-]{0,8}", fullmatch=True)


@given(st.dictionaries(FLAGS, st.one_of(st.none(), st.text().filter(lambda text: not text.startswith("-")))), st.data())
def test_arguments_are_the_same_in_any_order_and_spelling(values: dict[str, str | None], data: st.DataObject) -> None:
    """`--flag=value` is `--flag value`."""
    args: list[str] = []
    for flag in data.draw(st.permutations(list(values))):
        value = values[flag]
        if value is None:
            args.append(flag)
        else:
            args += [f"{flag}={value}"] if data.draw(st.booleans()) else [flag, value]
    assert arguments(args) == {flag: True if value is None else value for flag, value in values.items()}


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

    def test_each_flag_is_a_change_of_its_own(self) -> None:
        old = pod(proxy(args=["--ipv6=false", "--proxy-uid", "2102", "--legacy"]))
        new = pod(proxy(args=["--proxy-uid", "7", "--ipv6=false", "--firewall-bin-path", "iptables-nft"]))
        assert [(one.where, one.kind, one.old, one.new) for one in compared(old, new)] == [
            ("linkerd-proxy args --proxy-uid", "changed", "2102", "7"),
            ("linkerd-proxy args --legacy", "removed", True, None),
            ("linkerd-proxy args --firewall-bin-path", "added", None, "iptables-nft"),
        ]

    def test_what_is_not_of_a_flag_is_one_list(self) -> None:
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
        (("containers", "p", "args", "--ipv6"), "p args --ipv6"),
        (("containers", "p", "args", ""), "p args"),
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
