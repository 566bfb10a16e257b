"""Streams are worked through document by document, and their text is kept."""

from __future__ import annotations

import pytest

from tests.unit.meshing.texts import DEPLOYMENT, injected, taken_out

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"


@pytest.mark.parametrize(
    "text",
    [
        f"---\n{DEPLOYMENT}",
        f"{DEPLOYMENT}---\n{DEPLOYMENT}",
        f"{DEPLOYMENT}--- # next\n{DEPLOYMENT}\n",
        f"{DEPLOYMENT}...\n---\n{DEPLOYMENT}",
        f"---\n---\n{DEPLOYMENT}---\n",
        "\ufeff" + DEPLOYMENT,
        DEPLOYMENT.replace("\n", "\r\n"),
        DEPLOYMENT.rstrip("\n"),
        "# only a comment\n",
        "",
    ],
)
def test_what_is_not_linkerds_stays_to_the_byte(text: str) -> None:
    there = injected(text)
    assert not there.problems
    assert len(there.outcomes) == text.count("kind: Deployment")
    assert taken_out(there.text).text in (text, text + "\n")


def test_documents_behind_an_end_mark_and_on_the_separators_line_are_not_lost() -> None:
    text = "--- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n...\n" + NAMESPACE
    assert injected(text).verbs == [("namespace", "a", "annotated"), ("namespace", "shop", "annotated")]


def test_json_stays_json() -> None:
    text = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}\n'
    there = injected(text * 2)
    assert there.text.count('"annotations": {"linkerd.io/inject": "enabled"}') == 2
    assert taken_out(there.text).text == text * 2


def test_a_document_without_a_kind_is_left_alone() -> None:
    text = "# Source: chart/templates/notes.yaml\nhello: world\n"
    result = injected(text)
    assert (result.text, result.outcomes[0].kind, result.outcomes[0].verb) == (text, "", "skipped")


def test_a_key_that_stands_twice_is_noted_and_the_last_one_counts() -> None:
    result = injected(NAMESPACE.replace("  name: shop\n", "  name: a\n  name: shop\n"))
    assert result.verbs == [("namespace", "shop", "annotated")]
    assert [(note.line, note.message) for note in result.notes] == [(5, "name stands here twice: the last one counts")]


def test_a_number_for_a_name_is_read_as_kubectl_reads_it() -> None:
    text = NAMESPACE.replace("shop", "1e3")
    result = injected(text)
    assert result.verbs == [("namespace", "1000", "annotated")]
    assert "name: 1e3\n" in result.text


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a:\n\t- b\n", 2, "cannot start any token"),
        ("- a\n- b\n", 1, "this document is a list: write a Kubernetes object, with apiVersion and kind"),
        ("hello\n", 1, 'this document is "hello": write a Kubernetes object, with apiVersion and kind'),
        ("a: &x [*x]\n", 1, "contains itself"),
        ("kind: {}\n", 1, "kind is {}, and must be a string: write Deployment"),
        ("kind: 5\n", 1, "kind is 5, and must be a string: write Deployment"),
        ("metadata:\n  name: {{ .Release.Name }}\n", 2, "a template, not YAML: render it first"),
        (NAMESPACE + "  annotations: {a: [b]}\n", 5, "must be a string"),
        (NAMESPACE + "  annotations: 5\n", 5, "must be an object"),
        ("apiVersion: v1\nkind: List\nitems: [text]\n", 3, "items.0 is not an object"),
        ("a: \0\n", 1, "not allowed"),
        (b"a: \xff\n", 1, "not UTF-8"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
            1,
            "expand to more than",
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line_and_stays(text: str | bytes, line: int, message: str) -> None:
    behind = NAMESPACE.encode()
    result = injected((text.encode() if isinstance(text, str) else text) + b"---\n" + behind)
    assert [problem.line for problem in result.problems][:1] == [line] or line == 1
    assert message in result.problems[0].message
    # What is behind it is worked on all the same.
    assert ("namespace", "shop", "annotated") in result.verbs


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("name: web ", 'name: "{{ .Release.Name }}"', 5, 'metadata.name: "{{ .Release.Name }}" belongs to a template'),
        ("image: nginx:1.27", "image: !Ref nginx", 15, "!Ref is a tag that Kubernetes ignores"),
        ('app: "web"', "app: 1.10", 11, "spec.template.metadata.labels.app: 1.1 is a number, not a string"),
        ("image: nginx:1.27", "image: $IMAGE", 15, '"$IMAGE" is a variable that nothing has filled in'),
        ('app: "web"', "app: web\u00a0", 11, "spec.template.metadata.labels.app: U+00A0 (no-break space) stands at"),
        ("- name: web\n        image", "- image", 14, "the container has no name: write name: web"),
    ],
)
def test_what_kubernetes_will_not_take_is_noted_with_its_line(old: str, new: str, line: int, message: str) -> None:
    text = DEPLOYMENT.replace(old, new)
    _, *rest = text.splitlines()
    listed = "\n  ".join(["kind: List\nitems:\n- " + rest[0], *rest[1:], ""])
    for where, piece in ((line, text), (line + 1, listed)):
        result = injected(piece)
        assert [verb for _, _, verb in result.verbs] == ["injected"]
        [note] = result.notes
        assert message in note.message
        assert note.line == where
