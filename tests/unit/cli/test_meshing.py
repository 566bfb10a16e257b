"""`inject` and `uninject` on the command line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.unit.meshing.texts import DEPLOYMENT
from webhook.cli.main import cli

BROKEN = DEPLOYMENT.replace("      containers:", "      hostNetwork: true\n      containers:")


def run(*arguments: str, stdin: str = "") -> Result:
    """The command, without a cluster."""
    more = ["--ignore-cluster"] if arguments[0] == "inject" else []
    return CliRunner().invoke(cli, [arguments[0], *more, *arguments[1:]], input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a Deployment."""
    path = tmp_path / "web.yaml"
    path.write_text(DEPLOYMENT)
    return path


def test_puts_the_text_out_and_reports_what_was_done(file: Path) -> None:
    result = run("inject", str(file))
    assert result.exit_code == 0
    assert "linkerd.io/inject: enabled" in result.stdout
    assert result.stderr == '\ndeployment "web" injected\n\n'


def test_puts_nothing_out_where_one_workload_cannot_be_injected(file: Path, tmp_path: Path) -> None:
    (tmp_path / "z.yaml").write_text(BROKEN)
    result = run("inject", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{tmp_path}/z.yaml:13: Deployment web: hostNetwork is enabled" in result.stderr


def test_puts_the_others_out_where_it_is_to_keep_going(file: Path, tmp_path: Path) -> None:
    (tmp_path / "z.yaml").write_text(BROKEN)
    result = run("inject", "--keep-going", str(tmp_path))
    assert result.exit_code == 1
    assert result.stdout.count("linkerd.io/inject: enabled") == 1
    assert BROKEN in result.stdout
    assert 'deployment "web" skipped\n    hostNetwork is enabled\n' in result.stderr
    assert '‼ "hostNetwork: true" detected in deployment/web' in result.stderr


def test_separates_the_texts_of_several_files(file: Path) -> None:
    result = run("uninject", str(file), str(file))
    assert result.stdout == f"{DEPLOYMENT}---\n{DEPLOYMENT}"


def test_check_prints_nothing_and_tells_by_the_exit_code(file: Path) -> None:
    result = run("inject", "--check", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    file.write_text(run("inject", str(file)).stdout)
    assert run("inject", "--check", str(file)).exit_code == 0


def test_diff_prints_the_lines_that_change(file: Path) -> None:
    lines = run("inject", "--diff", str(file)).stdout.splitlines()
    assert [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")] == [
        "+      annotations:",
        "+        linkerd.io/inject: enabled",
    ]


def test_in_place_writes_the_file_and_keeps_its_mode(file: Path) -> None:
    file.chmod(0o640)
    assert run("inject", "--in-place", str(file)).stdout == ""
    assert "linkerd.io/inject: enabled" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["web.yaml"]
    run("uninject", "--in-place", str(file))
    assert file.read_text() == DEPLOYMENT


def test_json_is_an_object_a_line(file: Path) -> None:
    result = run("inject", "-o", "json", str(file))
    body = json.loads(result.stdout)
    assert body["spec"]["template"]["metadata"]["annotations"] == {"linkerd.io/inject": "enabled"}


def test_the_report_can_be_read_by_programs(file: Path) -> None:
    report = json.loads(run("inject", "--report", "json", str(file)).stderr)
    assert report == [
        {"kind": "deployment", "name": "web", "result": "injected", "reason": "", "problem": "", "warnings": []}
    ]


def test_flags_become_annotations(file: Path) -> None:
    result = run("inject", "--proxy-cpu-request=200m", "--skip-inbound-ports", "22,80", "--ingress", str(file))
    for text in ("proxy-cpu-request: 200m", "skip-inbound-ports: 22,80", "linkerd.io/inject: ingress"):
        assert text in result.stdout


def test_a_deprecated_flag_names_the_one_to_use(file: Path) -> None:
    assert "--proxy-cpu is deprecated: use --proxy-cpu-request" in run("inject", "--proxy-cpu=1", str(file)).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--inbound-port=http",), '--inbound-port "http" is not'),
        (("--manual",), "--manual needs the mesh's trust anchors: pass --trust-anchors FILE"),
        (("-L", "no_such!"), '--linkerd-namespace "no_such!"'),
        (("--disable-identity",), "leave the flag out"),
        (("--values=/nowhere",), "cannot read /nowhere"),
        (("--pod-templates=x",), "write KIND.GROUP:PATH"),
        (("--no-such-flag",), "No such option"),
    ],
)
def test_a_wrong_flag_ends_with_2_and_prints_nothing(file: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run("inject", *arguments, str(file))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_a_path_that_cannot_be_read_ends_with_2(tmp_path: Path) -> None:
    result = run("uninject", str(tmp_path / "none.yaml"), "http://example.org/a.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "none.yaml: No such file or directory" in result.stderr
    assert "only addresses that begin with https:// are read" in result.stderr
    assert "name a file, a folder, or - for standard input" in run("inject").stderr


def test_all_takes_the_users_own_settings_out_too(file: Path) -> None:
    file.write_text(run("inject", "--proxy-log-level=debug", str(file)).stdout)
    assert "config.linkerd.io/proxy-log-level" in run("uninject", str(file)).stdout
    assert run("uninject", "--all", str(file)).stdout == DEPLOYMENT
