"""The program as a process, with its files laid out the way Kubernetes mounts them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.api import JSON
from tests.e2e.waiting import until
from tests.ports import free_port

ROOT = Path(__file__).parents[2]

# Seconds from the start until the program is ready: imports on a busy machine are most of it.
START = 30.0


class Mount:
    """A volume of a ConfigMap or Secret: files are links into `..data`, itself a link to the files in force."""

    def __init__(self, path: Path, files: Mapping[str, bytes]) -> None:
        self.path = path
        path.mkdir(parents=True)
        self._version = 0
        self._files: dict[str, bytes] = {}
        self.update(files)

    def update(self, files: Mapping[str, bytes]) -> None:
        """Change files as the kubelet does: a new folder, then one rename."""
        self._files |= files
        self._version += 1
        folder = self.path / f"..2026_01_01_00_00_00.{self._version}"
        folder.mkdir()
        for name, content in self._files.items():
            (folder / name).write_bytes(content)
        before = (self.path / "..data").resolve()
        link = self.path / "..data_tmp"
        link.symlink_to(folder.name)
        link.replace(self.path / "..data")
        for name in self._files:
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(f"..data/{name}")
        if self._version > 1:
            shutil.rmtree(before)

    def __getitem__(self, name: str) -> bytes:
        return self._files[name]


class Webhook:
    """One replica. `log` is all that it has said."""

    def __init__(self, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        """`arguments`: the Deployment's, to which addresses are added."""
        self.port, self.admin_port = free_port(), free_port()
        self._log = log
        environment = {**os.environ, **(environment or {})}
        environment.pop("KUBECONFIG", None)
        addr, admin_addr = ("--addr", "--admin-addr") if arguments[0] == "serve" else ("-addr", "-metrics-addr")
        addresses = [f"{addr}=127.0.0.1:{self.port}", f"{admin_addr}=127.0.0.1:{self.admin_port}"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "webhook.cli", *arguments, *addresses],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._admin = httpx.Client(base_url=f"http://127.0.0.1:{self.admin_port}", timeout=5)

    @property
    def endpoint(self) -> str:
        """Where the API server finds it."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait_ready(self) -> None:
        """Wait until `/ready` says yes. Raises `AssertionError` with the log."""
        end = time.monotonic() + START
        while self.ready()[0] != 200:
            assert self.exit_code is None, f"the program ended with {self.exit_code}:\n{self.log}"
            assert time.monotonic() < end, f"not ready within {START:g} s:\n{self.log}"
            time.sleep(0.05)

    def ready(self) -> tuple[int, JSON]:
        """The status and body of `/ready`; 0 where nobody listens."""
        try:
            answer = self._admin.get("/ready")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def condition(self, name: str) -> JSON:
        """One of the conditions that `/ready` tells."""
        return next((condition for condition in self.ready()[1].get("conditions", ()) if condition["name"] == name), {})

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name that have these labels."""
        text = self._admin.get("/metrics").text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    def served(self) -> x509.Certificate:
        """The leaf that a new connection gets, trusted or not."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock,
            context.wrap_socket(sock) as connection,
        ):
            der = connection.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)

    @property
    def admissions(self) -> float:
        """How many reviews it has answered."""
        return self.metric("linkerd_webhook_decisions_total")

    def freeze(self) -> None:
        """Stop it where it is: it answers nothing and closes nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to shut down, as the kubelet does."""
        self._process.send_signal(signal.SIGTERM)

    def wait_exit(self, within: float) -> int:
        """Its exit code."""
        until("the program's end", lambda: self.exit_code is not None, within=within)
        return self._process.returncode

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(10)
        self._admin.close()
