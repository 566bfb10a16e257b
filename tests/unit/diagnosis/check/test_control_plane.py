"""The mesh by the ConfigMaps of the control plane, and what is said where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webhook.diagnosis.check.control_plane import mesh_of, release_line_of
from webhook.diagnosis.unseen import MissingRight, NotAsked, NotSeen
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.yaml import objects

JSON = dict[str, Any]

ROOTS: JSON = {"data": {"ca-bundle.crt": default_trust_anchors().decode()}}


def config(line: str = "edge-26.8", **over: object) -> JSON:
    """A ConfigMap linkerd-config; None takes a section out."""
    values = {**objects.read(default_values(line).decode()), **over}
    return {"data": {"values": json.dumps({key: value for key, value in values.items() if value is not None})}}


def why(config_map: object, roots: object = ROOTS) -> str:
    """Why there is no mesh."""
    mesh = mesh_of(config_map, roots, "linkerd")  # type: ignore[arg-type]
    assert isinstance(mesh, NotAsked)
    return mesh.reason


class TestMesh:
    """ConfigMaps in, the mesh or a reason out."""

    def test_both_config_maps_make_the_mesh(self) -> None:
        mesh = mesh_of(config(), ROOTS, "mesh")
        assert isinstance(mesh, Mesh)
        assert (mesh.line.name, mesh.linkerd_namespace) == ("edge-26.8", "mesh")
        assert mesh.trust_anchors == default_trust_anchors().decode()

    @pytest.mark.parametrize(
        ("config_map", "says"),
        [
            (None, "ConfigMap linkerd/linkerd-config does not exist"),
            ({}, "data has no values"),
            ({"data": {"values": "a: [1"}}, "the values are not YAML: line 1: "),
            ({"data": {"values": 3}}, "data has no values"),
            (config("stable-2.12", proxy=None), "values: proxy is missing"),
            (config("stable-2.12", clusterNetworks="10/8"), 'values: clusterNetworks: "10/8" is not a network'),
        ],
    )
    def test_values_that_cannot_be_used_make_none(self, config_map: object, says: str) -> None:
        assert says in why(config_map)

    @pytest.mark.parametrize(
        ("roots", "says"),
        [
            (None, "ConfigMap linkerd/linkerd-identity-trust-roots does not exist"),
            ({"data": {"ca-bundle.crt": " \n"}}, "linkerd-identity-trust-roots holds no trust anchor"),
            ({"data": []}, "linkerd-identity-trust-roots holds no trust anchor"),
        ],
    )
    def test_no_trust_anchors_make_none(self, roots: object, says: str) -> None:
        assert says in why(config(), roots)

    def test_a_config_map_that_may_not_be_read_stays_that_fact(self) -> None:
        unseen = NotSeen((MissingRight("get", "configmaps/linkerd-config", "linkerd"),))
        assert mesh_of(unseen, ROOTS, "linkerd") is unseen
        assert mesh_of(config(), unseen, "linkerd") is unseen

    def test_the_release_line_is_known_where_nothing_can_be_injected(self) -> None:
        assert release_line_of(config("stable-2.12", proxy=None), "linkerd").startswith("stable-2.12")
        assert release_line_of(config("stable-2.12"), "linkerd", "edge-26.8.3") == "edge-26.8"
        assert release_line_of(None, "linkerd") == ""
        assert release_line_of({}, "linkerd") == ""
