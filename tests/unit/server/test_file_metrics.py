"""What `/metrics` says about files and trust anchors."""

from __future__ import annotations

from pathlib import Path

from webhook.server.configuration import TrustAnchor
from webhook.server.file_metrics import ANCHORS, FileMetrics
from webhook.server.metrics import Metrics
from webhook.server.reload import Group


def rendered(groups: list[Group], anchors: list[TrustAnchor]) -> str:
    metrics = Metrics()
    metrics.registry.register(FileMetrics(groups, lambda: anchors))
    return metrics.render().decode()


def group(name: str, error: str = "") -> Group:
    return Group(name, {"values": Path("values")}, lambda _: lambda: None, error=error)


def test_files_that_are_refused_are_told_until_they_are_mended() -> None:
    certificate, configuration = group("certificate"), group("configuration", "values: line 3 is wrong")
    text = rendered([certificate, configuration], [])
    assert '\nlinkerd_webhook_files_refused{files="certificate"} 0.0\n' in text
    assert '\nlinkerd_webhook_files_refused{files="configuration"} 1.0\n' in text
    configuration.error = ""
    assert '\nlinkerd_webhook_files_refused{files="configuration"} 0.0\n' in rendered([configuration], [])


def test_each_trust_anchor_is_told_with_its_end() -> None:
    text = rendered([], [TrustAnchor("CN=root.linkerd.cluster.local", "ab" * 32, 1.9e9)])
    series = 'linkerd_webhook_trust_anchor_expiry_timestamp_seconds{sha256="abababababababab",'
    assert f'\n{series}subject="CN=root.linkerd.cluster.local"}} 1.9e+09\n' in text


def test_of_very_many_trust_anchors_those_that_end_first_are_told() -> None:
    anchors = [TrustAnchor("CN=x" * 100, f"{number:064x}"[::-1], float(1000 - number)) for number in range(300)]
    lines = [line for line in rendered([], anchors).splitlines() if line.startswith("linkerd_webhook_trust_anchor_")]
    assert len(lines) == ANCHORS
    assert {float(line.rpartition(" ")[2]) for line in lines} == {float(1000 - n) for n in range(300 - ANCHORS, 300)}
    assert max(map(len, lines)) < 220
