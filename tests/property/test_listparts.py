"""Lists that are decoded in parts have the objects that they have as a whole."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.kube.pieces import parts_of

TEXTS = st.text(alphabet='a{}[],:"\\é ', max_size=8) | st.sampled_from(['},{"a":', '"items":[', "]}"])
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from("abc") | TEXTS, values, max_size=3),
    max_leaves=12,
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3) | VALUES, max_size=8)


@given(
    items=OBJECTS,
    size=st.integers(0, 60),
    piece=st.integers(1, 200),
    separators=st.sampled_from([(",", ":"), (", ", ": ")]),
    order=st.permutations(["metadata", "items", "kind"]),
)
def test_the_objects_of_all_parts_are_those_of_the_list(
    items: list[Any], size: int, piece: int, separators: tuple[str, str], order: list[str]
) -> None:
    whole = {"kind": "List", "metadata": {"continue": "next"}, "items": items}
    body = json.dumps({name: whole[name] for name in order}, separators=separators).encode()
    parts = parts_of(body, json.loads, size, piece)
    assert [item for part in parts for item in part["items"]] == items
    assert parts[-1]["metadata"] == whole["metadata"]


@given(
    body=st.binary(max_size=60) | st.text(alphabet='{}[],:"items ab1', max_size=60).map(str.encode),
    piece=st.integers(1, 80),
)
def test_no_text_is_taken_for_a_list_that_is_none(body: bytes, piece: int) -> None:
    text = b'{"items":[{"a":1},{"a":2}' + body
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    try:
        parts = parts_of(text, json.loads, 0, piece)
    except ValueError:
        parts = None
    assert (parts is None) == (whole is None)
