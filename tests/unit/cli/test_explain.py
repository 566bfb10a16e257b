"""`linkerd-webhook explain`: its flags. What it explains, and how, is tested where that is worked out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner, Result

from tests.kube.http import FakeApiServer, served
from webhook.cli.explain import explain
from webhook.mesh.defaults import default_trust_anchors, default_values

KUBECONFIG = """
current-context: a
contexts: [{name: a, context: {namespace: shop}}, {name: b, context: {namespace: other}}, {name: c, context: {}}]
"""
NAMESPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: %s, annotations: {linkerd.io/inject: %s}}}\n---\n"
POD = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: example.org/web:1}]}}"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[FakeApiServer, Path]]:
    """An empty cluster, and its kubeconfig."""
    with served(tmp_path) as (server, kubeconfig):
        yield server, kubeconfig


def run(*arguments: str) -> Result:
    """What the command does with these arguments."""
    return CliRunner().invoke(explain, [*arguments, "--color=never"])


def with_namespace(kubeconfig: Path, namespace: str) -> None:
    """Name a Namespace in the context."""
    body: Any = yaml.safe_load(kubeconfig.read_text())
    body["contexts"][0]["context"]["namespace"] = namespace
    kubeconfig.write_text(yaml.safe_dump(body))


def asked(server: FakeApiServer) -> list[str]:
    """The paths of the Pods that were asked for."""
    return [path for path in server.paths() if "/pods/" in path]


def test_the_namespace_is_the_context_s_as_for_kubectl(cluster: tuple[FakeApiServer, Path]) -> None:
    server, kubeconfig = cluster
    with_namespace(kubeconfig, "shop")
    result = run("pod/web", f"--kubeconfig={kubeconfig}")
    assert result.exit_code == 2
    assert asked(server) == ["/api/v1/namespaces/shop/pods/web"]
    assert "shop" in result.stderr


def test_a_given_namespace_counts_before_the_context_s(cluster: tuple[FakeApiServer, Path]) -> None:
    server, kubeconfig = cluster
    with_namespace(kubeconfig, "shop")
    run("pod/web", f"--kubeconfig={kubeconfig}", "-n", "kitchen")
    assert asked(server) == ["/api/v1/namespaces/kitchen/pods/web"]


def test_a_context_without_a_namespace_is_of_the_namespace_default(cluster: tuple[FakeApiServer, Path]) -> None:
    server, kubeconfig = cluster
    run("pod/web", f"--kubeconfig={kubeconfig}")
    assert asked(server) == ["/api/v1/namespaces/default/pods/web"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "write KIND/NAME, such as pod/cart, or -f FILE"),
        (("pod/web", "-f", "web.yaml"), "not both"),
        (("pod/web", "--values", "v.yaml"), "go with -f FILE"),
        (("pod/web", "--release-line", "stabel-2.14"), "--release-line"),
        (("web/pod/x",), "web/pod/x"),
    ],
)
def test_flags_that_do_not_fit_are_told(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with all that keeps the command from asking a cluster."""
    (tmp_path / "values.yaml").write_bytes(default_values())
    (tmp_path / "anchors.pem").write_bytes(default_trust_anchors())
    (tmp_path / "kubeconfig").write_text(KUBECONFIG)
    spaces = (("shop", "enabled"), ("other", "enabled"), ("default", "disabled"))
    (tmp_path / "pod.yaml").write_text("".join(NAMESPACE % space for space in spaces) + POD)
    return tmp_path


def of_files(files: Path, *arguments: str) -> Result:
    """The command's end, with the mesh of these files."""
    given = ["--values", str(files / "values.yaml"), "--trust-anchors", str(files / "anchors.pem")]
    given += ["--kubeconfig", str(files / "kubeconfig"), "-f", str(files / "pod.yaml"), "-o", "json"]
    return run(*given, *arguments)


@pytest.mark.parametrize(
    ("arguments", "namespace", "code"),
    [
        ([], "shop", 0),
        (["--context", "b"], "other", 0),
        (["--context", "c"], "default", 0),
        (["-n", "other"], "other", 0),
        (["--kubeconfig", "/does/not/exist"], "default", 0),
    ],
)
def test_an_object_without_a_namespace_is_in_that_of_the_kubeconfigs_context(
    files: Path, arguments: list[str], namespace: str, code: int
) -> None:
    end = of_files(files, *arguments)
    assert end.exit_code == code, end.stderr
    report = orjson.loads(end.stdout)
    assert report["object"] == f"Pod {namespace}/web"
    assert report["would"] is (namespace != "default")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["-f", "/does/not/exist.yaml"], "/does/not/exist.yaml"),
        (["-f", "/dev/null"], "holds no Pod"),
        (["-f", "/dev/null", "--values", "/does/not/exist"], "--values /does/not/exist: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_nothing_is_printed(arguments: list[str], part: str) -> None:
    end = run(*arguments)
    assert (end.exit_code, end.stdout) == (2, "")
    assert part in end.stderr
