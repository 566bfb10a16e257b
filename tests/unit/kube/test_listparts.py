"""Lists that are decoded in parts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.kube.pieces import parts_of
from webhook.kube.listparts import ListParts


def page(items: list[Any]) -> bytes:
    """A page, as the API server writes it."""
    return orjson.dumps({"kind": "PodList", "metadata": {"continue": "next"}, "items": items})


def parts(body: bytes, size: int = 100, piece: int = 64) -> list[Any]:
    """The parts of a page that comes in pieces of so many bytes."""
    return parts_of(body, orjson.loads, size, piece)


def test_each_part_is_a_list_of_some_objects() -> None:
    pods = [{"metadata": {"name": f"web-{number}", "labels": {"app": "web"}}} for number in range(20)]
    made = parts(page(pods))
    assert len(made) > 5
    assert [pod for part in made for pod in part["items"]] == pods
    assert all(part["metadata"] == {"continue": "next"} for part in made)


def test_what_comes_after_the_objects_is_in_the_last_part() -> None:
    pods = [{"metadata": {"name": f"web-{number}" * 10}} for number in range(5)]
    made = parts(orjson.dumps({"kind": "PodList", "items": pods, "metadata": {"continue": "next"}}))
    assert [part.get("metadata") for part in made] == [None] * (len(made) - 1) + [{"continue": "next"}]


def test_an_object_within_an_object_that_begins_alike_is_not_cut() -> None:
    pods = [{"name": "a" * 100, "owners": [{"name": "b" * 100}, {"name": "c"}]} for _ in range(5)]
    made = parts(page(pods), 10)
    assert [pod for part in made for pod in part["items"]] == pods


def test_a_text_that_looks_like_an_object_is_not_cut() -> None:
    pods = [{"name": '},{"name":"x"}]},' * 20}, {"name": "]}"}]
    assert [pod for part in parts(page(pods), 10) for pod in part["items"]] == pods


@pytest.mark.parametrize("items", [[], [{}], [1, 2], ["text"], [{"a": 1}]])
def test_a_short_list_is_one_part(items: list[Any]) -> None:
    assert parts(page(items)) == [orjson.loads(page(items))]


@pytest.mark.parametrize("body", [b"", b"{", b'{"items":[{"a":1},', b'{"items":[{"a":1}]', b"<html>"])
def test_what_is_not_json_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError):
        parts(body)


def test_parts_come_as_soon_as_their_objects_are_there() -> None:
    body = page([{"metadata": {"name": f"web-{number}"}} for number in range(100)])
    made: ListParts[Any] = ListParts(orjson.loads, 100)
    assert len(list(made.feed(body[: len(body) // 2]))) > 10
    assert len(list(made.feed(body[len(body) // 2 :]))) > 10
    assert len(made.end()["items"]) < 10


def test_a_long_text_in_which_no_object_is_found_is_decoded_at_its_end() -> None:
    body = b'{"kind":"PodList",' + b" " * 200_000 + b'"items": [{"a":1}, {"a":2}]}'
    assert parts(body, 10, 8_192) == [{"kind": "PodList", "items": [{"a": 1}, {"a": 2}]}]
