"""JSON text in Base64, as an answer carries a patch: encoded in pieces, most of them when the configuration is loaded.

Base64 writes three bytes as four characters. A piece that ends between two tokens of JSON is filled up with blanks to a
multiple of three bytes, so that encoded pieces, one after the other, are the encoding of the whole text.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable
from typing import Final

import orjson

from webhook.pod import VolumeMount

# Stands for the Pod's own mount of the service account, as an item behind others of an array: JSON text has no such
# character.
MOUNT: Final = b"\0"
# And this among encoded pieces: Base64 has no such character.
ENCODED_MOUNT: Final = b"*"

_BLANKS = (b"", b"  ", b" ")


def encode(text: bytes) -> bytes:
    """JSON text, or a piece of it that ends between two tokens, in Base64; `ENCODED_MOUNT` for `MOUNT`."""
    if text == MOUNT:
        return ENCODED_MOUNT
    return b2a_base64(text + _BLANKS[len(text) % 3], newline=False)


def with_mount(pieces: Iterable[bytes], mount: VolumeMount | None) -> bytes:
    """Encoded text, joined, with a Pod's own mount of the service account in place of each `ENCODED_MOUNT`.

    The API server gives the volume of the token another name in every Pod (`kube-api-access-` and five letters), and
    else Pods of one template have their patch in common.
    """
    if mount is None:
        return b"".join(pieces)
    own = {"mountPath": mount.mount_path, "name": mount.name, "readOnly": bool(mount.read_only)}
    text = encode(b"," + orjson.dumps(own))
    return b"".join([text if piece == ENCODED_MOUNT else piece for piece in pieces])
