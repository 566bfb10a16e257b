"""Start and stop the servers under test, each a process of its own, and read what they cost from /proc."""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bench import reviews
from bench.client import Target
from certs.issue import issue_ca, issue_leaf
from webhook.mesh.defaults import default_values

ROOT = Path(__file__).resolve().parent.parent
OURS = "ours"
TICKS = os.sysconf("SC_CLK_TCK")
NAMES = {
    OURS: "linkerd-webhook",
    "floor": "bare FastAPI route",
    "noop": "do-nothing FastAPI webhook",
    "canned": "FastAPI webhook, canned patch",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What every server of a run is started with."""

    folder: Path
    command: tuple[str, ...]
    values: Path
    serve: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()

    @property
    def ca(self) -> Path:
        """The CA that signed the servers' certificate."""
        return self.folder / "ca.crt"

    def tls(self) -> ssl.SSLContext:
        """A client's context that verifies the servers."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context


@dataclass(slots=True)
class Server:
    """A running server."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    admin_port: int
    log: Path
    seconds_to_ready: float = field(default=0.0)

    def target(self, setting: Setting) -> Target:
        """Where the load goes."""
        return Target("127.0.0.1", self.port, setting.tls())

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mib(self, key: str = "VmRSS") -> float:
        """Resident memory (`VmHWM`: its peak) in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(key + ":"))
        return int(line.split()[1]) / 1024


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A command line with what all benchmarks share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--values", type=Path, help="Linkerd's values (default: those the program has built in)")
    parser.add_argument("--command", help="the program under test (default: the one of this checkout)")
    parser.add_argument("--serve", default="", help="more flags for `serve`, as one text (--serve='--log-level warn')")
    return parser


def kubeconfig_argument(parser: argparse.ArgumentParser) -> None:
    """Add --kubeconfig, which a disposable test cluster's environment variable stands in for."""
    default = os.environ.get("WEBHOOK_TEST_KUBECONFIG")
    parser.add_argument("--kubeconfig", type=Path, default=Path(default) if default else None,
                        help="a disposable cluster (default: $WEBHOOK_TEST_KUBECONFIG)")  # fmt: skip


def machine() -> str:
    """What the figures depend on most."""
    return f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f}"


def stay_apart(server: Server, *others: int) -> None:
    """Give the server a CPU to itself, and this process and those with the IDs `others` the rest: what a load takes is
    not taken from the server then. What they start later stays there too. Without a second CPU, nothing is done."""
    first, *rest = sorted(os.sched_getaffinity(0))
    if rest:
        for process, cpus in ((server.process.pid, {first}), *((other, set(rest)) for other in (os.getpid(), *others))):
            for thread in Path(f"/proc/{process}/task").iterdir():
                os.sched_setaffinity(int(thread.name), cpus)


@contextmanager
def prepared(options: argparse.Namespace, names: Sequence[str] = ()) -> Iterator[Setting]:
    """A folder with a certificate (for these DNS names too), trust anchors and the cluster's manifests."""
    command = shlex.split(options.command) if options.command else default_command()
    with tempfile.TemporaryDirectory(prefix="webhook-bench-") as name:
        folder = Path(name)
        ca = issue_ca("bench-ca")
        leaf = issue_leaf(ca, ["localhost", "127.0.0.1", *names])
        for file, content in (("ca.crt", ca.certificate), ("tls.crt", leaf.certificate), ("tls.key", leaf.key)):
            (folder / file).write_bytes(content)
        values = options.values or folder / "values.yaml"
        if not options.values:
            values.write_bytes(default_values())
        manifest = folder / "cluster.yaml"
        manifest.write_text(yaml.safe_dump_all(reviews.cluster_of()))
        yield Setting(folder, tuple(command), values, tuple(shlex.split(options.serve)), ("--manifests", str(manifest)))


def default_command() -> list[str]:
    """The console script beside this interpreter, else the module."""
    script = Path(sys.executable).parent / "linkerd-webhook"
    return [str(script)] if script.exists() else [sys.executable, "-m", "webhook.cli"]


@contextmanager
def running(name: str, setting: Setting) -> Iterator[Server]:
    """Start a server, wait until it is ready, and stop it afterwards."""
    server = start(name, setting)
    try:
        wait_ready(server)
        yield server
    finally:
        stop(server)


def start(name: str, setting: Setting) -> Server:
    """Start a server process; it is not ready yet."""
    port, admin_port = free_ports(2)
    if name == OURS:
        command = [*setting.command, "serve", "--addr", f"127.0.0.1:{port}", "--admin-addr", f"127.0.0.1:{admin_port}",
                   "--tls-dir", str(setting.folder), "--values", str(setting.values),
                   "--trust-anchors", str(setting.ca), *setting.cluster, *setting.serve]  # fmt: skip
    else:
        admin_port = 0
        command = [sys.executable, "-m", "bench.floor", name, "--port", str(port), "--tls-dir", str(setting.folder)]
    log = setting.folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    return Server(name, process, port, admin_port, log)


def wait_ready(server: Server, timeout: float = 60) -> None:
    """Wait for /ready on the admin port, or for the port itself where there is none."""
    began = time.monotonic()
    while time.monotonic() - began < timeout:
        if server.process.poll() is not None:
            break
        if _ready(server):
            return
        time.sleep(0.01)
    raise SystemExit(f"{NAMES[server.name]} did not become ready:\n{server.log.read_text(errors='replace')[-3000:]}")


def _ready(server: Server) -> bool:
    try:
        if not server.admin_port:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
            return True
        with urllib.request.urlopen(f"http://127.0.0.1:{server.admin_port}/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def stop(server: Server) -> None:
    """SIGTERM, then SIGKILL for one that does not go."""
    server.process.terminate()
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            server.process.kill()
        server.process.wait()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
