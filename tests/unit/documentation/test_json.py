"""`docs/json.md` and its schemas: each command that prints something has one, and prints what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from tests.kube.http import FakeApiServer
from tests.unit.cli.example_files import write_files
from tests.unit.diagnosis.test_command_rights import installed
from webhook.cli.document import leaves
from webhook.cli.main import COMMANDS, cli, load

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "json.md").read_text()
# They print no facts, but a log, a protocol and a script.
WITHOUT = {"serve", "krm", "completion"}
EVERY = {path: command for name in COMMANDS for path, command in leaves(name, load(name)) if path not in WITHOUT}

__all__ = ["installed"]


def validator(name: str) -> Draft202012Validator:
    """Of a schema."""
    schema = json.loads((DOCS / "schemas" / f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def assert_valid(name: str, *bodies: Any) -> None:
    """Each is as the schema says; fields that it does not have are not allowed here, though readers pass them over."""
    assert bodies
    for body in bodies:
        problems = [f"{error.json_path}: {error.message[:200]}" for error in validator(name).iter_errors(body)]
        assert problems == []


def run(*arguments: str, code: int = 0, stdin: str = "") -> Result:
    """A command's end."""
    done = CliRunner().invoke(cli, list(arguments), input=stdin)
    assert done.exit_code == code, done.output[-500:]
    return done


def documents(text: str) -> list[Any]:
    """All objects of a text, one behind the other."""
    bodies, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        body, end = decoder.raw_decode(text)
        bodies.append(body)
        text = text[end:]
    return bodies


@pytest.mark.parametrize("path", EVERY)
def test_every_command_takes_o_json_and_stands_on_the_page(path: str) -> None:
    (output,) = [option for option in EVERY[path].params if isinstance(option, click.Option) and "-o" in option.opts]
    assert isinstance(output.type, click.Choice)
    assert "json" in output.type.choices
    assert re.search(rf"`linkerd-webhook {path}( -o json)?`", PAGE)


def test_each_schema_is_one_and_stands_on_the_page() -> None:
    linked = set(re.findall(r"\(schemas/([-a-z]+)\.json\)", PAGE))
    assert linked == {path.stem for path in (DOCS / "schemas").glob("*.json")}
    for name in linked:
        assert validator(name).schema["title"].startswith("linkerd-webhook ")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the examples, and no cluster."""
    files = tmp_path / "files"
    files.mkdir()
    write_files(files)
    monkeypatch.chdir(files)
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    return files


@pytest.mark.usefixtures("folder")
class TestWithoutCluster:
    def test_review(self) -> None:
        text = run("review", "-o", "json", "--manifests", "cluster.yaml", "review.json").stdout
        assert_valid("review", *documents(text))

    def test_validate(self) -> None:
        wrong = "apiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata: {name: a}\nspec: {port: 0}\n---\n- {"
        findings = json.loads(run("validate", "-o", "json", "-", code=2, stdin=wrong).stdout)
        assert len(findings) > 1
        assert_valid("validate", findings)

    def test_inject_and_uninject(self) -> None:
        for command in (["inject", "--ignore-cluster"], ["uninject"]):
            done = run(*command, "-o", "json", "--report", "json", "cart.yaml")
            assert_valid("objects", json.loads(done.stdout))
            assert_valid("inject", json.loads(done.stderr))

    def test_profile(self) -> None:
        for form in (["--template"], ["--open-api", "api.yaml"]):
            done = run("profile", "-n", "shop", "--ignore-cluster", "-o", "json", *form, "web")
            assert_valid("profile", json.loads(done.stdout))

    def test_diff_lines(self) -> None:
        done = run("diff-lines", "-o", "json", "--policies", "server.yaml", "stable-2.12", "edge-26.8", code=1)
        body = json.loads(done.stdout)
        assert body["pods"] and body["annotations"] and body["defaults"]
        assert_valid("diff-lines", body)

    def test_explain_of_a_file(self) -> None:
        files = ["--values", "values.yaml", "--trust-anchors", "tls/ca.crt", "--manifests", "cluster.yaml"]
        assert_valid("explain", *documents(run("explain", "-o", "json", "-f", "cart.yaml", *files).stdout))

    def test_install_and_uninstall(self) -> None:
        for arguments in (["install", "--image=r.example/a:1"], ["uninstall"], ["install", "--rbac-for=check"]):
            body = json.loads(run(*arguments, "--ignore-cluster", "-o", "json").stdout)
            assert len(body["items"]) > 1
            assert_valid("objects", body)

    def test_certs_issue_and_inspect_of_a_folder(self) -> None:
        issued = json.loads(run("certs", "issue", "--out", "new", "-o", "json").stdout)
        assert [Path(file["path"]).name for file in issued["files"]] == ["ca.crt", "ca.key", "tls.crt", "tls.key"]
        assert_valid("certs-issue", issued)
        assert_valid("certs-inspect", json.loads(run("certs", "inspect", "--tls-dir", "new", "-o", "json").stdout))

    def test_version_of_this_program_and_where_the_cluster_does_not_answer(self) -> None:
        assert_valid("version", json.loads(run("version", "--client", "-o", "json").stdout))
        assert_valid("version", json.loads(run("version", "-o", "json", code=1).stdout))
        run("version", "--short", "-o", "json", code=2)

    def test_demo(self) -> None:
        done = run("demo", "--once", "-o", "json", "--addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0")
        bodies = [json.loads(line) for line in done.stdout.splitlines()]
        assert [body["decision"] for body in bodies] == ["injected", "skipped", "injected"]
        assert_valid("demo", *bodies)


@pytest.fixture
def cluster(installed: tuple[FakeApiServer, Path]) -> Iterator[str]:
    """The flag that names a cluster with an installation."""
    yield f"--kubeconfig={installed[1]}"


class TestWithCluster:
    def ended(self, *arguments: str) -> list[Any]:
        """All that a command prints, however it ends but for an error that nobody expected."""
        done = CliRunner().invoke(cli, list(arguments))
        assert done.exit_code in (0, 1, 2), done.output[-500:]
        return documents(done.stdout)

    def test_check(self, cluster: str) -> None:
        (body,) = self.ended("check", "-o", "json", "--wait=0s", cluster)
        assert {check["result"] for category in body["categories"] for check in category["checks"]} >= {
            "success",
            "error",
        }
        assert_valid("check", body)

    def test_explain(self, cluster: str) -> None:
        (body,) = self.ended("explain", "pod/cart", "-n", "shop", "-o", "json", "--all", cluster)
        assert body["webhooks"] and body["settings"]
        assert_valid("explain", body)

    def test_repair(self, cluster: str) -> None:
        (body,) = self.ended("repair", "-o", "json", cluster)
        assert body["workloads"] or body["others"]
        assert_valid("repair", body)

    def test_version(self, cluster: str) -> None:
        (body,) = self.ended("version", "-o", "json", cluster)
        assert body["server"] and body["linkerd"]
        assert_valid("version", body)

    def test_certs_inspect(self, cluster: str) -> None:
        (body,) = self.ended("certs", "inspect", "-o", "json", cluster)
        assert body["findings"]
        assert_valid("certs-inspect", body)

    def test_uninstall(self, cluster: str, installed: tuple[FakeApiServer, Path]) -> None:
        assert_valid("objects", *self.ended("uninstall", "--force", "-o", "json", cluster))
        assert_valid("uninstall-delete", *self.ended("uninstall", "--force", "--delete", "-o", "json", cluster))
