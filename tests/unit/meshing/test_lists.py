"""Lists are worked through item by item, and become what they become as a whole."""

from __future__ import annotations

import json

import pytest

from tests.unit.meshing.texts import DEPLOYMENT, Result, injected, injecting, taken_out
from webhook.meshing import lists, stream
from webhook.meshing.lists import cut

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"


def item(text: str, indent: str = "") -> str:
    """A text as an item of a list."""
    first, *rest = text.splitlines()
    return "\n".join([f"{indent}- {first}", *(f"{indent}  {line}" for line in rest), ""])


def listed(*items: str, kind: str = "List", behind: str = 'metadata:\n  resourceVersion: ""\n') -> str:
    """A List, as kubectl writes it."""
    return f"apiVersion: v1\nitems:\n{''.join(items)}kind: {kind}\n{behind}"


WEB, SHOP = item(DEPLOYMENT), item(NAMESPACE)
CUT = {
    "as kubectl": listed(WEB, SHOP),
    "indented": listed(item(DEPLOYMENT, "  "), item(NAMESPACE, "  ")),
    "behind a separator": f"---\n{listed(WEB, SHOP)}",
    "with comments": listed("# all of them\n", WEB, "\n# the next\n", SHOP, "# the end\n"),
    "of one kind": listed(item(NAMESPACE.partition("kind: Namespace\n")[2]), kind="NamespaceList"),
    "with nothing behind it": f"apiVersion: v1\nkind: List\nitems:\n{WEB}{SHOP}".rstrip("\n"),
    "with a null": listed("- null\n", SHOP, "- ~\n"),
    "with Windows' line ends": listed(WEB, SHOP).replace("\n", "\r\n"),
    "with a list within": listed(item(listed(SHOP)), WEB),
    "with an anchor within an item": listed(item(NAMESPACE.replace("shop", "&a shop\n  labels: {b: *a}")), SHOP),
    "with a block text": listed(item(NAMESPACE + "  labels:\n    a: |\n      items:\n      - b\n"), SHOP),
    "with a double key": listed(item(NAMESPACE.replace("name: shop", "name: a\n  name: shop")), SHOP),
    "with what is no object": listed("- 5\n", SHOP, "- [a]\n"),
    "with what cannot be injected": listed(item(NAMESPACE + "  annotations: 5\n"), SHOP),
    "JSON": json.dumps({"kind": "List", "items": [{"kind": "Namespace", "apiVersion": "v1"}, None]}),
    "JSON in lines": json.dumps(
        {"kind": "List", "items": [{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": 'ä"'}}] * 2},
        indent=4,
        ensure_ascii=False,
    ),
}
WHOLE = {
    "no list": DEPLOYMENT,
    "a kind that is no list": listed(SHOP, kind="Shop"),
    "in flow style": f"{{apiVersion: v1, kind: List, items: [{{kind: Namespace}}]}}\n# {WEB}",
    "with items of another depth": "a:\n  items:\n  - b\nkind: List\n",
    "with items twice": listed(SHOP, behind=f"items:\n{SHOP}"),
    "items within a quoted text": f'kind: List\na: "b\nitems:\n{SHOP}"\n',
    "items in a map": "kind: List\nitems:\n  a: 1\n",
    "items with a tag": listed(SHOP).replace("items:", "items: !!seq"),
    "two documents of JSON": '{"kind": "List", "items": [1]}\n' * 2,
    "an empty list": '{"kind": "List", "items": []}',
    "items below": '{"a": {"items": [1]}, "kind": "List", "items": [2]}',
}
READ_WHOLE = {
    "with an alias of another item": listed(item(NAMESPACE.replace("shop", "&a shop")), item("kind: A\nname: *a\n")),
    "with an item in a quoted text": listed(item('kind: A\nname: "b\n'), '- c"\n', SHOP),
    "with an item in a flow list": listed('- kind: A\n  b: [c, "\n- d"]\n', SHOP),
}


@pytest.mark.parametrize("text", CUT.values(), ids=CUT)
@pytest.mark.parametrize("manual", [False, True], ids=["annotated", "manual"])
def test_a_list_in_pieces_becomes_what_it_becomes_as_a_whole(
    text: str, manual: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cut(text) is not None
    with monkeypatch.context() as patched:
        patched.setattr(stream._Piece, "rewritten", None)
        there = injected(text, manual=manual)
    with monkeypatch.context() as patched:
        patched.setattr(lists, "cut", lambda _: None)
        assert _all_of(there) == _all_of(injected(text, manual=manual))
    if not there.notes:
        # A mapping with a key that stands twice is written anew.
        assert taken_out(there.text).text.rstrip("\r\n") == text.rstrip("\r\n")


def _all_of(result: Result) -> tuple[object, ...]:
    return result.text, result.verbs, result.problems, result.notes


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
def test_what_is_not_certainly_a_list_is_not_cut(text: str) -> None:
    assert cut(text) is None


@pytest.mark.parametrize("text", READ_WHOLE.values(), ids=READ_WHOLE)
def test_a_list_whose_pieces_do_not_stand_alone_is_read_as_a_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cut(text) is not None
    there = injected(text)
    monkeypatch.setattr(lists, "cut", lambda _: None)
    assert _all_of(there) == _all_of(injected(text))
    assert not there.problems


def test_the_objects_of_a_list_are_kept_where_they_are_asked_for() -> None:
    text = listed(SHOP, "- null\n").encode()
    (body,) = stream.rewrite("a.yaml", 0, text, injecting(), with_bodies=True).bodies
    assert body["metadata"] == {"resourceVersion": ""}
    assert [entry and entry["metadata"]["annotations"] for entry in body["items"]] == [
        {"linkerd.io/inject": "enabled"},
        None,
    ]
    assert stream.rewrite("a.yaml", 0, text, injecting()).bodies == []


def test_a_list_may_be_longer_than_what_is_composed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LARGEST", 400)
    text = listed(*[SHOP] * 20)
    assert len(injected(text).outcomes) == 20
    broken = injected(text.replace("name: shop", "name: 'shop", 1))
    assert [(problem.line, problem.message[:35]) for problem in broken.problems] == [
        (1, "this document has more than 0 MiB: ")
    ]
