"""The files that examples of commands name, and what runs an example."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from certs.issue import issue_ca, issue_leaf
from tests.e2e.waiting import until
from webhook.cli import samples
from webhook.cli.examples import Example
from webhook.mesh.defaults import default_values

# Seconds after its first output in which what would not stay has ended.
_STAYS = 3.0

CART = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {containers: [{name: cart, image: "nginx:1.27"}]}
"""
SERVER = """\
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: web, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, port: http}
"""
API = """\
openapi: 3.0.0
info: {title: web, version: "1"}
paths: {/cart: {get: {responses: {"200": {description: fine}}}}}
"""
RESOURCES = f"""\
apiVersion: config.kubernetes.io/v1
kind: ResourceList
functionConfig: {{apiVersion: v1, kind: ConfigMap, metadata: {{name: inject}}, data: {{ignore-cluster: "true"}}}}
items:
- {CART.replace(chr(10), chr(10) + "  ").rstrip()}
"""


def write_files(folder: Path) -> None:
    """All that examples read."""
    for name, text in (
        ("cart.yaml", CART),
        ("server.yaml", SERVER),
        ("api.yaml", API),
        ("resource-list.yaml", RESOURCES),
        ("values.yaml", default_values().decode()),
        ("cluster.yaml", samples.cluster().read_text()),
        ("manifests/cart.yaml", CART),
        ("manifests/server.yaml", SERVER),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    shutil.copy(samples.reviews()[0], folder / "review.json")
    (folder / "tls").mkdir()
    ca = issue_ca("linkerd-webhook")
    leaf = issue_leaf(ca, ["linkerd-webhook.linkerd.svc"])
    for name, content in (
        ("ca.crt", ca.certificate),
        ("ca.key", ca.key),
        ("tls.crt", leaf.certificate),
        ("tls.key", leaf.key),
    ):
        (folder / "tls" / name).write_bytes(content)
    for name in (".zsh", ".config/fish/completions"):
        (folder / name).mkdir(parents=True)
    # kubectl takes what is piped into it.
    _program(folder / "kubectl", "cat > kubectl.in")
    _program(folder / "linkerd-webhook", f'exec {sys.executable} -m webhook.cli "$@"')


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(
    example: Example, folder: Path, kubeconfig: Path | str = "/nowhere", within: float = 60
) -> tuple[int, str, str]:
    """Run an example as it stands there, in a folder with its files: exit code, standard output and error. What stays
    gets Ctrl-C; all has to end within so many seconds."""
    root = str(Path(samples.__file__).parents[2])
    environment = {
        **{name: text for name, text in os.environ.items() if name != "LINKERD_NAMESPACE"},
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": root,
        "KUBECONFIG": str(kubeconfig),
        "BROWSER": "true",
    }
    # `exec` leaves no shell between Ctrl-C and the program.
    line = example.line if "|" in example.line or "source" in example.line else f"exec {example.line}"
    paths = folder / "example.out", folder / "example.err"
    with (
        paths[0].open("w") as out,
        paths[1].open("w") as err,
        subprocess.Popen(
            ["bash", "-c", f"set -o pipefail; {line}"], cwd=folder, env=environment, stdout=out, stderr=err
        ) as process,
    ):
        try:
            if example.stays:
                _interrupt(process, paths, within)
            process.wait(within)
        finally:
            process.kill()
    return process.returncode, paths[0].read_text(), paths[1].read_text()


def _interrupt(process: subprocess.Popen[bytes], paths: tuple[Path, Path], within: float) -> None:
    """Ctrl-C, once a program has begun to write and has run for a while; a busy machine takes its time to start one."""
    until("any output", lambda: process.poll() is not None or any(path.read_text() for path in paths), within=within)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STAYS)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
