"""The reasons in docs/answers.md: each has a heading, manifests that lead to it, and the same put right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.unit.documentation.pages import ROOT, tokens
from tests.unit.injector.builders import ANCHORS, SERVICE_ACCOUNT, answer_to, pod, request, values
from webhook.injector.decision import SENTENCES
from webhook.injector.inject import Injector
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.review import JSON, Answer

PAGE = Path("docs/answers.md")
# Nothing that one could write down leads to these: a cluster does, or files that cannot be read at all.
WITHOUT = frozenset(
    {
        *("unsupported_resource", "values_invalid", "no_trust_anchors"),
        *("not_found", "forbidden", "timed_out", "unavailable"),
    }
)


class Section(NamedTuple):
    """A heading that names reasons, and the two blocks of YAML below it; both are empty where there are none."""

    reasons: list[str]
    wrong: str
    right: str


def sections() -> Iterator[Section]:
    """The sections of the page that are about reasons."""
    page_tokens = tokens(PAGE)
    starts = [at for at, token in enumerate(page_tokens) if token.type == "heading_open" and token.tag == "h3"]
    for start, end in zip(starts, [*starts[1:], len(page_tokens)], strict=True):
        heads = [at for at in range(start + 1, end) if page_tokens[at].type == "heading_open"]
        inside = page_tokens[start : heads[0] if heads else end]
        blocks = [token.content for token in inside if token.type == "fence"]
        assert len(blocks) in (0, 2), f"{inside[1].content}: write what is wrong, then the same put right"
        yield Section(inside[1].content.split(", "), *(blocks or ("", "")))


SECTIONS = list(sections())
NAMED = {reason for section in SECTIONS for reason in section.reasons}


def merged(base: Any, changes: Any) -> Any:
    """Values with changes in them, as Helm merges them."""
    if isinstance(base, dict) and isinstance(changes, dict):
        return base | {key: merged(base.get(key), value) for key, value in changes.items()}
    return changes


def answer(block: str) -> Answer:
    """The injector's answer to the Pod of a block (or to one that asks for injection), in its Namespace, with its
    values."""
    mesh_values, body, annotations = values(), pod(), {}
    for document in yaml.safe_load_all(block):
        if document.get("kind") == "Namespace":
            annotations = document["metadata"]["annotations"]
        elif document.get("kind") == "Pod":
            body = document
        else:
            mesh_values = merged(mesh_values, document)
    mesh = Mesh.load(yaml.safe_dump(mesh_values).encode(), ANCHORS)
    return answer_to(request(admitted(body)), Injector(mesh), Namespace("shop", annotations, {}))


def admitted(body: JSON) -> JSON:
    """A Pod as the webhook gets it: with its token mounted, unless it declines that."""
    containers = body["spec"]["containers"]
    if body["spec"].get("automountServiceAccountToken") is not False and isinstance(containers, list):
        for container in containers:
            container["volumeMounts"] = [{"name": "token", "mountPath": SERVICE_ACCOUNT}]
    return body


def test_every_reason_that_the_program_gives_has_a_heading() -> None:
    source = "".join(file.read_text() for file in (ROOT / "webhook" / "injector").glob("*.py"))
    refusals = {
        reason
        for call in re.findall(r"Refusal\(\s*(.*?)\)(?:\s+from \w+)?\n", source, re.DOTALL)
        for reason in re.findall(r'"([a-z]+(?:_[a-z]+)+)"', call)
    }
    assert {"malformed_object", "close_wait_needs_root", "no_trust_anchors"} <= refusals, "the pattern finds them"
    assert (SENTENCES.keys() | refusals) - NAMED == set()


def test_only_reasons_that_a_manifest_cannot_have_are_without_one() -> None:
    assert {reason for section in SECTIONS if not section.wrong for reason in section.reasons} == WITHOUT


@pytest.mark.parametrize(
    "section", [section for section in SECTIONS if section.wrong], ids=lambda element: element.reasons[0]
)
def test_the_wrong_example_is_answered_with_its_reason_and_the_right_one_is_injected(section: Section) -> None:
    (reason,) = section.reasons
    assert answer(section.wrong).reason == reason
    assert answer(section.right).decision == "injected"
