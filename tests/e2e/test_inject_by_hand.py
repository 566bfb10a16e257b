"""`kubectl get | linkerd-webhook inject - | kubectl apply`: it changes what was asked for, and nothing else."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.api import JSON, ApiServer
from tests.e2e.objects import INJECT, Room
from tests.e2e.program import ROOT

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")
COUNT = 200

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Shell:
    """kubectl and our own command, on the cluster."""

    def __init__(self, kubeconfig: Path) -> None:
        program = shutil.which("kubectl")
        if program is None:
            pytest.skip("kubectl is not on the PATH")
        self._kubectl = program
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints."""
        return self._run([self._kubectl, *arguments], stdin)

    def ours(self, *arguments: str, stdin: str = "") -> str:
        """What our command prints on standard output."""
        return self._run([sys.executable, "-m", "webhook.cli", *arguments], stdin)

    def _run(self, line: Sequence[str], stdin: str) -> str:
        done = subprocess.run(
            line, input=stdin, capture_output=True, text=True, check=False, cwd=ROOT, env=self._environment
        )
        assert done.returncode == 0, f"{' '.join(line)} ended with {done.returncode}: {done.stderr[-2000:]}"
        return done.stdout


@pytest.fixture
def shell(kubeconfig: Path) -> Shell:
    """The programs of the pipe."""
    return Shell(kubeconfig)


def workload(within: str, number: int) -> JSON:
    """One of many workloads of all kinds, with fields of every sort that the pipe has to keep."""
    kind = KINDS[number % len(KINDS)]
    labels = {"app": f"web-{number}"}
    annotations = {"example.org/note": f'"quoted: {number}" # no comment', "example.org/number": "0x1F"}
    container: JSON = {
        "name": "web",
        "image": f"nginx:1.{number}",
        "args": ["--listen", "on", "0777", "1e3", "~", ""],
        "env": [{"name": "A", "value": "yes"}, {"name": "B", "value": "line one\nline two\n"}],
        "ports": [{"containerPort": 8080}],
    }
    restart = "Never" if kind == "CronJob" else "Always"
    template: JSON = {
        "metadata": {"labels": labels, **({"annotations": annotations} if number % 3 else {})},
        "spec": {"containers": [container], "restartPolicy": restart},
    }
    spec: JSON = {"selector": {"matchLabels": labels}, "template": template}
    if kind == "CronJob":
        spec = {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}}
    if kind == "StatefulSet":
        spec["serviceName"] = "web"
    group = "batch/v1" if kind == "CronJob" else "apps/v1"
    metadata = {"name": f"web-{number}", "namespace": within, "annotations": {"example.org/of": "ours"}}
    return {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec}


@pytest.fixture
def many(shell: Shell, api: ApiServer) -> Iterator[Room]:
    """A Namespace with many workloads that kubectl has applied."""
    room = Room.create(api, "by-hand")
    bodies = [workload(room.name, number) for number in range(COUNT)]
    shell.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))
    yield room
    shell.kubectl("delete", _resources(), "--all", "-n", room.name, "--wait=false")


def _resources() -> str:
    return ",".join(f"{kind.lower()}s" for kind in KINDS)


def stored(shell: Shell, room: Room) -> dict[tuple[str, str], JSON]:
    """The workloads as the API server has them, by kind and name."""
    listed = shell.kubectl("get", _resources(), "-n", room.name, "-o", "json", "--show-managed-fields")
    items: list[JSON] = json.loads(listed)["items"]
    return {(body["kind"], body["metadata"]["name"]): body for body in items}


def template_of(body: JSON) -> JSON:
    """The Pod template."""
    spec = body["spec"]
    template: JSON = spec["jobTemplate"]["spec"]["template"] if body["kind"] == "CronJob" else spec["template"]
    return template


def left_out(body: JSON) -> JSON:
    """An object without what each write changes, and without the annotation to inject in its template."""
    body = copy.deepcopy(body)
    for field in ("resourceVersion", "generation", "managedFields"):
        body["metadata"].pop(field, None)
    body["metadata"]["annotations"].pop(LAST_APPLIED, None)
    annotations = template_of(body)["metadata"].get("annotations", {})
    annotations.pop(INJECT, None)
    if not annotations:
        template_of(body)["metadata"].pop("annotations", None)
    return body


def fields(value: Any, path: str = "") -> set[str]:
    """The paths of a managedFields entry."""
    if not value:
        return {path}
    return set().union(*(fields(below, f"{path}/{key}") for key, below in value.items())) if value else set()


def managed(body: JSON) -> set[str]:
    """All fields that anybody has written."""
    return set().union(*(fields(entry["fieldsV1"]) for entry in body["metadata"]["managedFields"]))


def test_the_pipe_asks_for_the_proxy_in_every_workload_and_changes_nothing_else(shell: Shell, many: Room) -> None:
    before = stored(shell, many)
    assert len(before) == COUNT
    listed = shell.kubectl("get", _resources(), "-n", many.name, "-o", "yaml")
    injected = shell.ours("inject", "--ignore-cluster", "-", stdin=listed)
    shell.kubectl("apply", "-f", "-", stdin=injected)
    after = stored(shell, many)

    assert {template_of(body)["metadata"]["annotations"][INJECT] for body in after.values()} == {"enabled"}
    assert {name: left_out(body) for name, body in after.items()} == {
        name: left_out(body) for name, body in before.items()
    }
    for name, body in after.items():
        written = managed(body) - managed(before[name])
        assert written, "managedFields tell of no write"
        assert all("/f:template/f:metadata/f:annotations" in path for path in written), written

    again = shell.kubectl("get", _resources(), "-n", many.name, "-o", "yaml")
    shell.kubectl("apply", "-f", "-", stdin=shell.ours("uninject", "-", stdin=again))
    assert {name: left_out(body) for name, body in stored(shell, many).items()} == {
        name: left_out(body) for name, body in before.items()
    }
