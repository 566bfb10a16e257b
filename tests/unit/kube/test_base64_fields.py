"""Bytes in the JSON of Kubernetes."""

from __future__ import annotations

import pytest

from webhook.kube.base64_fields import DataError, decode, encode

CONTENT = bytes(range(256))


def test_it_comes_back() -> None:
    assert decode(encode(CONTENT)) == CONTENT


@pytest.mark.parametrize("none", [None, ""])
def test_none_is_empty(none: object) -> None:
    assert decode(none) == b""


@pytest.mark.parametrize(
    ("value", "says"), [("%%", "is not base64"), ("AAA", "is not base64"), (7, "is not a string but int")]
)
def test_what_is_no_base64_is_said(value: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        decode(value)
