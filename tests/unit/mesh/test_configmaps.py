"""What Linkerd's ConfigMaps hold, and what is said where they cannot be used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from webhook.kube.api import PLAIN, ApiServer
from webhook.mesh import configmaps

CONFIG = "/api/v1/namespaces/mesh/configmaps/linkerd-config"
ROOTS = "/api/v1/namespaces/mesh/configmaps/linkerd-identity-trust-roots"

Read = Callable[[ApiServer, str], Awaitable[str]]


class Objects:
    """An API server that has these objects."""

    def __init__(self, **objects: Any) -> None:
        self.objects = objects

    async def find(self, path: str, accept: str) -> Any:
        assert accept == PLAIN, "the data is not among the metadata"
        return self.objects.get(path)


def api(objects: dict[str, Any]) -> ApiServer:
    return cast("ApiServer", Objects(**objects))


async def test_the_values_and_the_trust_anchors_are_read_from_the_namespace_of_the_control_plane() -> None:
    there = api({CONFIG: {"data": {"values": "a: 1\n"}}, ROOTS: {"data": {"ca-bundle.crt": "PEM"}}})
    assert await configmaps.read_values(there, "mesh") == "a: 1\n"
    assert await configmaps.read_trust_anchors(there, "mesh") == "PEM"


@pytest.mark.parametrize(
    ("read", "name", "key", "place"),
    [
        (configmaps.read_values, "linkerd-config", "values", CONFIG),
        (configmaps.read_trust_anchors, "linkerd-identity-trust-roots", "ca-bundle.crt", ROOTS),
    ],
)
async def test_what_is_missing_is_named(read: Read, name: str, key: str, place: str) -> None:
    with pytest.raises(configmaps.Unusable) as absent:
        await read(api({}), "mesh")
    assert (str(absent.value), absent.value.why) == (f"ConfigMap mesh/{name} does not exist", "does not exist")
    for body in ({}, {"data": None}, {"data": {"other": ""}}, {"data": {key: 5}}):
        with pytest.raises(configmaps.Unusable) as empty:
            await read(api({place: body}), "mesh")
        assert str(empty.value) == f"ConfigMap mesh/{name}: data has no {key}"
        assert empty.value.why == f"data has no {key}"


def test_empty_values_are_values() -> None:
    assert configmaps.values({"data": {"values": ""}}, "mesh") == ""
