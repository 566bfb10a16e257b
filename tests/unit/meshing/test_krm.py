"""A ResourceList in and out: what changes in it, and what its results say."""

from __future__ import annotations

import pytest

from tests.unit.meshing.texts import DEPLOYMENT, injecting
from webhook.meshing.krm import ResourceList, Unusable
from webhook.meshing.uninject import uninjected
from webhook.review import JSON
from webhook.yaml.objects import read

PLACES = """
  annotations:
    config.kubernetes.io/path: old.yaml
    internal.config.kubernetes.io/index: "2"
    internal.config.kubernetes.io/path: shop/web.yaml"""


def listed(*objects: str) -> str:
    """A ResourceList of these objects, with a comment."""
    items = []
    for text in objects:
        first, *rest = [line for line in text.splitlines() if not line.startswith("#")]
        items += [f"- {first}", *(f"  {line}" for line in rest)]
    return "\n".join(("apiVersion: config.kubernetes.io/v1", "kind: ResourceList", "items: # all of them", *items, ""))


def ran(text: str) -> tuple[JSON, str]:
    """The value and the text after an injection."""
    given = ResourceList.of(text)
    value, results = given.changed(injecting())
    out = given.written(value, results)
    body: JSON = read(out)
    return body, out


WEB = DEPLOYMENT.replace("\n  namespace: shop", f"\n  namespace: shop{PLACES}")
ON_HOST = DEPLOYMENT.replace("    spec:\n", "    spec:\n      hostNetwork: true\n")


def test_the_items_are_injected_and_their_comments_and_places_stay() -> None:
    body, out = ran(listed(WEB))
    lines = set(out.splitlines())
    assert all(line in lines for line in listed(WEB).splitlines())
    template = body["items"][0]["spec"]["template"]
    assert template["metadata"]["annotations"] == {"linkerd.io/inject": "enabled"}


def test_a_result_names_the_object_and_the_file_that_it_comes_from() -> None:
    body, _ = ran(listed(WEB))
    assert body["results"] == [
        {
            "message": "injected",
            "severity": "info",
            "resourceRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop"},
            "file": {"path": "shop/web.yaml", "index": 2},
        }
    ]


def test_no_item_changes_where_one_of_them_cannot_be_injected() -> None:
    body, out = ran(listed(WEB, ON_HOST))
    assert "linkerd.io/inject" not in out
    errors = [result for result in body["results"] if result["severity"] == "error"]
    assert [(error["message"], error["field"]["path"]) for error in errors] == [
        ("hostNetwork is enabled", "spec.template.spec.hostNetwork")
    ]


def test_a_wrong_type_in_an_item_is_an_error_about_it() -> None:
    body, _ = ran(listed("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: 7\n"))
    assert [(result["severity"], result["resourceRef"]["name"]) for result in body["results"]] == [("error", "a")]


def test_an_item_that_is_not_an_object_is_an_error() -> None:
    body, _ = ran("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: [7]\n")
    assert body["results"] == [
        {"message": "items.0 is not an object: write one, or leave it out", "severity": "error"},
    ]


def test_what_takes_udp_is_injected_with_a_warning() -> None:
    text = DEPLOYMENT + "        ports: [{containerPort: 53, protocol: UDP}]\n"
    body, _ = ran(listed(text))
    warning = body["results"][0]
    assert (warning["severity"], warning["field"]["path"]) == ("warning", "spec.template.spec.containers")
    assert warning["message"] == 'deployment/web uses "protocol: UDP"'


def test_only_those_of_other_kinds_that_may_have_pod_templates_are_mentioned() -> None:
    rollout = DEPLOYMENT.replace("apps/v1", "argoproj.io/v1alpha1").replace("Deployment", "Rollout")
    body, _ = ran(listed("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", rollout))
    assert [(result["severity"], result["resourceRef"]["kind"]) for result in body["results"]] == [("info", "Rollout")]
    assert "--pod-templates looks for one" in body["results"][0]["message"]


def test_uninjecting_gives_back_what_was_there() -> None:
    text = listed(WEB)
    given = ResourceList.of(text)
    injected = given.written(given.changed(injecting())[0], [])
    again = ResourceList.of(injected)
    assert again.written(again.changed(uninjected)[0], []) == text


def test_json_stays_json() -> None:
    text = '{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": [{"apiVersion": "v1", '
    text += '"kind": "Namespace", "metadata": {"name": "shop"}}]}'
    _, out = ran(text)
    assert '"annotations": {"linkerd.io/inject": "enabled"}' in out
    assert out.startswith('{"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList"')


@pytest.mark.parametrize("items", ["", "items: []\n", "items:\n"])
def test_a_list_without_items_stays_as_it_is(items: str) -> None:
    text = f"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\n{items}"
    assert ran(text)[1] == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEPLOYMENT, "for plain manifests, run linkerd-webhook inject -"),
        ("", "this is not one ResourceList"),
        ("- 1\n", "this is not one ResourceList"),
        ("apiVersion: v1\nkind: ResourceList\nitems: []\n", "this is not one ResourceList"),
        (f"{listed(WEB)}---\n{listed(WEB)}", "this is not one ResourceList"),
        ("a: [\n", "line 1: "),
        ("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems: 7\n", "items is not a list"),
    ],
)
def test_what_is_no_list_of_objects_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unusable, match=message):
        ResourceList.of(text)


def test_settings_that_are_not_an_object_are_refused() -> None:
    given = ResourceList.of("apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nfunctionConfig: 7\n")
    with pytest.raises(Unusable, match="functionConfig is not an object"):
        _ = given.config
