"""A Pod without what an injector has put in is the Pod that came, at every release line."""

from __future__ import annotations

from copy import deepcopy

import pytest

from tests.unit.injector.builders import ALPHA, CONFIG, ENABLED, INJECT, container, inject, injector, pod, release
from webhook.injector.removal import is_marked, is_meshed, removed
from webhook.mesh.releases import LINES
from webhook.review import JSON

OWN: JSON = {
    "labels": {"app": "web"},
    "annotations": {INJECT: "enabled", f"{CONFIG}proxy-uid": "7", "team": "blue"},
}


def body() -> JSON:
    """A Pod with everything that injection adds to."""
    made = pod(
        containers=[container(), container("sidecar")],
        initContainers=[container("setup"), container("noop", image="example.org/noop:1")],
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    made["metadata"] |= deepcopy(OWN)
    return made


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(
    "namespace", [{}, {f"{CONFIG}proxy-log-level": "debug", f"{ALPHA}proxy-wait-before-exit-seconds": "0"}]
)
def test_what_was_injected_is_removed(line: str, namespace: dict[str, str]) -> None:
    injected = inject(body(), release(line), namespace={**ENABLED, **namespace}, workload=("deployment", "web"))
    assert is_meshed(injected) and is_marked(injected)
    before = deepcopy(injected)
    assert removed(injected, OWN["annotations"], release(line).inheritable) == body()
    assert injected == before


@pytest.mark.parametrize(
    "options",
    [{"cniEnabled": True}, {"proxy__nativeSidecar": True}, {"proxy__await": False}, {"proxy__tracing__enabled": True}],
)
def test_whatever_the_values_are_it_is_removed(options: JSON) -> None:
    if "proxy__tracing__enabled" in options:
        collector = {"endpoint": "c:4317", "meshIdentity": {"serviceAccountName": "c", "namespace": "t"}}
        options = {**options, "proxy__tracing__collector": collector}
    asked = body()
    asked["metadata"]["annotations"][f"{CONFIG}enable-debug-sidecar"] = "true"
    injected = inject(asked, injector(**options), workload=("daemonset", "web"))
    assert removed(injected, asked["metadata"]["annotations"], injector().inheritable) == asked


def test_the_noop_container_of_the_first_releases_is_removed_and_another_of_its_name_stays() -> None:
    spec = {"initContainers": [{"name": "noop", "image": "gcr.io/google_containers/pause:3.2"}, container("noop")]}
    assert removed({"spec": spec})["spec"]["initContainers"] == [container("noop")]


def test_inherited_annotations_go_where_the_template_is_known() -> None:
    inherited = f"{CONFIG}proxy-log-level"
    made = pod({inherited: "debug", "team": "blue"})
    assert inherited in removed(made)["metadata"]["annotations"]
    assert removed(made, ENABLED, injector().inheritable)["metadata"]["annotations"] == {
        INJECT: "enabled",
        "team": "blue",
    }


@pytest.mark.parametrize("junk", [{}, {"spec": None}, {"spec": {"containers": [1, None, {"name": 2}], "volumes": "x"}}])
def test_wrong_types_stay_as_they_are(junk: JSON) -> None:
    spec = removed(junk, {}, frozenset())["spec"]
    assert spec == (junk.get("spec") or {})
    assert not is_meshed(junk) and not is_marked(junk)
