"""The release line that a cluster's values name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.installation.releaseline import release_line


def facts(values: str | None) -> ClusterFacts:
    """A cluster with these values of Linkerd's."""
    config = None if values is None else {"data": {"values": values}}
    return ClusterFacts(
        at=datetime(2026, 1, 1, tzinfo=UTC), scope=Scope.PRE, namespace="linkerd", linkerd_config=config
    )


@pytest.mark.parametrize(
    ("version", "line"),
    [("stable-2.14.10", "stable-2.14"), ("edge-24.8.3", "version-2.16"), ("enterprise-2.17.1", "version-2.17")],
)
def test_is_that_of_the_version(version: str, line: str) -> None:
    result = release_line(facts(f"linkerdVersion: {version}\n"))
    assert result is not None
    assert result.line.name == line


@pytest.mark.parametrize(
    "values",
    [
        None,
        "",
        "[]",
        "a: [",
        "{}",
        "linkerdVersion: git-abc",
        "linkerdVersion: stable-2.9.4",
        "linkerdVersion: edge-40.1.1",
    ],
)
def test_is_not_known_where_the_values_name_none_that_is(values: str | None) -> None:
    assert release_line(facts(values)) is None
