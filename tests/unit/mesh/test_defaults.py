"""Default values: each release line has its own, and they are what that line reads."""

from __future__ import annotations

import pytest

from webhook.injector.inject import Injector
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.mesh.releases import LINES, detect, line
from webhook.mesh.values import known_to
from webhook.yaml.objects import read


@pytest.mark.parametrize("name", LINES)
class TestOfALine:
    def test_name_their_line(self, name: str) -> None:
        detected = detect(read(default_values(name).decode()))
        assert (detected.line.name, detected.warning) == (name, "")

    def test_hold_nothing_that_the_line_does_not_know(self, name: str) -> None:
        values = read(default_values(name).decode())
        assert known_to(line(name), values) == values

    def test_inject_a_pod(self, name: str) -> None:
        mesh = Mesh.load(default_values(name), default_trust_anchors())
        assert (mesh.line.name, mesh.problems, mesh.warnings) == (name, [], [])
        assert Injector(mesh).refusal is None


def test_stable_2_12_has_an_init_container_with_an_image_and_resources_of_its_own() -> None:
    init = Mesh.load(default_values("stable-2.12"), default_trust_anchors()).values.proxy_init
    assert init is not None
    assert init.image is not None
    assert init.image.name == "cr.l5d.io/linkerd/proxy-init"
    assert init.resources is not None
    assert init.resources.memory.limit == "20Mi"


def test_those_of_the_newest_line_are_meant_where_none_is_named() -> None:
    assert default_values() == default_values(LINES[-1])
