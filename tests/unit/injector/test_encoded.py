"""JSON text in Base64, in pieces, with a Pod's own mount filled in."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import orjson
import pytest

from webhook.injector.encoded import MOUNT, encode, with_mount
from webhook.injector.pod import VolumeMount


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
    text = encode(orjson.dumps({"first": [MOUNT], "second": [{"name": "other"}, MOUNT]}))
    assert decoded(with_mount([text], mount)) == {"first": [own], "second": [{"name": "other"}, own]}


def test_a_text_that_looks_like_the_place_of_a_mount_stays_as_it_is() -> None:
    value = {"value": orjson.dumps(MOUNT).decode(), "key\0": 0}
    assert decoded(with_mount([encode(orjson.dumps(value))], VolumeMount(name="n", mount_path="/token"))) == value
