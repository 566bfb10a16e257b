"""`linkerd-webhook explain`: its flags. What it explains, and how, is tested where that is worked out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.kube.http import FakeApiServer, served
from webhook.cli.explain import explain


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
