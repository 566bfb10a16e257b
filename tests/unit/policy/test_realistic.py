"""Manifests as people have them, of which there is nothing to say: what is warned of there would be noise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from webhook.cli.validate import validate

MANIFESTS = sorted((Path(__file__).parent / "realistic").glob("*.yaml"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_nothing_is_said(path: Path) -> None:
    result = CliRunner().invoke(validate, ["-o", "json", str(path)])
    # What concerns injection has tests of its own.
    said = [record for record in json.loads(result.stdout) if not record["rule"].startswith("inject-")]
    assert said == []


def test_nothing_is_said_of_all_of_them_together() -> None:
    result = CliRunner().invoke(validate, ["-o", "json", *map(str, MANIFESTS)])
    assert [record for record in json.loads(result.stdout) if not record["rule"].startswith("inject-")] == []


def test_there_are_manifests_to_look_at() -> None:
    assert len(MANIFESTS) > 3
