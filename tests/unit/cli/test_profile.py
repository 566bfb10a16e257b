"""`linkerd-webhook profile`: what it writes, and how it ends."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from webhook.cli.cluster import namespace_of
from webhook.cli.main import cli
from webhook.profiles.profile import findings
from webhook.yaml.objects import read


def run(*arguments: str, stdin: str = "") -> Result:
    """The command's end."""
    return CliRunner().invoke(cli, ["profile", "--ignore-cluster", "-n", "shop", *arguments], input=stdin)


def test_the_template_passes_the_validator_and_is_the_same_as_json() -> None:
    as_yaml, as_json = run("--template", "web"), run("--template", "-o", "json", "web")
    body = read(as_yaml.stdout)
    assert as_yaml.exit_code == 0
    assert body["metadata"] == {"name": "web.shop.svc.cluster.local", "namespace": "shop"}
    assert findings(body) == []
    assert orjson.loads(as_json.stdout) == body


def test_standard_input_is_read_and_what_the_validator_refuses_is_named() -> None:
    text = "swagger: '2.0'\npaths: {/a: {get: {x-linkerd-timeout: soon}}}"
    end = run("--open-api", "-", "web", stdin=text)
    assert end.exit_code == 0
    assert read(end.stdout)["spec"]["routes"][0]["timeout"] == "soon"
    assert "standard input: GET /a: the validator refuses" in end.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["web"], 2, "write one of --template"),
        (["--template", "--proto", "-", "web"], 2, "write one of --template"),
        (["--template", "-o", "table", "web"], 2, "table"),
        (["--template", "Web"], 1, '"Web" is not the name of a Service'),
        (["--template", "-n", "a.b", "web"], 1, "not the name of a Namespace"),
        (["--proto", "/does/not/exist.proto", "web"], 2, "cannot read /does/not/exist.proto"),
        (["--proto", "-", "web"], 1, "standard input:1: "),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_is_written(arguments: list[str], code: int, part: str) -> None:
    end = run(*arguments, stdin="a b")
    assert (end.exit_code, end.stdout) == (code, "")
    assert part in end.stderr


def test_the_namespace_is_the_contexts(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("current-context: a\ncontexts: [{name: a, context: {namespace: x}}, {name: b, context: {}}]")
    assert namespace_of(file, None) == "x"
    assert namespace_of(file, "b") == "default"
    assert namespace_of(tmp_path / "missing", None) == "default"
