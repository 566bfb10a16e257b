"""`linkerd-webhook dashboard`: what it prints, what it opens, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.e2e.waiting import until
from tests.kube.http import FakeApiServer, served
from tests.unit.diagnosis.test_forwarding import PODS
from tests.unit.diagnosis.test_replica_pods import pod
from tests.unit.documentation.test_json import assert_valid
from webhook.cli.main import cli
from webhook.diagnosis.forwarding import bind


class Page(BaseHTTPRequestHandler):
    """What a replica answers."""

    def do_GET(self) -> None:
        """As the name has to be."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} for {self.headers['Host']}".encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def reached(tmp_path: Path) -> Iterator[tuple[FakeApiServer, Path]]:
    """A cluster with one replica, and its kubeconfig."""
    with served(tmp_path) as (server, kubeconfig), ThreadingHTTPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        server.put(f"{PODS}/a", {"kind": "Pod", **pod("a")})
        server.forwards[f"{PODS}/a"] = page.server_address[1]
        yield server, kubeconfig
        page.shutdown()


@contextmanager
def running(kubeconfig: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own."""
    line = [sys.executable, "-m", "webhook.cli", "dashboard", "--port=0", f"--kubeconfig={kubeconfig}", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **environment}) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupted(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code after Ctrl-C, and what else was written."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def body(url: str) -> str:
    """What a URL answers."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())


class TestRunning:
    def test_the_address_that_is_printed_leads_to_a_replica_until_ctrl_c_ends_it_well(
        self, reached: tuple[FakeApiServer, Path]
    ) -> None:
        with running(reached[1], "--show=url") as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://localhost:")
            assert body(f"{url}status.json") == f"/status.json for {url.removeprefix('http://').rstrip('/')}"
            code, out, err = interrupted(process)
        assert (code, out) == (0, "")
        assert err == "linkerd-webhook: forwarding to Pod a; Ctrl-C ends it\n"

    def test_as_json_the_address_and_the_pod_are_an_object(self, reached: tuple[FakeApiServer, Path]) -> None:
        with running(reached[1], "--show=url", "-o", "json", "--address=127.0.0.1") as process:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            assert_valid("dashboard", said)
            assert said["pod"] == "a"
            assert body(said["url"]).startswith("/ for 127.0.0.1:")

    def test_the_page_is_opened_in_the_browser(self, reached: tuple[FakeApiServer, Path], tmp_path: Path) -> None:
        browser, opened = tmp_path / "browser", tmp_path / "opened"
        browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
        browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
        with running(reached[1], BROWSER=str(browser)) as process:
            assert process.stdout is not None
            url = process.stdout.readline()
            until("the browser", opened.exists, within=10)
            assert opened.read_text() == url
            assert interrupted(process)[0] == 0

    def test_without_a_browser_it_says_what_to_open(self, reached: tuple[FakeApiServer, Path], tmp_path: Path) -> None:
        with running(reached[1], BROWSER="", PATH=str(tmp_path), DISPLAY="") as process:
            assert process.stdout is not None and process.stderr is not None
            url = process.stdout.readline().strip()
            lines = [process.stderr.readline() for _ in range(2)]
            assert f"there is no browser here: open {url} yourself, or pass --show url" in lines[1]

    def test_an_address_for_others_comes_with_a_note(self, reached: tuple[FakeApiServer, Path]) -> None:
        with running(reached[1], "--show=url", "--address=0.0.0.0") as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("http://localhost:")
            assert "the page answers only to localhost" in interrupted(process)[2]


def ended(*arguments: str) -> tuple[int, str]:
    """The exit code, and the one line on standard error; nothing is on standard output."""
    result = CliRunner().invoke(cli, ["dashboard", "--show=url", "--wait=0s", *arguments])
    assert result.stdout == ""
    return result.exit_code, result.stderr


class TestEnding:
    def test_a_port_that_is_taken_is_one_sentence(self, reached: tuple[FakeApiServer, Path]) -> None:
        (taken,) = bind("127.0.0.1", 0)
        port = taken.getsockname()[1]
        with taken:
            code, err = ended(f"--kubeconfig={reached[1]}", "--address=127.0.0.1", f"--port={port}")
        assert code == 1
        assert err == (
            f"linkerd-webhook: port {port} of 127.0.0.1 is taken: pass another by --port, or --port 0 for any that is "
            "free\n"
        )

    def test_no_ready_pod_is_one_sentence(self, reached: tuple[FakeApiServer, Path]) -> None:
        reached[0].put(f"{PODS}/a", {"kind": "Pod", **pod("a", ready=False)})
        code, err = ended(f"--kubeconfig={reached[1]}", "--port=0")
        assert (code, err.count("\n")) == (1, 1)
        assert "no Pod of linkerd-webhook in namespace linkerd is ready after 0 s (a: not ready)" in err

    def test_another_namespace_is_looked_at_where_it_is_given(self, reached: tuple[FakeApiServer, Path]) -> None:
        code, err = ended(f"--kubeconfig={reached[1]}", "--port=0", "-L", "mesh")
        assert code == 1
        assert "is not installed in namespace mesh" in err

    def test_no_cluster_is_one_sentence(self, tmp_path: Path) -> None:
        code, err = ended(f"--kubeconfig={tmp_path / 'gone'}", "--port=0")
        assert (code, err.count("\n")) == (1, 1)

    @pytest.mark.parametrize("flag", ["--wait=soon", "--port=65536", "--show=me", "-L=A B"])
    def test_a_wrong_flag_is_2(self, flag: str) -> None:
        assert ended(flag)[0] == 2
