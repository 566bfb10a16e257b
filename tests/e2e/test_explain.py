"""`explain` on a real API server: by the command, of a file without any cluster, and on the admin port."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.e2e.api import JSON, ApiServer
from tests.e2e.installation import Installation, command
from tests.e2e.mesh import Manifests, installed
from tests.e2e.objects import ENABLED, Room, meshed
from tests.e2e.program import ROOT, Webhook
from tests.e2e.waiting import until


@pytest.fixture(scope="module")
def ours(api: ApiServer, newest: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose one replica explains Pods."""
    folder = tmp_path_factory.mktemp("explain")
    with installed(api, newest, folder / "linkerd"), Installation(api, newest, folder) as installation:
        installation.start(more=["--explain"])
        until("configurations in force", installation.in_force, within=30)
        yield installation


@pytest.fixture
def room(ours: Installation, api: ApiServer) -> Room:
    """A Namespace that asks for injection, and that the server knows."""
    room = Room.create(api, "explained", ENABLED)
    until("a meshed Pod", lambda: meshed(room.pod(dry_run=True).ok()), within=10)
    return room


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command's end."""
    line = [sys.executable, "-m", "webhook.cli", "explain", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def explained(kubeconfig: Path, room: Room, target: str, *flags: str) -> tuple[int, JSON]:
    """The exit code, and what the command prints as JSON."""
    done = explain(target, "-n", room.name, f"--kubeconfig={kubeconfig}", "-o", "json", *flags)
    assert done.stdout, done.stderr
    report: JSON = json.loads(done.stdout)
    return done.returncode, report


class TestCommand:
    def test_a_pod_is_meshed_as_asked(self, kubeconfig: Path, room: Room) -> None:
        name = room.pod().ok()["metadata"]["name"]
        code, report = explained(kubeconfig, room, f"pod/{name}")
        assert (code, report["meshed"], report["would"], report["reason"]) == (0, True, True, "")
        assert report["object"] == f"Pod {room.name}/{name}"
        assert report["drift"] == report["advice"] == report["notes"] == []
        # The other one is the self-test's.
        assert [webhook["calls"] for webhook in report["webhooks"] if webhook["ours"]] == [True, False]

    def test_a_workload_is_explained_by_its_template(self, kubeconfig: Path, room: Room) -> None:
        room.deployment("web")
        code, report = explained(kubeconfig, room, "deploy/web")
        assert (code, report["meshed"], report["would"]) == (0, None, True)
        assert report["patch"]

    def test_what_nobody_asks_for_is_as_it_should_be(self, kubeconfig: Path, room: Room) -> None:
        name = room.pod({"linkerd.io/inject": "disabled"}).ok()["metadata"]["name"]
        code, report = explained(kubeconfig, room, f"pod/{name}")
        assert (code, report["meshed"], report["reason"]) == (0, False, "injection_disable_annotation_present")
        assert report["inject"]["source"] == "pod"

    def test_what_asks_and_cannot_be_meshed_is_told(self, kubeconfig: Path, room: Room) -> None:
        name = room.pod(hostNetwork=True).ok()["metadata"]["name"]
        code, report = explained(kubeconfig, room, f"pod/{name}")
        assert (code, report["reason"], report["advice"]) == (1, "host_network_enabled", [])

    def test_a_release_line_that_the_mesh_s_values_do_not_fit_is_told(self, kubeconfig: Path, room: Room) -> None:
        name = room.pod().ok()["metadata"]["name"]
        _, report = explained(kubeconfig, room, f"pod/{name}", "--release-line=stable-2.12")
        assert report["meshed"] is True
        (note,) = report["notes"]
        assert "proxyInit.resources is missing" in note

    @pytest.mark.parametrize("target", ["pod/none", "deploy/none", "sts/none"])
    def test_what_does_not_exist_is_told_and_nothing_is_printed(
        self, kubeconfig: Path, room: Room, target: str
    ) -> None:
        done = explain(target, "-n", room.name, f"--kubeconfig={kubeconfig}", "-o", "json")
        assert (done.returncode, done.stdout) == (2, "")
        assert "does not exist" in done.stderr


class TestFile:
    FILE = """
apiVersion: v1
kind: Namespace
metadata: {name: shop, annotations: {linkerd.io/inject: enabled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.org/web:1"}]}
"""

    @pytest.fixture
    def folder(self, tmp_path: Path, newest: Manifests) -> Path:
        """A manifest, and the mesh's configuration."""
        for name, text in (
            ("web.yaml", self.FILE),
            ("values.yaml", newest.values_text),
            ("anchors.pem", newest.trust_anchors),
        ):
            (tmp_path / name).write_text(text)
        return tmp_path

    def test_needs_no_cluster(self, folder: Path) -> None:
        mesh = f"--values={folder / 'values.yaml'}", f"--trust-anchors={folder / 'anchors.pem'}"
        nowhere = f"--kubeconfig={folder / 'none'}"
        done = explain("-f", str(folder / "web.yaml"), *mesh, nowhere, "-o", "json")
        report = json.loads(done.stdout)
        assert done.returncode == 0
        assert (report["object"], report["meshed"], report["would"]) == ("Deployment shop/web", None, True)
        assert not any("defaults are taken" in note for note in report["notes"])

    def test_takes_defaults_and_says_so_where_no_cluster_answers(self, folder: Path) -> None:
        done = explain("-f", str(folder / "web.yaml"), f"--kubeconfig={folder / 'none'}", "-o", "json")
        report = json.loads(done.stdout)
        assert report["would"] is True
        assert any("defaults are taken" in note for note in report["notes"])

    def test_is_the_cluster_s_mesh_where_a_cluster_answers(
        self, folder: Path, kubeconfig: Path, ours: Installation
    ) -> None:
        done = explain("-f", str(folder / "web.yaml"), f"--kubeconfig={kubeconfig}", "-o", "json")
        report = json.loads(done.stdout)
        assert done.returncode == 0
        assert report["notes"] == []
        assert any(webhook["ours"] and webhook["calls"] for webhook in report["webhooks"])


class TestAdminPort:
    """Last, as it grants the server what it needs."""

    def ask(self, replica: Webhook, **query: str) -> tuple[int, JSON]:
        """The status and the body."""
        url = f"http://127.0.0.1:{replica.admin_port}/explain"
        answer = httpx.get(url, params=query, timeout=20)
        body: JSON = answer.json()
        return answer.status_code, body

    def test_without_the_rights_they_are_named(self, ours: Installation, room: Room) -> None:
        status, body = self.ask(ours.replicas[0], namespace=room.name, pod="web")
        assert status == 403
        assert "grant get on pods/web" in body["error"]

    def test_with_them_it_is_the_json_of_the_command(
        self, ours: Installation, api: ApiServer, kubeconfig: Path, room: Room
    ) -> None:
        (replica,) = ours.replicas
        name = room.pod().ok()["metadata"]["name"]
        granted = list(
            yaml.safe_load_all(
                command("install", "--rbac-for", "explain", "--to", "ServiceAccount:linkerd/linkerd-webhook")
            )
        )
        for body in granted:
            api.apply(body)
        try:
            until("the rights", lambda: self.ask(replica, namespace=room.name, pod=name)[0] == 200, within=10)
            status, body = self.ask(replica, namespace=room.name, pod=name)
            assert (status, body) == (200, explained(kubeconfig, room, f"pod/{name}")[1])
            status, body = self.ask(replica, namespace=room.name, pod="none")
            assert status == 404
            assert f"Pod {room.name}/none does not exist" in body["error"]
        finally:
            for body in granted:
                api.delete(body)

    @pytest.mark.parametrize(
        ("query", "part"),
        [
            ({}, "write /explain?namespace=NAMESPACE&pod=NAME"),
            ({"namespace": "shop"}, "write /explain?namespace=NAMESPACE&pod=NAME"),
            ({"namespace": "shop", "pod": "Web"}, '"Web" is not a name'),
            ({"namespace": "../x", "pod": "web"}, "is not the name of a Namespace"),
        ],
    )
    def test_a_bad_query_is_told(self, ours: Installation, query: dict[str, str], part: str) -> None:
        status, body = self.ask(ours.replicas[0], **query)
        assert status == 400
        assert part in body["error"]

    def test_a_server_that_was_not_told_to_explain_does_not(self, ours: Installation) -> None:
        (other,) = ours.start()
        url = f"http://127.0.0.1:{other.admin_port}/explain"
        assert httpx.get(url, params={"namespace": "shop", "pod": "web"}, timeout=20).status_code == 404
