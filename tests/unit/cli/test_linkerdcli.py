"""Command lines as Linkerd's CLI writes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from webhook.cli.linkerdcli import LinkerdCommand, groups, wait
from webhook.cli.main import COMMANDS, cli, load

ROOT = Path(__file__).parents[3]


@click.command(cls=LinkerdCommand)
@click.option("--proxy", is_flag=True)
@click.option("-v", "--verbose", is_flag=True)
@click.option("-n", "--namespace", default="")
@click.option("-o", "--output", type=click.Choice(("table", "json")), default="table")
@click.option("--as-group", "as_groups", multiple=True, callback=groups)
@click.option("--wait", default="5m", callback=wait)
def probe(**values: object) -> None:
    """Prints what it was given."""
    click.echo(json.dumps(values))


@click.command(cls=LinkerdCommand)
@click.argument("thing")
@click.option("-o", "--output", default="table")
def explain(**values: object) -> None:
    """Has an argument."""
    click.echo(json.dumps(values))


def read(*arguments: str, command: click.Command = probe) -> dict[str, object]:
    """The values of a command line that is right."""
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    values: dict[str, object] = json.loads(done.stdout)
    return values


def refused(*arguments: str) -> str:
    """What is said of a command line that is wrong; nothing is on standard output."""
    done = CliRunner().invoke(probe, arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    return done.stderr


def test_the_metadata_is_what_linkerd_looks_for() -> None:
    done = CliRunner().invoke(cli, ["_extension-metadata"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"name": "linkerd-webhook", "checks": "always"}


def test_the_metadata_command_is_not_listed() -> None:
    assert "_extension" not in CliRunner().invoke(cli, ["--help"]).stdout


def test_the_line_by_which_linkerd_check_calls_is_read() -> None:
    values = read("--as-group=[]", "--verbose=false", "--proxy=false", "--wait=5m0s", "--output=json")
    assert values == {
        "as_groups": [], "verbose": False, "proxy": False, "wait": 300.0, "output": "json", "namespace": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "on"),
    [
        (["--proxy"], True),
        (["--proxy=true"], True),
        (["--proxy=1"], True),
        (["--proxy=F"], False),
        (["--proxy", "--proxy=false"], False),
        (["--proxy=false", "--proxy"], True),
    ],
)
def test_the_last_word_about_a_boolean_counts(arguments: list[str], on: bool) -> None:
    assert read(*arguments)["proxy"] is on


def test_a_boolean_of_another_value_is_refused() -> None:
    assert "--proxy is 'maybe': write --proxy, or --proxy=false" in refused("--proxy=maybe")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["[]"], []),
        (["[a,b]"], ["a", "b"]),
        (["[system:masters]", "c"], ["system:masters", "c"]),
        (['["a,b",c]'], ["a,b", "c"]),
        (["a"], ["a"]),
    ],
)
def test_groups_are_lists_or_single_names(values: list[str], expected: list[str]) -> None:
    assert read(*(f"--as-group={value}" for value in values))["as_groups"] == expected
    assert read(*(part for value in values for part in ("--as-group", value)))["as_groups"] == expected


@pytest.mark.parametrize("form", [["-o", "json"], ["-ojson"], ["-o=json"], ["--output", "json"], ["--output=json"]])
def test_a_value_may_be_given_in_every_way(form: list[str]) -> None:
    assert read(*form)["output"] == "json"


def test_flags_of_one_letter_may_be_written_together() -> None:
    values = read("-vojson")
    assert (values["verbose"], values["output"]) == (True, "json")


def test_an_empty_value_is_as_none() -> None:
    values = read("--output=", "--wait=", "-n", "")
    assert (values["output"], values["wait"], values["namespace"]) == ("table", 300.0, "")


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0.0), ("0", 0.0), ("1h30m", 5400.0), ("1.5s", 1.5)])
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert read(f"--wait={text}")["wait"] == seconds


@pytest.mark.parametrize(("text", "says"), [("soon", "write one such as 5m"), ("5", "write one such"), ("-1s", "0s")])
def test_other_durations_are_refused(text: str, says: str) -> None:
    assert says in refused(f"--wait={text}")


@pytest.mark.parametrize("unknown", [["--next-year=1"], ["--next-year"], ["--next-year", "1"], ["-x"], ["-x=1"]])
@pytest.mark.parametrize("before", [True, False])
def test_with_json_an_unknown_flag_is_passed_over_with_a_note(unknown: list[str], before: bool) -> None:
    arguments = [*unknown, "--output=json"] if before else ["-o", "json", *unknown]
    done = CliRunner().invoke(probe, arguments)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["output"] == "json"
    assert f"unknown flag {unknown[0].partition('=')[0][: 99 if unknown[0][1] == '-' else 2]}" in done.stderr


def test_otherwise_an_unknown_flag_is_refused() -> None:
    assert "--next-year" in refused("--next-year=1")
    assert "--next-year" in refused("--next-year=1", "-o", "json", "-o", "table")


def test_what_follows_an_unknown_flag_may_be_the_argument() -> None:
    assert read("--some", "pod/cart", "-o", "json", command=explain)["thing"] == "pod/cart"


def test_what_follows_two_dashes_is_an_argument() -> None:
    assert read("--", "-n", command=explain)["thing"] == "-n"


def test_a_value_may_begin_with_a_dash() -> None:
    assert read("-n", "--odd")["namespace"] == "--odd"


def test_a_flag_without_its_value_is_refused() -> None:
    assert "-n needs a value" in refused("-n")


@given(st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=12), max_size=6))
def test_no_command_line_is_a_traceback(arguments: list[str]) -> None:
    done = CliRunner().invoke(probe, arguments)
    assert done.exit_code in (0, 2)
    assert done.exit_code == 2 or json.loads(done.stdout) or "Usage" in done.stdout


def test_the_metadata_is_printed_without_loading_what_takes_time() -> None:
    """`linkerd check` runs it each time, for every program called linkerd-*."""
    code = (
        "import sys\n"
        "from webhook.cli.main import main\n"
        "try:\n    main(['_extension-metadata'])\n"
        "except SystemExit as end:\n"
        "    heavy = {'aiohttp', 'asyncio', 'cryptography', 'kubernetes_asyncio', 'pydantic', 'structlog', 'yaml'}\n"
        "    print(end.code, sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ['{"name": "linkerd-webhook", "checks": "always"}', "0 []"]


@pytest.mark.parametrize("name", [name for name in ("check", "explain", "repair") if name in COMMANDS])
def test_every_command_that_linkerds_cli_calls_reads_its_command_lines(name: str) -> None:
    command = load(name)
    assert isinstance(command, LinkerdCommand)
    flags = {flag for option in command.params for flag in option.opts}
    assert flags >= {"--kubeconfig", "--context", "--as", "--as-group", "--api-addr", "-L", "--verbose"}
