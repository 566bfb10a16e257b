"""`linkerd-webhook serve` as a process: what it says, how it starts and how it ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.issue import CertificateAndKey, issue_ca, issue_leaf
from tests.ports import free_port
from tests.waiting import wait_for
from webhook.cli.main import main
from webhook.mesh.defaults import default_trust_anchors, default_values

MANIFESTS = """
apiVersion: v1
kind: Namespace
metadata: {name: emojivoto, annotations: {linkerd.io/inject: enabled}}
"""


class Mounts:
    """What a control plane mounts, in a folder, and the flags that say so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca: CertificateAndKey = issue_ca("test")
        leaf = issue_leaf(self.ca, ["localhost"])
        self.write("tls.crt", leaf.certificate)
        self.write("tls.key", leaf.key)
        self.write("values", default_values())
        self.write("ca-bundle.crt", default_trust_anchors())
        self.write("manifests.yaml", MANIFESTS.encode())

    def write(self, name: str, content: bytes) -> None:
        """Replace a file."""
        (self.folder / name).write_bytes(content)

    @property
    def flags(self) -> list[str]:
        """In Go's forms; any ports."""
        return [
            f"-tls-dir={self.folder}",
            f"-values={self.folder / 'values'}",
            f"-trust-anchors={self.folder / 'ca-bundle.crt'}",
            f"--manifests={self.folder / 'manifests.yaml'}",
            "-addr",
            "127.0.0.1:0",
            "-metrics-addr=127.0.0.1:0",
        ]


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    """All well."""
    return Mounts(tmp_path)


class Process:
    """A running `serve`, in a process of its own."""

    def __init__(self, mounts: Mounts, *flags: str) -> None:
        self.mounts = mounts
        self.port, self.admin_port = free_port(), free_port()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "webhook.cli", "proxy-injector", *mounts.flags, *flags, "-log-format=json"),
                *(f"-addr=127.0.0.1:{self.port}", f"-metrics-addr=127.0.0.1:{self.admin_port}"),
            ],
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        """Until `/ready` says so."""
        wait_for(lambda: self.ready == 200, 60)

    @property
    def ready(self) -> int:
        """The status of `/ready`, 0 as long as nobody listens."""
        assert self.process.poll() is None, "it has ended"
        try:
            return self.get("/ready")[0]
        except OSError:
            return 0

    def get(self, path: str) -> tuple[int, str]:
        """Ask the admin port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def connect(self) -> http.client.HTTPSConnection:
        """A connection to the HTTPS port, verified."""
        context = ssl.create_default_context(cadata=self.mounts.ca.certificate.decode())
        return http.client.HTTPSConnection("localhost", self.port, timeout=5, context=context)

    def end(self, seconds: float = 30) -> tuple[int, list[dict[str, object]]]:
        """Its exit code and log."""
        _, log = self.process.communicate(timeout=seconds)
        return self.process.returncode, [json.loads(line) for line in log.splitlines()]


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """What is left running in the end is ended."""
    result: list[Process] = []
    yield result
    for finding in result:
        if finding.process.poll() is None:
            finding.process.kill()
            finding.process.communicate()


def post(connection: http.client.HTTPSConnection) -> tuple[http.client.HTTPResponse, dict[str, object]]:
    pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    request = {
        "uid": "u",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "emojivoto",
        "operation": "CREATE",
        "object": {"apiVersion": "v1", "kind": "Pod", **pod},
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    connection.request("POST", "/?timeout=10s", json.dumps(review), {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response, json.loads(response.read())


def test_it_starts_with_linkerd_s_own_command_line_answers_and_ends_with_0(
    mounts: Mounts, processes: list[Process]
) -> None:
    """SIGTERM: not ready at once, answers with `Connection: close`, then gone."""
    serve = Process(mounts, "-enable-pprof=false", "-shutdown-delay=3", "-cluster-domain=cluster.local")
    processes.append(serve)
    serve.wait_ready()
    connection = serve.connect()
    response, review = post(connection)
    assert response.status == 200
    answer = review["response"]
    assert isinstance(answer, dict)
    assert answer["allowed"]
    assert answer["patchType"] == "JSONPatch"
    assert 'proxy_inject_admission_responses_total{annotation_at="namespace"' in serve.get("/metrics")[1]
    serve.process.send_signal(signal.SIGTERM)
    wait_for(lambda: serve.ready == 503)
    response, _ = post(connection)
    assert (response.status, response.getheader("connection")) == (200, "close")
    code, log = serve.end()
    assert code == 0
    messages = [line["msg"] for line in log]
    assert "flag -enable-pprof has no effect here and is ignored" in messages
    assert "flag --cluster-domain has no effect without --service or --collector-svc-addr" in messages
    assert [line["decision"] for line in log if line["msg"] == "admission"] == ["injected", "injected"]
    assert messages[-1] == "stopped"


def test_a_probe_that_comes_before_the_server_is_there_waits_and_is_not_refused(
    mounts: Mounts, processes: list[Process]
) -> None:
    """A refused probe is a warning Event at each start."""
    serve = Process(mounts)
    processes.append(serve)
    tried: list[socket.socket] = []

    def connected() -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            tried.append(socket.create_connection(("127.0.0.1", serve.admin_port), timeout=30))
        return bool(tried)

    wait_for(connected)
    with tried[0] as connection:
        connection.sendall(b"GET /startup HTTP/1.1\r\nHost: x\r\n\r\n")
        accepted = time.monotonic()
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    # Nothing but a bound port answers that early.
    assert time.monotonic() - accepted > 0.05, "the port is open before the server's libraries are imported"


def test_a_second_sigterm_ends_it_at_once(mounts: Mounts, processes: list[Process]) -> None:
    """Whatever is still to be done."""
    serve = Process(mounts, "-shutdown-delay=10")
    processes.append(serve)
    serve.wait_ready()
    serve.process.send_signal(signal.SIGTERM)
    wait_for(lambda: serve.ready == 503)
    serve.process.send_signal(signal.SIGTERM)
    code, log = serve.end()
    assert code == 128 + signal.SIGTERM
    assert log[-1]["msg"] == "exiting at once"


def test_values_that_change_are_in_force_without_a_restart_and_broken_ones_are_told(
    mounts: Mounts, processes: list[Process]
) -> None:
    """`/ready` stays 200 and says which file is refused; the metrics count it."""
    serve = Process(mounts, "-shutdown-delay=0")
    processes.append(serve)
    serve.wait_ready()
    mounts.write("values", b"- not values")
    wait_for(lambda: str(mounts.folder / "values") in serve.get("/ready")[1])
    status, body = serve.get("/ready")
    assert status == 200
    assert "the earlier contents stay in effect" in body
    assert 'linkerd_webhook_reload_failures_total{file="values"} 1.0' in serve.get("/metrics")[1]
    assert post(serve.connect())[0].status == 200
    mounts.write("values", default_values() + b"\n# changed\n")
    wait_for(lambda: 'linkerd_webhook_reloads_total{file="values"} 1.0' in serve.get("/metrics")[1])
    assert str(mounts.folder / "values") not in serve.get("/ready")[1]


class TestCannotStart:
    """Exit code 2, and a message that names the file or flag and says why."""

    def refuse(self, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
        """The message of a start that fails."""
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
        return capsys.readouterr().err

    @pytest.mark.parametrize("name", ["tls.crt", "tls.key", "values", "ca-bundle.crt"])
    def test_a_missing_file_is_named(self, mounts: Mounts, capsys: pytest.CaptureFixture[str], name: str) -> None:
        """With the system's reason."""
        (mounts.folder / name).unlink()
        message = self.refuse(capsys, ["serve", *mounts.flags])
        assert f"{mounts.folder / name}: No such file or directory" in message

    def test_a_key_of_another_certificate_is_named(self, mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
        """The key is to blame."""
        mounts.write("tls.key", issue_leaf(mounts.ca, ["localhost"]).key)
        message = self.refuse(capsys, ["serve", *mounts.flags])
        assert f"{mounts.folder / 'tls.key'}: the private key does not belong to the certificate" in message

    def test_an_expired_certificate_is_named(self, mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
        """With the time."""
        from datetime import UTC, datetime, timedelta

        past = datetime.now(UTC) - timedelta(days=100)
        leaf = issue_leaf(issue_ca("old", now=past), ["a"], lifetime=timedelta(days=1), now=past)
        mounts.write("tls.crt", leaf.certificate)
        mounts.write("tls.key", leaf.key)
        message = self.refuse(capsys, ["serve", *mounts.flags])
        assert re.search(r"tls.crt: the certificate expired at \d{4}-\d\d-\d\dT", message)

    def test_all_that_is_wrong_with_the_files_is_told_at_once(
        self, mounts: Mounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Not one restart a mistake."""
        mounts.write("tls.crt", b"hello")
        mounts.write("values", b"")
        message = self.refuse(capsys, ["serve", *mounts.flags])
        assert "tls.crt: the file is not PEM" in message
        assert "the values are empty" in message

    def test_a_manifest_that_is_no_yaml_is_named(self, mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
        """With its line."""
        mounts.write("manifests.yaml", b"a: [")
        assert re.search(r"manifests.yaml:\d+:\d+: ", self.refuse(capsys, ["serve", *mounts.flags]))

    def test_no_cluster_and_no_manifests_says_what_to_pass(
        self, mounts: Mounts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Outside of a Pod."""
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        flags = [flag for flag in mounts.flags if not flag.startswith("--manifests")]
        message = self.refuse(capsys, ["serve", *flags])
        assert "--kubeconfig" in message
        assert "--manifests" in message

    def test_an_address_in_use_names_its_flag(self, mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
        """Either of the two."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            busy = f"127.0.0.1:{server.getsockname()[1]}"
            assert "--addr" in self.refuse(capsys, ["serve", *mounts.flags, f"-addr={busy}"])
            assert "--admin-addr" in self.refuse(capsys, ["serve", *mounts.flags, f"-admin-addr={busy}"])

    @pytest.mark.parametrize("flag", ["--certs=self-managed", "--adopt"])
    def test_what_needs_a_service_says_so(self, mounts: Mounts, capsys: pytest.CaptureFixture[str], flag: str) -> None:
        """By the flag that was given."""
        assert f"{flag} needs --service NAME" in self.refuse(capsys, ["serve", *mounts.flags, flag])

    def test_a_service_without_a_cluster_is_refused(self, mounts: Mounts, capsys: pytest.CaptureFixture[str]) -> None:
        """There is nothing to look after in manifests."""
        assert "--manifests" in self.refuse(capsys, ["serve", *mounts.flags, "--service=linkerd-webhook"])

    def test_an_unknown_webhook_is_told_with_the_known_ones(
        self, mounts: Mounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """By name."""
        message = self.refuse(capsys, ["serve", *mounts.flags, "--webhook=nobody"])
        assert 'unknown webhook "nobody"' in message
        assert "proxy-injector" in message

    def test_an_unknown_release_line_is_told_with_the_known_ones(
        self, mounts: Mounts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """And its flag."""
        message = self.refuse(capsys, ["serve", *mounts.flags, "--release-line=nobody"])
        assert "--release-line" in message
        assert "edge-26.8" in message

    def test_an_unknown_flag_is_told_with_the_closest(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Before anything is loaded."""
        assert "did you mean --linkerd-namespace" in self.refuse(capsys, ["proxy-injector", "-linkerd-namespce=x"])

    def test_a_log_level_that_is_none_is_told_with_the_known_ones(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Linkerd's names."""
        assert "trace" in self.refuse(capsys, ["serve", "--log-level=loud"])


class TestCommands:
    """The group."""

    def test_version_is_printed_in_every_form(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Ours and the reference's."""
        for arguments in (["version", "--client"], ["--version"], ["proxy-injector", "-version"]):
            with pytest.raises(SystemExit) as end:
                main(arguments)
            assert not end.value.code
            assert " 0." in capsys.readouterr().out

    def test_help_lists_the_commands_and_serve_s_flags(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without importing what they need."""
        for arguments, text in ((["--help"], "review"), (["serve", "--help"], "--shutdown-delay")):
            with pytest.raises(SystemExit):
                main(arguments)
            assert text in capsys.readouterr().out

    def test_a_command_imports_nothing_of_the_server(self) -> None:
        """Imports are most of what a short command costs."""
        code = (
            "import sys\n"
            "from webhook.cli.main import load, main\n"
            "load('serve')\n"
            "try: main(['--help'])\n"
            "except SystemExit: pass\n"
            "print('heavy:', sorted({'fastapi', 'uvicorn', 'kubernetes', 'aiohttp'} & set(sys.modules)))\n"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
        assert "heavy: []" in run.stdout
