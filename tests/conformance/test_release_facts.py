"""Releases that have the same sources make the same Pods.

The facts lie beside the recordings, read from the tags of Linkerd's repository; without them these tests are skipped.
"""

from __future__ import annotations

import re

import pytest

from tests.conformance.test_recordings import FOLDER
from tests.unit.injector.releases import SHOWN, becomes
from webhook.mesh.releases import ROWS, choose

FACTS = FOLDER.parent / "release-facts.md"
_ROW = re.compile(r"\| (?P<line>[\w.-]+) \| (?P<recorded>[\w.-]+)[^|]*\|[^|]*\| edge-(?P<edges>[^|]+) \|")


def alike() -> list[list[str]]:
    """The releases of each line that have the same sources of the injector."""
    if not FACTS.is_file():
        pytest.skip(f"no facts: {FACTS} is not there; set WEBHOOK_CONFORMANCE to the folder that holds it")
    result = []
    for row in map(_ROW.match, FACTS.read_text().splitlines()):
        if row is not None:
            edges = [f"edge-{edge.strip()}" for edge in re.split(r",| to ", row["edges"])]
            result.append([row["recorded"], *edges])
    return result


def test_releases_with_the_same_sources_make_the_same_pods() -> None:
    groups = alike()
    assert len(groups) >= 7, "the table of the facts cannot be read"
    for recorded, *edges in groups:
        for row, shown in SHOWN.items():
            wanted = becomes(choose(recorded).line, shown)
            for edge in edges:
                assert becomes(choose(edge).line, shown) == wanted, (edge, recorded, row)


def test_a_row_begins_and_ends_with_the_releases_that_the_facts_name() -> None:
    """Each release of a row stands somewhere in the facts, and in a line that names the row's thing if there is one."""
    if not FACTS.is_file():
        pytest.skip(f"no facts: {FACTS} is not there; set WEBHOOK_CONFORMANCE to the folder that holds it")
    text = FACTS.read_text()
    named = 0
    for row, span in ROWS.items():
        kind, _, name = row.partition("/")
        if kind == "policy" or row == "rule/regex-1.9":
            continue
        versions = [version for version in (span.since, span.until, span.stable_since, span.stable_until) if version]
        for version in versions:
            assert re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", text), f"{row}: no fact is of {version}"
        word = re.sub(r"^LINKERD2_PROXY_|^config\..*/proxy-|^proxy\.|^--", "", name)
        lines = [line for line in text.splitlines() if kind not in ("rule", "field") and word in line]
        if lines:
            named += 1
            assert any(version in line for line in lines for version in versions), f"{row}: {versions}, facts: {lines}"
    assert named >= 30, "the facts hardly name what the rows are about"
