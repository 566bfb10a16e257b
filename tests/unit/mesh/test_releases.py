"""Release lines: which one values belong to, and what exists in it."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.mesh.releases import LINES, ROWS, Span, choose, detect, line

OLD_SHAPE: dict[str, Any] = {"proxy": {}, "proxyInit": {"image": {}}}
NEW_SHAPE: dict[str, Any] = {"proxy": {}, "proxyInit": {}, "networkValidator": {}}


class TestDetectionByVersion:
    @pytest.mark.parametrize(
        ("version", "name"),
        [
            ("stable-2.12.0", "stable-2.12"),
            ("stable-2.12.9-rc1", "stable-2.12"),
            ("stable-2.11.4", "stable-2.12"),
            ("2.12.1", "stable-2.12"),
            ("v2.12.1", "stable-2.12"),
            ("edge-22.8.3", "stable-2.12"),
            ("edge-21.1.1", "stable-2.12"),
            ("edge-26.8.1", "edge-26.8"),
            ("edge-26.8.99", "edge-26.8"),
        ],
    )
    def test_a_known_version_names_its_line_without_a_warning(self, version: str, name: str) -> None:
        found = detect({"linkerdVersion": version})
        assert (found.line.name, found.warning, found.unknown) == (name, "", False)

    def test_the_version_wins_over_the_shape(self) -> None:
        assert detect({"linkerdVersion": "edge-26.8.1", **OLD_SHAPE}).line.name == "edge-26.8"
        assert detect({"linkerdVersion": "stable-2.12.1", **NEW_SHAPE}).line.name == "stable-2.12"

    @pytest.mark.parametrize("version", ["edge-27.1.1", "edge-26.9.1", "version-2.99"])
    def test_an_unknown_newer_one_is_the_newest_line_with_a_warning(self, version: str) -> None:
        found = detect({"linkerdVersion": version})
        assert found.line.name == LINES[-1] == "edge-26.8"
        assert found.unknown
        assert f'linkerdVersion "{version}" is not one of the known release lines' in found.warning
        assert "going on as edge-26.8" in found.warning
        assert "--release-line" in found.warning


class TestChoice:
    @pytest.mark.parametrize(
        ("name", "found"),
        [*((each, each) for each in LINES), ("2.12", "stable-2.12"), ("stable-2.12.6", "stable-2.12"),
         ("edge-22.8.1", "stable-2.12"), ("edge-26.8.3", "edge-26.8")],
    )  # fmt: skip
    def test_a_known_version_is_its_line_and_nothing_to_tell(self, name: str, found: str) -> None:
        chosen = choose(name)
        assert (chosen.line.name, chosen.warning) == (found, "")

    @pytest.mark.parametrize(
        ("name", "found"),
        [("stable-2.11", "stable-2.12"), ("stable-2.14", "edge-26.8"), ("edge-21.1.1", "stable-2.12"),
         ("version-2.99", "edge-26.8"), ("edge-99.1", "edge-26.8")],
    )  # fmt: skip
    def test_another_version_is_the_nearest_line_which_is_told(self, name: str, found: str) -> None:
        chosen = choose(name)
        assert chosen.line.name == found
        assert chosen.warning.startswith(f'--release-line: "{name}" is not one of the known release lines (')
        assert f"going on as {found}, the nearest" in chosen.warning

    @pytest.mark.parametrize("name", ["", "nobody", "stable", "3.1", "edge"])
    def test_what_is_not_a_version_is_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="unknown release line"):
            choose(name)


class TestDetectionByShape:
    @pytest.mark.parametrize("version", [None, "", "dev-abc", "latest", 7, ["2.12"], "git-1234567"])
    @pytest.mark.parametrize(
        ("shape", "name"),
        [
            (OLD_SHAPE, "stable-2.12"),
            (NEW_SHAPE, "edge-26.8"),
            ({**OLD_SHAPE, "networkValidator": {}}, "edge-26.8"),
            ({}, "edge-26.8"),
            ({"proxyInit": None}, "edge-26.8"),
            ({"proxyInit": "text"}, "edge-26.8"),
        ],
    )
    def test_where_the_version_says_nothing_the_init_image_tells(
        self, version: Any, shape: dict[str, Any], name: str
    ) -> None:
        found = detect({"linkerdVersion": version, **shape})
        assert (found.line.name, found.warning) == (name, "")

    def test_values_without_a_version_are_told_by_their_shape(self) -> None:
        assert detect(OLD_SHAPE).line.name == "stable-2.12"
        assert detect(NEW_SHAPE).line.name == "edge-26.8"


KINDS = {"value", "env", "flag", "field", "annotation", "inherit", "rule", "policy"}


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

    def test_every_row_is_of_a_known_kind_and_tells_lines_apart(self) -> None:
        for row, span in ROWS.items():
            assert row.split("/")[0] in KINDS, row
            covered = [span.covers(position) for position in range(len(LINES))]
            assert any(covered), f"{row} exists nowhere"
            assert not all(covered), f"{row} exists everywhere: it needs no row"

    @pytest.mark.parametrize(
        ("span", "oldest", "newest"),
        [
            (Span(), True, True),
            (Span(since="edge-26.8"), False, True),
            (Span(until="stable-2.12"), True, False),
            (Span(since="stable-2.12", until="edge-26.8"), True, True),
        ],
    )
    def test_a_span_includes_both_its_ends(self, span: Span, oldest: bool, newest: bool) -> None:
        assert span.covers(LINES.index("stable-2.12")) is oldest
        assert span.covers(LINES.index("edge-26.8")) is newest

    def test_an_unknown_line_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(ValueError, match=r'unknown release line "edge-1\.1": write stable-2\.12 or '):
            line("edge-1.1")


@pytest.mark.parametrize("name", LINES)
def test_a_name_that_no_row_declares_is_a_mistake_of_the_program(name: str) -> None:
    with pytest.raises(KeyError, match=r"no row of releases\.ROWS is called env/_pod_uuid"):
        line(name).has("env/_pod_uuid")


def test_what_need_not_have_a_row_exists_in_every_line_unless_it_has_one() -> None:
    assert all(line(name).knows("env/_pod_name") for name in LINES)
    assert [line(name).knows("env/_pod_uid") for name in ("stable-2.12", "edge-26.8")] == [False, True]
