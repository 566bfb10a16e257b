"""Each row of the table of releases: a Pod differs between the release before its first one and that, and by that row
alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.unit.injector.releases import SHOWN, becomes, shown
from webhook.mesh.releases import ROWS, Release, at, choose, line

# Of the validators: they have no Pod.
OTHERS = {"rule/regex-1.9"}
INJECTOR = [row for row in ROWS if row.split("/")[0] not in ("policy", "extension") and row not in OTHERS]


def release(version: str) -> Release:
    """The release of a version in a row: 24.5.4 is an edge release, 2.13.4 a patch release of a stable branch."""
    first, second, third = map(int, version.split("."))
    return line(f"stable-2.{second}").release._replace(patch=third) if first == 2 else Release((first, second, third))


def before(first: Release) -> Release:
    """The one before, or one that would stand there."""
    if first.branch:
        return first._replace(patch=first.patch - 1)
    year, month, patch = first.edge
    return Release((year, month, patch - 1))


def boundaries() -> Iterator[tuple[str, str]]:
    """Each row with each release at which it begins or ends."""
    for row in INJECTOR:
        span = ROWS[row]
        edges = (span.since, span.until) if span.since != span.until else ()
        for version in (*edges, span.stable_since, span.stable_until):
            if version:
                yield row, version


@pytest.mark.parametrize(("row", "version"), [*boundaries()])
def test_a_pod_changes_with_the_first_release_that_has_a_row_and_not_before(row: str, version: str) -> None:
    first = release(version)
    assert at(before(first)).has(row) is not at(first).has(row)
    assert becomes(at(before(first)), shown(row)) != becomes(at(first), shown(row))


@pytest.mark.parametrize(("row", "version"), [*boundaries()])
def test_a_pod_changes_by_the_row_alone(row: str, version: str) -> None:
    """Other rows may begin with the same release: it is this one that makes a difference in the release that has it."""
    first = release(version)
    having = at(first) if at(first).has(row) else at(before(first))
    without = replace(having, _rows=having._rows - {row})
    assert becomes(having, shown(row)) != becomes(without, shown(row))


def test_every_entry_is_about_a_row() -> None:
    assert set(SHOWN) <= set(ROWS)


# The releases between which only images changed, or what no Pod shows.
ALIKE = [
    ("edge-24.2.3", "edge-24.2.4", "version-2.15"),
    ("edge-24.8.2", "edge-24.9.1", "edge-24.9.3", "version-2.16"),
    ("edge-24.11.1", "edge-24.11.8", "version-2.17"),
    ("edge-25.4.3", "edge-25.5.4", "version-2.18"),
    ("edge-25.10.7", "version-2.19"),
    ("edge-26.5.2", "edge-26.6.3", "version-2.20"),
    ("edge-26.7.1", "edge-26.8.3", "edge-26.8"),
    ("stable-2.12.5", "stable-2.12.6"),
    ("stable-2.13.4", "stable-2.13.5", "stable-2.13.7", "stable-2.13"),
    ("stable-2.13.0", "stable-2.13.2"),
    ("stable-2.14.0", "stable-2.14.3"),
    ("stable-2.14.4", "stable-2.14.5", "stable-2.14.10", "stable-2.14"),
]


@pytest.mark.parametrize("names", ALIKE, ids="=".join)
def test_releases_between_which_no_pod_changed_make_equal_pods(names: tuple[str, ...]) -> None:
    first, *others = (choose(name).line for name in names)
    for row in INJECTOR:
        wanted = becomes(first, shown(row))
        assert [becomes(other, shown(row)) for other in others] == [wanted] * len(others), row


@pytest.mark.parametrize(
    ("older", "newer", "row"),
    [
        ("stable-2.12.0", "stable-2.12.1", "env/_l5d_ns"),
        ("stable-2.12.1", "stable-2.12.2", "rule/noop"),
        ("stable-2.12.2", "stable-2.12.3", "field/noop.runAsUser"),
        ("stable-2.12.3", "stable-2.12.4", "field/noop.resources"),
        ("stable-2.12.4", "stable-2.12.5", "rule/noop-memory-25Mi"),
        ("stable-2.13.2", "stable-2.13.3", "rule/opaque-port-ranges-expand"),
        ("stable-2.13.3", "stable-2.13.4", "value/proxy.outboundDiscoveryCacheUnusedTimeout"),
        ("stable-2.14.3", "stable-2.14.4", "rule/pod-in-destination-context"),
    ],
)
def test_patch_releases_that_changed_a_pod_do(older: str, newer: str, row: str) -> None:
    assert becomes(choose(older).line, shown(row)) != becomes(choose(newer).line, shown(row))
