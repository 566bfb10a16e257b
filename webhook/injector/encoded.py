"""JSON text in Base64, as an answer carries a patch: encoded in pieces, most of them when the configuration is loaded.

Base64 writes three bytes as four characters. A piece that ends between two tokens of JSON is filled up with blanks to a
multiple of three bytes, so that encoded pieces, one after the other, are the encoding of the whole text.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable

import orjson

from webhook.injector.pod import VolumeMount
from webhook.review import JSON

# Stands for the mount of the service account in an object: no other one has such a key, and in a string its quotes
# would be escaped.
MOUNT: JSON = {"\0": 0}
_MOUNT_TEXT = orjson.dumps(MOUNT)
# And in encoded text: Base64 has no such character.
_MOUNT_MARK = b"*"

_BLANKS = (b"", b"  ", b" ")


def encode(text: bytes) -> bytes:
    """JSON text, or a piece of it that ends between two tokens, in Base64. For `MOUNT` there is a mark."""
    if _MOUNT_TEXT in text:
        return _MOUNT_MARK.join(map(encode, text.split(_MOUNT_TEXT)))
    return b2a_base64(text + _BLANKS[len(text) % 3], newline=False)


def with_mount(pieces: Iterable[bytes], mount: VolumeMount | None) -> bytes:
    """Encoded text, joined, with a Pod's own mount of the service account in place of the mark.

    The API server gives the volume of the token another name in every Pod (`kube-api-access-` and five letters), and
    else Pods of one template have their patch in common.
    """
    encoded = b"".join(pieces)
    if mount is None:
        return encoded
    own = {"mountPath": mount.mount_path, "name": mount.name, "readOnly": bool(mount.read_only)}
    return encoded.replace(_MOUNT_MARK, encode(orjson.dumps(own)))
