"""A running cluster: kubectl, the API server, and the node's own programs."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.api import ApiServer
from tests.e2e.waiting import until

JSON = dict[str, Any]

# Seconds for one command; what waits by itself has a time-out of its own.
WITHIN = 300


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    line: str
    code: int
    out: str
    err: str

    def ok(self) -> str:
        """What it printed. Raises `AssertionError` with what it said where it did not end well."""
        assert self.code == 0, f"{self.line} ended with {self.code}: {self.err or self.out}"
        return self.out

    @property
    def warnings(self) -> list[str]:
        """The API server's warnings, as kubectl prints them."""
        return [line for line in self.err.splitlines() if line.startswith("Warning:")]


def run(line: Sequence[str], *, stdin: str = "", **more: Any) -> Done:
    """Run a command to its end."""
    done = subprocess.run(line, input=stdin, capture_output=True, text=True, check=False, timeout=WITHIN, **more)
    return Done(" ".join(line), done.returncode, done.stdout, done.stderr)


class Cluster:
    """A cluster that `script` (kubernetes.sh) has started in `folder`."""

    def __init__(self, folder: Path, script: Path) -> None:
        self.folder = folder
        self.script = script
        self.kubeconfig = folder / "kubeconfig"

    def kubectl(self, *arguments: str, stdin: str = "") -> Done:
        """kubectl of the cluster's version, as its administrator."""
        return run([str(self.script), "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments], stdin=stdin)

    def apply(self, *objects: JSON, more: Sequence[str] = ()) -> Done:
        """`kubectl apply -f -`."""
        return self.kubectl("apply", "-f", "-", *more, stdin=yaml.safe_dump_all(objects))

    def get(self, *arguments: str) -> Any:
        """An object, or a list's items. Raises `AssertionError` where there is none."""
        report = json.loads(self.kubectl("get", *arguments, "-o", "json").ok())
        return report["items"] if report["kind"] == "List" else report

    def node_script(self, *arguments: str) -> None:
        """A command of kubernetes.sh on this cluster or beside it."""
        run([str(self.script), *arguments]).ok()

    def on_node(self, *arguments: str, stdin: str = "") -> Done:
        """A program of the node's, in the node's network."""
        first, _ = self._kubelet()
        return run(["nsenter", f"--target={first}", "--net", *arguments], stdin=stdin)

    def administrator(self) -> ApiServer:
        """The API server over REST, as a ServiceAccount that may do anything."""
        name = "webhook-tests"
        self.kubectl("-n", "kube-system", "create", "serviceaccount", name)
        subject = f"--serviceaccount=kube-system:{name}"
        self.kubectl("create", "clusterrolebinding", name, "--clusterrole=cluster-admin", subject)
        token = self.kubectl("-n", "kube-system", "create", "token", name, "--duration=6h").ok()
        cluster = yaml.safe_load(self.kubeconfig.read_text())["clusters"][0]["cluster"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        return ApiServer(cluster["server"], ca, token.strip())

    def restart_kubelet(self) -> None:
        """End the kubelet as a crash does, and start it again with the same command line."""
        first, kubelet = self._kubelet()
        proc = Path("/proc") / str(kubelet)
        line = proc.joinpath("cmdline").read_text().rstrip("\0").split("\0")
        folder = proc.joinpath("cwd").readlink()
        program = proc.joinpath("exe").readlink()
        environment = dict(
            part.split("=", 1) for part in proc.joinpath("environ").read_text().split("\0") if "=" in part
        )
        os.kill(kubelet, signal.SIGKILL)
        until("the kubelet's end", lambda: self._kubelet(missing=True)[1] == 0, within=10)
        inside = ["nsenter", f"--target={first}", "--mount", "--pid", "--net", f"--wd={folder}"]
        # By its name, kubelet, the program knows which of Kubernetes' it is.
        start = ["bash", "-c", 'exec -a "$0" "$@"', line[0], str(program), *line[1:]]
        with (self.folder / "log" / "kubelet").open("ab") as log:
            subprocess.Popen(
                [*inside, *start],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until("another kubelet", lambda: self._kubelet(missing=True)[1], within=10)

    def _kubelet(self, *, missing: bool = False) -> tuple[int, int]:
        """The node's first process, and its kubelet: 0 where that is `missing`."""
        node = int((self.folder / "pid").read_text())
        (first,) = _children(node)
        for child in _children(first):
            if _name(child) == "kubelet":
                return first, child
        # One that was started anew is no child of the first process.
        for path in Path("/proc").glob("[0-9]*"):
            if _name(int(path.name)) == "kubelet" and _namespace(int(path.name)) == _namespace(first):
                return first, int(path.name)
        assert missing, "no kubelet runs"
        return first, 0


def _children(process: int) -> list[int]:
    return [int(part) for part in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _name(process: int) -> str:
    try:
        line = Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""
    return Path(line.split("\0")[0]).name


def _namespace(process: int) -> str:
    try:
        return os.readlink(f"/proc/{process}/ns/pid")
    except OSError:
        return ""
