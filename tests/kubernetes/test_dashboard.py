"""`linkerd-webhook dashboard`: the status page over a port-forward, through a kubelet, while Pods go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.e2e.installation import NAMESPACE
from tests.e2e.program import ROOT
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.installation import Installation, command

GUEST = "looks-at-the-page"


@contextmanager
def dashboard(kubeconfig: Path, *arguments: str) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    """The command: the page's address, the Pod that it leads to, and the process. Ctrl-C ends it well."""
    line = [sys.executable, "-m", "webhook.cli", "dashboard", "--show=url", "-o=json", "--port=0", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*line, f"--kubeconfig={kubeconfig}"], stdout=pipe, stderr=pipe, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            first = process.stdout.readline()
            assert first, process.stderr.read()
            said = json.loads(first)
            yield said["url"], said["pod"], process
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()


def get(url: str) -> tuple[int, str, str]:
    """Status, media type and body."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status, response.headers.get_content_type(), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read().decode()


def started(metrics: str) -> str:
    """When a replica started, by its metrics: no two did at the same moment."""
    (line,) = [line for line in metrics.splitlines() if line.startswith("process_start_time_seconds ")]
    return line


def test_the_page_and_its_facts_come_through_the_kubelet(cluster: Cluster, installation: Installation) -> None:
    with dashboard(cluster.kubeconfig) as (url, pod, _):
        assert pod in {body["metadata"]["name"] for body in installation.replicas()}
        status, kind, page = get(url)
        assert (status, kind) == (200, "text/html")
        assert pod in page
        status, kind, text = get(f"{url}status.json")
        assert (status, kind) == (200, "application/json")
        assert json.loads(text)["head"]["replica"] == pod
        assert started(get(f"{url}metrics")[2]) == started(installation.get(pod, "/metrics"))
        status, kind, text = get(f"{url}ready")
        assert (status, kind) == (200, "application/json")
        assert json.loads(text)["ready"] is True


def test_when_its_pod_is_deleted_the_next_request_is_answered_by_another(
    cluster: Cluster, installation: Installation
) -> None:
    with dashboard(cluster.kubeconfig) as (url, pod, process):
        by_replica = {
            name: started(installation.get(name, "/metrics"))
            for name in (body["metadata"]["name"] for body in installation.replicas())
        }
        assert started(get(f"{url}metrics")[2]) == by_replica.pop(pod)
        installation.kubectl("delete", "pod", pod, "--wait=false").ok()
        status, _, metrics = get(f"{url}metrics")
        assert (status, started(metrics)) == (200, *by_replica.values())
        status, _, text = get(f"{url}status.json")
        assert (status, json.loads(text)["head"]["replica"]) == (200, *by_replica)
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert process.stderr is not None
        assert f"Pod {pod} answers no more: forwarding to Pod " in process.stderr.read()
    installation.roll_out()


def test_it_waits_for_a_pod_while_none_is_there(cluster: Cluster, installation: Installation) -> None:
    installation.scale(0)
    done = command(cluster, "dashboard", "--show=url", "--port=0", "--wait=2s")
    assert (done.code, done.out) == (1, "")
    assert f"no Pod of linkerd-webhook in namespace {NAMESPACE} is ready after 2 s" in done.err
    installation.kubectl("scale", "deploy/linkerd-webhook", "--replicas=2").ok()
    with dashboard(cluster.kubeconfig, "--wait=3m") as (url, _, _):
        assert get(url)[0] == 200
    installation.roll_out()


@pytest.fixture
def guest(cluster: Cluster, installation: Installation, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The kubeconfig of a ServiceAccount, and what `install --rbac-for dashboard` prints for it."""
    cluster.kubectl("-n", "default", "create", "serviceaccount", GUEST)
    token = cluster.kubectl("-n", "default", "create", "token", GUEST).ok().strip()
    body = yaml.safe_load(cluster.kubeconfig.read_text())
    body["users"][0]["user"] = {"token": token}
    path = tmp_path / "guest"
    path.write_text(yaml.safe_dump(body))
    rights = command(cluster, "install", "--rbac-for=dashboard", f"--to=ServiceAccount:default/{GUEST}").ok()
    yield path, rights
    cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=rights)
    cluster.kubectl("-n", "default", "delete", "serviceaccount", GUEST)


def test_who_has_no_right_is_told_which_and_needs_no_other_than_install_prints(
    cluster: Cluster, guest: tuple[Path, str]
) -> None:
    kubeconfig, rights = guest
    line = [sys.executable, "-m", "webhook.cli", "dashboard", "--show=url", "--port=0", f"--kubeconfig={kubeconfig}"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"grant list on pods in namespace {NAMESPACE} to ServiceAccount default/{GUEST}" in done.stderr
    cluster.kubectl("apply", "-f", "-", stdin=rights).ok()
    with dashboard(kubeconfig) as (url, _, _):
        assert get(url)[0] == 200
