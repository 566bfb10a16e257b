"""Agreement with recorded answers of the tap and jaeger injectors; skipped where the recordings are not there."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from tests.conformance.test_recordings import FOLDER
from webhook.cluster.offline import OfflineCluster
from webhook.extensions.jaeger import Collector
from webhook.mesh.releases import line
from webhook.review import parse
from webhook.webhooks.interface import AdmissionWebhook
from webhook.webhooks.jaeger_injector import JaegerInjector
from webhook.webhooks.tap_injector import TapInjector

EXTENSIONS = Path(FOLDER).parent / "extensions"
TAP = "tap.linkerd-viz.serviceaccount.identity.linkerd.cluster.local"
COLLECTORS = {
    "stable-2.12": Collector("collector.linkerd-jaeger:55678", "collector"),
    "version-2.18": Collector("collector.linkerd-jaeger:4317", "collector", "opentelemetry", "linkerd-proxy"),
}
CORPORA = ("tap-stable-2.12", "tap-edge-26.8", "tap-edge-26.8-wide", "jaeger-stable-2.12", "jaeger-version-2.18")


def webhook(corpus: str, cluster: OfflineCluster) -> AdmissionWebhook:
    kind, _, name = corpus.removesuffix("-wide").partition("-")
    if kind == "tap":
        return TapInjector(lambda: line(name), cluster, TAP)
    return JaegerInjector(lambda: line(name), cluster, COLLECTORS[name])


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_recorded_pod_of_an_extension_becomes_the_same(corpus: str) -> None:
    file = EXTENSIONS / f"{corpus}.jsonl.gz"
    if not file.is_file():
        pytest.skip(f"no recordings: {file} is not there")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        cases: list[dict[str, Any]] = [json.loads(text) for text in lines]
    assert len(cases) >= 60
    for case in cases:
        request = parse(json.dumps(case["review"]).encode())
        answering = webhook(corpus, OfflineCluster([case["namespace"]] if case["namespace"] else []))
        answer = asyncio.run(answering.answer(request))
        expected, body = case["expected"], case["review"]["request"]["object"]
        after = jsonpatch.apply_patch(body, list(answer.patch)) if answer.patch else None
        if "broken_patch" not in expected:
            assert (answer.allowed, after) == (expected["allowed"], expected.get("object")), case["name"]
