"""`linkerd-webhook check`: exit codes, forms, waiting, and what stands on standard output whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.kube.http import FakeApiServer, kubeconfig, served
from webhook.cli import check as command
from webhook.cli.main import cli
from webhook.diagnosis.check import gather as gathering
from webhook.diagnosis.check import registry
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import Line, Section, line
from webhook.diagnosis.finding import Check

JSON = dict[str, Any]

Reached = tuple[FakeApiServer, Path]


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[Reached]:
    """A cluster that answers, and its kubeconfig."""
    with served(tmp_path) as (cluster, config):
        cluster.put("/version", {"gitVersion": "v1.36.0"})
        cluster.set_namespace("shop")
        yield cluster, config


@line(Section.WEBHOOK, "always-warns", "warns", hint="https://example.org/")
def warns(_facts: ClusterFacts, check: Check) -> Any:
    """A warning, of a Namespace."""
    yield check.warning("Namespace shop", "", "is odd", "mend it")


def lines(monkeypatch: pytest.MonkeyPatch, *more: Line) -> None:
    """The command has the lines of the API server alone, and these."""
    first = tuple(line for line in registry.LINES if line.code in ("k8s-client", "k8s-query", "namespace"))
    monkeypatch.setattr(registry, "LINES", (*first, *more))


@pytest.fixture(autouse=True)
def few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server's lines alone: an empty cluster fails most of the others."""
    lines(monkeypatch)


def run(*arguments: str) -> Result:
    """The command's end."""
    return CliRunner().invoke(cli, ["check", *arguments])


def ask(reached: Reached, *arguments: str) -> Result:
    """The command's end, with the cluster."""
    return run(f"--kubeconfig={reached[1]}", "--wait=0s", *arguments)


def results(done: Result) -> dict[str, JSON]:
    """The lines by their codes."""
    body = json.loads(done.stdout)
    return {check["code"]: check for category in body["categories"] for check in category["checks"]}


class TestExitCodes:
    """0, 1, 2 and 130."""

    def test_0_where_all_is_well(self, reached: Reached) -> None:
        done = ask(reached, "-o", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["success"] is True

    def test_1_and_json_where_no_cluster_is_configured(self, tmp_path: Path) -> None:
        done = run(f"--kubeconfig={tmp_path / 'missing'}", "-o", "json")
        assert done.exit_code == 1
        assert results(done)["k8s-client"]["error"].endswith("exists: pass --kubeconfig FILE")
        assert "do first what the line before" in results(done)["k8s-query"]["error"]

    def test_1_and_what_to_do_where_the_kubeconfig_cannot_be_used(self, tmp_path: Path) -> None:
        broken = tmp_path / "kubeconfig"
        broken.write_text("a: [1")
        done = run(f"--kubeconfig={broken}", "-o", "json")
        assert done.exit_code == 1
        error = results(done)["k8s-client"]["error"]
        assert error.startswith(f"kubeconfig {broken} cannot be used: ")
        assert error.endswith(": mend it, or pass another --kubeconfig or --context")

    def test_1_and_json_where_the_api_server_does_not_answer(self, tmp_path: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            config = kubeconfig(tmp_path, f"http://127.0.0.1:{free.getsockname()[1]}")
        done = run(f"--kubeconfig={config}", "-o", "json")
        assert done.exit_code == 1
        error = results(done)["k8s-query"]["error"]
        assert "127.0.0.1" in error
        assert error.endswith(
            ": see whether it runs and can be reached from here, or pass another --kubeconfig or --context"
        )

    def test_a_warning_is_1_with_strict_alone(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        lines(monkeypatch, warns)
        mild, strict = ask(reached), ask(reached, "--strict")
        assert (mild.exit_code, strict.exit_code) == (0, 1)
        assert mild.stdout.endswith("Status check results are √\n")
        assert strict.stdout.endswith("Status check results are ×\n")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["--pre", "--proxy"], "exclude each other"),
            (["-o", "yaml"], "yaml"),
            (["--wait", "soon"], "soon"),
            (["--suppress", "k8s-querry"], "did you mean k8s-query?"),
            (["--suppress", "k8s-query="], "k8s-query=NAMESPACE[/NAME]"),
            (["--color", "blue"], "blue"),
            (["extra"], "extra"),
        ],
    )
    def test_2_and_nothing_on_standard_output_for_a_wrong_flag(self, arguments: list[str], says: str) -> None:
        done = run(*arguments)
        assert (done.exit_code, done.stdout) == (2, "")
        assert says in done.stderr

    def test_130_without_a_traceback_after_ctrl_c(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        @line(Section.WEBHOOK, "never", "comes", hint="https://example.org/", awaited=True)
        def never(_facts: ClusterFacts, check: Check) -> Any:
            yield check.error("", "", "not yet")

        lines(monkeypatch, never)
        # A shell that starts the tests in the background has them ignore it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            done = run(f"--kubeconfig={reached[1]}", "-o", "json", "--wait=20s")
        finally:
            timer.cancel()
            signal.signal(signal.SIGINT, before)
        assert done.exit_code == 130
        assert "interrupted" in done.stderr
        assert "Traceback" not in done.output
        # What was found until then is told.
        assert results(done)["never"]["error"] == "not yet"


def test_ctrl_c_before_anything_was_found_is_130_as_well(reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object) -> ClusterFacts:
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    monkeypatch.setattr(gathering, "of_cluster", interrupted)
    done = ask(reached, "-o", "json")
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "linkerd-webhook: interrupted\n")


class TestWaiting:
    """What may come by itself is waited for."""

    def test_until_it_has_come(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        looks: list[int] = []

        @line(Section.WEBHOOK, "comes", "comes", hint="https://example.org/", awaited=True)
        def comes(_facts: ClusterFacts, check: Check) -> Any:
            looks.append(1)
            if len(looks) < 3:
                yield check.error("", "", "not yet")

        monkeypatch.setattr(command, "INTERVAL", 0.01)
        lines(monkeypatch, comes)
        assert run(f"--kubeconfig={reached[1]}").exit_code == 0
        assert len(looks) == 3

    def test_no_longer_than_asked_for(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        looks: list[int] = []

        @line(Section.WEBHOOK, "never", "never", hint="https://example.org/", awaited=True)
        def never(_facts: ClusterFacts, check: Check) -> Any:
            looks.append(1)
            yield check.error("", "", "not yet")

        monkeypatch.setattr(command, "INTERVAL", 0.3)
        lines(monkeypatch, never)
        assert run(f"--kubeconfig={reached[1]}", "--wait=1500ms").exit_code == 1
        assert len(looks) > 1
        looks.clear()
        assert ask(reached).exit_code == 1
        assert len(looks) == 1

    def test_not_for_what_never_comes_by_itself(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        @line(Section.WEBHOOK, "broken", "broken", hint="https://example.org/")
        def broken(_facts: ClusterFacts, check: Check) -> Any:
            yield check.error("", "", "for good")

        lines(monkeypatch, broken)
        assert run(f"--kubeconfig={reached[1]}").exit_code == 1


class TestForms:
    """Text with or without colours, and JSON alone."""

    def test_a_pipe_gets_no_colours(self, reached: Reached) -> None:
        assert "\x1b" not in ask(reached).stdout
        assert "\x1b" not in ask(reached, "--color=never").stdout

    def test_colours_may_be_had_always(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b[32;1m√" in ask(reached, "--color=always").stdout
        assert "\x1b" not in ask(reached, "--color=auto").stdout

    def test_the_table_is_linkerds(self, reached: Reached) -> None:
        out = ask(reached).stdout
        assert out.startswith("kubernetes-api\n--------------\n√ can initialize the client\n")
        assert out.endswith("\nStatus check results are √\n")

    def test_what_is_suppressed_is_left_out(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        lines(monkeypatch, warns)
        assert "is odd" in ask(reached, "-o", "short").stdout
        assert "is odd" not in ask(reached, "-o", "short", "--suppress=always-warns=shop").stdout
        assert "is odd" in ask(reached, "-o", "short", "--suppress=always-warns=other").stdout

    def test_verbose_logs_each_request_on_standard_error(self, reached: Reached) -> None:
        done = ask(reached, "-o", "json", "--verbose=true")
        assert "linkerd-webhook: GET /version: 200 (" in done.stderr
        assert results(done)["k8s-query"]["result"] == "success"

    @pytest.mark.parametrize("how", ["flag", "variable"])
    def test_the_namespace_of_the_control_plane_is_a_flag_or_a_variable(
        self, reached: Reached, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        if how == "variable":
            monkeypatch.setenv("LINKERD_NAMESPACE", "mesh")
        ask(reached, *(["-L", "mesh"] if how == "flag" else []))
        assert "/api/v1/namespaces/mesh/configmaps/linkerd-config" in reached[0].paths()

    def test_a_user_and_groups_are_sent(self, reached: Reached) -> None:
        ask(reached, "--as=jane", "--as-group=[a,b]")
        headers: Any = reached[0].requests[0].headers
        assert headers["Impersonate-User"] == "jane"
        assert headers.getall("Impersonate-Group") == ["a", "b"]


class TestNamespace:
    """-n of a Namespace."""

    def test_one_that_exists_is_fine(self, reached: Reached) -> None:
        assert ask(reached, "-n", "shop").exit_code == 0

    def test_one_that_does_not_is_said(self, reached: Reached) -> None:
        done = ask(reached, "-n", "shopp", "-o", "json")
        assert done.exit_code == 1
        assert results(done)["namespace"]["error"].startswith("Namespace shopp: does not exist: ")


class TestMistakes:
    """A mistake in the program itself."""

    def test_of_a_line_does_not_take_the_others_along(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        @line(Section.WEBHOOK, "crashes", "is well", hint="https://example.org/")
        def crashes(_facts: ClusterFacts, _check: Check) -> Any:
            raise KeyError("spec")

        lines(monkeypatch, crashes, warns)
        done = ask(reached, "-o", "json")
        assert done.exit_code == 1
        outcomes = results(done)
        assert "an error inside linkerd-webhook (KeyError at webhook/" in outcomes["crashes"]["error"]
        assert "report it" in outcomes["crashes"]["error"]
        assert (outcomes["k8s-query"]["result"], outcomes["always-warns"]["result"]) == ("success", "warning")
        assert "Traceback" not in done.output

    @pytest.mark.parametrize(
        "part", ["with_control_plane", "gather_installation", "read_plane", "with_pods", "_server"]
    )
    def test_of_a_part_that_looks_does_not_take_the_other_lines_along(
        self, reached: Reached, monkeypatch: pytest.MonkeyPatch, part: str
    ) -> None:
        async def broken(*_: object) -> ClusterFacts:
            await asyncio.sleep(0)
            raise AttributeError("x")

        monkeypatch.setattr(gathering, part, broken)
        lines(monkeypatch, warns)
        outcomes = results(ask(reached, "-o", "json"))
        assert (outcomes["k8s-query"]["result"], outcomes["always-warns"]["result"]) == ("success", "warning")

    def test_while_looking_is_told_as_json(self, reached: Reached, monkeypatch: pytest.MonkeyPatch) -> None:
        async def broken(*_: object) -> ClusterFacts:
            await asyncio.sleep(0)
            raise AttributeError("x")

        monkeypatch.setattr(gathering, "of_cluster", broken)
        done = ask(reached, "-o", "json")
        assert done.exit_code == 1
        assert "AttributeError" in results(done)["k8s-query"]["error"]
