"""Which objects are changed, by group and kind, and how lists are walked."""

from __future__ import annotations

import pytest

from webhook.meshing.kinds import group_of, is_list, kind_of, name_of, within
from webhook.review import JSON


def of(api_version: str, kind: str, **more: object) -> JSON:
    """An object."""
    return {"apiVersion": api_version, "kind": kind, **more}


@pytest.mark.parametrize(("api_version", "group"), [("v1", ""), ("apps/v1", "apps"), ("", "")])
def test_the_group_is_what_stands_before_the_version(api_version: str, group: str) -> None:
    assert group_of(of(api_version, "A")) == group


@pytest.mark.parametrize(
    ("api_version", "kind", "role", "template"),
    [
        ("v1", "Pod", "workload", ()),
        ("apps/v1", "Deployment", "workload", ("spec", "template")),
        ("extensions/v1beta1", "DaemonSet", "workload", ("spec", "template")),
        ("batch/v1", "CronJob", "workload", ("spec", "jobTemplate", "spec", "template")),
        ("v1", "Namespace", "namespace", ()),
        ("v1", "Service", "service", ()),
        ("serving.knative.dev/v1", "Service", "other", ()),
        ("apps.kruise.io/v1", "StatefulSet", "other", ()),
        ("extensions/v1beta1", "StatefulSet", "other", ()),
        ("v1", "Deployment", "other", ()),
        ("v1", "ConfigMap", "other", ()),
        ("v1", "pod", "other", ()),
    ],
)
def test_a_kind_counts_in_its_own_group_alone(
    api_version: str, kind: str, role: str, template: tuple[str, ...]
) -> None:
    known = kind_of(of(api_version, kind))
    assert (known.role, known.template) == (role, template)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (of("v1", "List"), True),
        (of("v1", "List", items=[]), True),
        (of("apps/v1", "DeploymentList", items=[]), True),
        (of("example.org/v1", "AllowList"), False),
        (of("example.org/v1", "AllowList", items={}), False),
        (of("v1", "Pod", items=[]), False),
    ],
)
def test_a_list_is_one_by_its_kind_and_its_items(body: JSON, expected: bool) -> None:
    assert is_list(body) is expected


def test_objects_are_found_in_lists_within_lists_with_their_paths() -> None:
    pod, job = of("v1", "Pod"), of("batch/v1", "Job")
    inner = of("v1", "List", items=[job, None])
    assert list(within(of("v1", "List", items=[pod, inner]))) == [
        (("items", "0"), pod),
        (("items", "1", "items", "0"), job),
    ]


def test_an_object_that_is_no_list_is_the_only_one() -> None:
    pod = of("v1", "Pod")
    assert list(within(pod)) == [((), pod)]


def test_an_item_of_a_list_of_one_kind_is_of_that_kind_unless_it_says_otherwise() -> None:
    items = [{"metadata": {"name": "a"}}, of("v1", "Pod")]
    (_, first), (_, second) = within(of("apps/v1", "DeploymentList", items=items))
    assert first == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    assert second == of("v1", "Pod")


def test_an_item_that_is_not_an_object_is_an_item_all_the_same_and_null_is_none() -> None:
    items = [of("v1", "Pod"), "a", None]
    assert list(within(of("v1", "List", items=items))) == [(("items", "0"), items[0]), (("items", "1"), "a")]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (of("v1", "Pod", metadata={"name": "a"}), "a"),
        (of("v1", "Pod", metadata={"generateName": "a-"}), "a-"),
        (of("batch/v1", "Job", metadata={"generateName": "a-"}), ""),
        (of("v1", "Pod", metadata={"name": 7}), "7"),
        (of("v1", "Pod", metadata={"name": True}), "true"),
        (of("v1", "Pod", metadata={"name": []}), ""),
        (of("v1", "Pod", metadata="a"), ""),
        (of("v1", "Pod"), ""),
    ],
)
def test_the_name_is_a_text_even_where_yaml_has_a_number(body: JSON, name: str) -> None:
    assert name_of(body) == name
