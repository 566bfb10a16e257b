"""`linkerd-webhook completion`: what real shells offer after Tab, and what they start for it."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit.cli.shells import complete, missing
from webhook.cli.completion import SHELLS
from webhook.cli.completions.model import CommandLine, Kind, command_line
from webhook.cli.main import COMMANDS, cli
from webhook.mesh.releases import LINES

# Longest time of a Tab, beside the start of a shell on a busy machine.
SOON = 2.0


@pytest.fixture(scope="module")
def program() -> CommandLine:
    """All command lines."""
    return command_line(cli)


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """A shell that is there."""
    name: str = request.param
    if why := missing(name):
        pytest.skip(why)
    return name


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The scripts, as the command prints them."""
    folder = tmp_path_factory.mktemp("scripts")
    for name in SHELLS:
        done = CliRunner().invoke(cli, ["completion", name])
        assert done.exit_code == 0
        (folder / name).write_text(done.stdout)
    return {name: folder / name for name in SHELLS}


class Tab:
    """A shell in a folder of its own, whose `kubectl` is ours, and in which Python and our program leave a trace."""

    def __init__(self, shell: str, script: Path, folder: Path) -> None:
        self.shell = shell
        self.folder = folder
        self._script = script
        self._programs = folder / "bin"
        self._programs.mkdir()
        for name in ("python", "python3", "linkerd-webhook"):
            self.program(name, f"touch {folder / 'started'}")

    def program(self, name: str, text: str) -> None:
        """What a program does."""
        path = self._programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def __call__(self, line: str) -> list[str]:
        """What is offered for a line; nothing of ours is started for it."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        (self.folder / "out").unlink(missing_ok=True)
        (self.folder / "ready").unlink(missing_ok=True)
        path = f"{self._programs}:{os.environ['PATH']}"
        offered = complete(self.shell, line, self._script, self.folder, {"HOME": str(home), "PATH": path})
        assert not (self.folder / "started").exists()
        return offered


@pytest.fixture
def tab(shell: str, scripts: dict[str, Path], tmp_path: Path) -> Tab:
    """Tab, in this shell."""
    return Tab(shell, scripts[shell], tmp_path)


class TestCommands:
    def test_every_command_is_offered_and_no_hidden_one(self, tab: Tab) -> None:
        assert tab("linkerd-webhook ") == sorted(COMMANDS)

    def test_the_beginning_of_a_word_is_completed(self, tab: Tab) -> None:
        assert tab("linkerd-webhook un") == ["uninject", "uninstall"]

    def test_sub_commands_are_offered_behind_their_command(self, tab: Tab) -> None:
        assert tab("linkerd-webhook certs ") == ["inspect", "issue", "rotate", "watch"]

    def test_a_flag_before_the_command_does_not_hide_it(self, tab: Tab) -> None:
        assert tab("linkerd-webhook --no-color ch") == ["check"]

    def test_a_shell_is_offered_for_completion(self, tab: Tab) -> None:
        assert tab("linkerd-webhook completion ") == sorted(SHELLS)


class TestFlags:
    def test_the_flags_of_a_command_are_offered(self, tab: Tab) -> None:
        assert tab("linkerd-webhook check --pr") == ["--pre", "--proxy"]
        assert tab("linkerd-webhook diff-lines --to") == ["--to-values"]

    def test_those_of_a_sub_command_are_its_own(self, tab: Tab) -> None:
        assert tab("linkerd-webhook certs issue --ca") == ["--ca-cert", "--ca-key", "--ca-lifetime"]

    def test_both_forms_of_a_switch_are_offered(self, tab: Tab) -> None:
        assert tab("linkerd-webhook inject --no-in") == ["--no-ingress"]

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("check -o ", ["json", "short", "table"]),
            ("check --output s", ["short"]),
            ("repair --yes -o ", ["json", "text"]),
            ("install --rbac-for ", ["check", "dashboard", "explain", "repair"]),
            ("serve --log-level w", ["warn", "warning"]),
            ("review --release-line version-2.2", [line for line in LINES if line.startswith("version-2.2")]),
        ],
    )
    def test_the_values_of_a_flag_are_offered_behind_it(self, tab: Tab, line: str, words: list[str]) -> None:
        assert tab(f"linkerd-webhook {line}") == words

    def test_a_value_is_completed_behind_an_equals_sign(self, tab: Tab) -> None:
        offered = tab("linkerd-webhook check --output=s")
        # fish names the flag with it.
        assert offered == (["--output=short"] if tab.shell == "fish" else ["short"])

    def test_codes_of_check_are_offered_for_suppress(self, tab: Tab) -> None:
        from webhook.diagnosis.check.registry import LINES as LINES_OF_CHECK

        assert tab("linkerd-webhook check --suppress ") == sorted({line.code for line in LINES_OF_CHECK})


class TestArguments:
    def test_files_are_offered_where_files_are_read(self, tab: Tab) -> None:
        (tab.folder / "web.yaml").touch()
        for line in ("validate we", "inject --manual we", "explain -f we", "validate --values we", "review we"):
            assert tab(f"linkerd-webhook {line}") == ["web.yaml"], line

    def test_a_file_with_a_blank_in_its_name_is_one_word(self, tab: Tab) -> None:
        (tab.folder / "web page.yaml").touch()
        (offered,) = tab("linkerd-webhook validate we")
        assert offered.replace("\\", "") == "web page.yaml"

    def test_only_folders_are_offered_where_a_folder_is_filled(self, tab: Tab) -> None:
        (tab.folder / "folder").mkdir()
        (tab.folder / "folderol").touch()
        assert [offered.rstrip("/") for offered in tab("linkerd-webhook certs issue --out fol")] == ["folder"]

    def test_kinds_are_offered_for_explain(self, tab: Tab) -> None:
        offered = tab("linkerd-webhook explain de")
        assert offered == ["deploy/"]

    def test_release_lines_and_the_cluster_are_offered_for_diff_lines(self, tab: Tab) -> None:
        assert tab("linkerd-webhook diff-lines ") == sorted(["cluster", *LINES])

    def test_nothing_is_offered_where_no_shell_can_know(self, tab: Tab) -> None:
        (tab.folder / "web.yaml").touch()
        assert tab("linkerd-webhook check --wait ") == []
        # Some offer the flags then.
        assert [word for word in tab("linkerd-webhook version ") if not word.startswith("-")] == []


class TestCluster:
    """What kubectl is asked."""

    @pytest.mark.parametrize(
        "flag", ["check -n", "explain pod/cart --namespace", "check -L", "version --linkerd-namespace"]
    )
    def test_namespaces_are_kubectl_s(self, tab: Tab, flag: str) -> None:
        tab.program("kubectl", f"echo \"$@\" > {tab.folder / 'asked'}; printf 'shop\\nshipping\\nlinkerd\\n'")
        assert tab(f"linkerd-webhook {flag} sh") == ["shipping", "shop"]
        assert (tab.folder / "asked").read_text().startswith("get namespaces -o jsonpath=")

    def test_the_cluster_is_the_one_that_the_line_names(self, tab: Tab) -> None:
        tab.program("kubectl", f'echo "$@" > {tab.folder / "asked"}; echo shop')
        assert tab("linkerd-webhook check --kubeconfig=/etc/kube --context test -n ") == ["shop"]
        asked = (tab.folder / "asked").read_text()
        assert asked.startswith("--kubeconfig=/etc/kube --context=test get namespaces ")

    def test_contexts_are_kubectl_s_and_nothing_in_them_is_run(self, tab: Tab) -> None:
        tab.program("kubectl", f"printf '%s\\n' 'test' 'arn:aws:eks:eu:1:cluster/a' '$(touch {tab.folder}/started)'")
        offered = tab("linkerd-webhook check --context ")
        assert len(offered) == 3
        assert [name.replace("\\", "") for name in offered if name[0] in "at"] == ["arn:aws:eks:eu:1:cluster/a", "test"]

    def test_a_context_with_colons_is_completed_from_its_middle(self, tab: Tab) -> None:
        tab.program("kubectl", "printf '%s\\n' 'arn:aws:eks:eu:1:cluster/a' 'arn:aws:eks:eu:2:cluster/b'")
        (offered,) = tab("linkerd-webhook check --context arn:aws:eks:eu:2")
        # bash completes behind the last colon.
        assert "arn:aws:eks:eu:2:cluster/b".endswith(offered)
        assert offered.endswith("2:cluster/b")

    def test_a_cluster_that_does_not_answer_costs_less_than_a_moment_and_offers_nothing(self, tab: Tab) -> None:
        tab.program("kubectl", f"touch {tab.folder / 'asked'}; exec sleep 30")
        started = time.monotonic()
        assert tab("linkerd-webhook check -n ") == []
        assert (tab.folder / "asked").exists()
        assert time.monotonic() - started < SOON + 0.3

    def test_an_error_of_kubectl_s_is_not_shown(self, tab: Tab) -> None:
        tab.program("kubectl", "echo no cluster >&2; exit 1")
        assert tab("linkerd-webhook check -n ") == []


class TestModel:
    """What the scripts are written from."""

    def test_every_command_and_flag_that_is_shown_in_help_is_in_it(self, program: CommandLine) -> None:
        for line in program.leaves():
            shown = CliRunner().invoke(cli, [*line.path, "--help"], terminal_width=200).stdout
            options = re.findall(r"(?<![\w-])--[a-z][-a-z0-9]*", shown.partition("Options:")[2])
            names = {name for flag in line.flags for name in flag.names if name.startswith("--")}
            assert names <= set(options), line.path
            firsts = re.findall(r"^  (?:-\w, )?(--[a-z][-a-z0-9]*)", shown, re.MULTILINE)
            assert set(firsts) <= names, line.path

    def test_no_value_of_a_path_is_left_without_files(self, program: CommandLine) -> None:
        for line in program.leaves():
            for flag in line.flags:
                if flag.names[-1] in ("--kubeconfig", "--values", "--trust-anchors", "--manifests"):
                    assert flag.value is not None and flag.value.kind is Kind.FILE, (line.path, flag)

    def test_a_shell_without_a_script_is_refused(self) -> None:
        assert CliRunner().invoke(cli, ["completion", "csh"]).exit_code == 2
