"""Agreement with recorded verdicts of Linkerd's own policy and ServiceProfile validators, case by case.

The recordings lie beside the checkout, in `../shared/conformance`, or where WEBHOOK_CONFORMANCE says; without them
these tests are skipped, and everything else goes on. Compared is whether the object is allowed; messages may differ.
Where the reference broke off, any well-formed answer is right.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from webhook.cluster.catalog import OfflineCatalog
from webhook.manifest.load import load
from webhook.mesh.releases import line
from webhook.review import AdmissionRequest, Answer, ReviewError, deny, parse, render
from webhook.webhooks.registry import Registry
from webhook.webhooks.validators import VALIDATORS, Validator

JSON = dict[str, Any]

BESIDE = Path(__file__).parents[2].parent / "shared" / "conformance"
FOLDER = Path(os.environ.get("WEBHOOK_CONFORMANCE") or BESIDE) / "policy"
CORPORA = ["edge-26.8", "stable-2.12", "edge-26.8-wide", "stable-2.12-wide"]

# What was in the cluster when a line was recorded.
EXISTING = {"stable-2.12": "existing.yaml"}


def cases(corpus: str) -> list[JSON]:
    """The cases of a corpus; without them the test is skipped."""
    file = FOLDER / f"{corpus}.jsonl.gz"
    if not file.is_file():
        pytest.skip(f"no recordings: {file} is not there; set WEBHOOK_CONFORMANCE to the folder that holds policy/")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(text) for text in lines]


def registry(corpus: str) -> Registry:
    """The validators of a line, in a cluster that holds what it did for the recording."""
    name = corpus.removesuffix("-wide")
    objects, problems = load([FOLDER / EXISTING[name]]) if name in EXISTING else ([], [])
    assert not problems
    catalog = OfflineCatalog(objects)
    return Registry([Validator(validator, lambda: line(name), catalog, strict=True) for validator in VALIDATORS])


async def answer(validators: Registry, body: bytes) -> tuple[AdmissionRequest | None, Answer]:
    """What the server would say."""
    try:
        request = parse(body)
    except ReviewError as error:
        return None, deny(error.message)
    return request, await validators.choose("/", request).answer(request)


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_verdict_is_the_reference_s(corpus: str) -> None:
    result = cases(corpus)
    assert len(result) > 100
    validators = registry(corpus)
    different = []
    for case in result:
        request, ours = asyncio.run(answer(validators, json.dumps(case["review"]).encode()))
        if request is not None:
            response = json.loads(render(request.uid, request.api_version, ours))["response"]
            assert response["allowed"] or response["status"]["message"]
        if "crashed" not in case["expected"] and ours.allowed != case["expected"]["allowed"]:
            different.append(f"{case['name']}: {ours.allowed} ({ours.message}), want {case['expected']}")
    assert different == []


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_refusal_names_a_field_a_rule_and_a_message(corpus: str) -> None:
    validators = registry(corpus)
    for case in cases(corpus):
        _, ours = asyncio.run(answer(validators, json.dumps(case["review"]).encode()))
        if ours.details is not None:
            for cause in ours.details["causes"]:
                assert cause["message"], case["name"]
                assert cause["reason"].startswith("FieldValue"), case["name"]
                assert "\n" not in cause["message"], case["name"]
