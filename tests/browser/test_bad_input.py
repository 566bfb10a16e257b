"""The status page of a real process, with bad requests and a bad API server: it comes soon, says what it does not know,
and reviews go on being answered. No browser is needed for these."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.browser.replica import Replica, replica
from tests.e2e.waiting import until
from tests.kube.http import FakeApiServer
from webhook.kube.errors import ApiError
from webhook.statuspage.podlist import KEPT

SOON = 2.0
# It is loaded before a process's C library, and tells the process another time.
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
PODS = "/api/v1/pods"


def load(made: Replica, query: str = "") -> str:
    """The page, which comes within two seconds; and reviews are answered as well."""
    began = time.monotonic()
    answer = httpx.get(f"http://127.0.0.1:{made.process.admin_port}/{query}", timeout=10)
    assert time.monotonic() - began < SOON
    assert answer.status_code == 200
    made.post_samples()
    return answer.text


def wire(made: Replica, request: bytes) -> bytes:
    """What comes back for these bytes, until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", made.process.admin_port), timeout=5) as connection:
        # A server that has read enough closes the connection.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        answer = b""
        with suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                answer += piece
    return answer


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A replica."""
    with replica(tmp_path_factory.mktemp("asked")) as made:
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Replica]:
    """A replica that has not counted anything yet."""
    with replica(tmp_path) as made:
        yield made


class TestRequests:
    @pytest.mark.parametrize(
        "hosts",
        [
            ["evil.example"],
            ["localhost.evil.example"],
            ["localhost", "localhost"],
            ["localhost", "evil.example"],
            ["evil.example", "localhost"],
            ["localhost@evil.example"],
            [""],
        ],
    )
    def test_only_one_host_that_is_this_machine_sees_anything(self, asked: Replica, hosts: list[str]) -> None:
        head = "".join(f"Host: {host}\r\n" for host in hosts)
        answer = wire(asked, f"GET / HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
        assert answer.split(b" ", 2)[1] in (b"400", b"403")
        assert b"Last decisions" not in answer
        assert "Last decisions" in load(asked)

    @pytest.mark.parametrize("path", ["/" + "x" * 100_000, "/?namespace=" + "x" * 100_000, "/docs/" + "../" * 33_000])
    def test_an_address_of_100_kb_does_no_harm(self, asked: Replica, path: str) -> None:
        began = time.monotonic()
        wire(asked, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert time.monotonic() - began < SOON
        assert "Last decisions" in load(asked)

    def test_what_is_asked_for_is_escaped(self, asked: Replica) -> None:
        text = load(asked, "?namespace=<script>alert(1)</script>&reason=\"'><img src=x>")
        assert "<script>alert" not in text
        assert "<img" not in text


class TestApiServer:
    def test_one_that_hangs_leaves_the_counts_open(self, fresh: Replica) -> None:
        fresh.cluster.hangs.add(PODS)
        assert "still being counted" in load(fresh)
        assert "At least 0 of 0" in load(fresh)

    def test_one_that_forgets_the_list_each_time_is_told(self, fresh: Replica) -> None:
        fresh.cluster.failures[PODS] = ApiError(410, "The provided continue parameter is too old")
        assert "the list of Pods broke off" in load(fresh)
        del fresh.cluster.failures[PODS]
        time.sleep(KEPT)
        assert "11 of 17 running Pods" in load(fresh)

    def test_one_that_forbids_is_told(self, fresh: Replica) -> None:
        fresh.cluster.failures[PODS] = ApiError(403, "pods is forbidden")
        fresh.cluster.failures["/api/v1/namespaces/shop/pods"] = ApiError(403, "pods is forbidden")
        text = load(fresh, "?namespace=shop")
        assert text.count("may not list Pods") == 2

    def test_one_that_is_broken_is_told(self, fresh: Replica) -> None:
        fresh.cluster.objects[PODS] = {"metadata": {}, "items": "none"}
        assert "not a list of Pods" in load(fresh)

    def test_five_thousand_namespaces_come_in_pages(self, tmp_path: Path) -> None:
        def crowd(cluster: FakeApiServer) -> None:
            for number in range(5000):
                cluster.set_namespace(f"crowd-{number:04}")

        with replica(tmp_path, crowd) as made:
            text = load(made)
            assert text.count('<tr id="namespace-') == 200
            assert "Page 1 of 26, 5004 Namespaces." in text
            assert 'id="namespace-shop"' in load(made, "?page=26")


class TestReplica:
    def test_one_that_knows_no_namespaces_yet_says_so(self, tmp_path: Path) -> None:
        def hang(cluster: FakeApiServer) -> None:
            cluster.hangs.add("/api/v1/namespaces")

        with replica(tmp_path, hang, ready=False) as made:
            until("the admin port", lambda: made.process.ready()[0] == 503, within=20)
            began = time.monotonic()
            text = httpx.get(f"{made.url}/", timeout=10).text
            assert time.monotonic() - began < SOON
            assert "Not ready" in text
            assert "Error: namespaces" in text or "Error: cache" in text

    @pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed: install Debian's package faketime")
    def test_a_clock_that_jumps_makes_no_age_negative(self, tmp_path: Path) -> None:
        clock = tmp_path / "clock"
        clock.write_text("+0")
        environment = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            # A clock that somebody sets does not change how long things take.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
        }
        with replica(tmp_path, environment=environment) as made:
            for number, days in enumerate((0, 3650, -3650, 1, 0), start=2):
                clock.write_text(f"{days:+}d")
                # It is another page than a second ago.
                text = load(made, f"?refresh={number}")
                facts = httpx.get(f"{made.url}/status.json?refresh={number}", timeout=15).json()
                shown = datetime.fromisoformat(facts["head"]["time"])
                assert abs(shown - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=5)
                assert f"{shown:%Y-%m-%d}" in text
                assert 0 <= facts["head"]["uptimeSeconds"] < 300
                assert re.search(r"updated \d+ s ago", facts["head"]["cluster"])
                # The certificate lasts from today on for less than ten years.
                assert ("expired" in text) is (days == 3650)
                assert not re.search(r"[>( ]-\d", re.sub(r"<[^>]*>", ">", text))
                assert facts["decisions"][0]["time"][:10] == f"{shown:%Y-%m-%d}"

    def test_files_that_cannot_be_read_are_told_and_the_old_ones_stay(self, fresh: Replica) -> None:
        served = fresh.process.served()
        (fresh.files / "tls.crt").write_text("no certificate")
        (fresh.files / "ca-bundle.crt").write_text("no certificate")
        until(
            "the refusal",
            lambda: sum(bool(file["refused"]) for file in status(fresh)["configuration"]["files"]) >= 2,
            within=20,
        )
        text = load(fresh)
        assert "Warning: " in text or "Error: " in text
        assert fresh.process.served() == served


def status(made: Replica) -> dict[str, dict[str, list[dict[str, str]]]]:
    """The document."""
    answer: dict[str, dict[str, list[dict[str, str]]]] = httpx.get(f"{made.url}/status.json", timeout=15).json()
    return answer
