"""`linkerd-webhook version`: which versions it finds, and what it says where it finds none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.kube.http import FakeApiServer, kubeconfig, served
from webhook import __version__
from webhook.cli.cluster import connect
from webhook.cli.main import cli, main
from webhook.kube.api import ConfigurationError
from webhook.kube.errors import ApiError
from webhook.kube.interface import JSON
from webhook.mesh.defaults import default_values

OURS = "/apis/apps/v1/namespaces/linkerd/deployments/linkerd-webhook"
LINKERDS = "/apis/apps/v1/namespaces/linkerd/deployments/linkerd-proxy-injector"
CONFIG = "/api/v1/namespaces/linkerd/configmaps/linkerd-config"

DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[tuple[FakeApiServer, Path]]:
    """A cluster without anything, and its kubeconfig."""
    with served(tmp_path) as both:
        yield both


def run(*arguments: str) -> Result:
    """The command's end."""
    return CliRunner().invoke(cli, ["version", *arguments])


def ask(reached: tuple[FakeApiServer, Path], *arguments: str) -> Result:
    """The command's end, with the cluster."""
    return run(f"--kubeconfig={reached[1]}", *arguments)


def deployment(image: str, labels: dict[str, str] | None = None) -> JSON:
    """A Deployment of one container."""
    containers = [{"name": "main", "image": image}]
    return {"metadata": {"labels": labels or {}}, "spec": {"template": {"spec": {"containers": containers}}}}


def config(version: str) -> JSON:
    """The linkerd-config ConfigMap of a version."""
    lines = [line for line in default_values().decode().splitlines() if not line.startswith("linkerdVersion")]
    return {"metadata": {}, "data": {"values": "\n".join([*lines, f"linkerdVersion: {version}"])}}


class TestClient:
    """This program's own version."""

    def test_it_is_printed_without_asking_any_cluster(self, reached: tuple[FakeApiServer, Path]) -> None:
        cluster, _ = reached
        assert ask(reached, "--client").output == f"Client version: {__version__}\n"
        assert not cluster.requests

    def test_short_is_the_bare_version(self) -> None:
        assert run("--client", "--short").output == f"{__version__}\n"

    @pytest.mark.parametrize("arguments", [["--version"], ["proxy-injector", "-version"], ["version", "--client"]])
    def test_every_form_ends_well_with_ours_alone(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out = capsys.readouterr().out
        assert not end.value.code
        assert out.endswith(f" {__version__}\n")
        assert out.count("\n") == 1


class TestServer:
    """The server in the cluster."""

    def test_the_deployment_s_label_tells_and_the_image_is_named(self, reached: tuple[FakeApiServer, Path]) -> None:
        reached[0].put(OURS, deployment("r.example:5000/linkerd-webhook:1", {"app.kubernetes.io/version": "0.0.9"}))
        result = ask(reached)
        assert result.exit_code == 0
        image = "r.example:5000/linkerd-webhook:1"
        assert f"Server version: 0.0.9 (Deployment linkerd/linkerd-webhook, image {image})" in result.output

    @pytest.mark.parametrize(
        ("image", "version"),
        [
            ("linkerd-webhook:0.3.1", "0.3.1"),
            ("r.example:5000/mesh/linkerd-webhook:0.3.1", "0.3.1"),
            (f"r.example/linkerd-webhook:0.3.1@{DIGEST}", "0.3.1"),
            (f"r.example:5000/linkerd-webhook@{DIGEST}", DIGEST),
            ("r.example:5000/linkerd-webhook", "unknown"),
        ],
    )
    def test_in_linkerd_s_own_deployment_our_image_tells(
        self, reached: tuple[FakeApiServer, Path], image: str, version: str
    ) -> None:
        reached[0].put(LINKERDS, deployment(image))
        where = f"(Deployment linkerd/linkerd-proxy-injector, image {image})"
        assert f"Server version: {version} {where}" in ask(reached).output

    def test_linkerd_s_own_injector_is_not_ours(self, reached: tuple[FakeApiServer, Path]) -> None:
        reached[0].put(LINKERDS, deployment("cr.l5d.io/linkerd/controller:edge-26.8.1"))
        result = ask(reached)
        assert "Server version: unavailable (not installed in namespace linkerd)" in result.output
        assert result.exit_code == 0

    def test_short_prints_client_and_server_one_a_line(self, reached: tuple[FakeApiServer, Path]) -> None:
        reached[0].put(OURS, deployment("linkerd-webhook:0.0.9"))
        assert ask(reached, "--short").output == f"{__version__}\n0.0.9\n"

    def test_another_namespace_is_asked_where_it_is_given(self, reached: tuple[FakeApiServer, Path]) -> None:
        reached[0].put(OURS.replace("/linkerd/", "/mesh/"), deployment("linkerd-webhook:0.0.9"))
        assert "Server version: 0.0.9 (Deployment mesh/" in ask(reached, "--linkerd-namespace=mesh").output


class TestLinkerd:
    """Linkerd's version, and what it is taken for."""

    @pytest.mark.parametrize(
        ("version", "said"),
        [
            ("stable-2.12.4", "stable-2.12.4 (release line stable-2.12.4)"),
            ("edge-26.8.2", "edge-26.8.2 (release line edge-26.8)"),
            ("edge-99.1.1", "edge-99.1.1 (taken for release line edge-26.8)"),
        ],
    )
    def test_the_values_tell_it(self, reached: tuple[FakeApiServer, Path], version: str, said: str) -> None:
        reached[0].put(CONFIG, config(version))
        assert f"Linkerd version: {said}\n" in ask(reached).output

    def test_no_linkerd_is_said(self, reached: tuple[FakeApiServer, Path]) -> None:
        assert "Linkerd version: unavailable (ConfigMap linkerd/linkerd-config does not exist)" in ask(reached).output

    def test_values_that_cannot_be_read_are_said(self, reached: tuple[FakeApiServer, Path]) -> None:
        reached[0].put(CONFIG, {"metadata": {}, "data": {"values": "[unclosed"}})
        assert "unavailable (ConfigMap linkerd/linkerd-config: the values are not YAML" in ask(reached).output


class TestNoCluster:
    """Where nobody answers."""

    def test_ours_is_printed_and_the_rest_is_explained(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            result = run(f"--kubeconfig={kubeconfig(tmp_path, url)}")
        assert result.exit_code == 1
        assert result.stdout == f"Client version: {__version__}\n"
        assert result.stderr.startswith(f"linkerd-webhook: the cluster at {url}: no connection to the API server: ")

    def test_a_refusal_is_told_in_the_api_server_s_words(self, reached: tuple[FakeApiServer, Path]) -> None:
        reached[0].failures[OURS] = ApiError(403, "no GET of linkerd-webhook today")
        result = ask(reached)
        assert result.exit_code == 1
        assert "not allowed: grant this to the requesting user (no GET of linkerd-webhook today)" in result.stderr


class TestWhichCluster:
    """The one that kubectl would talk to."""

    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        """A home with a kubeconfig."""
        folder = tmp_path / "home" / ".kube"
        folder.mkdir(parents=True)
        kubeconfig(folder, "http://home.example").rename(folder / "config")
        return tmp_path / "home"

    async def host(self, given: Path | None, environment: dict[str, str]) -> str:
        """Who would be asked."""
        api = await connect(given, environment)
        await api.close()
        return api.host

    async def test_the_flag_goes_before_the_variable_and_that_before_home(self, tmp_path: Path, home: Path) -> None:
        for name in ("flag", "variable"):
            (tmp_path / name).mkdir()
        flag = kubeconfig(tmp_path / "flag", "http://flag.example")
        variable = {"HOME": str(home), "KUBECONFIG": str(kubeconfig(tmp_path / "variable", "http://variable.example"))}
        assert await self.host(flag, variable) == "http://flag.example"
        assert await self.host(None, variable) == "http://variable.example"
        assert await self.host(None, {"HOME": str(home)}) == "http://home.example"

    async def test_files_of_the_variable_that_are_not_there_are_passed_over(self, tmp_path: Path, home: Path) -> None:
        listed = f"{tmp_path / 'gone'}:{home / '.kube' / 'config'}"
        assert await self.host(None, {"KUBECONFIG": listed}) == "http://home.example"

    async def test_what_was_tried_is_named(self, tmp_path: Path) -> None:
        tried = ["--kubeconfig", "$KUBECONFIG", f"{tmp_path}/.kube/config", "KUBERNETES_SERVICE_HOST"]
        with pytest.raises(ConfigurationError) as error:
            await connect(None, {"HOME": str(tmp_path)})
        assert all(attempt in str(error.value) for attempt in tried)

    @pytest.mark.parametrize("by_flag", [True, False])
    async def test_a_file_that_is_not_there_is_no_reason_to_ask_another_cluster(
        self, tmp_path: Path, home: Path, by_flag: bool
    ) -> None:
        gone = tmp_path / "gone"
        environment = {"HOME": str(home), **({} if by_flag else {"KUBECONFIG": str(gone)})}
        with pytest.raises(ConfigurationError, match=str(gone)):
            await connect(gone if by_flag else None, environment)

    async def test_in_a_pod_it_is_the_service_account_s(self, tmp_path: Path) -> None:
        """There is none here, which is what is said."""
        environment = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
        with pytest.raises(ConfigurationError, match="cannot use the Pod's service account"):
            await connect(None, environment)
