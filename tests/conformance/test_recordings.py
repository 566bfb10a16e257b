"""Agreement with recorded answers of Linkerd's own injector, case by case.

The recordings lie beside the checkout, in `../shared/conformance`, or where WEBHOOK_CONFORMANCE says; without them
these tests are skipped, and everything else goes on. Compared are whether the object is allowed and what it is after
the patch; messages may differ. Where the reference broke off, any well-formed answer is right.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch
import orjson
import pytest

from webhook.cluster.offline import OfflineCluster
from webhook.injector.inject import Injector
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.releases import LINES
from webhook.review import parse, render
from webhook.webhooks.interface import Current
from webhook.webhooks.proxy_injector import ProxyInjector

JSON = dict[str, Any]

BESIDE = Path(__file__).parents[2].parent / "shared" / "conformance"
FOLDER = Path(os.environ.get("WEBHOOK_CONFORMANCE") or BESIDE) / "injector"
# Each line has recordings; a file of a line that is not among them yet is run all the same.
_WIDE = ("edge-26.8-wide", "stable-2.12-wide")
CORPORA = sorted({*LINES, *_WIDE, *(file.name.removesuffix(".jsonl.gz") for file in FOLDER.glob("*.jsonl.gz"))})
# Cases that a corpus has at least: all but the oldest and the newest line's have the everyday ones alone.
AT_LEAST = defaultdict(lambda: 150, dict.fromkeys(("stable-2.12", "edge-26.8", *_WIDE), 250))

CREATED_BY = "linkerd.io/created-by"


@dataclass(frozen=True)
class Known:
    """A difference that is meant: what it looks like, in which corpora ("" for all), and why."""

    reason: str
    corpus: str
    pattern: re.Pattern[str]


KNOWN = [
    Known(
        "linkerd.io/created-by in a Pod template names the program that injects, and so it must differ",
        "",
        re.compile(rf"/spec(/\w+)*/template/metadata/annotations/{CREATED_BY}: .*, want .*"),
    ),
]


def cases(corpus: str) -> list[JSON]:
    """The cases of a corpus; without them the test is skipped."""
    file = FOLDER / f"{corpus}.jsonl.gz"
    if not file.is_file():
        pytest.skip(f"no recordings: {file} is not there; set WEBHOOK_CONFORMANCE to the folder that holds injector/")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def grouped(corpus: str) -> Iterator[tuple[JSON, Path, Path, list[JSON]]]:
    """Cases of one configuration together: its flags, values and trust anchors, and the cases."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[JSON]] = defaultdict(list)
    for case in cases(corpus):
        groups[case["values"], case.get("trust_anchors") or "ca-bundle.crt", tuple(case.get("flags", ()))].append(case)
    values = FOLDER / "values" / corpus.removesuffix("-wide")
    for (name, anchors, flags), group in sorted(groups.items()):
        given = dict(zip(flags[::2], flags[1::2], strict=True))
        options = {key.removeprefix("--").replace("-", "_"): value for key, value in given.items()}
        yield options, values / name, FOLDER / anchors, group


def objects(group: list[JSON]) -> list[JSON]:
    """The Namespaces and owners that exist."""
    return [element for case in group for element in (case["namespace"], *case["owners"]) if element is not None]


def as_sent(review: JSON) -> bytes:
    """A review as an API server writes it: its keys in this order, without blanks."""
    request = review["request"]
    kind = {key: request["kind"].get(key, "") for key in ("group", "version", "kind")}
    return orjson.dumps(review | {"request": {"uid": request["uid"], "kind": kind} | {**request, "kind": kind}})


async def answers(webhook: ProxyInjector, group: list[JSON]) -> list[JSON]:
    """What the webhook answers to each, as the API server reads it."""
    out = []
    for case in group:
        request = parse(as_sent(case["review"]))
        answer = await webhook.answer(request)
        out.append(json.loads(render(request.uid, request.api_version, answer)))
    return out


def disagreements(corpus: str) -> Iterator[tuple[JSON, list[str]]]:
    """The cases of a corpus that are answered otherwise than recorded, and all that differs."""
    for options, values, anchors, group in grouped(corpus):
        try:
            mesh = Mesh.load(values.read_bytes(), anchors.read_bytes(), **options)
        except ConfigError as error:
            # The reference refuses every review then, where it starts at all.
            yield from ((case, [f"no answer: {error}"]) for case in group if is_allowed(case))
            continue
        webhook = ProxyInjector(Current(Injector(mesh)), OfflineCluster(objects(group)))
        for case, answer in zip(group, asyncio.run(answers(webhook, group)), strict=True):
            result = list(differences(case, answer))
            if result:
                yield case, result


def is_allowed(case: JSON) -> bool:
    """Whether the reference allowed the object."""
    return not case["expected"].get("crashed") and bool(case["expected"]["allowed"])


def differences(case: JSON, answer: JSON) -> Iterator[str]:
    """How an answer differs from the recorded one."""
    review, expected, response = case["review"], case["expected"], answer["response"]
    if (answer["apiVersion"], response["uid"]) != (review["apiVersion"], review["request"]["uid"]):
        yield "apiVersion or uid differ"
    if not expected.get("crashed") and response["allowed"] != expected["allowed"]:
        yield f"allowed is {response['allowed']}"
    elif not response["allowed"]:
        if not response["status"]["message"]:
            yield "denied without a message"
    else:
        before = review["request"].get("object")
        patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
        after = jsonpatch.apply_patch(deepcopy(before), patch)
        if not expected.get("crashed") and "broken_patch" not in expected:
            yield from unlike(expected.get("object", before), after)


def unlike(want: Any, got: Any, at: str = "") -> Iterator[str]:
    """Where two objects differ, but for the program's name on the object itself."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted({*want, *got}):
            if key == CREATED_BY and at == "/metadata/annotations":
                continue
            if (key in want) != (key in got):
                yield f"{at}/{key}: {'missing' if key in want else 'unwanted'}"
            else:
                yield from unlike(want[key], got[key], f"{at}/{key}")
    elif isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            yield f"{at}: {len(got)} items, want {len(want)}"
        for number, (wanted, element) in enumerate(zip(want, got, strict=False)):
            yield from unlike(wanted, element, f"{at}/{number}")
    elif want != got or isinstance(want, bool) != isinstance(got, bool):
        yield f"{at}: {got!r}, want {want!r}"


def known(corpus: str, difference: str) -> Known | None:
    """Which of those that are meant a difference is."""
    return next((k for k in KNOWN if k.corpus in ("", corpus) and k.pattern.fullmatch(difference)), None)


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_case_is_answered_as_recorded_but_for_what_is_known(corpus: str) -> None:
    recorded = len(cases(corpus))
    disagreement_list = list(disagreements(corpus))
    unknown = [
        f"{case['name']} ({case['values']}): {why}"
        for case, all_of_it in disagreement_list
        for why in all_of_it
        if not known(corpus, why)
    ]
    shown = "\n".join(unknown[:20])
    assert not unknown, (
        f"{recorded - len(disagreement_list)} of {recorded} cases agree; unknown differences: {len(unknown)}\n{shown}"
    )
    assert recorded >= AT_LEAST[corpus], f"only {recorded} cases: the recordings are not whole"


def test_what_is_known_is_still_so() -> None:
    seen = {
        meant.reason
        for corpus in CORPORA
        for _case, all_of_it in disagreements(corpus)
        for why in all_of_it
        if (meant := known(corpus, why))
    }
    assert seen == {meant.reason for meant in KNOWN}
