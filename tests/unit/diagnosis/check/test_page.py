"""A page of a list is decoded object by object, whatever the response holds."""

from __future__ import annotations

import pytest

from webhook.diagnosis.check.page import page_of


@pytest.mark.parametrize(
    ("body", "objects", "following"),
    [
        (b'{"metadata":{"continue":"x"},"items":[{"a":1},{"b":2}]}', [{"a": 1}, {"b": 2}], "x"),
        (b'{"items":[]}', [], ""),
        (b'{"items":null,"metadata":null}', [], ""),
        (b'{"metadata":{"continue":7},"items":[1,null,"x",{"a":1}]}', [{"a": 1}], ""),
        (b'{"metadata":[],"items":[{"a":1}]}', [{"a": 1}], ""),
        (b'{"metadata":{"continue":"x"},"items":7}', [], "x"),
        (b"{}", [], ""),
    ],
)
def test_what_a_page_holds(body: bytes, objects: list[object], following: str) -> None:
    page = page_of(body)
    assert (list(page.objects()), page.following) == (objects, following)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'"x"', b"\xff"])
def test_what_is_not_an_object_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        page_of(body)
