"""Fields that hold bytes as base64: the `data` of a Secret, and a `caBundle`."""

from __future__ import annotations

import base64
import binascii


class DataError(ValueError):
    """A field's value is not base64. The message continues a sentence that begins with the field's name."""


def decode(text: object) -> bytes:
    """The bytes in a field, given its value in JSON. An absent (None) or empty field holds b"". Raises `DataError`."""
    if text is None or text == "":
        return b""
    if not isinstance(text, str):
        raise DataError(f"is not a string but {type(text).__name__}: write PEM in base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"is not base64: {error}") from None


def encode(content: bytes) -> str:
    """The bytes as base64, as a field holds them."""
    return base64.b64encode(content).decode()
