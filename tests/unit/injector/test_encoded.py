"""JSON text in Base64, in pieces, with a Pod's own mount filled in."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import orjson
import pytest

from webhook.injector.encoded import MOUNT, encode, with_mount
from webhook.pod import VolumeMount


def decoded(encoded: bytes) -> Any:
    """The value that Base64 text holds."""
    return orjson.loads(b64decode(encoded, validate=True))


@pytest.mark.parametrize("text", [b'"a"', b'"ab"', b'"abc"', '"é…"'.encode()])
def test_pieces_one_after_the_other_are_the_encoding_of_the_whole(text: bytes) -> None:
    assert decoded(b"".join(map(encode, (b'{"k":', text, b"}")))) == {"k": orjson.loads(text)}


@pytest.mark.parametrize("name", ["kube-api-access-x7k2p", "a", "", 'quote"and\\', "star*"])
@pytest.mark.parametrize("read_only", [True, False, None])
def test_a_pods_own_mount_takes_every_place_that_is_held_for_it(name: str, read_only: bool | None) -> None:
    mount = VolumeMount(name=name, mount_path="/token", read_only=read_only)
    own = {"mountPath": "/token", "name": name, "readOnly": bool(read_only)}
    pieces = [*map(encode, (b'{"first":[1', MOUNT, b'],"second":["MA*"', MOUNT, b"]}"))]
    assert decoded(with_mount(pieces, mount)) == {"first": [1, own], "second": ["MA*", own]}


def test_without_a_mount_the_pieces_are_joined_as_they_are() -> None:
    assert decoded(with_mount([encode(b'{"a":'), encode(b"1}")], None)) == {"a": 1}
