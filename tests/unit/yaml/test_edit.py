"""Edits of YAML text: what stays as it is, and how much is written anew where it cannot stay."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable
from typing import Any

import pytest

from webhook.yaml.edit import apply, edits
from webhook.yaml.objects import Build, Loader

DEPLOYMENT = """\
# head
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # the name
spec:
  template:
    metadata:
      labels: {app: web}
    # about the spec
    spec:
      containers:
      # the first
      - name: web
        image: "nginx"  # in quotes
      - name: other
        args: [a,
           b]

# the end
"""


def changed(text: str, change: Callable[[Any], object]) -> str:
    """The text, edited to the value that `change` makes of its own."""
    loader = Loader(text)
    assert loader.check_node()
    node = loader.get_node()
    assert node is not None
    old = Build(loader).document(node)
    new = copy.deepcopy(old)
    change(new)
    result = apply(text, edits(text, node, old, new))
    again = Loader(result)
    assert again.check_node()
    root = again.get_node()
    assert root is not None
    assert Build(again).document(root) == new
    return result


def difference(before: str, after: str) -> list[str]:
    """Removed and added lines."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line.rstrip() for line in lines if line[:1] in "+-"]


def test_what_is_added_stands_on_lines_of_its_own_and_all_others_stay() -> None:
    def change(body: Any) -> None:
        body["spec"]["template"]["metadata"]["annotations"] = {"linkerd.io/inject": "enabled"}
        body["spec"]["template"]["spec"]["containers"].insert(0, {"name": "linkerd-proxy", "args": ["y"]})

    assert difference(DEPLOYMENT, changed(DEPLOYMENT, change)) == [
        "+       annotations:",
        "+         linkerd.io/inject: enabled",
        "+       - name: linkerd-proxy",
        "+         args:",
        '+         - "y"',
    ]


def test_a_comment_above_an_item_stays_with_it() -> None:
    text = changed(DEPLOYMENT, lambda body: body["spec"]["template"]["spec"]["containers"].insert(0, {"name": "new"}))
    assert "      - name: new\n      # the first\n      - name: web\n" in text


def test_lists_are_indented_as_the_documents_own() -> None:
    text = "a:\n    - b\nc: 1\n"
    assert changed(text, lambda body: body.update(d=["e"])) == text + "d:\n    - e\n"


def test_line_ends_are_those_of_the_text() -> None:
    text = DEPLOYMENT.replace("\n", "\r\n")
    after = changed(text, lambda body: body["metadata"].update(labels={"a": "b"}))
    assert after.count("\n") == after.count("\r\n") == text.count("\n") + 2


def test_a_text_without_a_line_break_at_its_end_gets_one_between() -> None:
    assert changed("a: 1", lambda body: body.update(b=2)) == "a: 1\nb: 2"


def test_a_flow_mapping_stays_one() -> None:
    text = changed(
        DEPLOYMENT, lambda body: body["spec"]["template"]["metadata"]["labels"].update({"linkerd.io/inject": "enabled"})
    )
    assert '      labels: {app: web, "linkerd.io/inject": "enabled"}\n' in text


def test_an_empty_flow_mapping_is_filled_and_emptied() -> None:
    text = "a: {}  # none\nb: []\n"
    filled = changed(text, lambda body: (body["a"].update(c=1), body["b"].append("d")))
    assert filled == 'a: {"c": 1}  # none\nb: ["d"]\n'
    assert changed(filled, lambda body: (body["a"].clear(), body["b"].clear())) == text


def test_json_keeps_its_lines() -> None:
    text = '{\n  "kind": "Pod",\n  "metadata": {\n    "name": "web"\n  }\n}\n'
    after = changed(text, lambda body: body["metadata"].update(annotations={"linkerd.io/inject": "enabled"}))
    assert after == (
        '{\n  "kind": "Pod",\n  "metadata": {\n    "name": "web",\n'
        '    "annotations": {"linkerd.io/inject": "enabled"}\n  }\n}\n'
    )
    assert changed(after, lambda body: body["metadata"].pop("annotations")) == text


def test_an_item_of_a_flow_list_goes_with_its_comma() -> None:
    assert changed("a: [b, c, d]\n", lambda body: body["a"].remove("b")) == "a: [c, d]\n"
    assert changed("a: [b, c, d]\n", lambda body: body["a"].remove("d")) == "a: [b, c]\n"


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (lambda body: body["use"].update(b=2), ["- use: *x", "+ use:", "+   a: 1", "+   b: 2"]),
        (lambda body: body["merged"].update(b=2), ["+   b: 2"]),
        (lambda body: body["merged"].update(a=2), ["+   a: 2"]),
        (lambda body: body["merged"].pop("a"), ["-   <<: *x"]),
    ],
)
def test_a_shared_value_is_written_anew_where_it_is_used(change: Callable[[Any], object], lines: list[str]) -> None:
    text = "base: &x {a: 1}\nuse: *x\nmerged:\n  <<: *x\n  own: 1\n"
    assert difference(text, changed(text, change)) == lines


def test_a_shared_value_that_changes_where_it_stands_leaves_the_others_as_they_are() -> None:
    text = "base: &x\n  a: 1\nuse: *x\n"
    after = changed(text, lambda body: body["base"].update(b=2))
    assert "&" not in after


def test_the_value_of_a_key_with_a_question_mark_is_written_anew() -> None:
    assert "complex:\n  b: 1" in changed("? complex\n: value\nc: 1\n", lambda body: body.update(complex={"b": 1}))


def test_a_value_that_is_left_out_is_filled_in() -> None:
    assert changed("a:\nb: 1\n", lambda body: body.update(a={"c": 1})) == "a:\n  c: 1\nb: 1\n"
    assert changed("a:\nb: 1\n", lambda body: body.update(a=2)) == "a: 2\nb: 1\n"


def test_a_comment_behind_a_value_that_becomes_a_mapping_stays() -> None:
    assert changed("a: 1  # one\n", lambda body: body.update(a={"b": 2})) == "a:  # one\n  b: 2\n"


def test_texts_that_would_be_read_as_something_else_are_quoted() -> None:
    texts = {"a": "y", "b": "0644", "c": "1:30", "d": "a # b", "e": "- a", "f": "null", "g": "two\nlines", "h": "\x85"}
    text = changed("x: 1\n", lambda body: body.update(texts))
    assert text == (
        'x: 1\na: "y"\nb: "0644"\nc: 1:30\nd: "a # b"\ne: "- a"\nf: "null"\ng: "two\\nlines"\nh: "\\u0085"\n'
    )


def test_only_the_document_that_changes_is_touched() -> None:
    text = "a: 1\n---\nb: 1\n---\n# c\nc: 1\n"
    loader = Loader(text)
    nodes = []
    while loader.check_node():
        nodes.append(loader.get_node())
    assert nodes[1] is not None
    assert apply(text, edits(text, nodes[1], {"b": 1}, {"b": 1, "d": 2})) == text.replace("b: 1\n", "b: 1\nd: 2\n")
