"""Many Pods at once, and an API server that goes and comes back."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from tests.e2e.api import ApiServer
from tests.e2e.conftest import RESTART
from tests.e2e.objects import ENABLED, Room, bare, meshed
from tests.e2e.program import Webhook
from tests.e2e.waiting import until


class TestBurst:
    def test_two_hundred_pods_at_once_are_all_meshed(self, room: Room) -> None:
        _, replicaset = room.deployment("wide")
        with ThreadPoolExecutor(64) as pool:
            replies = list(pool.map(lambda _: room.pod(owner=replicaset), range(200)))
        assert [reply.message for reply in replies if reply.status != 201] == []
        assert all(meshed(reply.body) for reply in replies)
        owners = {reply.body["metadata"]["labels"]["linkerd.io/proxy-deployment"] for reply in replies}
        assert owners == {"wide"}

    def test_pods_of_fifty_new_namespaces_at_once_are_all_meshed(self, webhook: Webhook, api: ApiServer) -> None:
        with ThreadPoolExecutor(50) as pool:
            replies = list(pool.map(lambda _: Room.create(api, "burst", ENABLED).pod(), range(50)))
        assert [reply.message for reply in replies if reply.status != 201] == []
        assert all(meshed(reply.body) for reply in replies)


class TestApiServerRestart:
    def test_injection_goes_on_and_the_watch_recovers(self, room: Room, plain_room: Room, webhook: Webhook) -> None:
        command = os.environ.get(RESTART)
        if not command:
            pytest.skip(f"{RESTART} holds no command that restarts the API server")
        # Known before, so that afterwards only the watch can tell of its change.
        assert bare(plain_room.pod().ok())
        restart = subprocess.Popen(
            command,
            shell=True,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        statuses = {webhook.ready()[0]}
        until("the watch's end", lambda: restart.poll() or not webhook.condition("cache")["ok"], within=30)
        while restart.poll() is None:
            statuses.add(webhook.ready()[0])
            with suppress(subprocess.TimeoutExpired):
                restart.wait(0.2)
        assert restart.returncode == 0
        until("the API server", room.api.alive, within=60)
        until("a meshed Pod", lambda: _meshed(room), within=30)
        plain_room.annotate(dict(ENABLED))
        until("the watch's word of the annotation", lambda: meshed(plain_room.pod(dry_run=True).ok()), within=35)
        until("the cache's recovery told", lambda: webhook.condition("cache")["ok"], within=5)
        assert statuses == {200}, "an API server that is away makes nobody unready"


def _meshed(room: Room) -> bool:
    """Whether a Pod comes out meshed; the API server may still refuse it, but never take it bare."""
    try:
        reply = room.pod(dry_run=True)
    except httpx.TransportError:
        return False
    if reply.status != 201:
        return False
    assert meshed(reply.body), "created without the proxy"
    return True
