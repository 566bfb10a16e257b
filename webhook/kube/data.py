"""Bytes in the JSON of Kubernetes: the `data` of a Secret, and a `caBundle`, are base64."""

from __future__ import annotations

import base64
import binascii


class DataError(ValueError):
    """A field that does not hold base64: the message says what it holds, and what to write."""


def decode(text: object) -> bytes:
    """The bytes in a field; none where it is absent, null or empty. Raises `DataError`."""
    if text is None or text == "":
        return b""
    if not isinstance(text, str):
        raise DataError(f"is {type(text).__name__}: write PEM in base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"is not base64: {error}") from None


def encode(content: bytes) -> str:
    """What a field holds for these bytes."""
    return base64.b64encode(content).decode()
