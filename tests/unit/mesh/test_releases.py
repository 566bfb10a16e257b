"""Release lines: which one values belong to, and what exists in it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from webhook.mesh.defaults import default_values
from webhook.mesh.releases import (
    LINES,
    ROWS,
    Release,
    Span,
    TooOld,
    at,
    came_with,
    choose,
    detect,
    line,
    went_with,
    why_not,
)
from webhook.yaml.objects import read

OLD_SHAPE: dict[str, Any] = {"proxy": {}, "proxyInit": {"image": {}}, "podMonitor": {}}
NEW_SHAPE: dict[str, Any] = {
    "proxy": dict.fromkeys(("livenessProbe", "readinessProbe", "metrics")),
    "proxyInit": {},
    "networkValidator": {},
}


class TestDetectionByVersion:
    @pytest.mark.parametrize(
        ("version", "name"),
        [
            ("stable-2.12.0", "stable-2.12.0"),
            ("stable-2.12.2", "stable-2.12"),
            ("stable-2.12.6-rc1", "stable-2.12.6"),
            ("stable-2.12.5", "stable-2.12.5"),
            ("2.12", "stable-2.12"),
            ("v2.12.2", "stable-2.12"),
            ("stable-2.13.0", "stable-2.13.0"),
            ("stable-2.13.2", "stable-2.13.2"),
            ("stable-2.13.5", "stable-2.13"),
            ("stable-2.14.3", "stable-2.14.3"),
            ("stable-2.14.4", "stable-2.14"),
            ("v2.16.0", "version-2.16"),
            ("version-2.20", "version-2.20"),
            ("enterprise-2.17.1", "version-2.17"),
            ("edge-22.8.3", "edge-22.8.3"),
            ("edge-24.2.3", "version-2.15"),
            ("edge-24.7.5", "edge-24.7.5"),
            ("edge-24.9.3", "version-2.16"),
            ("edge-24.11.7", "version-2.17"),
            ("edge-25.4.3", "version-2.18"),
            ("edge-26.8.1", "edge-26.8.1"),
            ("edge-26.8.2", "edge-26.8"),
            ("edge-26.8.99", "edge-26.8"),
            ("edge-26.8", "edge-26.8"),
        ],
    )
    def test_a_version_has_the_name_of_the_line_that_is_the_same(self, version: str, name: str) -> None:
        detected = detect({"linkerdVersion": version, **NEW_SHAPE})
        assert (detected.line.name, detected.warning, detected.unknown) == (name, "", False)
        assert version in detected.why

    @pytest.mark.parametrize("version", ["stable-2.12.1", "edge-24.7.5", "version-2.16"])
    def test_the_version_wins_over_a_newer_shape(self, version: str) -> None:
        values = {"linkerdVersion": version, **NEW_SHAPE}
        assert detect(values).line == choose(version).line

    @pytest.mark.parametrize("version", ["edge-27.1.1", "edge-26.9.1", "edge-26.13.1", "version-2.99", "v3.0.1"])
    def test_a_newer_one_is_taken_for_the_newest_with_a_warning(self, version: str) -> None:
        detected = detect({"linkerdVersion": version})
        assert detected.line.name == LINES[-1] == "edge-26.8"
        assert detected.unknown
        assert f'linkerdVersion "{version}" is newer than edge-26.8' in detected.warning
        assert "--release-line" in detected.warning

    @pytest.mark.parametrize("version", ["stable-2.11.4", "stable-2.9.4", "edge-22.7.3", "edge-21.1.1", "2.1"])
    def test_one_from_before_2_12_is_refused_with_the_way_out(self, version: str) -> None:
        with pytest.raises(TooOld, match=rf"linkerdVersion is {version}, older than stable-2\.12.*--release-line"):
            detect({"linkerdVersion": version})

    def test_values_that_cannot_be_of_their_version_go_by_their_shape(self) -> None:
        detected = detect({"linkerdVersion": "edge-26.1.1", **OLD_SHAPE})
        assert detected.line.name == "stable-2.12"
        assert 'linkerdVersion "edge-26.1.1" does not name their release' in detected.warning
        later = {**NEW_SHAPE, "podMonitor": {"controller": {"honorTimestamps": True}}}
        assert detect({"linkerdVersion": "edge-26.1.1", **later}).line.name == "edge-26.8"
        assert detect({"linkerdVersion": "edge-26.1.1", **NEW_SHAPE}).line.name == "edge-26.1.1"
        without = {"linkerdVersion": "edge-26.8.2", "proxy": {}, "proxyInit": {}}
        assert detect(without).line.name == "edge-26.8"


class TestChoice:
    @pytest.mark.parametrize(
        ("name", "line_name"),
        [*((line_name, line_name) for line_name in LINES), ("2.12", "stable-2.12"), ("stable-2.12.6", "stable-2.12.6"),
         ("edge-22.8.1", "edge-22.8.1"), ("edge-26.8.3", "edge-26.8"), ("stable-2.13.6", "stable-2.13")],
    )  # fmt: skip
    def test_a_version_is_its_release_and_nothing_to_tell(self, name: str, line_name: str) -> None:
        chosen = choose(name)
        assert (chosen.line.name, chosen.warning) == (line_name, "")

    def test_a_line_leaves_the_patch_release_to_values_of_the_same_line(self) -> None:
        assert choose("stable-2.12", {"linkerdVersion": "stable-2.12.5"}).line.name == "stable-2.12.5"
        assert choose("stable-2.12.3", {"linkerdVersion": "stable-2.12.5"}).line.name == "stable-2.12.3"
        assert choose("stable-2.13", {"linkerdVersion": "stable-2.12.5"}).line.name == "stable-2.13"
        assert choose("version-2.15", {"linkerdVersion": "edge-26.8.3"}).line.name == "version-2.15"

    @pytest.mark.parametrize("name", ["version-2.99", "edge-99.1", "edge-26.9.1", "v3.1"])
    def test_a_newer_one_is_taken_for_the_newest_which_is_told(self, name: str) -> None:
        chosen = choose(name)
        assert chosen.line.name == "edge-26.8"
        assert chosen.warning.startswith(f'--release-line: "{name}" is newer than edge-26.8')

    @pytest.mark.parametrize("name", ["stable-2.11", "edge-21.1.1", "2.9.4"])
    def test_one_from_before_2_12_is_refused(self, name: str) -> None:
        with pytest.raises(TooOld, match=f'"{name}" is older than stable-2.12'):
            choose(name)

    @pytest.mark.parametrize("name", ["", "nobody", "stable", "edge", f"edge-{'9' * 100}.1.1", "v0.1.2", "2"])
    def test_what_is_not_a_version_is_refused_with_the_known_lines(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"is not a release line: .*write stable-2\.12, .* or edge-26\.8") as error:
            choose(name)
        assert len(str(error.value)) < 400

    @pytest.mark.parametrize(
        ("typed", "meant"), [("stable-212", "stable-2.12"), ("verson-2.16", "version-2.16"), ("egde-26.8", "edge-26.8")]
    )
    def test_the_nearest_line_is_named_for_a_typing_error(self, typed: str, meant: str) -> None:
        with pytest.raises(ValueError, match=f"did you mean {meant}"):
            choose(typed)


def values_of(name: str, version: object) -> dict[str, Any]:
    """The default values of a line, with another version in them."""
    values = read(default_values(name).decode())
    return {**values, "linkerdVersion": version}


class TestDetectionByShape:
    @pytest.mark.parametrize(
        "version", [None, "", "dev-abc", "latest", 7, ["2.12"], "git-1234567", "v0.0.1", "x" * 999]
    )
    @pytest.mark.parametrize(
        ("shape", "name", "fact"),
        [
            ({"proxyInit": {"image": {}}, "proxy": {}}, "stable-2.12.1", "no key that came later"),
            (OLD_SHAPE, "stable-2.12", "podMonitor"),
            (NEW_SHAPE, "edge-26.8", "proxyInit without image"),
            ({**OLD_SHAPE, "networkValidator": {}}, "stable-2.13.3", "networkValidator"),
            ({**OLD_SHAPE, "controller": {}}, "version-2.15", "controller"),
            ({**OLD_SHAPE, "proxy": {"gid": -1}}, "edge-24.5.4", "proxy.gid"),
            ({}, "edge-26.8", "no proxy"),
            ({"proxyInit": None}, "edge-26.8", "no proxy"),
            ({"proxyInit": "text"}, "edge-26.8", "no proxy"),
        ],
    )
    def test_where_the_version_says_nothing_the_newest_key_decides_and_is_named(
        self, version: Any, shape: dict[str, Any], name: str, fact: str
    ) -> None:
        detected = detect({"linkerdVersion": version, **shape})
        assert detected.line.name == name
        assert fact in detected.warning
        assert "--release-line" in detected.warning

    @pytest.mark.parametrize("name", LINES)
    def test_the_values_of_a_line_without_their_version_are_those_of_a_line_that_has_the_same_keys(
        self, name: str
    ) -> None:
        detected = detect(values_of(name, "dev-1"))
        # The defaults hold only what the webhooks read, so that some keys which would tell are not among them.
        expected = {
            "stable-2.12": "stable-2.12.1",
            "version-2.15": "edge-24.2.2",
            "version-2.17": "version-2.16",
            "version-2.19": "edge-25.6.4",
            "version-2.20": "edge-26.8",
        }
        assert detected.line.name == expected.get(name, name)


def edge_of(version: str) -> tuple[int, int, int]:
    """The numbers of a version."""
    first, second, third = map(int, version.split("."))
    return first, second, third


KINDS = {"value", "env", "flag", "field", "annotation", "inherit", "rule", "policy", "extension"}


class TestRows:
    @pytest.mark.parametrize(
        ("row", "stable", "edge"),
        [
            ("env/_pod_uid", False, True),
            ("flag/--proxy-gid", False, True),
            ("field/init.command", False, True),
            ("annotation/config.linkerd.io/proxy-gid", False, True),
            ("annotation/config.linkerd.io/init-image", True, False),
            ("value/proxyInit.image", True, False),
            ("rule/opaque-port-ranges-expand", True, False),
            ("rule/close-wait-needs-root", False, True),
            ("env/LINKERD2_PROXY_LOG", True, True),
            ("annotation/config.linkerd.io/proxy-image", True, True),
        ],
    )
    def test_a_line_has_what_its_rows_say_and_all_that_has_none(self, row: str, stable: bool, edge: bool) -> None:
        assert (line("stable-2.12").knows(row), line("edge-26.8").knows(row)) == (stable, edge)

    def test_every_row_is_of_a_known_kind_and_tells_releases_apart(self) -> None:
        releases = [*(Release((22, 8, 3), 12, patch) for patch in range(7)), Release((22, 8, 1)), Release((22, 10, 2))]
        for row, span in ROWS.items():
            assert row.split("/")[0] in KINDS, row
            covered = [span.covers(release) for release in (*releases, *(line(name).release for name in LINES))]
            begins = [Release(edge_of(version)) for version in (span.since, span.until) if version]
            covered += [span.covers(release) for release in begins]
            assert any(covered), f"{row} exists nowhere"
            assert not all(covered), f"{row} exists everywhere: it needs no row"

    @pytest.mark.parametrize(("row", "span"), ROWS.items())
    def test_a_row_begins_with_its_first_release_and_ends_with_the_first_without_it(self, row: str, span: Span) -> None:
        for version, begins in ((span.since, True), (span.until, False)):
            if version and span.since != span.until:
                year, month, patch = edge_of(version)
                assert at(Release((year, month, patch))).has(row) is begins
                assert at(Release((year, month, patch - 1))).has(row) is not begins
        for version, begins in ((span.stable_since, True), (span.stable_until, False)):
            if version:
                _, branch, patch = edge_of(version)
                of_branch = line(f"stable-2.{branch}").release
                assert at(of_branch._replace(patch=patch)).has(row) is begins
                assert at(of_branch._replace(patch=patch - 1)).has(row) is not begins

    @pytest.mark.parametrize(
        ("row", "came", "went"),
        [
            ("annotation/config.linkerd.io/proxy-gid", "edge-24.5.4 (version-2.16)", ""),
            ("annotation/config.linkerd.io/init-image", "", "edge-25.11.3 (version-2.20)"),
            ("field/await.port", "edge-23.6.3 (stable-2.14)", ""),
            ("env/_l5d_ns", "edge-22.9.2 (stable-2.12.1)", ""),
            ("rule/opaque-port-ranges-expand", "", "edge-23.4.3 (stable-2.13.3)"),
            ("value/networkValidator.enableSecurityContext", "edge-23.7.3 (stable-2.14)", "edge-25.8.4 (version-2.19)"),
            ("rule/trace-collector-in-trust-domain", "edge-26.7.1 (edge-26.8)", ""),
        ],
    )
    def test_a_row_names_the_release_that_it_came_with_and_the_one_it_went_with(
        self, row: str, came: str, went: str
    ) -> None:
        assert (came_with(row), went_with(row)) == (came, went)

    def test_what_a_line_does_not_have_either_came_later_or_is_gone(self) -> None:
        row = "value/networkValidator.enableSecurityContext"
        assert why_not(row, line("stable-2.13")) == "came with edge-23.7.3 (stable-2.14)"
        assert why_not(row, line("version-2.20")) == "was removed with edge-25.8.4 (version-2.19)"

    def test_an_unknown_line_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match=r'unknown release line "edge-1\.1": write stable-2\.12, '):
            line("edge-1.1")


@pytest.mark.parametrize("name", LINES)
def test_a_name_that_no_row_declares_is_a_mistake_of_the_program(name: str) -> None:
    with pytest.raises(KeyError, match=r"no row of releases\.ROWS is called env/_pod_uuid"):
        line(name).has("env/_pod_uuid")


def test_what_need_not_have_a_row_exists_in_every_line_unless_it_has_one() -> None:
    assert all(line(name).knows("env/_pod_name") for name in LINES)
    assert [line(name).knows("env/_pod_uid") for name in ("stable-2.12", "edge-26.8")] == [False, True]


def test_all_lines_together_take_less_than_half_a_megabyte() -> None:
    at.cache_clear()
    tracemalloc.start()
    try:
        assert all(line(name).has("rule/trust-root-annotation") for name in LINES)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 512 * 1024
