"""inject and uninject, over workloads in every style of text."""

from __future__ import annotations

from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.property.test_yaml_edit import TEXTS, Writer
from tests.unit.meshing.texts import injected, injector, taken_out
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.meshing import lists
from webhook.yaml.objects import read

NAMES = st.sampled_from(["web", "cart", "db"])
LABELS = st.dictionaries(st.sampled_from(["app", "example.org/tier", "a b"]), TEXTS, min_size=1, max_size=2)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["one", "two", "three"]), "image": st.just("nginx:1.27")},
        optional={
            "ports": st.lists(st.fixed_dictionaries({"containerPort": st.integers(1, 65535)}), min_size=1, max_size=2),
            "args": st.lists(TEXTS, min_size=1, max_size=2),
            "example": TEXTS,
        },
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda container: container["name"],
)


@st.composite
def workloads(draw: st.DrawFn) -> dict[str, Any]:
    """A Deployment without anything of Linkerd's."""
    template: dict[str, Any] = {"spec": {"containers": draw(CONTAINERS)}}
    metadata = draw(st.fixed_dictionaries({}, optional={"labels": LABELS, "annotations": LABELS}))
    if metadata:
        template["metadata"] = metadata
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": draw(NAMES), "namespace": "shop"},
        "spec": {"replicas": draw(st.integers(1, 3)), "template": template},
    }


SEEDS = st.integers(0, 2**32)
NEWLINES = st.sampled_from(["\n", "\r\n"])


def written(body: dict[str, Any], seed: int, newline: str) -> str:
    """The text of a workload, with a line break at its end."""
    text = Writer(Random(seed), newline).document(body)
    text = text if text.endswith(newline) else text + newline
    # Behind `|`, a text has a line break more.
    assume(read(text) == body)
    return text


@given(body=workloads(), seed=SEEDS, newline=NEWLINES, manual=st.booleans())
@settings(max_examples=150)
def test_what_was_put_in_is_taken_out_to_the_byte(body: Any, seed: int, newline: str, manual: bool) -> None:
    text = written(body, seed, newline)
    there = injected(text, manual=manual)
    assert not there.problems
    assert there.text != text
    assert taken_out(there.text).text == text


@given(body=workloads(), seed=SEEDS, newline=NEWLINES, manual=st.booleans())
@settings(max_examples=100)
def test_twice_is_as_once(body: Any, seed: int, newline: str, manual: bool) -> None:
    once = injected(written(body, seed, newline), manual=manual).text
    assert injected(once, manual=manual).text == once


@given(body=workloads(), seed=SEEDS)
@settings(max_examples=100)
def test_lines_that_nothing_changes_stay(body: Any, seed: int) -> None:
    text = written(body, seed, "\n")
    kept = set(injected(text).text.splitlines())
    assert {line for line in text.splitlines() if "{" not in line} <= kept


@given(body=workloads(), seed=SEEDS)
@settings(max_examples=60)
def test_the_webhook_skips_a_pod_of_a_template_that_has_the_proxy(body: Any, seed: int) -> None:
    template = read(injected(written(body, seed, "\n"), manual=True).text)["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    namespace = Namespace("shop", {"linkerd.io/inject": "enabled"}, {})
    assert injector().decide(Subject.of("pod", pod), namespace, None).reason == "sidecar_already_exists"


@given(bodies=st.lists(workloads(), min_size=2, max_size=3), seed=SEEDS, manual=st.booleans())
@settings(max_examples=60)
def test_the_order_of_documents_does_not_matter(bodies: Any, seed: int, manual: bool) -> None:
    texts = [f"---\n{written(body, seed + number, chr(10))}" for number, body in enumerate(bodies)]
    alone = [injected(text, manual=manual).text for text in texts]
    assert injected("".join(reversed(texts)), manual=manual).text == "".join(reversed(alone))


@given(
    bodies=st.lists(workloads(), min_size=1, max_size=3),
    seed=SEEDS,
    newline=NEWLINES,
    indent=st.sampled_from(["", "  "]),
    manual=st.booleans(),
)
@settings(max_examples=100)
def test_a_list_in_pieces_becomes_what_it_becomes_as_a_whole(
    bodies: Any, seed: int, newline: str, indent: str, manual: bool
) -> None:
    lines = ["kind: List", "items:"]
    for number, body in enumerate(bodies):
        own = written(body, seed + number, newline).split(newline)[:-1]
        first = next(index for index, line in enumerate(own) if line and not line.startswith("#"))
        lines += [f"{indent}{'- ' if index == first else '  '}{line}" if line else "" for index, line in enumerate(own)]
    text = newline.join([*lines, ""])
    assert lists.cut(text) is not None
    pieces = injected(text, manual=manual)
    with patch.object(lists, "cut", return_value=None):
        whole = injected(text, manual=manual)
    assert pieces.text == whole.text != text
    assert (pieces.verbs, pieces.problems, pieces.notes) == (whole.verbs, whole.problems, whole.notes)
